package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"tillstream/edge/pricing"
)

// Sizes of the pricing part.
const (
	basketLines  = 50
	largestLines = 1114 // the largest basket of Online Retail
	activeRules  = 1000
)

// pricing measures the basket engine alone, on one core: against the JSON that every quote needs anyway,
// and against itself on more lines and among more promotions.
func (b *bench) pricing(ctx context.Context) ([]Result, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	w := newShelves()
	p, err := w.compile(w.promotions(activeRules))
	if err != nil {
		return nil, err
	}
	basket := w.basket(basketLines)
	request, err := json.Marshal(asked(basket))
	if err != nil {
		return nil, fmt.Errorf("write the request: %w", err)
	}
	quote, err := p.Quote(basket)
	if err != nil {
		return nil, err
	}
	b.note("%d promotions applied, %d answered why not, request %d bytes", len(quote.Promotions), len(quote.WhyNot), len(request))
	price := func() error { _, err := p.Quote(basket); return err }
	code := func() error {
		var in pricingRequest
		if err := json.Unmarshal(request, &in); err != nil {
			return err
		}
		_, err := json.Marshal(quote)
		return err
	}
	ours, err := b.interleave(ctx, price, code)
	if err != nil {
		return nil, err
	}
	allocs, bytes, err := allocations(price)
	if err != nil {
		return nil, err
	}
	results := []Result{
		ours.result("pricing", "µs", "decode and encode", ratioAtMost(1.5)),
		{Name: "pricing_allocations", Value: allocs, Unit: "a quote", detail: true},
		{Name: "pricing_allocated", Value: bytes, Unit: "B a quote", detail: true},
	}
	more, err := b.pricingGrowth(ctx, w, p, basket)
	return append(results, more...), err
}

// pricingGrowth measures what more lines and more promotions cost.
func (b *bench) pricingGrowth(ctx context.Context, w *shelves, p *pricing.Programme, basket *pricing.Basket) ([]Result, error) {
	large := w.basket(largestLines)
	lines, err := b.interleave(ctx,
		func() error { _, err := p.Quote(large); return err },
		func() error { _, err := p.Quote(basket); return err })
	if err != nil {
		return nil, err
	}
	// The same promotions that apply, among 100 and among 10,000 that do not.
	among := func(n int) (*pricing.Programme, error) {
		return w.compile(append(w.promotions(activeRules/10), w.elsewhere(n)...))
	}
	few, err := among(100)
	if err != nil {
		return nil, err
	}
	many, err := among(10_000)
	if err != nil {
		return nil, err
	}
	idle, err := b.interleave(ctx,
		func() error { _, err := many.Quote(basket); return err },
		func() error { _, err := few.Quote(basket); return err })
	if err != nil {
		return nil, err
	}
	return []Result{
		lines.result(fmt.Sprintf("pricing_%d_lines", largestLines), "µs", fmt.Sprintf("%d lines", basketLines), ratioAtMost(30)),
		idle.result("pricing_10000_idle", "µs", "100 that do not apply", ratioAtMost(1.5)),
	}, nil
}

// interleave compares how long two things take, in microseconds: rounds of a good many of each, in turn.
func (b *bench) interleave(ctx context.Context, ours, base func() error) (pairs, error) {
	timed := func(do func() error) func(context.Context) (float64, error) {
		return func(context.Context) (float64, error) {
			least := time.Duration(b.size(200, 20)) * time.Millisecond
			n := 0
			start := time.Now()
			for time.Since(start) < least {
				for range 10 {
					if err := do(); err != nil {
						return 0, err
					}
				}
				n += 10
			}
			return micros(time.Since(start)) / float64(n), nil
		}
	}
	if err := do(10, ours, base); err != nil {
		return nil, err
	}
	return b.alternate(ctx, max(b.rounds, b.size(15, 3)), timed(ours), timed(base))
}

// do does things a few times, so that none of them is measured cold.
func do(times int, things ...func() error) error {
	for range times {
		for _, thing := range things {
			if err := thing(); err != nil {
				return err
			}
		}
	}
	return nil
}

// allocations counts what one call allocates: things, and bytes.
func allocations(do func() error) (count, bytes float64, err error) {
	const calls = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if err := do(); err != nil {
			return 0, 0, err
		}
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / calls, float64(after.TotalAlloc-before.TotalAlloc) / calls, nil
}

// pricingRequest is what a POS asks of a quote.
type pricingRequest struct {
	RID          string               `json:"rid"`
	Store        string               `json:"store"`
	Till         string               `json:"till"`
	Channel      string               `json:"channel"`
	At           time.Time            `json:"at"`
	BusinessDate string               `json:"business_date"`
	Currency     string               `json:"currency"`
	Shopper      pricingShopper       `json:"shopper"`
	Coupons      []pricingCoupon      `json:"coupons"`
	Spend        pricingSpend         `json:"points_to_spend"`
	Lines        []pricingRequestLine `json:"lines"`
}

type (
	pricingShopper struct {
		ID string `json:"id"`
	}
	pricingCoupon struct {
		Code  string `json:"code"`
		Entry string `json:"entry"`
	}
	pricingSpend struct {
		Mode   string `json:"mode"`
		Points int64  `json:"points"`
	}
	pricingRequestLine struct {
		LineID    string `json:"line_id"`
		Item      string `json:"item"`
		Quantity  string `json:"quantity"`
		Unit      string `json:"unit"`
		UnitPrice int64  `json:"unit_price"`
		Entry     string `json:"entry"`
	}
)

// asked gives the request that a POS writes for a basket.
func asked(b *pricing.Basket) *pricingRequest {
	r := &pricingRequest{
		RID: "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", Store: b.Store, Till: "3", Channel: b.Channel, At: b.At,
		BusinessDate: b.At.Format(time.DateOnly), Currency: b.Currency, Shopper: pricingShopper{b.Shopper.ID},
		Spend: pricingSpend{b.Spend.Mode, b.Spend.Points},
	}
	for _, c := range b.Coupons {
		r.Coupons = append(r.Coupons, pricingCoupon{c.Code, "scanned"})
	}
	for _, l := range b.Lines {
		r.Lines = append(r.Lines, pricingRequestLine{l.LineID, l.Item, l.Quantity, l.Unit, l.UnitPrice, "scanned"})
	}
	return r
}
