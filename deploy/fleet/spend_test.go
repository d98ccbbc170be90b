package fleet_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/edge/api"
	"tillstream/kv/record"
)

// spender is a shopper who buys, pays with points and brings back, at any till of a fleet.
type spender struct {
	t    *testing.T
	card string
}

func (s *spender) ask(till *fleet.Till, path, key string, question, answer any) int {
	s.t.Helper()
	b, err := json.Marshal(question)
	must(s.t, err)
	req, err := http.NewRequestWithContext(within(s.t, 10*time.Second), http.MethodPost, till.URL()+path, bytes.NewReader(b))
	must(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	req.Header.Set(api.HeaderKey, key)
	res, err := caller.Do(req)
	must(s.t, err)
	defer res.Body.Close() //nolint:errcheck // read to its end
	must(s.t, json.NewDecoder(res.Body).Decode(answer))
	return res.StatusCode
}

// basket is of pieces at 1.00 each.
func (s *spender) basket(pieces int, points int64) *api.Basket {
	price := int64(100)
	b := &api.Basket{
		RID: record.NewRID(time.Now()).String(), Currency: "EUR", Shopper: &api.Who{Identifier: &api.Identifier{Kind: "card", Value: s.card}},
		Lines: []api.Line{{LineID: "1", Item: "4006381333931", Quantity: fmt.Sprint(pieces), Unit: "pc", UnitPrice: &price}},
	}
	if points > 0 {
		b.PointsToSpend = &api.PointsToSpend{Mode: "exact", Points: points}
	}
	return b
}

// hold asks for a hold of what a quote spends, until the centre knows enough of the till to place one.
func (s *spender) hold(till *fleet.Till, b *api.Basket, points int64) (h api.Hold) {
	s.t.Helper()
	key := record.NewRID(time.Now()).String()
	await(s.t, "the hold", func() error {
		var answer json.RawMessage
		status := s.ask(till, "/v1/holds", key, &api.HoldRequest{RID: b.RID, Shopper: b.Shopper, Points: points}, &answer)
		if status != http.StatusCreated && status != http.StatusOK {
			return fmt.Errorf("%d %s", status, answer)
		}
		return json.Unmarshal(answer, &h)
	})
	return h
}

// buy sells pieces, some of them paid with points.
func (s *spender) buy(till *fleet.Till, pieces int, points int64) (rid string, c api.Committed) {
	s.t.Helper()
	b := s.basket(pieces, points)
	var q api.Quote
	await(s.t, "the quote", func() error { // points are left out for a moment when nobody could set aside
		if status := s.ask(till, "/v1/quotes", "", b, &q); status != http.StatusOK || q.Points.ToSpend != points {
			return fmt.Errorf("quote: %d %+v", status, q.Points)
		}
		return nil
	})
	if q.HoldNeeded {
		b.Hold = s.hold(till, b, points).ID
	}
	b.At, b.BusinessDate = time.Now().Format(time.RFC3339), time.Now().Format(time.DateOnly)
	b.Quote = &api.QuoteReference{Digest: q.Digest, Revision: q.Revision, Engine: q.Engine, Context: q.Context}
	b.Tenders = []api.Tender{{Kind: "cash", Amount: &q.Totals.ToPay}}
	if status := s.ask(till, "/v1/receipts", b.RID, b, &c); status != http.StatusCreated || c.Flagged {
		s.t.Fatalf("buy: %d %+v", status, c)
	}
	return b.RID, c
}

// bring gives pieces of a sale back.
func (s *spender) bring(till *fleet.Till, rid string, pieces int) (status int, c api.Committed) {
	s.t.Helper()
	price := int64(100)
	r := &api.Return{
		RID: record.NewRID(time.Now()).String(), Of: &api.SaleReference{RID: rid}, Currency: "EUR",
		At: time.Now().Format(time.RFC3339), BusinessDate: time.Now().Format(time.DateOnly),
		Lines: []api.ReturnLine{{LineID: "1", Item: "4006381333931", Quantity: fmt.Sprint(pieces), Unit: "pc", UnitPrice: &price}},
	}
	return s.ask(till, "/v1/returns", r.RID, r, &c), c
}

// sees waits until a till shows that many points, and none held or pending.
func (s *spender) sees(till *fleet.Till, points int64) {
	s.t.Helper()
	await(s.t, "the balance at "+till.Name(), func() error {
		_, l := look(s.t, till, s.card)
		if l.Points == nil || value(l.Points.Available) != points || value(l.Points.Pending) != 0 || l.Points.Held != nil || value(l.Points.Debt) != 0 {
			return fmt.Errorf("%+v, want %d", l.Points, points)
		}
		return nil
	})
}

// Bought with points at one store, given back in parts at another and at a till of the same store while its line
// is cut: what was earned is gone, what was spent is back, and the books agree to the point.
func TestPointsGoRound(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	s := &spender{t, "2000017"}
	here, beside, there := f.Store(0).Till(0), f.Store(0).Till(1), f.Store(1).Till(0)
	rules := put(t, f, record.RefSetting, `{id: programme, revision: 1, currencies: {EUR: {earn: {points: 10, amount: 100}, value: {points: 100, amount: 100}}}}`)
	for _, till := range f.Tills() {
		goesBy(t, &till.Edge, rules)
	}
	s.buy(here, 100, 0)
	s.sees(here, 1000)
	rid, c := s.buy(here, 10, 700) // 3.00 are left to pay, which earn 30
	if *c.Points.Spent != 700 || *c.Points.Earned != 30 || *c.Points.Available != 300 {
		t.Errorf("bought: %+v", c.Points)
	}
	must(t, f.Settle(within(t, patience)))
	s.sees(here, 330)

	status, back := s.bring(there, rid, 4)
	if status != http.StatusCreated || back.Link != "verified" || back.Flagged || *back.Points.GivenBack != 280 || *back.Points.TakenBack != 12 {
		t.Fatalf("at the other store: %d %+v", status, back)
	}
	must(t, f.Settle(within(t, patience)))
	f.Store(0).Cut()
	status, back = s.bring(beside, rid, 3)
	if status != http.StatusCreated || back.Link != "verified" || !back.Flagged {
		t.Fatalf("at the till beside, cut off: %d %+v", status, back)
	}
	f.Store(0).Heal()
	must(t, f.Settle(within(t, patience)))
	if status, _ := s.bring(there, rid, 4); status != http.StatusUnprocessableEntity {
		t.Errorf("more than is left: %d", status)
	}
	await(t, "the last part", func() error {
		if status, back = s.bring(here, rid, 3); status != http.StatusCreated {
			return fmt.Errorf("%d %+v", status, back)
		}
		return nil
	})
	must(t, f.Settle(within(t, patience)))
	s.sees(there, 1000)
	s.sees(here, 1000)
	if _, err := f.CheckBooks(within(t, patience)); err != nil {
		t.Error(err)
	}
}

// A return that comes before its sale, from another store, is kept unverified, and put right when the sale
// comes; what a basket has set aside and does not buy comes back.
func TestReturnOvertakesItsSale(t *testing.T) {
	f := open(t, fleet.Config{Nodes: 1, Stores: 2, Tills: 1})
	s := &spender{t, "2000024"}
	here, there := f.Store(0).Till(0), f.Store(1).Till(0)
	rules := put(t, f, record.RefSetting, `{id: programme, revision: 1, currencies: {EUR: {earn: {points: 10, amount: 100}, value: {points: 100, amount: 100}}}}`)
	goesBy(t, &here.Edge, rules)
	goesBy(t, &there.Edge, rules)
	s.buy(there, 20, 0)
	s.sees(there, 200)
	f.Store(0).Cut()
	rid, _ := s.buy(here, 10, 0)
	status, back := s.bring(there, rid, 10)
	if status != http.StatusCreated || back.Link != "unverified" || !back.Flagged || *back.Points.TakenBack != 100 {
		t.Fatalf("before its sale: %d %+v", status, back)
	}
	f.Store(0).Heal()
	must(t, f.Settle(within(t, patience)))
	if status, _ := s.bring(there, rid, 1); status != http.StatusUnprocessableEntity {
		t.Errorf("once more: %d", status)
	}
	b := s.basket(5, 100)
	h := s.hold(there, b, 100)
	req, err := http.NewRequestWithContext(within(t, patience), http.MethodDelete, there.URL()+"/v1/holds/"+h.ID, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	res, err := caller.Do(req)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != http.StatusOK {
		t.Errorf("give back: %s", res.Status)
	}
	must(t, f.Settle(within(t, patience)))
	if _, err := f.CheckBooks(within(t, patience)); err != nil {
		t.Error(err)
	}
	s.sees(there, 200)
}
