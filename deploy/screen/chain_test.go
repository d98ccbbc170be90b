package screen_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
)

// sets and offers are what the tests' till quotes by.
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
	browser(t) // or the chain starts for nothing
	f, err := fleet.Open(t.Context(), fleet.Config{
		Dir: t.TempDir(), Nodes: 1, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
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
	docs, err := promotion.ReadYAML([]byte(offers))
	if err != nil {
		t.Fatal(err)
	}
	groups, err := promotion.ReadSetsYAML([]byte(sets))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pricing.Compile(pricing.Rules{
		Revision: 7, Promotions: docs, Sets: groups,
		Policy: pricing.Policy{Points: pricing.PointsPolicy{Earn: pricing.Rate{Points: 1, Amount: 100}, Value: pricing.Rate{Points: 1, Amount: 10}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	till := f.Store(0).Till(0)
	till.Node().Rules().Set(7, p, time.Now())
	return f, till
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
