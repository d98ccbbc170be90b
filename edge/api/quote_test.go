package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// promotionsText is what the tests' shop offers.
const promotionsText = `
- {schema: promotion/v1, id: pasta-10, revision: 3, name: "Pasta minus 10 %", text: {en: "Pasta -10%"},
   mechanic: {type: percentage, level: item, set: pasta, percent: "10"}}
- {schema: promotion/v1, id: ten-off, revision: 9, name: "5 % off, coupon", text: {en: "Coupon -5%"},
   coupon: {required: true, pool: autumn, single_use: true},
   mechanic: {type: percentage, level: basket, set: all, percent: "5"}}
- {schema: promotion/v1, id: gold-1, revision: 1, name: "1.00 off for gold", text: {en: "Gold -1.00"},
   audience: {any_of: [{tier: gold}]}, mechanic: {type: amount, per: basket, set: all, amount: 100}}
`

const setsText = `
- {id: pasta, revision: 1, include: {items: ["8076800195057"]}}
`

// documents are a text's, as they fall.
func documents(t testing.TB, kind record.RefKind, text string) (all []record.Reference) {
	t.Helper()
	var docs []obj
	if err := yaml.Unmarshal([]byte(text), &docs); err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record.Reference{Kind: kind, Key: d["id"].(string), Value: b})
	}
	return all
}

// goods are what the tests' shop has on its shelves, and by what it prices.
func goods(t testing.TB) []record.Reference {
	t.Helper()
	all := append(documents(t, record.RefPromotion, promotionsText), documents(t, record.RefSet, setsText)...)
	all = append(all, documents(t, record.RefSetting, `
- {id: programme, revision: 1, currencies: {EUR: {earn: {points: 1, amount: 100}, value: {points: 1, amount: 1}}}}
- {id: scan, revision: 1, country: AT, cards: [{prefix: "7777"}], layouts: [{prefix: "25", item: 5, digits: 5, carries: price}]}
`)...)
	for code, p := range map[string]record.Product{
		pasta:       {Name: "Pasta", Category: "food/pasta"},
		cheeseItem:  {Name: "Cheese", Category: "food/cheese", Tags: []string{"counter"}, Unit: record.UnitKilogram},
		wine:        {Name: "Wine", Category: "drink/wine", MinAge: 18},
		"cigarette": {Name: "Cigarettes", NoDiscount: true, NoPoints: true, MinAge: 18},
	} {
		if code != "cigarette" {
			code = "0" + code
		}
		all = append(all, record.Reference{Kind: record.RefItem, Key: code, Value: p.Append(nil)})
	}
	return all
}

// Items and coupons of the tests' shop.
const (
	pasta  = "8076800195057"
	cheese = "2512340004900" // 4.90 on its label
	wine   = "4006381333931" // from 18

	cheeseItem = "2512340000001" // the item on cheese's label
)

// shop is a till with promotions, items, a shopper of gold tier with 1,250 points, and a clock.
type shop struct {
	*node
	clock atomic.Int64 // Unix milliseconds
	hold  atomic.Pointer[record.HoldAnswer]

	policy atomic.Pointer[setting.Returns]
}

func open(t *testing.T, change func(*Config)) *shop {
	t.Helper()
	s := new(shop)
	s.clock.Store(time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC).UnixMilli())
	s.node = start(t, t.TempDir(), func(c *Config) {
		c.Now = s.now
		c.Upstream = s.now
		c.CardPrefixes = []string{"7777"}
		c.Facts = Facts{Coupon: coupon, Shopper: func(record.AccountID) (ShopperFacts, bool) {
			return ShopperFacts{Tier: "gold", Segments: []string{"parents"}}, true
		}}
		c.Hold = func(context.Context, record.HoldQuestion) (record.HoldAnswer, error) {
			if a := s.hold.Load(); a != nil {
				return *a, nil
			}
			return record.HoldAnswer{}, nil
		}
		c.Returns = func() setting.Returns {
			if p := s.policy.Load(); p != nil {
				return *p
			}
			return setting.Returns{}
		}
		if change != nil {
			change(c)
		}
	})
	s.fall(7, goods(t)...)
	if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: 1250, AsOf: s.clock.Load()}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) now() time.Time { return time.UnixMilli(s.clock.Load()).UTC() }

