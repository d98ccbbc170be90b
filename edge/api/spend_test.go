package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// bank is the centre as holds see it: one shopper's balance.
type bank struct {
	mu      sync.Mutex
	cut     bool // nobody answers
	lost    bool // it hears, and its answer is lost
	balance int64
	asked   []record.HoldQuestion
	holds   map[record.RID]record.HoldAnswer
	now     func() time.Time
}

var errCut = errors.New("cut off")

func (b *bank) ask(_ context.Context, q record.HoldQuestion) (record.HoldAnswer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut {
		return record.HoldAnswer{}, errCut
	}
	b.asked = append(b.asked, q)
	a, known := b.holds[q.ID]
	switch {
	case q.Verb == record.HoldPlace && known:
		a.Again = true
	case q.Verb == record.HoldPlace && q.Points > b.balance:
		a = record.HoldAnswer{State: record.HoldNoPoints}
	case q.Verb == record.HoldPlace:
		b.balance -= q.Points
		a = record.HoldAnswer{State: record.HoldPlaced, Points: q.Points, Coupons: uint8(len(q.Coupons)), RID: q.RID,
			Expires: b.now().Add(holdKeeps).UnixMilli()}
		b.holds[q.ID] = a
	case !known:
		a = record.HoldAnswer{State: record.HoldUnknown}
	case q.Verb == record.HoldRelease && a.State == record.HoldPlaced:
		b.balance += a.Points
		a.State = record.HoldReleased
		b.holds[q.ID] = a
	}
	if b.lost {
		return record.HoldAnswer{}, context.DeadlineExceeded
	}
	return a, nil
}

func (b *bank) set(cut, lost bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cut, b.lost = cut, lost
}

func (b *bank) state(id string) (record.HoldState, int64) {
	rid, _ := record.ParseRID(id)
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.holds[rid].State, b.balance
}

func openBank(t *testing.T) (*shop, *bank) {
	t.Helper()
	b := &bank{balance: 1250, holds: map[record.RID]record.HoldAnswer{}}
	s := open(t, func(c *Config) { c.Hold = b.ask; b.now = c.Now })
	return s, b
}

// spending is a basket that pays with points.
func spending(t testing.TB, points int64) []byte {
	return basket(t, func(o obj) { o["points_to_spend"] = obj{"mode": "exact", "points": points} })
}

// place asks for a hold of a basket's points under a new key.
func (s *shop) place(basket []byte, points int64) (id string, r reply) {
	s.t.Helper()
	id = record.NewRID(time.Now()).String()
	return id, s.placeAs(id, basket, points)
}

func (s *shop) placeAs(id string, basket []byte, points int64) reply {
	s.t.Helper()
	var b obj
	if err := json.Unmarshal(basket, &b); err != nil {
		s.t.Fatal(err)
	}
	body, err := json.Marshal(obj{"rid": b["rid"], "shopper": b["shopper"], "points": points, "basket": b})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.do("POST", "/v1/holds", map[string]string{HeaderKey: id}, body)
}

