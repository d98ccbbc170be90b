package msq

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/record"
	"tillstream/subjects/service"
)

// drain gives one shopper's messages to OSG, on this instance by one goroutine at a time.
type drain struct {
	since time.Time // guarded by MSQ.mu: when they came, by the last word
	again bool      // guarded by MSQ.mu: there was another word meanwhile
}

// begin drains, or has the drain that is under way look once more.
func (m *MSQ) begin(ctx context.Context, wg *sync.WaitGroup, account record.AccountID, since time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.drains[account]; d != nil {
		d.again = true
		if since.After(d.since) {
			d.since = since
		}
		return
	}
	d := &drain{since: since, again: true}
	m.drains[account] = d
	wg.Go(func() {
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-m.slots }()
		for {
			m.mu.Lock()
			since, again := d.since, d.again
			if d.again = false; !again {
				delete(m.drains, account)
			}
			m.mu.Unlock()
			if !again || ctx.Err() != nil {
				return
			}
			m.drain(ctx, account, since)
		}
	})
}

// drainTries bounds how often OSG is asked for one message before the next word about the shopper is waited for: some
// ten seconds.
const drainTries = 8

// drain gives what waits, and goes on where it failed.
func (m *MSQ) drain(ctx context.Context, account record.AccountID, since time.Time) {
	for n := range drainTries {
		err := m.pass(ctx, account, since)
		if err == nil {
			return
		}
		m.Log.Debug("messages that wait are tried again", "customer", account, "attempt", n+1, "err", err)
		d := 50 * time.Millisecond << n
		if !flow.Sleep(ctx, d+rand.N(d/2)) {
			return
		}
	}
}

// pass gives what waits to OSG, in order, until the shopper has gone or nothing is left.
func (m *MSQ) pass(ctx context.Context, account record.AccountID, since time.Time) error {
	start := time.Now()
	all, err := m.of(ctx, account)
	if err != nil {
		return err
	}
	brought := false
	for _, w := range all {
		if w.NextVisit && !since.After(w.Queued) {
			continue
		}
		stays, err := m.bring(ctx, w)
		if err != nil || stays {
			return err
		}
		brought = true
	}
	if brought {
		m.took.Observe(time.Since(start).Seconds())
	}
	return nil
}

// bring gives one message to OSG and takes it out when it was shown, or must not be; stays: the shopper has gone.
func (m *MSQ) bring(ctx context.Context, w *waiting) (stays bool, err error) {
	gone, err := m.deleted(ctx, w)
	if err != nil {
		return false, err
	}
	if !gone && w.message.ExpiresAt.After(m.Now()) {
		shown, err := m.deliver(ctx, w)
		if _, refused := errors.AsType[*service.Refusal](err); refused {
			m.messages.WithLabelValues("refused").Inc()
			m.Log.Error("a message that OSG can never show is taken out of the queue", "event", w.envelope.ID, "customer", w.message.AccountID, "err", err)
			return false, m.bucket.Remove(ctx, w.key, w.revision)
		}
		if err != nil {
			return false, err
		}
		if !shown {
			return true, nil
		}
		// From here on it is shown. If we die here, the next drain asks OSG once more, which knows it.
		m.messages.WithLabelValues("delivered").Inc()
	}
	return false, m.bucket.Remove(ctx, w.key, w.revision)
}
