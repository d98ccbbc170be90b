package stage

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/subjects/event"
)

const (
	answerWithin = 5 * time.Second
	heartbeat    = 2 * time.Second
	// pullMost bounds what the server sends before it is asked again. It is no bound of bytes: the server ends a pull that
	// has one with a word of its own, which overtakes the messages of a replicated consumer, since they wait until the
	// others know of them. The client has hung up by then, and they come again only after the consumer's wait.
	pullMost = 256
	// gather is how long a full stage waits for more slots than one: a pull for each event costs as much as the event.
	gather = time.Millisecond
)

// pull handles events for as long as the consumer is there. It asks for no more than there are slots for: what waited
// in a buffer would outlive the consumer's wait where events take long, and be handled twice.
func (s *Stage) pull(ctx context.Context, wg *sync.WaitGroup) error {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	consumer, err := s.cfg.JS.Consumer(asking, s.cfg.Net.FlowStream(), s.cfg.Stage.String())
	cancel()
	if err != nil {
		return err
	}
	for {
		n := s.take(ctx)
		if n == 0 {
			return ctx.Err()
		}
		batch, err := consumer.Fetch(n, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(heartbeat))
		if err == nil {
			for m := range batch.Messages() {
				n--
				s.start(ctx, wg, m)
			}
			err = batch.Error()
		}
		s.leave(n)
		if err != nil {
			return err
		}
	}
}

// take waits for a slot and takes those that are free; none: ctx has ended.
func (s *Stage) take(ctx context.Context) (n int) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	var wait <-chan time.Time // nil: no longer than for what is free
	if few := cap(s.slots) / 8; len(s.slots) > cap(s.slots)-few {
		wait = time.After(gather)
	}
	for n = 1; n < min(cap(s.slots), pullMost); n++ {
		select {
		case s.slots <- struct{}{}:
			continue
		default:
		}
		if wait == nil {
			return n
		}
		select {
		case s.slots <- struct{}{}:
		case <-wait:
			return n
		case <-ctx.Done():
			return n
		}
	}
	return n
}

func (s *Stage) leave(n int) {
	for range n {
		<-s.slots
	}
}

// held is an event that this instance has and has not brought to its end.
type held struct {
	m  jetstream.Msg
	at time.Time // when the server last heard of it
}

// keep tells the server of the events held, before it gives them to another.
func (s *Stage) keep(ctx context.Context) {
	for sleep(ctx, heartbeat/4) {
		var old []*held
		s.mu.Lock()
		for h := range s.held {
			if time.Since(h.at) >= heartbeat {
				h.at = time.Now()
				old = append(old, h)
			}
		}
		s.mu.Unlock()
		for _, h := range old {
			if err := h.m.InProgress(); err != nil {
				s.cfg.Log.Debug("keep an event", "subject", h.m.Subject(), "err", err) // it comes again, here or elsewhere
			}
		}
	}
}

// giveBack lets an event come again later.
func (s *Stage) giveBack(m jetstream.Msg, after time.Duration) {
	if err := m.NakWithDelay(after); err != nil {
		s.cfg.Log.Debug("give an event back", "subject", m.Subject(), "err", err) // it comes again all the same
	}
}

// line is the events of one account.
type line struct {
	last chan struct{} // closed when the last of them so far is at its end
	long int           // how many there are
}

// maxLine bounds how many events of one account wait for each other: more would keep those of the others out.
func (s *Stage) maxLine() int { return max(s.cfg.AtOnce/16, 1) }

// start handles an event in a goroutine of its own, after the one before it of its account if that is asked for. It
// owns one slot.
func (s *Stage) start(ctx context.Context, wg *sync.WaitGroup, m jetstream.Msg) {
	h := &held{m, time.Now()}
	var before, done chan struct{}
	account := ""
	s.mu.Lock()
	if s.cfg.Ordered {
		account = accountOf(m)
		l := s.lines[account]
		if l == nil {
			l = &line{}
			s.lines[account] = l
		}
		if l.long > s.maxLine() {
			s.mu.Unlock()
			s.giveBack(m, time.Second)
			s.leave(1)
			return
		}
		before, done = l.last, make(chan struct{})
		l.last, l.long = done, l.long+1
	}
	s.held[h] = struct{}{}
	s.mu.Unlock()
	wg.Go(func() {
		defer s.end(h, account, done)
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				return
			}
		}
		s.handle(ctx, m)
	})
}

// end lets the next of an account go on.
func (s *Stage) end(h *held, account string, done chan struct{}) {
	s.mu.Lock()
	delete(s.held, h)
	if done != nil {
		l := s.lines[account]
		if l.long--; l.long == 0 {
			delete(s.lines, account)
		}
		close(done)
	}
	s.mu.Unlock()
	s.leave(1)
}

// accountOf gives what orders an event; of one that is none, nothing.
func accountOf(m jetstream.Msg) string {
	if a := m.Headers().Get("ce-subject"); a != "" {
		return a
	}
	e, _, _ := event.Receive(m.Headers(), m.Data()) // structured, or no event at all: that is said where it is handled
	return e.Attempt.Account.String()
}