// odoo#264931: the shopper says how many points to spend; those are set aside, taken, and no others.
func TestAsManyPointsAsTheShopperChooses(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	s.sell(receipt(t, nil)) // there is a record before the hold
	newest := s.journal.Newest()
	body := spending(t, 300)
	q := s.quote(body)
	if !q.HoldNeeded || q.Points.ToSpend != 300 || q.Totals.ToPay != 554 || q.Points.ToEarn != 5 {
		t.Fatalf("got %+v %+v: want 3.00 of 8.54 paid by 300 points, and 5 points for the rest", q.Points, q.Totals)
	}
	id, r := s.place(body, 300)
	if h := into[Hold](t, r); r.status != http.StatusCreated || h.State != "placed" || h.Points != 300 || h.ExpiresAt == nil {
		t.Fatalf("hold: %d %s", r.status, r.body)
	}
	if from := b.asked[0].From; from.Chain != newest.Chain || from.Seq != newest.Seq {
		t.Errorf("asked from %+v, want the till's newest record %+v", from, newest)
	}
	r = s.sell(paid(t, body, q, func(o obj) { o["hold"] = id }))
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || *c.Points.Spent != 300 || *c.Points.Earned != 5 || *c.Points.Before != 1250 ||
		*c.Points.Available != 950 || *c.Points.Held != 300 || *c.Points.Pending != 15 || c.Flagged {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	kept, err := s.journal.Find(c.RID)
	if err != nil || kept.Spent != 300 || kept.Points != 5 || kept.Hold.String() != id {
		t.Errorf("kept %+v, %v", kept.Header, err)
	}
	if h := into[Hold](t, s.do("GET", "/v1/holds/"+id, nil, nil)); h.State != "used" {
		t.Errorf("find: %+v", h)
	}
	// What a receipt uses is not given back.
	if h := into[Hold](t, s.do("DELETE", "/v1/holds/"+id, nil, nil)); h.State != "used" {
		t.Errorf("release: %+v", h)
	}
	if state, balance := b.state(id); state != record.HoldPlaced || balance != 950 {
		t.Errorf("the centre has %d points and the hold %d", balance, state)
	}
}

// What is set aside is not offered again, although the shopper's item does not know of it yet.
func TestHeldPointsAreOfferedOnce(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	body := spending(t, 800)
	id, r := s.place(body, 800)
	if r.status != http.StatusCreated {
		t.Fatalf("hold: %d %s", r.status, r.body)
	}
	all := func(o obj) { o["points_to_spend"] = obj{"mode": "all"} }
	if q := s.quote(basket(t, all)); q.Points.ToSpend != 450 || *q.Points.BalanceBefore != 450 {
		t.Errorf("spends %d of %d, want the 450 that are left", q.Points.ToSpend, *q.Points.BalanceBefore)
	}
	if l := into[Shopper](t, s.lookUp(ourCard, 0)); *l.Points.Available != 450 || *l.Points.Held != 800 {
		t.Errorf("look-up says %d and %d held", *l.Points.Available, *l.Points.Held)
	}
	// The item comes, with the hold in it: nothing is taken off twice.
	s.clock.Add(1000)
	if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: 450, Held: 800, AsOf: s.clock.Load()}); err != nil {
		t.Fatal(err)
	}
	if q := s.quote(basket(t, all)); *q.Points.BalanceBefore != 450 {
		t.Errorf("then it offers %d", *q.Points.BalanceBefore)
	}
	// A second hold of more than is left is refused, with the quote without it.
	more := spending(t, 450)
	b.mu.Lock()
	b.balance = 0
	b.mu.Unlock()
	_, r = s.place(more, 450)
	if p := wantProblem(t, r, "hold-refused", http.StatusConflict); p.Quote == nil || p.Quote.Points.ToSpend != 0 || p.Quote.Totals.ToPay != 854 {
		t.Errorf("got %+v", p.Quote)
	}
	if r := s.do("DELETE", "/v1/holds/"+id, nil, nil); into[Hold](t, r).State != "released" {
		t.Errorf("release: %s", r.body)
	}
}

// A basket that has a hold is quoted again with what it holds, and its next hold takes the place of the first.
func TestABasketHasOneHold(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	b.balance = 500
	if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: 500, AsOf: s.clock.Load() + 1}); err != nil {
		t.Fatal(err)
	}
	body := spending(t, 300)
	first, _ := s.place(body, 300)
	for range 2 {
		if q := s.quote(body); q.Points.ToSpend != 300 || *q.Points.BalanceBefore != 500 {
			t.Fatalf("quoted again, it spends %+v", q.Points)
		}
		// The item comes, with the hold in it.
		if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: 200, Held: 300, AsOf: s.clock.Load() + 2}); err != nil {
			t.Fatal(err)
		}
	}
	more := []byte(strings.Replace(string(body), `"points":300`, `"points":400`, 1))
	q := s.quote(more)
	if q.Points.ToSpend != 400 {
		t.Fatalf("it spends %+v", q.Points)
	}
	second, r := s.place(more, 400)
	if r.status != http.StatusCreated {
		t.Fatalf("hold: %d %s", r.status, r.body)
	}
	if state, balance := b.state(first); state != record.HoldReleased || balance != 100 {
		t.Errorf("the first hold is %d, and %d points are left", state, balance)
	}
	wantProblem(t, s.sell(paid(t, more, q, func(o obj) { o["hold"] = first })), "hold-expired", http.StatusConflict)
	if r := s.sell(paid(t, more, q, func(o obj) { o["hold"] = second })); r.status != http.StatusCreated {
		t.Errorf("sell: %d %s", r.status, r.body)
	}
}

