package scrub

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/hub"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Copy is what the node's server says of its copy of the journal.
type Copy = hub.Copy

// Config says whose copy is read.
type Config struct {
	Node subjects.NodeID
	Net  subjects.Net
	Conn *nats.Conn // of its own: a block is read from the disk while it waits
	JS   jetstream.JetStream
	Hub  *hub.Hub

	// Files checks what this node makes of the journal, and has it made again if it is damaged. Nil: nothing.
	Files   func(context.Context) error
	Folded  func() (number uint64, hash record.Hash) // the last entry that this node has folded
	Wait    time.Duration                            // after the start, before the first pass; zero: a minute
	Metrics prometheus.Registerer                    // nil: none
	Log     *slog.Logger
}

// Scrub reads one node's copy.
type Scrub struct {
	cfg    Config
	meters *meters

	mu    sync.Mutex
	now   Progress // guarded by mu; of the pass that ops asked for
	last  *Verdict // guarded by mu; of the last pass that came to its end
	asked bool     // guarded by mu: ops' pass is under way
}

// Progress is how far a pass has come.
type Progress struct {
	Message uint64 `json:"message"`
	Last    uint64 `json:"last_message"`
	Bytes   uint64 `json:"bytes"`
	Damages int    `json:"damages"`
}

type meters struct {
	ended   prometheus.Gauge
	damages prometheus.Gauge
	read    prometheus.Counter
}

// New makes a Scrub.
func New(cfg Config) *Scrub {
	m := &meters{
		ended: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_scrub_last_timestamp_seconds", Help: "When the node's copy of the journal was last read through; 0: not since it started."}),
		damages: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_scrub_damages", Help: "What is wrong with the node's copy of the journal, as the last pass found it. Not 0: see ops scrub."}),
		read: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_scrub_bytes_total", Help: "Bytes of the node's own copy of the journal that were read through."}),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(m.ended, m.damages, m.read)
	}
	if cfg.Wait == 0 {
		cfg.Wait = time.Minute // a node that starts has better to do
	}
	return &Scrub{cfg: cfg, meters: m}
}

// Times of the pass that is always under way.
const (
	passEvery = 24 * time.Hour      // from beginning to beginning
	passTakes = passEvery * 9 / 10  // at the rate that the copy's size makes
	leastRate = 1 << 20             // bytes a second
	tryAgain  = 5 * time.Minute     // after a pass that could not be ended
	leadLook  = time.Second         // while the copy is damaged: does this node lead the stream?
	answerFor = 10 * time.Minute    // a verdict is good for a repair so long
	clean     = "the copy is clean" // in the log
)

// Run reads the copy through, slowly, again and again, until ctx ends.
func (s *Scrub) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	wg.Go(func() { s.yieldLead(ctx) })
	wg.Go(func() {
		if err := s.serve(ctx); err != nil {
			cancel(err)
		}
	})
	for pause := s.cfg.Wait; ; {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return failure(ctx)
		}
		began := time.Now()
		v, err := s.pass(ctx, func(size int64) int64 { return max(leastRate, size/int64(passTakes/time.Second)) }, func(Progress) {})
		switch {
		case ctx.Err() != nil:
			return failure(ctx)
		case err != nil:
			s.cfg.Log.Debug("cannot read the copy of the journal through", "err", err)
			pause = tryAgain
			continue
		}
		s.judge(v)
		pause = max(0, passEvery-time.Since(began))
	}
}

// failure is why Run ends, nil when it was told to.
func failure(ctx context.Context) error {
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// yieldLead gives up the lead of the stream for as long as the copy is damaged.
func (s *Scrub) yieldLead(ctx context.Context) {
	tick := time.NewTicker(leadLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if v := s.Last(); v == nil || v.Clean() {
			continue
		}
		if c, err := s.cfg.Hub.Copy(s.cfg.Net); err != nil || !c.Leads {
			continue
		}
		if err := s.cfg.Hub.StepDown(s.cfg.Net); err != nil {
			s.cfg.Log.Warn("cannot give up the lead of the journal's stream though its copy is damaged", "err", err)
		}
	}
}

// judge keeps a verdict, and says what it found.
func (s *Scrub) judge(v Verdict) {
	s.mu.Lock()
	before := s.last
	s.last = &v
	s.mu.Unlock()
	s.meters.ended.Set(float64(v.Ended.Unix()))
	s.meters.damages.Set(float64(len(v.Damages) + v.Unlisted))
	switch {
	case !v.Clean():
		s.cfg.Log.Error("this node's copy of the journal is damaged: mend it with ops scrub --repair "+v.Node,
			"damages", len(v.Damages)+v.Unlisted, "first", v.Damages[0].String())
	case before != nil && !before.Clean():
		s.cfg.Log.Info(clean+" again", "messages", v.Read)
	default:
		s.cfg.Log.Debug(clean, "messages", v.Read, "took", v.Ended.Sub(v.Began))
	}
}

// Last is the verdict of the last pass that came to its end, nil if there was none.
func (s *Scrub) Last() *Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// ErrBusy means that ops' pass is under way on this node already.
var ErrBusy = errors.New("this node's copy is being read through already")

func (s *Scrub) begin() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked {
		return false
	}
	s.asked, s.now = true, Progress{}
	return true
}

func (s *Scrub) report(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = p
}

func (s *Scrub) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = false
}

// Progress is how far ops' pass has come; false: none is under way.
func (s *Scrub) Progress() (Progress, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.asked
}
