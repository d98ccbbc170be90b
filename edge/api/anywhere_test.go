package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// pair is two tills of two stores, and a centre that has what both have kept.
type pair struct {
	tills [2]*shop
	cut   atomic.Bool // the centre does not answer
	late  atomic.Bool // it answers, and has nothing yet
}

func openPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{}
	for i := range p.tills {
		b := &bank{balance: 1250, holds: map[record.RID]record.HoldAnswer{}}
		p.tills[i] = open(t, func(c *Config) {
			c.Store, c.Till = store("00"+strconv.Itoa(17+i)), till(strconv.Itoa(i+1))
			c.Hold, b.now = b.ask, c.Now
			c.Sale = p.ask
		})
	}
	return p
}

func (p *pair) ask(_ context.Context, rid record.RID) (said record.SaleAnswer, whole bool, err error) {
	if p.cut.Load() {
		return said, false, errCut
	}
	if p.late.Load() {
		return said, true, nil
	}
	for _, s := range p.tills {
		for _, c := range s.journal.Chains() {
			for r, err := range s.journal.After(c.ID, 0) {
				if err != nil {
					return said, false, err
				}
				if r.Kind == record.KindSale && r.RID == rid {
					said.Records = append([]record.Receipt{r}, said.Records...)
				} else if r.Of == rid && r.Kind != record.KindStart {
					said.Records = append(said.Records, r)
				}
			}
		}
	}
	return said, true, nil
}

// sellFor sells a basket that pays with points and a coupon, at a till.
func (s *shop) sellFor(points int64) (rid string, told Committed) {
	s.t.Helper()
	body := basket(s.t, func(o obj) {
		o["points_to_spend"], o["coupons"] = obj{"mode": "exact", "points": points}, []any{obj{"code": "AUTUMN1"}}
	})
	q := s.quote(body)
	hold, err := json.Marshal(obj{"rid": ridIn(body), "shopper": obj{"identifier": obj{"kind": "card", "value": ourCard}}, "points": points,
		"coupons": []any{obj{"code": "AUTUMN1"}}})
	if err != nil {
		s.t.Fatal(err)
	}
	id := record.NewRID(time.Now()).String()
	if r := s.do("POST", "/v1/holds", map[string]string{HeaderKey: id}, hold); r.status != http.StatusCreated {
		s.t.Fatalf("hold: %d %s", r.status, r.body)
	}
	r := s.sell(paid(s.t, body, q, func(o obj) {
		o["hold"] = id
		delete(o, "store")
	}))
	if r.status != http.StatusCreated {
		s.t.Fatalf("sell: %d %s", r.status, r.body)
	}
	return ridIn(body), into[Committed](s.t, r)
}

// odoo#257854 and erpnext#59050: bought with points at one store, given back in parts at two: what was earned
// is gone, what was spent is back, the coupon is good once more, and nothing of it twice.
func TestBoughtHereGivenBackThere(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	rid, sold := p.tills[0].sellFor(300)
	var money, taken, given int64
	for i, parts := range []map[string]string{{"1": "1"}, {"1": "2", "2": "0.1"}, {"1": "1", "2": "0.312"}} {
		s := p.tills[(i+1)%2]
		r := s.write("/v1/returns", back(t, rid, parts))
		c := into[Committed](t, r)
		if r.status != http.StatusCreated || c.Link != "verified" || c.Flagged {
			t.Fatalf("part %d: %d %s", i, r.status, r.body)
		}
		kept, err := s.journal.Find(c.RID)
		if err != nil || kept.Of.String() != rid || kept.Account != s.cards.Account(ourCard) || kept.Points != *c.Points.TakenBack || kept.Rearm != (i == 2) {
			t.Errorf("part %d: kept %+v, %v", i, kept.Header, err)
		}
		if len(c.Coupons) != 1 || c.Coupons[0].Rearmed != (i == 2) {
			t.Errorf("part %d: coupons %+v", i, c.Coupons)
		}
		money += *c.Total
		taken += kept.Points
		given += kept.Spent
	}
	if money != sold.Totals.ToPay || taken != *sold.Points.Earned || given != 300 {
		t.Errorf("gave back %d, took %d points, gave %d: want %d, %d and 300", money, taken, given, sold.Totals.ToPay, *sold.Points.Earned)
	}
	much := wantProblem(t, p.tills[0].write("/v1/returns", back(t, rid, map[string]string{"1": "1"})), "return-too-much", http.StatusUnprocessableEntity)
	if much.Left != "0" {
		t.Errorf("left %s", much.Left)
	}
}

func TestReturnWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	here, there := p.tills[0], p.tills[1]
	rid, sold := here.sellFor(300)
	p.cut.Store(true)
	// The sale lies here: exact, and flagged, for others may have given back of it.
	c := into[Committed](t, here.write("/v1/returns", back(t, rid, map[string]string{"1": "1"})))
	if c.Link != "verified" || !c.Flagged || c.Differences[0].What != "returns_elsewhere" {
		t.Errorf("got %+v", c)
	}
	// It lies elsewhere: priced as it stands, by what the policy says, and it names the sale all the same.
	blind := func() []byte {
		return receipt(t, func(o obj) {
			o["of"], o["lines"] = obj{"rid": rid}, []any{obj{"line_id": "1", "item": pasta, "quantity": "2", "unit": "pc", "unit_price": 129}}
			delete(o, "store")
			delete(o, "till")
		})
	}
	body := blind()
	r := there.write("/v1/returns", body)
	c = into[Committed](t, r)
	if r.status != http.StatusCreated || c.Link != "unverified" || !c.Flagged || *c.Points.TakenBack != 2 {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if again := there.write("/v1/returns", body); again.status != http.StatusOK || into[Committed](t, again).Link != "unverified" {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	if kept, err := there.journal.Find(c.RID); err != nil || kept.Of.String() != rid || kept.Points != 2 {
		t.Errorf("kept %+v, %v", kept.Header, err)
	}
	for policy, want := range map[setting.Returns]string{
		{Unverified: setting.ReturnRefuse}: "/of/rid", {Unverified: setting.ReturnManager}: "/manager_code", {UnverifiedLimit: 257}: "/manager_code", {UnverifiedLimit: 258}: "",
	} {
		there.policy.Store(&policy)
		r := there.write("/v1/returns", blind())
		if want == "" && r.status == http.StatusCreated {
			continue
		}
		if f := wantProblem(t, r, "return-unlinked-not-allowed", http.StatusUnprocessableEntity).Field; f != want {
			t.Errorf("%+v: field %q, want %q", policy, f, want)
		}
	}
	// Healed: what was given back blindly counts, and the last part settles what those took and gave.
	p.cut.Store(false)
	much := wantProblem(t, here.write("/v1/returns", back(t, rid, map[string]string{"1": "1"})), "return-too-much", http.StatusUnprocessableEntity)
	if much.Left != "0" { // one verified, two and two without the sale
		t.Errorf("left %s", much.Left)
	}
	r = here.write("/v1/returns", back(t, rid, map[string]string{"2": "0.412"}))
	last := into[Committed](t, r)
	if r.status != http.StatusCreated || last.Flagged {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	var points, spent int64
	said, _, _ := p.ask(t.Context(), ridFrom(t, rid))
	for i := range said.Records[1:] {
		points += said.Records[i+1].Points
		spent += said.Records[i+1].Spent
	}
	if points != *sold.Points.Earned || spent != 300 {
		t.Errorf("in all %d points were taken and %d given, want %d and 300", points, spent, *sold.Points.Earned)
	}
}

// A return that comes before its sale is as one whose sale nobody has.
func TestReturnBeforeItsSale(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	rid, _ := p.tills[0].sellFor(100)
	p.late.Store(true)
	wantProblem(t, p.tills[1].write("/v1/returns", back(t, rid, map[string]string{"1": "1"})), "invalid-field", http.StatusBadRequest) // no price to go by
	// Nobody shows a card: the books know whose sale it is, and are told what to take.
	body := receipt(t, func(o obj) {
		o["of"] = obj{"rid": rid}
		for _, k := range []string{"store", "till", "shopper"} {
			delete(o, k)
		}
	})
	c := into[Committed](t, p.tills[1].write("/v1/returns", body))
	if kept, err := p.tills[1].journal.Find(c.RID); c.Link != "unverified" || err != nil || kept.Points != 10 || !kept.Account.IsZero() {
		t.Errorf("got %+v, kept %+v, %v", c, kept.Header, err)
	}
	// In training nothing of it is kept, here or anywhere.
	p.late.Store(false)
	rid, _ = p.tills[0].sellFor(100)
	for range 2 {
		body := back(t, rid, map[string]string{"1": "4"})
		r := p.tills[1].do("POST", "/v1/returns", map[string]string{HeaderKey: ridIn(body), "Authorization": "Bearer " + practice}, body)
		if c := into[Committed](t, r); c.State != "training" || c.Link != "verified" {
			t.Errorf("training: %d %s", r.status, r.body)
		}
	}
}

func TestUnlinkedReturnsByPolicy(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	for i, c := range []struct {
		policy          setting.Returns
		reason, manager string
		field           string
	}{
		{policy: setting.Returns{}},
		{policy: setting.Returns{Unlinked: setting.ReturnRefuse}, reason: "gift", manager: boss, field: "/of"},
		{policy: setting.Returns{Unlinked: setting.ReturnReason}, field: "/unlinked_reason"},
		{policy: setting.Returns{Unlinked: setting.ReturnReason}, reason: "gift"},
		{policy: setting.Returns{Unlinked: setting.ReturnManager}, reason: "gift", field: "/manager_code"},
		{policy: setting.Returns{Unlinked: setting.ReturnManager}, reason: "gift", manager: "0815", field: "/manager_code"},
		{policy: setting.Returns{Unlinked: setting.ReturnManager}, reason: "gift", manager: boss},
		{policy: setting.Returns{UnlinkedLimit: 1005}, field: "/manager_code"},
		{policy: setting.Returns{UnlinkedLimit: 1005}, manager: boss},
		{policy: setting.Returns{UnlinkedLimit: 1006}},
	} {
		s.policy.Store(&c.policy)
		body := receipt(t, func(o obj) { o["unlinked_reason"], o["manager_code"] = c.reason, c.manager })
		r := s.write("/v1/returns", body)
		if c.field != "" {
			if f := wantProblem(t, r, "return-unlinked-not-allowed", http.StatusUnprocessableEntity).Field; f != c.field {
				t.Errorf("%d: field %q, want %q", i, f, c.field)
			}
			continue
		}
		if k := into[Committed](t, r); r.status != http.StatusCreated || k.Link != "blind" || *k.Points.TakenBack != 10 || k.Points.GivenBack != nil {
			t.Errorf("%d: %d %s", i, r.status, r.body)
		}
		// What is kept is answered, whatever the policy is now.
		s.policy.Store(&setting.Returns{Unlinked: setting.ReturnRefuse})
		if r := s.write("/v1/returns", body); r.status != http.StatusOK {
			t.Errorf("%d again: %d %s", i, r.status, r.body)
		}
	}
}

// A void gives spent points and the coupon back.
func TestVoidGivesBackWhatWasSpent(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	s := p.tills[0]
	s.policy.Store(&setting.Returns{Coupons: setting.CouponsKeep}) // of returns; a void was no sale
	rid, sold := s.sellFor(300)
	part := into[Committed](t, p.tills[1].write("/v1/returns", back(t, rid, map[string]string{"1": "1"})))
	body, err := json.Marshal(obj{"rid": record.NewRID(time.Now()).String(), "at": "2026-11-20T12:31:00+01:00", "business_date": "2026-11-20"})
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, p.tills[1].write("/v1/receipts/"+rid+"/void", body), "not-found", http.StatusNotFound)
	r := s.write("/v1/receipts/"+rid+"/void", body)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || *c.Points.GivenBack+*part.Points.GivenBack != 300 ||
		*c.Points.TakenBack+*part.Points.TakenBack != *sold.Points.Earned || !c.Coupons[0].Rearmed {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	if kept, err := s.journal.Find(c.RID); err != nil || !kept.Rearm || kept.Spent != *c.Points.GivenBack {
		t.Errorf("kept %+v, %v", kept.Header, err)
	}
	wantProblem(t, p.tills[1].write("/v1/returns", back(t, rid, map[string]string{"2": "0.1"})), "receipt-voided", http.StatusConflict)
}

// Whatever is given back where and in which order, with the sale at hand or not: while it is at hand, sold
// less given back is never below zero, and no more points are taken or given than the sale had.
func TestSoldLessGivenBackIsNeverBelowZero(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	rapid.Check(t, func(rt *rapid.T) {
		p.cut.Store(false)
		seller := rapid.IntRange(0, 1).Draw(rt, "seller")
		body := receipt(t, func(o obj) {
			for _, k := range []string{"store", "till"} {
				delete(o, k)
			}
			line(o, 0)["quantity"] = strconv.Itoa(rapid.IntRange(1, 5).Draw(rt, "pieces"))
		})
		sold := p.tills[seller].sell(body)
		if sold.status != http.StatusCreated {
			rt.Fatalf("sell: %d %s", sold.status, sold.body)
		}
		rid, earned := ridIn(body), *into[Committed](t, sold).Points.Earned
		var o obj
		if err := json.Unmarshal(body, &o); err != nil {
			rt.Fatal(err)
		}
		pieces, _ := strconv.Atoi(line(o, 0)["quantity"].(string))
		given, points, voided := 0, int64(0), false
		for range rapid.IntRange(1, 6).Draw(rt, "acts") {
			at := rapid.IntRange(0, 1).Draw(rt, "till")
			p.cut.Store(rapid.IntRange(0, 3).Draw(rt, "cut") == 0)
			n := rapid.IntRange(1, 3).Draw(rt, "quantity")
			path, act := "/v1/returns", receipt(t, func(o obj) {
				for _, k := range []string{"store", "till"} {
					delete(o, k)
				}
				o["of"], o["lines"] = obj{"rid": rid}, []any{obj{"line_id": "1", "item": pasta, "quantity": strconv.Itoa(n), "unit": "pc", "unit_price": 129}}
			})
			void := at == seller && rapid.IntRange(0, 5).Draw(rt, "void") == 0
			if void {
				path = "/v1/receipts/" + rid + "/void"
				act = fmt.Appendf(nil, `{"rid":%q,"at":"2026-11-20T12:31:00+01:00","business_date":"2026-11-20"}`, record.NewRID(time.Now()).String())
			}
			atHand := !p.cut.Load()
			r := p.tills[at].write(path, act)
			if r.status != http.StatusCreated {
				if atHand && !void && given+n <= pieces && !voided {
					rt.Fatalf("%d of %d are back, and %d more are refused: %s", given, pieces, n, r.body)
				}
				continue
			}
			c := into[Committed](t, r)
			if atHand && !void && given+n > pieces {
				rt.Fatalf("%d of %d are back, and %d more come: %s", given, pieces, n, r.body)
			}
			if atHand && *c.Points.TakenBack > max(earned-points, 0) {
				rt.Fatalf("of %d points %d were taken before, and now %d", earned, points, *c.Points.TakenBack)
			}
			points += *c.Points.TakenBack
			given = min(given+n, pieces)
			if void {
				given, voided = pieces, true
			}
		}
	})
}

func ridFrom(t *testing.T, s string) record.RID {
	t.Helper()
	rid, err := record.ParseRID(s)
	if err != nil {
		t.Fatal(err)
	}
	return rid
}

// Together a till's own returns and those that others tell of count once.
func TestOwnReturnsCountOnce(t *testing.T) {
	t.Parallel()
	a, b := record.NewRID(time.Now()), record.NewRID(time.Now())
	got := merge([]part{{rid: a}}, []part{{rid: b}, {rid: a}})
	if len(got) != 2 || !slices.ContainsFunc(got, func(p part) bool { return p.rid == b }) {
		t.Errorf("got %+v", got)
	}
}

// A till that has lost its disk is sent again what it had answered before. The return is none of those that came
// before it, although the centre has it; and what was paid with points was, whatever this disk knows of them.
func TestSentAgainToATillWithoutItsDisk(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	rid, _ := p.tills[0].sellFor(300)
	for _, parts := range []map[string]string{{"1": "2"}, {"1": "2", "2": "0.412"}} {
		body := back(t, rid, parts)
		first := into[Committed](t, p.tills[0].write("/v1/returns", body))
		r := p.tills[1].write("/v1/returns", body)
		again := into[Committed](t, r)
		if r.status != http.StatusCreated || *again.Total != *first.Total || *again.Points.TakenBack != *first.Points.TakenBack || *again.Points.GivenBack != *first.Points.GivenBack {
			t.Errorf("again: %d %s, want as the first time: %+v", r.status, r.body, first)
		}
	}

	here, b := openBank(t)
	fresh := open(t, func(c *Config) { c.Hold = b.ask })
	at := fresh.clock.Add(1000)
	if err := fresh.cache.Learn(fresh.cards.Account(ourCard), record.Shopper{Balance: 50, Held: 300, AsOf: at}); err != nil {
		t.Fatal(err)
	}
	body := spending(t, 300)
	q := here.quote(body)
	id, _ := here.place(body, 300)
	r := fresh.sell(paid(t, body, q, func(o obj) { o["hold"], o["happened"] = id, true }))
	c := into[Committed](t, r)
	kept, err := fresh.journal.Find(c.RID)
	if r.status != http.StatusCreated || !c.Flagged || err != nil || kept.Spent != 300 || kept.Hold.String() != id {
		t.Errorf("a fact: %d %s: kept %+v, %v, want 300 points of hold %s", r.status, r.body, kept.Header, err, id)
	}
}
