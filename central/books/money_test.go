package books

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tillstream/central/books/count"
	"tillstream/central/fold"
	"tillstream/kv/record"
)

// drawn is a run of the books beside the model: what tills sell, hold and give back in any order, with records
// that come late, clocks that are wrong, restarts, other policies, and weeks in between.
type drawn struct {
	t       *rapid.T
	l       *ledger
	m       *count.Count
	tills   []*drawnTill
	sold    []sale
	holds   []record.HoldQuestion
	next    int
	entries []fold.Entry
}

type sale struct {
	rid     record.RID
	account int
}

type drawnTill struct {
	store, name string
	chains      []*drawnChain
}

type drawnChain struct {
	*chainOf
	sent int
}

func (d *drawn) entry(ps ...fold.Proposal) [][]byte {
	d.l.entry(ps...)
	d.entries = append(d.entries, fold.Entry{At: d.l.at, Proposals: ps})
	return d.l.last.Outcomes
}

// pass lets time pass to a moment, and what the books do by themselves then.
func (d *drawn) pass(at int64) {
	d.l.at = at
	d.entry()
	d.m.Advance(at)
	for of, all := range d.m.Waits {
		still := map[record.RID]bool{}
		if i, ok := d.l.waits.find((*[16]byte)(&of)); ok {
			for w := d.l.lists.read(nil, d.l.waits.at(i).back); len(w) > 0; w = w[backWords:] {
				still[readBack(w).rid] = true
			}
		}
		d.m.Waits[of] = slices.DeleteFunc(all, func(r count.Return) bool {
			may, must := d.m.Overdue(&r)
			if still[r.RID] && must || !still[r.RID] && !may {
				d.t.Fatalf("return %s waits since day %d, and it is day %d: still %v", r.RID, r.Since, d.m.Today(), still[r.RID])
			}
			if !still[r.RID] {
				d.m.GiveUp(&r)
			}
			return !still[r.RID]
		})
		if len(d.m.Waits[of]) == 0 {
			delete(d.m.Waits, of)
		}
	}
	d.forget()
}

// forget lets the count forget what the books have forgotten, and holds them to what they may.
func (d *drawn) forget() {
	for rid := range d.m.Posted {
		if !d.l.Posted(rid) {
			delete(d.m.Posted, rid)
			delete(d.m.Sales, rid)
		}
	}
	for id, h := range d.m.Holds {
		if _, ok := d.l.Books.holds.find((*[16]byte)(&id)); !ok {
			if h.State == record.HoldPlaced {
				d.t.Fatalf("hold %s stands, and is forgotten", id)
			}
			delete(d.m.Holds, id)
		}
	}
}

func (d *drawn) any(what string, of int) int { return rapid.IntRange(0, of-1).Draw(d.t, what) }

func (d *drawn) newRID() record.RID {
	d.next++
	return rid(d.next)
}

func (d *drawn) till() *drawnTill { return d.tills[d.any("till", len(d.tills))] }

func (t *drawnTill) newest() *drawnChain { return t.chains[len(t.chains)-1] }

// restart begins another chain of a till.
func (d *drawn) restart(t *drawnTill) {
	var found record.Tip
	if len(t.chains) > 0 {
		found = t.newest().tip()
	}
	d.next++
	t.chains = append(t.chains, &drawnChain{chainOf: newChain(d.next, t.store, t.name, found)})
}

func (d *drawn) put(h record.Header, account int) {
	c := d.till().newest()
	if h.At = d.l.at + []int64{0, 0, 0, 7_200_000, -7_200_000}[d.any("clock", 5)]; account != 0 {
		h.Account = account_(account)
	}
	c.add(h, []byte{byte(len(c.recs))})
	if d.any("at once", 3) > 0 {
		d.send(c, len(c.recs)-c.sent)
	}
}

func (d *drawn) send(c *drawnChain, n int) {
	if n == 0 {
		return
	}
	run := c.run(c.sent+1, c.sent+n)
	start, _ := record.ReadStart(c.recs[0].Data)
	d.entry(pack(start.Store.String(), run))
	for i := range run {
		if h := &run[i].Header; h.Kind == record.KindStart {
			d.m.Start(c.id, start.Found)
		} else {
			d.m.Record(h)
		}
	}
	c.sent += n
}