func TestReceiptWantsItsOwnHold(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	body := spending(t, 300)
	q := s.quote(body)
	other := spending(t, 300)
	others, _ := s.place(other, 300)
	next := spending(t, 200)
	nq := s.quote(next)
	small, _ := s.place(next, 150)
	wantProblem(t, s.sell(paid(t, next, nq, func(o obj) { o["hold"] = small })), "hold-needed", http.StatusConflict)
	for name, c := range map[string]struct{ hold, problem string }{
		"none": {"", "hold-needed"}, "another basket's": {others, "hold-needed"},
		"unknown": {record.NewRID(time.Now()).String(), "hold-expired"},
	} {
		p := wantProblem(t, s.sell(paid(t, body, q, func(o obj) { o["hold"] = c.hold })), c.problem, http.StatusConflict)
		if p.Field != "/hold" {
			t.Errorf("%s: field %s", name, p.Field)
		}
	}
	// Too late: the shopper counted coins for half an hour. A sale that has happened is kept all the same.
	late, _ := s.place(body, 300)
	s.clock.Add((holdKeeps - holdMargin).Milliseconds())
	wantProblem(t, s.sell(paid(t, body, q, func(o obj) { o["hold"] = late })), "hold-expired", http.StatusConflict)
	b.set(true, false)
	r := s.sell(paid(t, body, q, func(o obj) { o["hold"], o["happened"] = late, true }))
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || !c.Flagged || !slices.ContainsFunc(c.Differences, func(d Difference) bool { return d.What == "hold" }) {
		t.Fatalf("happened: %d %s", r.status, r.body)
	}
	if kept, err := s.journal.Find(c.RID); err != nil || kept.Spent != 300 || kept.Hold.String() != late {
		t.Errorf("kept %+v, %v: the books want to know what was spent, and of which hold", kept.Header, err)
	}
	// Without any hold, what was spent is out of the balance at once.
	free := spending(t, 100)
	b.set(false, false)
	fq := s.quote(free)
	before := *into[Shopper](t, s.lookUp(ourCard, 0)).Points.Pending
	r = s.sell(paid(t, free, fq, func(o obj) { o["happened"] = true }))
	if c := into[Committed](t, r); !c.Flagged || *c.Points.Pending != before-100+*c.Points.Earned {
		t.Errorf("got %s, pending was %d", r.body, before)
	}
}

// After a restart the centre says which holds stand; nobody pays twice.
func TestHoldOutlivesARestart(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	body := spending(t, 300)
	q := s.quote(body)
	id, _ := s.place(body, 300)
	used := spending(t, 100)
	uq := s.quote(used)
	usedID, _ := s.place(used, 100)
	if r := s.sell(paid(t, used, uq, func(o obj) { o["hold"] = usedID })); r.status != http.StatusCreated {
		t.Fatalf("sell: %d %s", r.status, r.body)
	}
	s.api.holds.mu.Lock()
	s.api.holds.of = nil // as after a restart
	s.api.holds.mu.Unlock()
	if r := s.do("DELETE", "/v1/holds/"+usedID, nil, nil); into[Hold](t, r).State != "used" {
		t.Errorf("the receipt's hold: %s", r.body)
	}
	b.set(true, false)
	bill := paid(t, body, q, func(o obj) { o["hold"] = id })
	p := wantProblem(t, s.sell(bill), "hold-unavailable", http.StatusServiceUnavailable)
	if p.Action != "continue_without" {
		t.Errorf("got %+v", p)
	}
	b.set(false, false)
	if r := s.sell(bill); r.status != http.StatusCreated {
		t.Errorf("sell: %d %s", r.status, r.body)
	}
	if r := s.sell(bill); r.status != http.StatusOK {
		t.Errorf("again: %d %s", r.status, r.body)
	}
}

