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
	Subject  string
	Data     []byte
	Sequence uint64    // of the message in the flow's stream: the same however often it is delivered
	Stored   time.Time // when the stream took it
	// Tries counts from 1: those here, and for each time that it was delivered before, those that it had at least.
	Tries     int
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
	AtOnce  int              // events held; zero: 512
	Now     func() time.Time // nil: time.Now
	Metrics *Metrics         // nil: none
	Log     *slog.Logger
}

// Stage is one instance.
type Stage struct {
	cfg   Config
	slots chan struct{} // one for each event that is held, or asked for

	mu    sync.Mutex
	held  map[*held]struct{} // guarded by mu
	lines map[string]*line   // guarded by mu: by account, if they are Ordered
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
	return &Stage{
		cfg: cfg, slots: make(chan struct{}, cfg.AtOnce), held: map[*held]struct{}{}, lines: map[string]*line{},
	}
}

// rejection is an error that no repetition mends.
type rejection struct{ error }

func (r rejection) Unwrap() error { return r.error }

// Reject marks an error as "never": the event goes to the dead letters.
func Reject(err error) error { return rejection{err} }

// Run handles events until ctx ends, and waits for those under way.
func (s *Stage) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { s.keep(ctx) })
	for n := 1; ctx.Err() == nil; n++ {
		err := s.pull(ctx, &wg)
		if ctx.Err() != nil {
			break
		}
		s.cfg.Log.Debug("reads its stream again", "err", err)
		sleep(ctx, backoff(min(n, 3)))
	}
	wg.Wait()
	return nil
}

// handle brings an event to its end: published and acknowledged, or rejected, or given back, or left because ctx
// has ended.
func (s *Stage) handle(ctx context.Context, m jetstream.Msg) {
	arrived := s.cfg.Now()
	s.cfg.Metrics.in(s.cfg.Stage)
	in, never := s.read(m)
	for ; ; in.Tries++ {
		err := never
		if err == nil {
			err = s.once(ctx, in)
		}
		if r, ok := errors.AsType[rejection](err); ok {
			never = err // whatever becomes of its burial, it is not handled again
			err = s.bury(ctx, m, in.Tries, r.error)
		}
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return // whoever comes next is given it again
		}
		s.cfg.Metrics.again(s.cfg.Stage)
		s.cfg.Log.Debug("handles an event again", "subject", m.Subject(), "event", in.ID, "attempt", in.Tries, "err", err)
		if in.Tries >= hereTries {
			s.giveBack(m, backoff(in.Tries))
			return
		}
		if !sleep(ctx, backoff(in.Tries)) {
			return
		}
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
		in.Sequence, in.Stored = meta.Sequence.Stream, meta.Timestamp
		in.Delivered = meta.NumDelivered > 1
		in.Tries = int(min(meta.NumDelivered-1, 1000))*hereTries + 1
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
		if len(o.Data) > event.MaxData {
			return Reject(fmt.Errorf("what comes of it has %d bytes of data: the next stage takes %d", len(o.Data), event.MaxData))
		}
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
	_, err := s.cfg.JS.PublishMsg(ctx, m)
	if err != nil {
		err = fmt.Errorf("publish on %s: %w", m.Subject, err)
	}
	if errors.Is(err, nats.ErrMaxPayload) { // headers count too; it will not fit the next time either
		err = Reject(err)
	}
	return err
}

// hereTries is how often an event is tried before it goes back to the stream, to come again, here or elsewhere, when it
// has rested: so that events that fail do not keep the others out. It is 3 to 5 seconds, and longer where nothing
// answers: an election passes meanwhile, and order is kept.
const hereTries = 7

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
