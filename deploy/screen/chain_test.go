package screen_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"tillstream/central/reference"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// What the tests' till quotes by.
const policy = `{id: programme, revision: 1, currencies: {GBP: {earn: {points: 1, amount: 100}, value: {points: 1, amount: 10}}}}`

const sets = `- {id: mugs, revision: 1, include: {items: ["20001"]}}`

const offers = `
- {schema: promotion/v1, id: two-for-one, revision: 1, name: "Two for one", text: {en: "Mugs 2 for 1"},
   mechanic: {type: buy_x_get_y, buy: {set: mugs, quantity: 1}, get: {set: mugs, quantity: 1, percent: "100"}}}
- {schema: promotion/v1, id: two-off, revision: 1, name: "2 off 20", text: {en: "2.00 off 20.00"},
   mechanic: {type: spend_threshold, set: all, basis: net, tiers: [{spend: 2000, amount: 200}]}}
`

// chain starts a centre, a store and a till, with offers.
func chain(t *testing.T) (*fleet.Fleet, *fleet.Till) {
	t.Helper()
	f := chainOf(t, 1)
	return f, f.Store(0).Till(0)
}

// chainOf starts a centre and stores of one till each, with offers.
func chainOf(t *testing.T, stores int) *fleet.Fleet {
	t.Helper()
	browser(t) // or the chain starts for nothing
	f, err := fleet.Open(t.Context(), fleet.Config{
		Dir: t.TempDir(), Nodes: 1, Stores: stores, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	bring(t, f, record.RefSet, sets)
	bring(t, f, record.RefSetting, policy)
	entry := bring(t, f, record.RefPromotion, offers)
	for _, till := range f.Tills() {
		await(t, "the offers at a till", func() error {
			if s := till.Node().Rules().State(); uint64(s.Revision) != entry {
				return fmt.Errorf("it prices by %d, want %d; faults %v", s.Revision, entry, s.Faults)
			}
			return nil
		})
	}
	return f
}

// bring puts documents at the centre.
func bring(t *testing.T, f *fleet.Fleet, kind record.RefKind, text string) uint64 {
	t.Helper()
	docs, err := reference.ReadDocuments(kind, []byte(text))
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := f.Centre()[0].Node().Reference().Change(ctx, reference.Put(kind, docs))
	must(t, err)
	return r.Entry
}

// await waits until done is nil.
func await(t *testing.T, what string, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	must(t, fleet.Await(ctx, what, done))
}

// settle waits until everything is posted.
func settle(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := f.Settle(ctx); err != nil {
		t.Fatal(err)
	}
}

// posted wants so many documents in the books, and the laws to hold. Nobody notes what a browser sends: what
// came is what counts.
func posted(t *testing.T, f *fleet.Fleet, want uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := f.CheckBooks(ctx); err != nil {
		t.Error(err)
	}
	n, got := f.Centre()[0].Node(), uint64(0)
	must(t, n.Replica().Read(ctx, 0, func(uint64) { got = n.Books().Totals().Posted }))
	if got != want {
		t.Errorf("%d documents are posted, want %d", got, want)
	}
}
