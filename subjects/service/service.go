// Package service answers questions on a subject, beside each other and no more than so many at once:
// the one way in which a node serves another. It is a NATS micro service, so discovery, ping and
// statistics ($SRV.*) come with it.
//
// # Flow
//
// A question takes a slot in the subscription's own goroutine: when all are taken, the next waits there.
// One subject may take so many of them and no more: whoever floods it is told to ask again, at once, and
// does not make the others wait. The answer is published by the service itself, because micro's own Respond must
// not be called once its handler has returned; so micro counts requests, and the caller counts errors.
//
// Whoever asks in the same process may do so through a [Near], without the network; micro does not count that.
//
// # Whom it answers
//
// The asker names the subject of its answer, and the answerer, who may publish where the asker may not,
// would publish there for it: an answer in the journal stops every node's fold. So an answer goes to an
// inbox of those who may ask on the subject, and a question that wants it elsewhere is dropped.
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
	"strings"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
)

// Question is what was asked.
type Question struct {
	Subject string
	Data    []byte
	Header  nats.Header // nil: none
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
	Each        int    // of them on one subject; zero: AtOnce
	// Inbox gives the prefix of the reply subjects of those who ask on a subject in the same account. Nil:
	// nobody but this side does.
	Inbox  func(subject string) string
	Answer func(context.Context, Question) (Answer, error)
	Near   *Near // where questions of this process find it; nil: over the network only. Its subject has no wildcard
	Log    *slog.Logger
}

// Service is one endpoint.
type Service struct {
	cfg   Config
	slots chan struct{}
	said  said

	mu   sync.Mutex
	each map[string]int // guarded by mu: questions under way, by subject
}

// New makes a Service.
func New(cfg Config) *Service {
	if cfg.AtOnce == 0 {
		cfg.AtOnce = 64
	}
	if cfg.Each == 0 {
		cfg.Each = cfg.AtOnce
	}
	return &Service{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce), each: map[string]int{}}
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
		q, reply := Question{req.Subject(), req.Data(), nats.Header(req.Headers())}, req.Reply()
		if !s.mayHear(q.Subject, reply) {
			s.warn("drops a question: its answer would go to another's subject", q.Subject, errors.New(quoted(reply)))
			return
		}
		if !s.take(q.Subject) {
			s.warn("too many questions at once", q.Subject, ErrLater)
			s.send(q, reply, Answer{}, ErrLater)
			return
		}
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { s.give(q.Subject); <-s.slots }()
			a, err := s.cfg.Answer(ctx, q)
			s.send(q, reply, a, err)
		})
	}), micro.WithEndpointSubject(s.cfg.Subject))
	if err != nil {
		return fmt.Errorf("serve %s: %w", s.cfg.Subject, err)
	}
	if s.cfg.Near != nil {
		defer s.cfg.Near.add(s.cfg.Subject, s.near(ctx))()
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

// ownInbox is the prefix of the client's default reply subjects. The answerer's own side asks with them, and
// nobody else can guess one that somebody listens to.
const ownInbox = "_INBOX."

// mapped is the prefix of the replies that nats-server makes of a store's: the stores have an account of
// their own, and their inboxes lie there. Nobody can publish there from outside.
const mapped = "_R_."

// mayHear reports whether an answer on a subject may go where the asker wants it.
func (s *Service) mayHear(subject, reply string) bool {
	return strings.HasPrefix(reply, ownInbox) || strings.HasPrefix(reply, mapped) ||
		s.cfg.Inbox != nil && strings.HasPrefix(reply, s.cfg.Inbox(subject)+".")
}

// take notes one more question under way on a subject, unless there are enough.
func (s *Service) take(subject string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each[subject] == s.cfg.Each {
		return false
	}
	s.each[subject]++
	return true
}

func (s *Service) give(subject string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.each[subject]--; s.each[subject] == 0 {
		delete(s.each, subject)
	}
}

func (s *Service) send(q Question, reply string, a Answer, err error) {
	m := &nats.Msg{Subject: reply, Data: a.Data, Header: a.Header}
	if err != nil {
		code, text := CodeLater, "cannot answer now: ask again"
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			code, text = CodeRefused, refusal.Error()
			s.warn("refuses a question", q.Subject, err)
		} else {
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
	return AskWith(ctx, conn, Question{Subject: subject, Data: data})
}

// AskWith is Ask with headers.
func AskWith(ctx context.Context, conn *nats.Conn, q Question) (Answer, error) {
	subject := q.Subject
	m, err := conn.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Header: q.Header, Data: q.Data})
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
