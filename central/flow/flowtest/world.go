package flowtest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/hub"
	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/kv/progress"
	"tillstream/subjects"
)

// Within bounds every wait of a test here; what is right takes milliseconds, or a few of a consumer's waits where
// something crashes.
const Within = 2 * time.Minute

// World is a centre of one node. Its methods fail the test where something is wrong.
type World struct {
	T    testing.TB
	Net  subjects.Net
	Conn *nats.Conn
	JS   jetstream.JetStream
	Docs *flow.Documents // followed already
	Log  *slog.Logger
	hub  *hub.Hub

	mu    sync.Mutex
	now   time.Time          // guarded by mu; zero: the true one
	reads map[string]*reader // guarded by mu: by subject
}

// Brand is that of every World that [Open] makes.
func Brand() subjects.Net { return BrandOf("acme") }

// BrandOf is a brand at data centre eu1 in environment test.
func BrandOf(name string) subjects.Net {
	return subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken(name)},
	}
}

// Open makes a World that ends with the test.
func Open(t testing.TB) *World {
	t.Helper()
	return OpenAll(t, Brand())[0]
}

// OpenAll makes a World for each of several brands at one server, each in an account of its own.
func OpenAll(t testing.TB, nets ...subjects.Net) []*World {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	var brands []hub.Brand
	for _, net := range nets {
		brands = append(brands, hub.Brand{Net: net})
	}
	h, err := hub.Open(hub.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Brands: brands, DataDir: t.TempDir(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	var all []*World
	for _, net := range nets {
		w := &World{T: t, Net: net, Log: log, hub: h, reads: map[string]*reader{}}
		w.begin()
		all = append(all, w)
	}
	return all
}

// begin makes what the flow needs, and follows its documents.
func (w *World) begin() {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	w.Must(w.hub.Ready(ctx))
	w.Conn, w.JS = w.Connect()
	_, err := streams.Apply(ctx, w.JS, streams.WantFlow(w.Net, 1))
	w.Must(err)
	w.Must(streams.ApplyConsumers(ctx, w.JS, w.Net))
	w.Docs = flow.NewDocuments(w.Net, w.JS, w.Log)
	w.Run(w.Docs.Run)
	w.Must(w.Docs.Wait(ctx))
}

// Connect opens another connection of the brand's account at the centre.
func (w *World) Connect() (*nats.Conn, jetstream.JetStream) {
	w.T.Helper()
	conn, err := w.hub.Connect(w.Net.Brand, "test")
	w.Must(err)
	w.T.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	w.Must(err)
	return conn, js
}

// Base is what one instance of a component is given. Each has its own connection and metrics.
func (w *World) Base() flow.Base {
	w.T.Helper()
	conn, js := w.Connect()
	registry := prometheus.NewRegistry()
	return flow.Base{
		Net: w.Net, Conn: conn, JS: js, Docs: w.Docs, Stages: stage.NewMetrics(registry), Registry: registry,
		Now: w.Now, Log: w.Log,
	}
}

// Run starts a component. It stops with the test, or when stop is called: with a crash's manners, since a component
// does nothing on the way out.
func (w *World) Run(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.T.Context())) // a test's own ends before its clean-up
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil {
			w.T.Errorf("a component ended: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.T.Cleanup(stop)
	return stop
}

// Now is the components' clock.
func (w *World) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.now.IsZero() {
		return time.Now()
	}
	return w.now
}

// SetNow stops the components' clock at a moment; the zero time lets it run again.
func (w *World) SetNow(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = at
}

// PutSettings puts the brand's flavour, YAML, and returns when the components have it.
func (w *World) PutSettings(document string) progress.Settings {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	s, err := w.Docs.PutSettings(ctx, []byte(document))
	w.Must(err)
	return s
}

// PutPromotion puts a progress promotion, YAML, and returns when the components have it.
func (w *World) PutPromotion(document string) progress.Promotion {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	p, err := w.Docs.PutPromotion(ctx, []byte(document))
	w.Must(err)
	return p
}

// Must fails the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}
