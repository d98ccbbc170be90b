package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

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

// So is one whose basket has guessed too often, and whose quote does not open: no coupon is looked up for it any more.
func TestWhatHasHappenedIsKeptAfterGuesses(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	body := basket(t, func(o obj) { o["coupons"] = []any{obj{"code": "AUTUMN1"}} })
	q := s.quote(body)
	for i := range maxGuesses + 1 {
		s.do("POST", "/v1/quotes", nil, []byte(strings.Replace(string(body), "AUTUMN1", fmt.Sprint("WRONG", i), 1)))
	}
	q.Context = "AAAA"
	r := s.sell(paid(t, body, q, func(o obj) { o["happened"] = true }))
	if r.status != http.StatusCreated || !into[Committed](t, r).Flagged {
		t.Errorf("got %d %s", r.status, r.body)
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