// sell makes a sale: with a hold that was asked for, with one that was not, or without.
func (d *drawn) sell() {
	h := record.Header{Kind: record.KindSale, RID: d.newRID(), Points: int64(d.any("points", 50))}
	account := d.any("account", 4)
	if len(d.holds) > 0 && d.any("uses a hold", 2) == 0 {
		q := d.holds[d.any("hold", len(d.holds))]
		h.Hold, h.Spent = q.ID, max(0, q.Points+int64(d.any("more or less", 7)-3))
		if d.any("its basket", 5) > 0 {
			h.RID, account = q.RID, numberOf(q.Account)
		}
	} else if d.any("spends", 6) == 0 {
		h.Spent = int64(d.any("spent", 30))
	}
	if slices.ContainsFunc(d.sold, func(s sale) bool { return s.rid == h.RID }) {
		return // repeats are the other test's
	}
	d.sold = append(d.sold, sale{h.RID, account})
	d.put(h, account)
}

func (d *drawn) giveBack() {
	h := record.Header{
		Kind: record.KindReturn, RID: d.newRID(), Points: int64(d.any("points", 40)), Spent: int64(d.any("spent", 4)) * 5,
	}
	account := d.any("account", 4)
	switch n := d.any("of", 12); {
	case n == 0: // names no sale
	case n == 1 || len(d.sold) == 0:
		h.Of = rid(d.next + 1 + d.any("of none yet", 3))
	default:
		s := d.sold[d.any("of", len(d.sold))]
		if h.Of = s.rid; n > 3 {
			account = s.account
		}
	}
	h.Rearm = h.Of != record.RID{} && d.any("rearm", 2) == 0
	d.put(h, account)
}

// ask asks about a hold: a new one, or one from before.
func (d *drawn) ask() {
	t := d.till()
	q := record.HoldQuestion{Verb: record.HoldPlace, ID: d.newRID(), RID: d.newRID(), From: t.newest().tip()}
	q.From.Hash = record.Hash{}
	account := d.any("account", 4)
	if account != 0 {
		q.Account, q.Points = account_(account), int64(d.any("points", 60))
	}
	for range d.any("coupons", 3) {
		if c := record.CouponID(id("coupon", d.any("coupon", 4))); !slices.Contains(q.Coupons, c) {
			q.Coupons = append(q.Coupons, c)
		}
	}
	if q.Points == 0 && len(q.Coupons) == 0 {
		return
	}
	if len(d.holds) > 0 && d.any("once more", 4) == 0 {
		q = d.holds[d.any("hold", len(d.holds))]
		q.From.Chain, q.From.Seq = t.newest().id, uint64(len(t.newest().recs))
	}
	want := d.m.Place(t.store, &q)
	got, err := record.ReadHoldAnswer(d.entry(HoldProposal(storeID(t.store), &q))[0])
	if err != nil || got.State != want {
		d.t.Fatalf("hold %s: %v, %v, want %v", q.ID, got.State, err, want)
	}
	d.holds = append(d.holds, q)
}

// numberOf is account_ the other way round.
func numberOf(id record.AccountID) int {
	for n := range 4 {
		if n > 0 && account_(n) == id {
			return n
		}
	}
	return 0
}

func (d *drawn) release() {
	if len(d.holds) == 0 {
		return
	}
	id := d.holds[d.any("hold", len(d.holds))].ID
	store := []string{"", shop(0), shop(1)}[d.any("by", 3)]
	p := ReleaseProposal(id)
	if store != "" {
		p = HoldProposal(storeID(store), &record.HoldQuestion{Verb: record.HoldRelease, ID: id})
	}
	want := d.m.Release(store, id)
	if got, err := record.ReadHoldAnswer(d.entry(p)[0]); err != nil || got.State != want {
		d.t.Fatalf("release of hold %s: %v, %v, want %v", id, got.State, err, want)
	}
}

func (d *drawn) change() {
	p := Policy{
		Revision: d.l.Policy().Revision + 1, HoldMinutes: []uint16{1, 30, 1440}[d.any("minutes", 3)],
		ExpireDays: []uint16{0, 30, 31, 45, 365}[d.any("days", 5)],
	}
	d.entry(p.Proposal())
	d.m.ExpireDays, d.m.HoldMinutes = int(p.ExpireDays), int(p.HoldMinutes)
}

