package stage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Input is an event as it came.
type Input struct {
	event.Envelope
	Subject   string
	Data      []byte
	Tries     int  // of this instance, from 1
	Delivered bool // before: to this instance or another, which may have published what it made of it
}

// Output is an event that a handler made.
type Output struct {
	Subject  string
	Envelope event.Envelope
	Data     []byte
}

// Handler gives what comes of an event. Nothing is a fine answer.
type Handler func(ctx context.Context, in *Input) ([]Output, error)

// Config says what a stage does.
type Config struct {
	Stage  subjects.Stage
	Point  event.Point // whose stamp the outputs bear
	Net    subjects.Net
	JS     jetstream.JetStream
	Handle Handler

	Ordered bool             // events of one account one after the other
	AtOnce  int              // events under way; zero: 512
	Now     func() time.Time // nil: time.Now
	Metrics *Metrics         // nil: none
	Log     *slog.Logger
}

// Stage is one instance.
type Stage struct {
	cfg   Config
	slots chan struct{}

	mu   sync.Mutex
	last map[string]chan struct{} // guarded by mu: by account, closed when its last event so far is done
}

// New makes a Stage.
func New(cfg Config) *Stage {
	if cfg.AtOnce == 0 {
		cfg.AtOnce = 512
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(prometheus.NewRegistry())
	}
	cfg.Log = cfg.Log.With("stage", cfg.Stage.String())
	return &Stage{cfg: cfg, slots: make(chan struct{}, cfg.AtOnce), last: map[string]chan struct{}{}}
}

// rejection is an error that no repetition mends.
type rejection struct{ error }

func (r rejection) Unwrap() error { return r.error }

// Reject marks an error as "never": the event goes to the dead letters.
func Reject(err error) error { return rejection{err} }

// Run handles events until ctx ends, and waits for those under way.
func (s *Stage) Run(ctx context.Context) error {
	for n := 1; ctx.Err() == nil; n++ {
		err := s.consume(ctx)
		if ctx.Err() != nil {
			break
		}
		s.cfg.Log.Debug("reads its stream again", "err", err)
		sleep(ctx, backoff(min(n, 3)))
	}
	return nil
}

// consume handles events for as long as the consumer is there.
func (s *Stage) consume(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	consumer, err := s.cfg.JS.Consumer(asking, s.cfg.Net.FlowStream(), s.cfg.Stage.String())
	cancel()
	if err != nil {
		return err
	}
	lost := make(chan error, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	c, err := consumer.Consume(func(m jetstream.Msg) {
		select {
		case s.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		s.start(ctx, &wg, m)
	}, jetstream.PullMaxMessagesWithBytesLimit(s.cfg.AtOnce, pullBytes), jetstream.PullHeartbeat(heartbeat),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			select {
			case lost <- err:
			default:
			}
		}))
	if err != nil {
		return err
	}
	defer func() { c.Stop(); <-c.Closed() }()
	select {
	case err := <-lost:
		return err
	case <-ctx.Done():
		return nil
	}
}

const (
	answerWithin = 5 * time.Second
	heartbeat    = 2 * time.Second
	// pullBytes bounds what the server sends before it is asked again: PublishAsync and pulls both stall on what
	// fills a connection.
	pullBytes = 4 << 20
)

// start handles an event in a goroutine of its own, after the one before it of its account if that is asked for.
func (s *Stage) start(ctx context.Context, wg *sync.WaitGroup, m jetstream.Msg) {
	arrived := s.cfg.Now()
	if !s.cfg.Ordered {
		wg.Go(func() {
			defer func() { <-s.slots }()
			s.handle(ctx, m, arrived)
		})
		return
	}
	account, done := m.Headers().Get("ce-subject"), make(chan struct{})
	s.mu.Lock()
	before := s.last[account]
	s.last[account] = done
	s.mu.Unlock()
	wg.Go(func() {
		defer func() {
			s.mu.Lock()
			if s.last[account] == done {
				delete(s.last, account)
			}
			s.mu.Unlock()
			close(done)
			<-s.slots
		}()
		if before != nil {
			select {
			case <-before:
			case <-ctx.Done():
				return
			}
		}
		s.handle(ctx, m, arrived)
	})
}

