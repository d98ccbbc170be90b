package reference_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/reference"
	"tillstream/central/streams"
	"tillstream/kv/record"
	"tillstream/subjects"
)

var net = subjects.Net{
	DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
	Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
}

const patience = 30 * time.Second

// world is a bucket and the nodes that fold it.
type world struct {
	t  *testing.T
	js jetstream.JetStream

	mu  sync.Mutex
	now time.Time
}

func open(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(patience) {
		t.Fatal("the server does not come up")
	}
	nc, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	w := &world{t: t, now: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	if w.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if _, err := streams.Apply(t.Context(), w.js, streams.Want(net, 1)); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// node is one node's fold.
type node struct {
	*reference.Set
	w    *world
	stop func()
}

func (w *world) node() *node {
	w.t.Helper()
	n := &node{w: w, Set: reference.New(reference.Config{
		Brand: net.Brand, JS: w.js, Now: w.clock,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})}
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	n.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.t.Cleanup(n.stop)
	return n
}

func (n *node) within() context.Context {
	ctx, cancel := context.WithTimeout(n.w.t.Context(), patience)
	n.w.t.Cleanup(cancel)
	return ctx
}

// change carries a plan out.
func (n *node) change(plan func(reference.Now) ([]reference.Edit, error)) reference.Result {
	n.w.t.Helper()
	r, err := n.Change(n.within(), plan)
	if err != nil {
		n.w.t.Fatal(err)
	}
	return r
}

// reaches waits until the node has an entry.
func (n *node) reaches(entry uint64) {
	n.w.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	ctx := n.within()
	for n.Status().Entry < entry {
		select {
		case <-tick.C:
		case <-ctx.Done():
			n.w.t.Fatalf("entry %d does not come: %+v", entry, n.Status())
		}
	}
}

// goods makes items from first on; those of another edition have other names.
func goods(first, n, edition int) []reference.Line {
	lines := make([]reference.Line, n)
	for i := range lines {
		lines[i] = reference.Line{
			Code:    fmt.Sprintf("item-%07d", first+i),
			Product: record.Product{Name: fmt.Sprintf("Item %d of edition %d", first+i, edition), Category: "food/dairy/milk"},
		}
	}
	return lines
}

// follower is what a store has of the feed.
type follower struct {
	t       *testing.T
	cursor  record.Cursor
	records map[string]record.Reference
	pages   int
	resets  int
}

func follow(t *testing.T) *follower { return &follower{t: t, records: map[string]record.Reference{}} }

// pull takes one page, and reports whether there is more.
func (f *follower) pull(n *node) bool {
	f.t.Helper()
	page := n.Page(f.cursor)
	switch page.Status {
	case record.FeedReset:
		f.records, f.resets = map[string]record.Reference{}, f.resets+1
		f.cursor = page.Cursor
		return true
	case record.FeedBehind:
		f.t.Fatalf("behind at %+v", f.cursor)
	}
	last := f.cursor.Entry
	for _, r := range page.Records {
		if r.Entry < last {
			f.t.Fatalf("entry %d after %d", r.Entry, last)
		}
		last = r.Entry
		if r.Removed() {
			delete(f.records, r.Kind.String()+r.Key)
		} else {
			f.records[r.Kind.String()+r.Key] = r
		}
	}
	f.cursor, f.pages = page.Cursor, f.pages+1
	return page.More
}

func (f *follower) all(n *node) {
	f.t.Helper()
	for f.pull(n) {
	}
}

// same wants the follower to have what the node has.
func (f *follower) same(n *node) {
	f.t.Helper()
	if got, want := len(f.records), n.Status().Records; got != want {
		f.t.Errorf("the follower has %d records, the node %d", got, want)
	}
	for _, kind := range record.RefKinds() {
		for _, want := range n.List(kind, "", 1<<30) {
			got := f.records[kind.String()+want.Key]
			if string(got.Value) != string(want.Value) || got.Entry != want.Entry {
				f.t.Fatalf("%s %s: got %+v, want %+v", kind, want.Key, got, want)
			}
		}
	}
}
