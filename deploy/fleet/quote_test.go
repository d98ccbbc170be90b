package fleet_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
	"tillstream/kv/record"
)

const doublePoints = `
- {schema: promotion/v1, id: double, revision: 1, name: "Twice the points", text: {en: "2x points"},
   mechanic: {type: points_multiplier, set: all, factor: "2"}}
- {schema: promotion/v1, id: tenth, revision: 2, name: "A tenth off", text: {en: "-10%"},
   mechanic: {type: percentage, level: item, set: all, percent: "10"}}
`

// What a quote promises at a till is what the centre posts, although the till is cut off meanwhile and its
// rules change before the sale is paid.
func TestQuoteIsPosted(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	docs, err := promotion.ReadYAML([]byte(doublePoints))
	must(t, err)
	set := func(revision uint32, docs []promotion.Promotion) {
		p, err := pricing.Compile(pricing.Rules{Revision: revision, Promotions: docs, Policy: pricing.Policy{
			Points: pricing.PointsPolicy{Earn: pricing.Rate{Points: 1, Amount: 100}},
		}})
		must(t, err)
		till.Node().Rules().Set(revision, p, time.Now())
	}
	set(1, docs)
	ask := func(path, key string, question, answer any) int {
		t.Helper()
		b, err := json.Marshal(question)
		must(t, err)
		req, err := http.NewRequestWithContext(within(t, 10*time.Second), http.MethodPost, till.URL()+path, bytes.NewReader(b))
		must(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+fleet.Token())
		req.Header.Set(api.HeaderKey, key)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close() //nolint:errcheck // read to its end
		must(t, json.NewDecoder(res.Body).Decode(answer))
		return res.StatusCode
	}
	price := int64(1000)
	const card = "2000017"
	basket := api.Basket{
		RID: record.NewRID(time.Now()).String(), Currency: "EUR",
		Shopper: &api.Who{Identifier: &api.Identifier{Kind: "card", Value: card}},
		Lines:   []api.Line{{LineID: "1", Item: "x", Quantity: "3", Unit: "pc", UnitPrice: &price}},
	}
	var q api.Quote
	if status := ask("/v1/quotes", "", &basket, &q); status != http.StatusOK || q.Totals.ToPay != 2700 || q.Points.ToEarn != 54 {
		t.Fatalf("quote: %d %+v %+v", status, q.Totals, q.Points)
	}
	f.Store(0).Cut()
	till.Cut()
	set(2, nil)
	basket.At, basket.BusinessDate = time.Now().Format(time.RFC3339), time.Now().Format(time.DateOnly)
	basket.Quote = &api.QuoteReference{Digest: q.Digest, Revision: q.Revision, Engine: q.Engine, Context: q.Context}
	basket.Tenders = []api.Tender{{Kind: "cash", Amount: &q.Totals.ToPay}}
	var c api.Committed
	if status := ask("/v1/receipts", basket.RID, &basket, &c); status != http.StatusCreated || c.Flagged || *c.Points.Earned != 54 {
		t.Fatalf("receipt: %d %+v", status, c)
	}
	till.Heal()
	f.Store(0).Heal()
	back := api.Return{
		RID: record.NewRID(time.Now()).String(), Of: &api.SaleReference{RID: basket.RID}, Currency: "EUR",
		At: basket.At, BusinessDate: basket.BusinessDate, Lines: []api.ReturnLine{{LineID: "1", Quantity: "1"}},
	}
	var r api.Committed
	if status := ask("/v1/returns", back.RID, &back, &r); status != http.StatusCreated || *r.Total != 900 || *r.Points.TakenBack != 18 {
		t.Fatalf("return: %d %+v", status, r)
	}
	must(t, f.Settle(within(t, 60*time.Second)))
	if _, s := look(t, till, card); s.Points == nil || s.Points.Available == nil || *s.Points.Available != 36 {
		t.Errorf("the books have %+v, want 54 less 18", s.Points)
	}
}
