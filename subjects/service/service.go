// Package service answers questions on a subject, beside each other and no more than so many at once:
// the one way in which a node serves another. It is a NATS micro service, so discovery, ping and
// statistics ($SRV.*) come with it.
//
// # Flow
//
// A question takes a slot in the subscription's own goroutine: when all are taken, the next waits there,
// and a flood with it. The answer is published by the service itself, because micro's own Respond must
// not be called once its handler has returned; so micro counts requests, and the caller counts errors.
//
// # Failure
//
// An error that is a [Refusal] goes to the asker as it is. Any other is the answerer's own trouble: the
// asker is told to ask again. A service that stops leaves those who wait without an answer.
package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Question is what was asked.
type Question struct {
	Subject string
	Data    []byte
}

// Answer is what goes back.
type Answer struct {
	Data   []byte
	Header nats.Header // nil: none
}

// Refusal is an error that the asker must not repeat unchanged.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Codes of an answer that is an error, in the header that micro uses for them.
const (
	CodeRefused = "400" // the question is wrong
	CodeLater   = "503" // ask again
)

// Config says what a Service answers.
type Config struct {
	Conn        *nats.Conn
	Name        string // of the micro service, see package subjects
	Description string
	Endpoint    string // a word, for the statistics
	Subject     string // may hold wildcards
	AtOnce      int    // questions under way; zero: 64
	Answer      func(context.Context, Question) (Answer, error)
	Log         *slog.Logger
}

// Service is one endpoint.
type Service struct {
	cfg   Config
	slots chan struct{}
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.AtOnce == 0 {
		cfg.AtOnce = 64
	}
	return &Service{cfg, make(chan struct{}, cfg.AtOnce)}
}

// Run serves until ctx ends, and waits for the questions under way.
func (s *Service) Run(ctx context.Context) error {
	svc, err := micro.AddService(s.cfg.Conn, micro.Config{
		Name: s.cfg.Name, Version: "1.0.0", Description: s.cfg.Description,
	})
	if err != nil {
		return fmt.Errorf("serve %s: %w", s.cfg.Subject, err)
	}
	var wg sync.WaitGroup
	err = svc.AddEndpoint(s.cfg.Endpoint, micro.HandlerFunc(func(req micro.Request) {
		if ctx.Err() != nil {
			return
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		q, reply := Question{req.Subject(), req.Data()}, req.Reply()
		wg.Go(func() {
			defer func() { <-s.slots }()
			s.answer(ctx, q, reply)
		})
	}), micro.WithEndpointSubject(s.cfg.Subject))
	if err != nil {
		return fmt.Errorf("serve %s: %w", s.cfg.Subject, err)
	}
	<-ctx.Done()
	err = svc.Stop()
	for range cap(s.slots) { // questions still come out of a service that stops: leave them no slot
		s.slots <- struct{}{}
	}
	wg.Wait()
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = nil
	}
	return err
}

func (s *Service) answer(ctx context.Context, q Question, reply string) {
	a, err := s.cfg.Answer(ctx, q)
	m := &nats.Msg{Subject: reply, Data: a.Data, Header: a.Header}
	if err != nil {
		code, text := CodeLater, "cannot answer now: ask again"
		var refusal *Refusal
		if errors.As(err, &refusal) {
			code, text = CodeRefused, refusal.Error()
			s.cfg.Log.Warn("refuses a question", "subject", q.Subject, "err", err)
		} else if ctx.Err() == nil {
			s.cfg.Log.Debug("cannot answer a question", "subject", q.Subject, "err", err)
		}
		m.Data, m.Header = nil, nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {text}}
	}
	if err := s.cfg.Conn.PublishMsg(m); err != nil {
		s.cfg.Log.Debug("send an answer", "subject", q.Subject, "err", err) // whoever asked asks again
	}
}

// ErrLater is a service's word that it cannot answer now.
var ErrLater = errors.New("the service cannot answer now")

// Ask asks a service, and turns an answer that is an error into one: a [Refusal], or ErrLater.
func Ask(ctx context.Context, conn *nats.Conn, subject string, data []byte) (Answer, error) {
	m, err := conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return Answer{}, fmt.Errorf("ask %s: %w", subject, err)
	}
	switch code := m.Header.Get(micro.ErrorCodeHeader); code {
	case "":
		return Answer{m.Data, m.Header}, nil
	case CodeRefused:
		return Answer{}, fmt.Errorf("ask %s: %w", subject, &Refusal{errors.New(m.Header.Get(micro.ErrorHeader))})
	default:
		return Answer{}, fmt.Errorf("ask %s: %w: %s %s", subject, ErrLater, code, m.Header.Get(micro.ErrorHeader))
	}
}
