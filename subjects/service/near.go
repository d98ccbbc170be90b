package service

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// Near knows the services that run in this process. A question to one of them is a call; over the network it is two
// messages through the server, whose headers are written and read. The zero value knows none; so does nil.
type Near struct {
	mu sync.RWMutex
	by map[string]answerer // guarded by mu: by subject
}

type answerer func(context.Context, Question) (Answer, error)

// Ask asks the service here, or else over the network whoever serves elsewhere. Question and answer must not be changed
// afterwards: they are not copied.
func (n *Near) Ask(ctx context.Context, conn *nats.Conn, q Question) (Answer, error) {
	if n != nil {
		n.mu.RLock()
		here := n.by[q.Subject]
		n.mu.RUnlock()
		if here != nil {
			if size := q.size(); size > conn.MaxPayload() { // what one node takes every node takes
				return Answer{}, fmt.Errorf("ask %s: %d bytes: %w", q.Subject, size, nats.ErrMaxPayload)
			}
			return here(ctx, q)
		}
	}
	return AskWith(ctx, conn, q)
}

// add lets a service be asked here until remove is called.
func (n *Near) add(subject string, a answerer) (remove func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.by == nil {
		n.by = map[string]answerer{}
	}
	n.by[subject] = a
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.by, subject)
	}
}

// size is hardly less than what a question takes on the wire.
func (q *Question) size() int64 {
	n := len(q.Data)
	for name, values := range q.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	return int64(n)
}

// near gives what answers questions of this process for as long as the service runs, in the goroutine of whoever asks.
func (s *Service) near(run context.Context) answerer {
	return func(ctx context.Context, q Question) (Answer, error) {
		if !s.take(q.Subject) {
			return Answer{}, fmt.Errorf("ask %s: %w", q.Subject, ErrLater)
		}
		defer s.give(q.Subject)
		select {
		case s.slots <- struct{}{}:
		case <-run.Done():
			return Answer{}, fmt.Errorf("ask %s: %w: it ends", q.Subject, ErrLater)
		case <-ctx.Done():
			return Answer{}, fmt.Errorf("ask %s: %w", q.Subject, ctx.Err())
		}
		defer func() { <-s.slots }()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(run, cancel)()
		a, err := s.cfg.Answer(ctx, q)
		if err == nil {
			return a, nil
		}
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			s.warn("refuses a question", q.Subject, err)
			return Answer{}, fmt.Errorf("ask %s: %w", q.Subject, refusal)
		}
		return Answer{}, fmt.Errorf("ask %s: %w: %w", q.Subject, ErrLater, err)
	}
}
