package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Config says what an Ingest serves and to whom it hands on.
type Config struct {
	Net     subjects.Net
	Conn    *nats.Conn
	Replica *replica.Replica
	Books   *books.Books          // read under the replica's lock
	Wait    time.Duration         // for the journal to take a pack; zero: 10 s
	AtOnce  int                   // packs under way on this node; zero: 64. More wait, and their stores with them
	Metrics prometheus.Registerer // nil: none
	Log     *slog.Logger
}

// Ingest is the service on one node.
type Ingest struct {
	cfg      Config
	slots    chan struct{}
	records  prometheus.Counter
	refused  prometheus.Counter
	answered prometheus.Histogram
}

// New makes an Ingest.
func New(cfg Config) *Ingest {
	if cfg.Wait == 0 {
		cfg.Wait = 10 * time.Second
	}
	if cfg.AtOnce == 0 {
		cfg.AtOnce = 64
	}
	g := &Ingest{
		cfg: cfg, slots: make(chan struct{}, cfg.AtOnce),
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_ingest_records_total", Help: "Records in packs that the journal has taken, repeats included."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_ingest_packs_refused_total", Help: "Packs that could not be read, or were not their sender's."}),
		answered: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "tillstream_ingest_pack_seconds", Help: "From a pack's arrival to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)}),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(g.records, g.refused, g.answered)
	}
	return g
}

// Run serves until ctx ends, and waits for the packs under way.
func (g *Ingest) Run(ctx context.Context) error {
	svc, err := micro.AddService(g.cfg.Conn, micro.Config{
		Name: subjects.ServiceIngest, Version: "1.0.0",
		Description: "takes packs of records from stores of brand " + g.cfg.Net.Brand.String(),
	})
	if err != nil {
		return fmt.Errorf("serve ingest: %w", err)
	}
	var wg sync.WaitGroup
	err = svc.AddEndpoint("pack", micro.HandlerFunc(func(req micro.Request) {
		if ctx.Err() != nil {
			return
		}
		// Taking the slot here, in the subscription's own goroutine, is what makes a flood wait.
		select {
		case g.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		wg.Go(func() {
			defer func() { <-g.slots }()
			g.answer(ctx, req)
		})
	}), micro.WithEndpointSubject(g.cfg.Net.AnyIngest()))
	if err != nil {
		return fmt.Errorf("serve ingest: %w", err)
	}
	<-ctx.Done()
	err = svc.Stop()
	for range cap(g.slots) { // requests still come out of a service that stops: leave them no slot
		g.slots <- struct{}{}
	}
	wg.Wait()
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = nil
	}
	return err
}

func (g *Ingest) answer(ctx context.Context, req micro.Request) {
	start := time.Now()
	marks, err := g.take(ctx, req.Subject(), req.Data())
	switch {
	case err == nil:
		err = req.Respond(record.AppendMarks(nil, marks))
	case errors.Is(err, record.ErrFormat) || errors.Is(err, errSender) || errors.Is(err, replica.ErrTooLarge):
		g.refused.Inc()
		g.cfg.Log.Warn("refuses a pack", "subject", req.Subject(), "err", err)
		err = req.Error("400", err.Error(), nil)
	default:
		g.cfg.Log.Debug("no answer for a pack", "subject", req.Subject(), "err", err)
		err = req.Error("503", "the journal does not take it now; send it again", nil)
	}
	if err != nil {
		g.cfg.Log.Debug("answer a pack", "subject", req.Subject(), "err", err) // the store sends it again
	}
	g.answered.Observe(time.Since(start).Seconds())
}

var errSender = errors.New("the subject names no store")

// take brings a pack into the journal and gives the marks of its chains.
func (g *Ingest) take(ctx context.Context, subject string, data []byte) ([]record.Mark, error) {
	store, ok := g.cfg.Net.StoreOf(subject)
	if !ok {
		return nil, errSender
	}
	p, err := record.ReadPack(data)
	if err != nil {
		return nil, err
	}
	pack := books.Pack{Store: store, Runs: make([][]record.Receipt, len(p.Runs))}
	n := 0
	for i := range p.Runs {
		// Bodies were checked against their hashes once, by the store.
		if pack.Runs[i], err = p.Runs[i].Receipts(false); err != nil {
			return nil, err
		}
		n += len(pack.Runs[i])
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Wait)
	defer cancel()
	marks, entry, err := g.post(ctx, &pack)
	if err != nil {
		return nil, err
	}
	g.records.Add(float64(n))
	err = g.cfg.Replica.Read(ctx, entry, func(uint64) {
		for _, c := range p.Ask {
			marks = append(marks, g.cfg.Books.Mark(c, store))
		}
	})
	return marks, err
}

// post gives the marks of a pack's chains, and the entry by which they are so. A pack that this node
// already holds is answered from here; anything else the writer decides: a follower may be a moment
// behind.
func (g *Ingest) post(ctx context.Context, pack *books.Pack) (marks []record.Mark, entry uint64, err error) {
	held := true
	err = g.cfg.Replica.Read(ctx, 0, func(uint64) {
		for _, run := range pack.Runs {
			m, ok := g.cfg.Books.Held(pack.Store, run)
			held = held && ok
			marks = append(marks, m)
		}
	})
	if err != nil || held {
		return marks, 0, err
	}
	entry, outcome, err := g.cfg.Replica.Propose(ctx, pack.Proposal())
	if err != nil {
		return nil, 0, err
	}
	marks, err = record.ReadMarks(outcome)
	return marks, entry, err
}
