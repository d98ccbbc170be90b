package fleet_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// fleets bounds how many run at once, whatever -parallel says: each is a dozen servers and as many files
// that are synced, and a fleet that starves shows nothing about tills.
var fleets = make(chan struct{}, 2)

// patience bounds every wait: only a chain that is broken, or a machine that is not there, needs it.
const patience = 2 * time.Minute

// begin makes a test one of those that run at once.
func begin(t *testing.T) {
	t.Helper()
	t.Parallel()
	select {
	case fleets <- struct{}{}:
		t.Cleanup(func() { <-fleets })
	case <-t.Context().Done():
		t.Fatal(t.Context().Err())
	}
}

// open starts a fleet and waits until it works; it is closed at the end.
func open(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	begin(t)
	cfg.Dir = t.TempDir()
	f := start(t, cfg)
	t.Cleanup(func() { stop(t, f) })
	return f
}

// start opens a fleet on cfg.Dir, new or as it was left, and waits until it works.
func start(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, err := fleet.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Ready(within(t, patience)); err != nil {
		stop(t, f)
		t.Fatal(err)
	}
	return f
}

func stop(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// await waits until done is nil.
func await(t *testing.T, what string, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, fleet.Await(ctx, what, done))
}

// must fails the test on an error of something that is no question of the test.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// settle waits until all is posted, holds the laws to what was sent, to the journal and to the books, and the
// sums of the books to an independent count of what the test has sold.
func settle(t *testing.T, f *fleet.Fleet, sold []sales.Receipt) {
	t.Helper()
	if err := f.Settle(within(t, patience)); err != nil {
		t.Fatal(err)
	}
	h, err := f.CheckBooks(within(t, patience))
	if err != nil {
		t.Fatal(err)
	}
	want := sales.CountPoints(sold)
	got := h.Nodes[0].Totals
	if got.Posted != uint64(len(sold)) || -got.Issued != want.Issued || got.Returned != want.Returned ||
		got.Shopper != want.Balance || -got.Debt != want.Debt {
		t.Errorf("books: posted %d issued %d returned %d balance %d debt %d;\n count: %d %d %d %d %d",
			got.Posted, -got.Issued, got.Returned, got.Shopper, -got.Debt,
			len(sold), want.Issued, want.Returned, want.Balance, want.Debt)
	}
	if n := len(h.Nodes); n != len(f.Centre()) {
		t.Errorf("the books of %d nodes are checked, want %d", n, len(f.Centre()))
	}
}

// repeats is how many records the books have met whose receipt was posted before.
func repeats(t *testing.T, f *fleet.Fleet) (n uint64) {
	t.Helper()
	node := f.Centre()[0].Node()
	must(t, node.Replica().Read(t.Context(), 0, func(uint64) { n = node.Books().Totals().Repeats }))
	return n
}

// posted waits until the centre has posted n receipts, whether or not the edge knows.
func posted(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	await(t, "posted", func() error {
		for _, c := range f.Centre() {
			node := c.Node()
			if node == nil {
				continue
			}
			var got uint64
			must(t, node.Replica().Read(t.Context(), 0, func(uint64) { got = node.Books().Totals().Posted }))
			if got >= uint64(n) {
				return nil
			}
		}
		return fmt.Errorf("want %d receipts", n)
	})
}

// generate makes receipts; those of another seed are others.
func generate(n int, seed uint64) []sales.Receipt {
	return sales.Generate(n, seed, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
}

func TestRound(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	receipts := generate(500, 1)
	sell(t, f, receipts)
	settle(t, f, receipts)
}
