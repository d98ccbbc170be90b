package fleet_test

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// open starts a fleet and waits until it works; it is closed, and its books are checked, at the end.
func open(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	cfg.Dir = t.TempDir()
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	f, err := fleet.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if err := f.Ready(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	return f
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// settle waits until all is posted and holds the laws to the books, and the books to an independent
// count of what was sold.
func settle(t *testing.T, f *fleet.Fleet, sold []sales.Receipt) {
	t.Helper()
	if err := f.Settle(within(t, 2*time.Minute)); err != nil {
		t.Fatal(err)
	}
	v, err := f.CheckBooks(within(t, time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	want := sales.CountPoints(sold)
	got := v.Nodes[0].Totals
	if got.Posted != uint64(len(sold)) || -got.Issued != want.Issued || got.Returned != want.Returned ||
		got.Shopper != want.Balance || -got.Debt != want.Debt {
		t.Errorf("books: posted %d issued %d returned %d balance %d debt %d;\n count: %d %d %d %d %d",
			got.Posted, -got.Issued, got.Returned, got.Shopper, -got.Debt,
			len(sold), want.Issued, want.Returned, want.Balance, want.Debt)
	}
}

// sell posts receipts to the fleet's tills, from several callers, until each is kept.
func sell(t *testing.T, f *fleet.Fleet, receipts []sales.Receipt) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	defer client.CloseIdleConnections()
	next := make(chan *sales.Receipt)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for r := range next {
				post(t, f, client, r)
			}
		})
	}
	for i := range receipts {
		next <- &receipts[i]
	}
	close(next)
	wg.Wait()
}

func post(t *testing.T, f *fleet.Fleet, client *http.Client, r *sales.Receipt) {
	store, till := r.Place(len(f.Stores()), len(f.Store(0).Tills()))
	at := f.Store(store).Till(till)
	body := r.Body(at.Config().Store.String(), at.Config().Till.String(), r.Customer)
	for {
		a, err := fleet.Post(t.Context(), client, at.URL(), r.Return, r.RID, body)
		switch {
		case err == nil && a.Kept():
			return
		case err == nil && a.Status < 500:
			t.Errorf("receipt %s: %d %s", r.Number, a.Status, a.Body)
			return
		case t.Context().Err() != nil:
			return
		}
	}
}

func TestRound(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	receipts := sales.Generate(500, 1, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	sell(t, f, receipts)
	settle(t, f, receipts)
}