// handle brings an event to its end: published and acknowledged, or rejected, or left because ctx has ended.
func (s *Stage) handle(ctx context.Context, m jetstream.Msg, arrived time.Time) {
	s.cfg.Metrics.in(s.cfg.Stage)
	in, err := s.read(m)
	for n := 1; ; n++ {
		if err == nil {
			in.Tries = n
			err = s.once(ctx, in)
		}
		if r, never := errors.AsType[rejection](err); never {
			err = s.bury(ctx, m, in.Tries, r.error)
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return // whoever comes next is given it again
		}
		s.cfg.Metrics.again(s.cfg.Stage)
		s.cfg.Log.Debug("handles an event again", "subject", m.Subject(), "event", in.ID, "attempt", n, "err", err)
		if !s.rest(ctx, m, backoff(n)) {
			return
		}
		err = nil
	}
	// From here on the outputs are kept. If the acknowledgement is lost the event comes again, and so do they.
	if err := m.Ack(); err != nil {
		s.cfg.Log.Debug("acknowledge an event", "subject", m.Subject(), "event", in.ID, "err", err)
	}
	s.cfg.Metrics.done(s.cfg.Stage, s.cfg.Now().Sub(arrived))
}

// read checks what every event of the flow must be.
func (s *Stage) read(m jetstream.Msg) (*Input, error) {
	in := &Input{Subject: m.Subject(), Tries: 1}
	if meta, err := m.Metadata(); err == nil {
		in.Delivered = meta.NumDelivered > 1
	}
	var err error
	in.Envelope, in.Data, err = event.Receive(m.Headers(), m.Data())
	switch {
	case err != nil:
	case in.Brand != s.cfg.Net.Brand:
		err = fmt.Errorf("%w: header ce-brand is %s, this is brand %s", event.ErrEvent, in.Brand, s.cfg.Net.Brand)
	case !in.Stamps[s.cfg.Point].IsZero():
		err = fmt.Errorf("%w: it has passed %s before, at %v: the flow goes in a circle", event.ErrEvent, s.cfg.Stage, in.Stamps[s.cfg.Point])
	case in.Time.After(s.cfg.Now().Add(maxAhead)):
		err = fmt.Errorf("%w: header ce-time is %v, more than %v ahead of this node's clock", event.ErrEvent, in.Time, maxAhead)
	}
	if err != nil {
		return in, Reject(err)
	}
	return in, nil
}

// maxAhead is how far in the future an event may be: clocks of the centre are within 2 s of each other, those of
// producers outside are not ours.
const maxAhead = 10 * time.Minute

// once handles the event and publishes what comes of it.
func (s *Stage) once(ctx context.Context, in *Input) error {
	outputs, err := s.cfg.Handle(ctx, in)
	if err != nil {
		return err
	}
	for i := range outputs {
		o := &outputs[i]
		m := &nats.Msg{Subject: o.Subject, Header: o.Envelope.Headers(), Data: o.Data}
		if err := s.publish(ctx, m); err != nil {
			return err
		}
		s.cfg.Metrics.out(s.cfg.Stage, &o.Envelope, s.cfg.Point)
	}
	return nil
}

// publish returns once the stream has the message.
func (s *Stage) publish(ctx context.Context, m *nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if _, err := s.cfg.JS.PublishMsg(ctx, m); err != nil {
		return fmt.Errorf("publish on %s: %w", m.Subject, err)
	}
	return nil
}

// rest waits, and keeps the event meanwhile; false: ctx has ended.
func (s *Stage) rest(ctx context.Context, m jetstream.Msg, d time.Duration) bool {
	for ; d > 0; d -= heartbeat {
		if err := m.InProgress(); err != nil {
			s.cfg.Log.Debug("keep an event", "subject", m.Subject(), "err", err) // it comes again, here or elsewhere
		}
		if !sleep(ctx, min(d, heartbeat)) {
			return false
		}
	}
	return true
}

// backoff gives the wait after so many tries: 50 ms, doubled each time up to 30 s, and up to half as much more by
// chance.
func backoff(tries int) time.Duration {
	d := min(50*time.Millisecond<<min(tries-1, 10), 30*time.Second)
	return d + rand.N(d/2)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