// without takes one of the shop's promotions away.
func (s *shop) without(entry uint64, promotion string) {
	s.t.Helper()
	s.fall(entry, record.Reference{Kind: record.RefPromotion, Key: promotion})
}

func coupon(code string, _ record.AccountID) (CouponFacts, bool) {
	state, ok := map[string]string{
		"AUTUMN1": "usable", "USED1": "used", "OLD1": "expired", "SOON1": "not_yet", "OTHER1": "other_brand",
	}[code]
	return CouponFacts{State: state, Pool: "autumn", Promotion: "ten-off", SingleUse: true}, ok
}

// basket is a basket of 5.16 and 4.90 with a fresh rid.
func basket(t testing.TB, edit func(obj)) []byte {
	t.Helper()
	o := obj{
		"rid": record.NewRID(time.Now()).String(), "currency": "EUR",
		"shopper": obj{"identifier": obj{"kind": "card", "value": ourCard, "entry": "scanned"}},
		"lines": []any{
			obj{"line_id": "1", "item": pasta, "quantity": "4", "unit": "pc", "unit_price": 129},
			obj{"line_id": "2", "item": cheese, "quantity": "0.412", "unit": "kg", "unit_price": 1190},
		},
	}
	if edit != nil {
		edit(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *shop) quote(body []byte) Quote {
	s.t.Helper()
	r := s.do("POST", "/v1/quotes", nil, body)
	if r.status != http.StatusOK {
		s.t.Fatalf("quote: %d %s", r.status, r.body)
	}
	return into[Quote](s.t, r)
}

// paid makes the receipt of a quoted basket.
func paid(t testing.TB, body []byte, q Quote, edit func(obj)) []byte {
	t.Helper()
	var o obj
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	o["at"], o["business_date"] = "2026-11-20T12:00:00+01:00", "2026-11-20"
	o["quote"] = obj{"digest": q.Digest, "revision": q.Revision, "engine": q.Engine, "context": q.Context}
	o["tenders"] = []any{obj{"kind": "cash", "amount": q.Totals.ToPay}}
	if edit != nil {
		edit(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestQuoteSaysWhyAndHasNoEffect(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, nil)
	q := s.quote(body)
	// 5.16 less a tenth (0.52), 1.00 off the basket.
	if q.Totals.Gross != 1006 || q.Totals.Discount != 152 || q.Totals.ToPay != 854 || q.Points.ToEarn != 8 {
		t.Errorf("totals %+v, points %+v, want 10.06 less 1.52 and 8 points", q.Totals, q.Points)
	}
	if len(q.Promotions) != 2 || q.Promotions[0].Promotion != "pasta-10" || q.Promotions[0].Revision != 3 || q.Promotions[0].Text != "Pasta -10%" {
		t.Errorf("promotions %+v", q.Promotions)
	}
	if q.Revision != 7 || q.Engine != pricing.Engine || q.Digest == "" || q.Context == "" || !q.Committable || q.HoldNeeded {
		t.Errorf("got %+v", q)
	}
	if *q.Points.BalanceBefore != 1250 || *q.Points.BalanceAfterPending != 1258 || q.Source != "local" || q.Stale {
		t.Errorf("balance %+v, source %s, stale %v", q.Points, q.Source, q.Stale)
	}
	if again := s.quote(body); again.Digest != q.Digest {
		t.Error("the same basket at the same moment has another digest")
	}
	if n, _ := s.journal.Unconfirmed(); n != 0 {
		t.Errorf("%d records are kept", n)
	}
	other := s.quote([]byte(strings.Replace(string(body), `"quantity":"4"`, `"quantity":"5"`, 1)))
	if other.Digest == q.Digest {
		t.Error("another basket has the same digest")
	}
}

// A quote is worth 24 hours: what it said is what is posted, whatever the shop has changed meanwhile.
func TestReceiptIsPricedAsItsQuote(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, nil)
	q := s.quote(body)
	s.without(8, "gold-1")
	s.clock.Add((23 * time.Hour).Milliseconds())
	receipt := paid(t, body, q, nil)
	r := s.sell(receipt)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || c.Flagged || c.Totals.ToPay != 854 || *c.Points.Earned != 8 || *c.Total != 854 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	again := s.sell(receipt)
	if again.status != http.StatusOK || again.header.Get(HeaderReplayed) != "true" || into[Committed](t, again).Totals.ToPay != 854 {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	wantProblem(t, s.sell([]byte(strings.Replace(string(receipt), "cash", "card", 1))), "key-reused", http.StatusUnprocessableEntity)
	found := into[Committed](t, s.do("GET", "/v1/receipts/"+c.RID.String(), nil, nil))
	if found.Totals.ToPay != 854 || *found.Points.Earned != 8 {
		t.Errorf("found %+v", found)
	}
	kept, err := s.journal.Find(c.RID)
	if err != nil {
		t.Fatal(err)
	}
	if kept.Rules != 7 || kept.Points != 8 {
		t.Errorf("kept under revision %d with %d points, want 7 and 8", kept.Rules, kept.Points)
	}
	// What was promised says the body, for whoever reads it upstream.
	k, err := readKept(kept.Data)
	if err != nil || k.Priced == nil || k.Priced.Digest != q.Digest || k.Priced.Promotions[0] != (gave{"pasta-10", 3, 52, 1, ""}) {
		t.Errorf("kept %s, %v", kept.Data, err)
	}
}

func TestQuoteThatDoesNotComeOutAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		problem string
		spoil   func(s *shop, q *Quote, o obj)
	}{
		"another price":        {"quote-changed", func(_ *shop, _ *Quote, o obj) { line(o, 0)["unit_price"] = 99 }},
		"a line less":          {"quote-changed", func(_ *shop, _ *Quote, o obj) { o["lines"] = o["lines"].([]any)[:1] }},
		"a coupon more":        {"quote-changed", func(_ *shop, _ *Quote, o obj) { o["coupons"] = []any{obj{"code": "USED1"}} }},
		"another shopper":      {"quote-changed", func(_ *shop, _ *Quote, o obj) { delete(o, "shopper") }},
		"another digest":       {"quote-changed", func(_ *shop, _ *Quote, o obj) { o["quote"].(obj)["digest"] = "x" }},
		"another engine":       {"quote-changed", func(_ *shop, _ *Quote, o obj) { o["quote"].(obj)["engine"] = "0" }},
		"a context of nothing": {"quote-changed", func(_ *shop, _ *Quote, o obj) { o["quote"].(obj)["context"] = "AAAA" }},
		"another revision": {"quote-changed", func(s *shop, _ *Quote, o obj) {
			s.without(8, "gold-1")
			o["quote"].(obj)["revision"] = 8
		}},
		"a quote of yesterday": {"quote-too-old", func(s *shop, _ *Quote, _ obj) { s.clock.Add((24 * time.Hour).Milliseconds()) }},
		"a revision long gone": {"quote-too-old", func(s *shop, _ *Quote, o obj) {
			o["quote"].(obj)["revision"] = 6
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			body := basket(t, nil)
			q := s.quote(body)
			receipt := paid(t, body, q, func(o obj) { c.spoil(s, &q, o) })
			p := wantProblem(t, s.sell(receipt), c.problem, http.StatusConflict)
			if p.Quote == nil || p.Quote.Totals.Gross == 0 {
				t.Fatalf("no new quote in %+v", p)
			}
			if n, _ := s.journal.Unconfirmed(); n != 0 {
				t.Errorf("%d records are kept", n)
			}
			// The new quote can be paid as it is.
			again := paid(t, receipt, *p.Quote, nil)
			if r := s.sell(again); r.status != http.StatusCreated || into[Committed](t, r).Flagged {
				t.Errorf("the new quote: %d %s", r.status, r.body)
			}
			// And a sale that is a fact is kept in any case.
			happened := paid(t, receipt, q, func(o obj) {
				o["rid"], o["happened"] = record.NewRID(time.Now()).String(), true
			})
			r := s.sell(happened)
			if k := into[Committed](t, r); r.status != http.StatusCreated || !k.Flagged || k.Differences[0].What != "digest" {
				t.Errorf("happened: %d %s", r.status, r.body)
			}
		})
	}
}

func TestAgeIsAskedFor(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, func(o obj) { line(o, 0)["item"] = wine })
	q := s.quote(body)
	if q.Committable || q.AgeCheck == nil || q.AgeCheck.Required != 18 || q.AgeCheck.State != "waiting" || q.AgeCheck.Lines[0] != "1" {
		t.Fatalf("got %+v of %v", q.AgeCheck, q.BlockedBy)
	}
	wantProblem(t, s.sell(paid(t, body, q, nil)), "age-not-confirmed", http.StatusConflict)
	confirmed := basket(t, func(o obj) { line(o, 0)["item"], o["confirmed"] = wine, obj{"age": 17} })
	if q := s.quote(confirmed); q.Committable || q.AgeCheck.State != "refused" {
		t.Errorf("17: %+v", q.AgeCheck)
	}
	confirmed = basket(t, func(o obj) {
		line(o, 0)["item"], o["confirmed"] = wine, obj{"age": 18, "by": "op7", "method": "id_seen"}
	})
	q = s.quote(confirmed)
	if !q.Committable || q.AgeCheck.State != "confirmed" {
		t.Errorf("18: %+v", q.AgeCheck)
	}
	if r := s.sell(paid(t, confirmed, q, nil)); r.status != http.StatusCreated {
		t.Errorf("got %d %s", r.status, r.body)
	}
}

// Points and single-use coupons are spent only when somebody has set them aside.
func TestSpendingNeedsAHold(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, func(o obj) { o["points_to_spend"] = obj{"mode": "exact", "points": 300} })
	q := s.quote(body)
	if !q.HoldNeeded || q.Points.ToSpend != 300 || q.Totals.PointsPaid != 300 || q.Totals.ToPay != 554 {
		t.Fatalf("got %+v %+v", q.Points, q.Totals)
	}
	wantProblem(t, s.sell(paid(t, body, q, nil)), "hold-needed", http.StatusConflict)
	// Cut off, nobody can say: the refusal is clear, and the sale goes on without.
	hold := fmt.Appendf(nil, `{"rid":%q,"shopper":{"identifier":{"kind":"card","value":%q}},"points":300}`, q.RID, ourCard)
	id := record.NewRID(time.Now()).String()
	p := wantProblem(t, s.do("POST", "/v1/holds", map[string]string{HeaderKey: id}, hold), "hold-unavailable", http.StatusServiceUnavailable)
	if p.Action != "continue_without" || !strings.Contains(p.CashierText, "the sale goes on") {
		t.Errorf("got %+v", p)
	}
	s.hold.Store(&record.HoldAnswer{State: record.HoldPlaced, Points: 300, Expires: s.clock.Load() + 1000})
	h := into[Hold](t, s.do("POST", "/v1/holds", map[string]string{HeaderKey: id}, hold))
	if h.ID != id || h.State != "placed" || h.Points != 300 {
		t.Fatalf("got %+v", h)
	}
	r := s.sell(paid(t, body, q, func(o obj) { o["hold"] = h.ID }))
	if c := into[Committed](t, r); r.status != http.StatusCreated || *c.Points.Spent != 300 || c.Totals.ToPay != 554 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	if q := s.quote(basket(t, func(o obj) { o["coupons"] = []any{obj{"code": "AUTUMN1"}} })); !q.HoldNeeded || q.Coupons[0].State != "usable" {
		t.Errorf("a single-use coupon: hold needed %v, %+v", q.HoldNeeded, q.Coupons)
	}
}

func TestCouponsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for code, want := range map[string]string{
		"AUTUMN1": "usable", "USED1": "used", "OLD1": "expired", "SOON1": "not_yet", "OTHER1": "other_brand", "GUESS1": "unknown",
	} {
		r := s.do("POST", "/v1/quotes", nil, basket(t, func(o obj) { o["coupons"] = []any{obj{"code": code}} }))
		q := into[Quote](t, r)
		if len(q.Coupons) != 1 || q.Coupons[0].State != want || q.Coupons[0].Text == "" || strings.Contains(string(r.body), code) {
			t.Errorf("%s: got %+v, want %s, and the code nowhere in %s", code, q.Coupons, want, r.body)
		}
	}
	// Five wrong codes in one basket, and a manager is needed.
	body := func(code, manager string) []byte {
		return basket(t, func(o obj) {
			o["rid"], o["coupons"] = "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", []any{obj{"code": code}}
			if manager != "" {
				o["manager_code"] = manager
			}
		})
	}
	for i := range maxGuesses {
		for range 2 { // quoting again is no guess
			if r := s.do("POST", "/v1/quotes", nil, body(fmt.Sprint("WRONG", i), "")); r.status != http.StatusOK && i < maxGuesses-1 {
				t.Fatalf("guess %d: %d %s", i, r.status, r.body)
			}
		}
	}
	if p := wantProblem(t, s.do("POST", "/v1/quotes", nil, body("AUTUMN1", "")), "too-many-attempts", http.StatusTooManyRequests); p.Field != "/coupons" {
		t.Errorf("field %s", p.Field)
	}
	wantProblem(t, s.do("POST", "/v1/quotes", nil, body("AUTUMN1", "0815")), "too-many-attempts", http.StatusTooManyRequests)
	if r := s.do("POST", "/v1/quotes", nil, body("AUTUMN1", boss)); r.status != http.StatusOK {
		t.Errorf("with a manager's code: %d %s", r.status, r.body)
	}
	// Nor can a manager's code be found by trying.
	for i := range maxGuesses {
		s.do("POST", "/v1/quotes", nil, body("AUTUMN1", fmt.Sprint("000", i)))
	}
	wantProblem(t, s.do("POST", "/v1/quotes", nil, body("AUTUMN1", boss)), "too-many-attempts", http.StatusTooManyRequests)
	s.clock.Add(guessesKeep.Milliseconds())
	s.do("POST", "/v1/quotes", nil, basket(t, func(o obj) { o["coupons"] = []any{obj{"code": "X"}} })) // what is old is forgotten
	if r := s.do("POST", "/v1/quotes", nil, body("AUTUMN1", boss)); r.status != http.StatusOK {
		t.Errorf("an hour later: %d %s", r.status, r.body)
	}
}