// Cut off, points and single-use coupons are refused with a reason, the sale goes on, and earning works.
func TestCutOffTheSaleGoesOn(t *testing.T) {
	t.Parallel()
	linked := false
	asked := 0
	s := open(t, func(c *Config) {
		c.Centre = func() Centre { return Centre{Linked: linked} }
		c.Hold = func(context.Context, record.HoldQuestion) (record.HoldAnswer, error) {
			asked++
			return record.HoldAnswer{}, errCut
		}
	})
	body := basket(t, func(o obj) {
		o["points_to_spend"], o["coupons"] = obj{"mode": "all"}, []any{obj{"code": "AUTUMN1"}}
	})
	q := s.quote(body)
	if q.Points.ToSpend != 0 || q.Points.SpendReason != "offline_not_allowed" || q.HoldNeeded || !q.Committable ||
		q.Coupons[0].State != "needs_connection" || q.Totals.ToPay != 854 || q.Points.ToEarn != 8 {
		t.Fatalf("got %+v %+v", q.Points, q.Coupons)
	}
	if !slices.ContainsFunc(q.WhyNot, func(w pricing.WhyNot) bool { return w.Code == "coupon_needs_connection" }) {
		t.Errorf("why not: %+v", q.WhyNot)
	}
	if q.Texts == nil || !slices.Contains(q.Texts.Cashier, textNoPoints) || !slices.Contains(q.Texts.Cashier, textNoCoupon) {
		t.Errorf("the cashier reads %+v", q.Texts)
	}
	linked = true // it heals between quote and payment: what was shown is what is paid
	r := s.sell(paid(t, body, q, nil))
	if c := into[Committed](t, r); r.status != http.StatusCreated || c.Flagged || *c.Points.Earned != 8 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	// A hold that nobody answers makes the next quotes go without, for a moment.
	next := spending(t, 300)
	if q := s.quote(next); q.Points.ToSpend != 300 {
		t.Fatalf("linked, it spends %d", q.Points.ToSpend)
	}
	_, r = s.place(next, 300)
	wantProblem(t, r, "hold-unavailable", http.StatusServiceUnavailable)
	if q := s.quote(next); q.Points.ToSpend != 0 || q.Points.SpendReason != "offline_not_allowed" {
		t.Errorf("then it spends %+v", q.Points)
	}
	s.clock.Add(holdSilence.Milliseconds())
	if q := s.quote(next); q.Points.ToSpend != 300 {
		t.Errorf("later it spends %+v", q.Points)
	}
	linked = false
	n := asked
	_, r = s.place(next, 300)
	wantProblem(t, r, "hold-unavailable", http.StatusServiceUnavailable)
	if asked != n {
		t.Error("a dead line is waited for")
	}
}

// What an abandoned basket has set aside comes back by itself, also when the answer was lost or the line was
// down in between; what a receipt uses never does.
func TestAbandonedPointsComeBack(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	abandoned, _ := s.place(spending(t, 100), 100)
	b.set(false, true)
	unheard, r := s.place(spending(t, 200), 200)
	wantProblem(t, r, "hold-unavailable", http.StatusServiceUnavailable)
	b.set(false, false)
	s.clock.Add(holdSilence.Milliseconds())
	body := spending(t, 300)
	q := s.quote(body)
	used, _ := s.place(body, 300)
	s.sell(paid(t, body, q, func(o obj) { o["hold"] = used }))
	gone, _ := s.place(spending(t, 50), 50)
	b.set(true, false)
	wantProblem(t, s.do("DELETE", "/v1/holds/"+gone, nil, nil), "hold-unavailable", http.StatusServiceUnavailable)
	s.clock.Add((holdKeeps + 2*holdMargin).Milliseconds())
	b.set(false, false)
	s.await("the points", func() bool {
		s.clock.Add(time.Second.Milliseconds())
		_, balance := b.state(used)
		return balance == 1250-300
	})
	for _, id := range []string{abandoned, unheard, gone} {
		if state, _ := b.state(id); state != record.HoldReleased {
			t.Errorf("hold %s is %d", id, state)
		}
	}
	if state, _ := b.state(used); state != record.HoldPlaced {
		t.Errorf("the used hold is %d: its receipt is to use it", state)
	}
}