func (d *drawn) step() {
	switch n := d.any("step", 20); {
	case n < 6:
		d.sell()
	case n < 10:
		d.giveBack()
	case n < 13:
		d.ask()
	case n == 13:
		d.release()
	case n == 14:
		d.restart(d.till())
	case n == 15:
		c := d.till().chains
		some := c[d.any("chain", len(c))]
		d.send(some, d.any("records", len(some.recs)-some.sent+1))
	case n == 16:
		d.change()
	case n == 17: // two midnights: all that is swept has its turn
		at := d.l.at + int64(d.any("days", 50))*dayMS
		d.pass(at)
		d.pass(at + dayMS)
	default:
		d.pass(d.l.at + int64(d.any("minutes", 90))*60_000)
	}
}

// check compares books and model.
func (d *drawn) check() {
	for id, a := range d.m.Purses {
		s, _ := d.l.Shopper(id)
		if s.Balance != a.Balance() || s.Debt != a.Debt || s.Held != a.Held {
			d.t.Fatalf("account %s has %d, owes %d, and %d are held; want %d, %d and %d", id, s.Balance, s.Debt, s.Held, a.Balance(), a.Debt, a.Held)
		}
		lots := map[uint16]int64{}
		for _, l := range d.l.LotsOf(id) {
			day := uint16(never)
			if l.Expires != 0 {
				day = uint16(l.Expires / dayMS)
			}
			lots[day] = l.Points
		}
		if !maps.Equal(lots, a.Lots) {
			d.t.Fatalf("account %s has lots %v, want %v", id, lots, a.Lots)
		}
	}
	t, w := d.l.Totals(), d.m.Totals
	if t.Issued != w.Issued || t.Returned != w.Returned || t.Redeemed != w.Redeemed || t.Incidents != d.m.Incidents {
		d.t.Fatalf("totals %+v; want %+v, %d incidents\n%q", t, w, d.m.Incidents, d.l.incidents())
	}
	if v, err := d.l.Verify(d.l.history); err != nil || len(v.Wrong) > 0 {
		d.t.Fatalf("the books are wrong: %v %q", err, v.Wrong)
	}
}

func draw(t *testing.T, rt *rapid.T, steps int) *drawn {
	d := &drawn{t: rt, l: newLedger(t), m: count.New()}
	d.m.At = d.l.at
	for i := range 3 {
		till := &drawnTill{store: shop(i % 2), name: fmt.Sprint("t", i)}
		d.tills = append(d.tills, till)
		d.restart(till)
	}
	for range rapid.IntRange(1, steps).Draw(rt, "steps") {
		d.step()
	}
	return d
}

func TestMoneyIsWhatAnIndependentCountSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(t, rt, 80)
		d.check()
		d.pass(d.l.at + dayMS)
		d.pass(d.l.at + dayMS)
		d.check()
		if got := d.l.Totals().Expired; got != d.m.Totals.Expired {
			rt.Fatalf("%d points have expired, want %d", got, d.m.Totals.Expired)
		}
	})
}

// Another node, with the same entries, stopped and started at any of them, and a snapshot written while it
// folds on: the same state, to the byte.
func TestMoneyIsTheSameOnEveryNode(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := draw(t, rt, 60)
		o := newLedger(t)
		var next func([]byte) ([]byte, bool)
		var want, got [][]byte
		for _, e := range d.entries {
			if next == nil && rapid.IntRange(0, 9).Draw(rt, "restart") == 0 {
				*o = *o.reopened()
			}
			if next == nil && rapid.IntRange(0, 9).Draw(rt, "freeze") == 0 {
				want, got, next = o.snapshot(), nil, o.Freeze()
			}
			o.at = e.At
			o.entry(e.Proposals...)
			for next != nil && rapid.Bool().Draw(rt, "a part") {
				p, more := next(nil)
				if got = append(got, p); !more {
					o.Thaw()
					next = nil
					if !slices.EqualFunc(got[:len(got)-1], want, bytes.Equal) {
						rt.Fatalf("the snapshot is of another moment:\n%q\n%q", got, want)
					}
				}
			}
		}
		if o.Digest() != d.l.Digest() || !bytes.Equal(o.history, d.l.history) {
			rt.Fatal("two nodes with the same entries differ")
		}
		o.Thaw()
		if !slices.EqualFunc(o.snapshot(), d.l.snapshot(), bytes.Equal) {
			rt.Fatal("two nodes write different snapshots")
		}
	})
}