// A sale that has happened is kept even where no rules would price it, and its parts can come back.
func TestWhatHasHappenedIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, nil)
	q := s.quote(body)
	bill := paid(t, body, q, func(o obj) {
		line(o, 0)["quantity"], o["happened"] = "-1", true
	})
	r := s.sell(bill)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || !c.Flagged || *c.Total != 490-129 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if again := s.sell(bill); again.status != http.StatusOK || !into[Committed](t, again).Flagged {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if b := s.write("/v1/returns", back(t, ridIn(bill), map[string]string{"2": "0.412"})); b.status != http.StatusCreated || *into[Committed](t, b).Total != 490 {
		t.Errorf("return: %d %s", b.status, b.body)
	}
}

// The largest basket there is can be quoted, and committed with its quote.
func TestLargestBasket(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, func(o obj) {
		lines := make([]any, record.MaxLines)
		for i := range lines {
			lines[i] = obj{"line_id": fmt.Sprint(i), "item": pasta, "quantity": "1", "unit": "pc", "unit_price": 129}
		}
		o["lines"] = lines
	})
	q := s.quote(body)
	if len(q.Context) > 32768 {
		t.Errorf("the context has %d characters", len(q.Context))
	}
	if r := s.sell(paid(t, body, q, nil)); r.status != http.StatusCreated || into[Committed](t, r).Flagged {
		t.Errorf("got %d %.300s", r.status, r.body)
	}
}
