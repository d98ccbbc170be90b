package fleet_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/central/reference"
	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// put carries documents of a kind to the centre.
func put(t *testing.T, f *fleet.Fleet, kind record.RefKind, text string) uint64 {
	t.Helper()
	docs, err := reference.ReadDocuments(kind, []byte(text))
	must(t, err)
	return change(t, f.Centre()[0], reference.Put(kind, docs)).Entry
}

// goesBy waits until a till prices by a revision.
func goesBy(t *testing.T, e *fleet.Edge, entry uint64) {
	t.Helper()
	await(t, "the programme at "+e.Name(), func() error {
		if s := e.Node().Rules().State(); uint64(s.Revision) != entry {
			return fmt.Errorf("prices by %d of %d, faults %v; want %d", s.Revision, s.Newest, s.Faults, entry)
		}
		return nil
	})
}

const doublePoints = `
- {schema: promotion/v1, id: double, revision: 1, name: "Twice the points", text: {en: "2x points"},
   mechanic: {type: points_multiplier, set: all, factor: "2"}}
- {schema: promotion/v1, id: tenth, revision: 1, name: "A tenth off tea", text: {en: "-10%"},
   mechanic: {type: percentage, level: item, set: tea, percent: "10"}}
`

// What a quote promises at a till is what the centre posts: by promotions, sets, items and settings that were put
// at the centre, although they are others when the sale is paid, the store is cut off by then, and the till has
// started again in between.
func TestQuoteIsPosted(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	items, err := reference.ReadItems("csv", strings.NewReader("code,name,category,min_age\n4006381333931,Tea,food/tea,\n4006381333948,Rum,drink/rum,18\n"))
	must(t, err)
	change(t, f.Centre()[0], reference.Import(items, false))
	put(t, f, record.RefSet, `{id: tea, revision: 1, include: {categories: [food/tea]}}`)
	put(t, f, record.RefSetting, `{id: programme, revision: 1, currencies: {EUR: {earn: {points: 1, amount: 100}}}}`)
	quoted := put(t, f, record.RefPromotion, doublePoints)
	goesBy(t, &till.Edge, quoted)
	price := int64(1000)
	const card = "2000017"
	s := &spender{t, card}
	ask := func(path, key string, question, answer any) int {
		t.Helper()
		return s.ask(till, path, key, question, answer)
	}
	basket := api.Basket{
		RID: record.NewRID(time.Now()).String(), Currency: "EUR",
		Shopper: &api.Who{Identifier: &api.Identifier{Kind: "card", Value: card}},
		Lines:   []api.Line{{LineID: "1", Item: "4006381333931", Quantity: "3", Unit: "pc", UnitPrice: &price}},
	}
	var q api.Quote
	if status := ask("/v1/quotes", "", &basket, &q); status != http.StatusOK || q.Totals.ToPay != 2700 || q.Points.ToEarn != 54 {
		t.Fatalf("quote: %d %+v %+v", status, q.Totals, q.Points)
	}
	if len(q.Warnings) > 0 || uint64(q.Revision) != quoted {
		t.Errorf("revision %d, want %d; warnings %+v", q.Revision, quoted, q.Warnings)
	}
	aged := basket
	aged.RID, aged.Lines = record.NewRID(time.Now()).String(), []api.Line{{LineID: "1", Item: "4006381333948", Quantity: "1", UnitPrice: &price}}
	var rum api.Quote
	if status := ask("/v1/quotes", "", &aged, &rum); status != http.StatusOK || rum.Committable || rum.AgeCheck == nil || rum.AgeCheck.Required != 18 {
		t.Errorf("rum: %d %+v", status, rum.AgeCheck)
	}

	put(t, f, record.RefPromotion, `{schema: promotion/v1, id: tenth, revision: 2, name: "A half off tea", text: {en: "-50%"},
		mechanic: {type: percentage, level: item, set: tea, percent: "50"}}`)
	take := change(t, f.Centre()[0], reference.Take(record.RefPromotion, "double"))
	goesBy(t, &till.Edge, take.Entry)
	f.Store(0).Cut()
	till.Cut()
	must(t, till.Restart())
	goesBy(t, &till.Edge, take.Entry)
	var now api.Quote
	if status := ask("/v1/quotes", "", &basket, &now); status != http.StatusOK || now.Totals.ToPay != 1500 || now.Points.ToEarn != 15 {
		t.Errorf("the quote of now: %d %+v %+v", status, now.Totals, now.Points)
	}
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
