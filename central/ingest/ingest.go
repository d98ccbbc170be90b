package ingest

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
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

// packsAtOnce are those of one store under way on one node: an uplink sends one after the other.
const packsAtOnce = 8

// Ingest is the service on one node.
type Ingest struct {
	cfg        Config
	allowances allowances
	records    prometheus.Counter
	refused    *prometheus.CounterVec
	answered   prometheus.Histogram
}

// New makes an Ingest.
func New(cfg Config) *Ingest {
	if cfg.Wait == 0 {
		cfg.Wait = 10 * time.Second
	}
	g := &Ingest{
		cfg: cfg,
		records: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_ingest_records_total", Help: "Records in packs that the journal has taken, repeats included."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_ingest_packs_refused_total",
			Help: "Packs that were not passed to the journal as they came: by store, and by the rule that they broke."},
			[]string{"store", "rule"}),
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
	return service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceIngest, Endpoint: "pack", Subject: g.cfg.Net.AnyIngest(),
		Description: "takes packs of records from stores of brand " + g.cfg.Net.Brand.String(),
		AtOnce:      g.cfg.AtOnce, Each: packsAtOnce, Answer: g.answer, Log: g.cfg.Log,
	}).Run(ctx)
}

func (g *Ingest) answer(ctx context.Context, q service.Question) (service.Answer, error) {
	start := time.Now()
	defer func() { g.answered.Observe(time.Since(start).Seconds()) }()
	marks, err := g.take(ctx, q.Subject, q.Data)
	if errors.Is(err, record.ErrFormat) || errors.Is(err, errSender) || errors.Is(err, replica.ErrTooLarge) {
		store, _ := g.cfg.Net.StoreOf(q.Subject)
		g.say(store, ruleFormat, start)
		err = &service.Refusal{Err: err}
	}
	if err != nil {
		return service.Answer{}, err
	}
	return service.Answer{Data: record.AppendMarks(nil, marks)}, nil
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

// post gives the marks of a pack's chains, and the entry by which they are so. What this node already
// holds is answered from here, and what would come to nothing too, unless there is allowance to try: this
// node may be a moment behind. Anything else the writer decides.
func (g *Ingest) post(ctx context.Context, pack *books.Pack) (marks []record.Mark, entry uint64, err error) {
	var weights []weighed
	if err := g.cfg.Replica.Read(ctx, 0, func(uint64) { weights = weigh(g.cfg.Books, pack) }); err != nil {
		return nil, 0, err
	}
	marks, tried, err := g.admit(pack, weights, time.Now())
	if err != nil || len(pack.Runs) == 0 {
		return marks, 0, err
	}
	entry, outcome, err := g.cfg.Replica.Propose(ctx, pack.Proposal())
	if err != nil {
		return nil, 0, err
	}
	decided, err := record.ReadMarks(outcome)
	if tried {
		g.settle(pack.Store, decided)
	}
	// The writer's word on a chain comes last: of two on one chain the later counts.
	return append(marks, decided...), entry, err
}
