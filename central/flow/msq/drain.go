package msq

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"tillstream/central/flow"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects/service"
)

// drain gives one shopper's messages to OSG, on this instance by one goroutine at a time.
type drain struct {
	since time.Time // guarded by MSQ.mu: when they came, by the last word
	again bool      // guarded by MSQ.mu: there was another word meanwhile
	look  bool      // guarded by MSQ.mu: OSG is to look whether they are there
}

// begin drains, or has the drain that is under way look once more.
func (m *MSQ) begin(ctx context.Context, wg *sync.WaitGroup, account record.AccountID, since time.Time, look bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d := m.drains[account]; d != nil {
		d.again, d.look = true, d.look || look
		if since.After(d.since) {
			d.since = since
		}
		return
	}
	d := &drain{since: since, again: true, look: look}
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
			since, again, look := d.since, d.again, d.look
			if d.again, d.look = false, false; !again {
				delete(m.drains, account)
			}
			m.mu.Unlock()
			if !again || ctx.Err() != nil {
				return
			}
			m.drain(ctx, account, since, look)
		}
	})
}

// drainTries bounds how often OSG is asked for one message before the next word about the shopper is waited for: some
// ten seconds.
const drainTries = 8

// drain gives what waits, and goes on where it failed.
func (m *MSQ) drain(ctx context.Context, account record.AccountID, since time.Time, look bool) {
	for n := range drainTries {
		err := m.pass(ctx, account, since, look)
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
func (m *MSQ) pass(ctx context.Context, account record.AccountID, since time.Time, look bool) error {
	start := time.Now()
	if look {
		// Whoever comes after this look is in the bucket before MSQ hears of them, and finds what was put. Most are not
		// there, and this is the cheapest way to know it: with a pass for each message, what MSQ and OSG asked of the
		// bucket cost more than all that the flow writes.
		if there, err := m.bucket.Any(ctx, kv.PresenceKeys(account)); err != nil || !there {
			return err
		}
	}
	all, err := m.of(ctx, account)
	if err != nil {
		return err
	}
	brought := false
	for _, w := range all {
		if w.NextVisit && !since.After(w.Queued) {
			continue
		}
		stays, err := m.bring(ctx, w, look)
		if err != nil || stays {
			return err
		}
		brought, look = true, false
	}
	if brought {
		m.took.Observe(time.Since(start).Seconds())
	}
	return nil
}

// bring gives one message to OSG and takes it out when it was shown, or must not be; stays: the shopper has gone.
func (m *MSQ) bring(ctx context.Context, w *waiting, look bool) (stays bool, err error) {
	gone, err := m.deleted(ctx, w)
	if err != nil {
		return false, err
	}
	if !gone && w.message.ExpiresAt.After(m.Now()) {
		shown, err := m.deliver(ctx, w, look)
		if _, refused := errors.AsType[*service.Refusal](err); refused {
			m.messages.WithLabelValues("refused").Inc()
			m.Log.Error("a message that OSG can never show is taken out of the queue", "event", w.envelope.ID, "customer", w.message.AccountID, "err", err)
			return false, m.remove(ctx, w.key)
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
