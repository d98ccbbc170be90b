package books

import (
	"fmt"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

const minute = int64(60_000)

// ask asks in an entry of its own and gives the answer.
func (l *ledger) ask(store string, q record.HoldQuestion) record.HoldAnswer {
	l.t.Helper()
	return l.said(HoldProposal(storeID(store), &q))
}

func (l *ledger) said(p fold.Proposal) record.HoldAnswer {
	l.t.Helper()
	l.entry(p)
	a, err := record.ReadHoldAnswer(l.last.Outcomes[0])
	if err != nil {
		l.t.Fatal(err)
	}
	return a
}

// place is a question for a hold of a basket, from the end of a chain.
func (c *chainOf) place(hold, basket, account int, points int64, coupons ...int) record.HoldQuestion {
	q := record.HoldQuestion{Verb: record.HoldPlace, ID: rid(hold), RID: rid(basket), Points: points, From: c.tip()}
	q.From.Hash = record.Hash{}
	if account != 0 {
		q.Account = account_(account)
	}
	for _, n := range coupons {
		q.Coupons = append(q.Coupons, id("coupon", n))
	}
	return q
}

// spends adds a sale that spends, and uses a hold; hold zero is none.
func (c *chainOf) spends(r, account int, earns, spent int64, hold int) *chainOf {
	h := record.Header{Kind: record.KindSale, RID: rid(r), Account: account_(account), Points: earns, Spent: spent, At: firstDay}
	if hold != 0 {
		h.Hold = rid(hold)
	}
	c.add(h, fmt.Appendf(nil, "%d", r))
	return c
}

// back adds a return of a sale.
func (c *chainOf) back(r, of, account int, taken, given int64) *chainOf {
	h := record.Header{Kind: record.KindReturn, RID: rid(r), Of: rid(of), Points: taken, Spent: given, At: firstDay, Rearm: true}
	if account != 0 {
		h.Account = account_(account)
	}
	c.add(h, fmt.Appendf(nil, "%d", r))
	return c
}

// newest sends the newest record of a chain of store 0001.
func (l *ledger) newest(c *chainOf) {
	l.t.Helper()
	l.expect(l.send("0001", c.run(len(c.recs), len(c.recs))), record.StatusHeld, len(c.recs))
}

// held checks what of an account is held.
func (l *ledger) held(account int, want int64) {
	l.t.Helper()
	if s, _ := l.Shopper(account_(account)); s.Held != want {
		l.t.Fatalf("%d points of account %d are held, want %d", s.Held, account, want)
	}
}

// state checks an answer.
func (l *ledger) state(a record.HoldAnswer, want record.HoldState, again bool) {
	l.t.Helper()
	if a.State != want || a.Again != again {
		l.t.Fatalf("hold is %d, again %v; want %d, %v", a.State, a.Again, want, again)
	}
}

// incidentSays checks how many incidents there are, and what the newest says.
func (l *ledger) incidentSays(n int, says string) {
	l.t.Helper()
	texts := l.incidents()
	if len(texts) != n || n > 0 && !strings.Contains(texts[0], says) {
		l.t.Fatalf("incidents %q, want %d, the newest with %q", texts, n, says)
	}
}

// with100 is a till at which account 1 has earned 100 points.
func with100(t *testing.T) (*ledger, *chainOf) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 100)
	l.send("0001", c.all())
	return l, c
}

func TestAHoldSetsAsideAndItsReceiptSpends(t *testing.T) {
	l, c := with100(t)
	q := c.place(50, 2, 1, 60, 1)
	a := l.ask("0001", q)
	l.state(a, record.HoldPlaced, false)
	if a.Points != 60 || a.Coupons != 1 || a.RID != rid(2) || a.Expires != l.at+30*minute {
		t.Fatalf("answer %+v", a)
	}
	l.balance(1, 40, 0)
	l.held(1, 60)
	l.state(l.ask("0001", q), record.HoldPlaced, true) // the answer was lost
	l.state(l.ask("0001", c.place(51, 3, 1, 41)), record.HoldNoPoints, false)
	l.state(l.ask("0001", c.place(52, 3, 0, 0, 1)), record.HoldNoCoupon, false)
	l.newest(c.spends(2, 1, 7, 45, 50))
	l.balance(1, 62, 0)
	l.held(1, 0)
	l.state(l.ask("0001", q), record.HoldUsed, true)
	l.state(l.ask("0001", c.place(52, 3, 0, 0, 1)), record.HoldNoCoupon, false)
	want := Totals{Posted: 2, Transactions: 2, Moves: 1, Shopper: 62, Issued: -107, Redeemed: 45}
	if got := l.Totals(); got != want {
		t.Fatalf("totals %+v, want %+v", got, want)
	}
	l.verify()
}

// The id is the question's: another one under it is refused, and only the store that asked may find or release.
func TestAHoldIsItsQuestionsAndItsStores(t *testing.T) {
	l, c := with100(t)
	o := newChain(2, "0002", "t1", record.Tip{})
	l.send("0002", o.all())
	q := c.place(50, 2, 1, 60)
	l.state(l.ask("0001", q), record.HoldPlaced, false)
	c.sale(9, 0, 0)
	again := c.place(50, 2, 1, 60) // the till has moved on meanwhile
	l.state(l.ask("0001", again), record.HoldPlaced, true)
	for _, other := range []record.HoldQuestion{c.place(50, 3, 1, 60), c.place(50, 2, 1, 59), c.place(50, 2, 1, 60, 1)} {
		l.state(l.ask("0001", other), record.HoldOther, false)
	}
	l.state(l.ask("0002", o.place(50, 2, 1, 60)), record.HoldOther, false)
	release := record.HoldQuestion{Verb: record.HoldRelease, ID: rid(50)}
	l.state(l.ask("0002", release), record.HoldUnknown, false)
	if a := l.Hold(storeID("0002"), rid(50)); a.State != record.HoldUnknown {
		t.Fatalf("another store finds the hold: %+v", a)
	}
	l.balance(1, 40, 0)
	l.state(l.ask("0001", release), record.HoldReleased, false)
	l.balance(1, 100, 0)
	l.state(l.ask("0001", release), record.HoldReleased, true)
	l.state(l.ask("0001", q), record.HoldReleased, true)
	l.incidentSays(0, "")
	l.verify()
}

// A hostile store cannot hold for another one's till, nor without end.
func TestHoldsAreBoundedAndTheirTillsOwn(t *testing.T) {
	l, c := with100(t)
	l.state(l.ask("0002", c.place(50, 2, 1, 60)), record.HoldUnavailable, false)
	l.incidentSays(1, "store 0002 asked for a hold from chain "+c.id.String())
	l.state(l.ask("0001", newChain(9, "0001", "t9", record.Tip{}).place(51, 2, 1, 60)), record.HoldUnavailable, false)
	for n := range holdsOfAccount {
		l.state(l.ask("0001", c.place(100+n, 200+n, 1, 1)), record.HoldPlaced, false)
	}
	l.state(l.ask("0001", c.place(52, 2, 1, 1)), record.HoldTooMany, false)
	for n := holdsOfAccount; n < holdsOfChain; n++ {
		l.state(l.ask("0001", c.place(100+n, 1000+n, 0, 0, n)), record.HoldPlaced, false)
	}
	l.state(l.ask("0001", c.place(53, 3, 0, 0, 9999)), record.HoldTooMany, false)
	l.balance(1, 80, 0)
	l.verify()
}

// A cut till's committed redemption stays covered however late it comes: time alone lets go of nothing.
func TestALateReceiptFindsItsHold(t *testing.T) {
	l, c := with100(t)
	l.ask("0001", c.place(50, 2, 1, 60))
	l.at += 3 * dayMS
	l.entry()
	l.state(l.ask("0001", c.place(51, 3, 1, 50)), record.HoldNoPoints, false)
	l.held(1, 60)
	n := 0
	l.DueHolds(func(h *Held) bool { n++; return h.ID == rid(50) && h.Till == tillID("t1") })
	if n != 1 {
		t.Fatalf("%d holds are due, want one", n)
	}
	l.newest(c.spends(2, 1, 0, 60, 50))
	l.balance(1, 40, 0)
	l.incidentSays(0, "")
	l.verify()
}

func TestADueHoldEndsWhenItsTillIsPastIt(t *testing.T) {
	later := func(l *ledger) int64 { return l.at + 31*minute }
	for name, c := range map[string]struct {
		frees bool
		plays func(l *ledger, c *chainOf)
	}{
		"time alone": {false, func(l *ledger, c *chainOf) { l.at = later(l); l.entry() }},
		"a record of before then": {false, func(l *ledger, c *chainOf) {
			l.at = later(l)
			c.sale(9, 0, 0)
			l.newest(c)
		}},
		"a record of then": {true, func(l *ledger, c *chainOf) {
			l.at = later(l)
			c.add(record.Header{Kind: record.KindSale, RID: rid(9), At: l.at}, nil)
			l.newest(c)
		}},
		"a record by a clock that is ahead, and then the time": {true, func(l *ledger, c *chainOf) {
			c.add(record.Header{Kind: record.KindSale, RID: rid(9), At: later(l)}, nil)
			l.newest(c)
			l.held(1, 60)
			l.at = later(l)
			l.entry()
		}},
		"another till's record": {false, func(l *ledger, c *chainOf) {
			l.at = later(l)
			o := newChain(5, "0001", "t2", record.Tip{})
			o.add(record.Header{Kind: record.KindSale, RID: rid(9), At: l.at}, nil)
			l.send("0001", o.all())
		}},
		"the next chain, and nothing is missing": {true, func(l *ledger, c *chainOf) {
			l.at = later(l)
			l.send("0001", newChain(5, "0001", "t1", c.tip()).all())
		}},
		"the next chain, and a record is missing": {false, func(l *ledger, c *chainOf) {
			c.sale(9, 0, 0)
			l.at = later(l)
			l.send("0001", newChain(5, "0001", "t1", c.tip()).all())
		}},
		"the next chain, then the missing record": {true, func(l *ledger, c *chainOf) {
			c.sale(9, 0, 0)
			l.at = later(l)
			l.send("0001", newChain(5, "0001", "t1", c.tip()).all())
			l.newest(c)
		}},
		"the next chain, then the time": {true, func(l *ledger, c *chainOf) {
			l.send("0001", newChain(5, "0001", "t1", c.tip()).all())
			l.held(1, 60)
			l.at = later(l)
			l.entry()
		}},
		"ops": {true, func(l *ledger, c *chainOf) { l.state(l.said(ReleaseProposal(rid(50))), record.HoldReleased, false) }},
	} {
		t.Run(name, func(t *testing.T) {
			l, till := with100(t)
			l.ask("0001", till.place(50, 2, 1, 60))
			l = l.reopened()
			c.plays(l, till)
			if c.frees {
				l.held(1, 0)
				l.balance(1, 100, 0)
			} else {
				l.held(1, 60)
				l.balance(1, 40, 0)
			}
			l.incidentSays(0, "")
			l.verify()
		})
	}
}

// The sale is a fact: what its hold does not cover is taken from what is there, the rest is debt, and ops hear it.
func TestASaleWithoutAHoldThatCoversIt(t *testing.T) {
	for name, c := range map[string]struct {
		plays         func(l *ledger, c *chainOf)
		balance, debt int64
		says          string
	}{
		"no hold":         {func(l *ledger, c *chainOf) { c.spends(2, 1, 0, 130, 0) }, 0, 30, "which is none; 100 were taken from what is available, 30 are debt"},
		"an unknown hold": {func(l *ledger, c *chainOf) { c.spends(2, 1, 0, 30, 50) }, 70, 0, "which is not known; 30 were taken from what is available, 0 are debt"},
		"a released hold": {func(l *ledger, c *chainOf) {
			l.ask("0001", c.place(50, 2, 1, 60))
			l.ask("0001", record.HoldQuestion{Verb: record.HoldRelease, ID: rid(50)})
			c.spends(2, 1, 0, 60, 50)
		}, 40, 0, "which had been let go of"},
		"more than the hold": {func(l *ledger, c *chainOf) {
			l.ask("0001", c.place(50, 2, 1, 60))
			c.spends(2, 1, 0, 110, 50)
		}, 0, 10, "which has only 60; 40 were taken from what is available, 10 are debt"},
		"another basket's hold": {func(l *ledger, c *chainOf) {
			l.ask("0001", c.place(50, 3, 1, 60))
			c.spends(2, 1, 0, 50, 50)
		}, 0, 10, "of another basket or shopper"},
		"another shopper's hold": {func(l *ledger, c *chainOf) {
			l.ask("0001", c.place(50, 2, 1, 60))
			c.spends(2, 2, 0, 50, 50)
		}, 40, 0, "of another basket or shopper; 0 were taken from what is available, 50 are debt"},
	} {
		t.Run(name, func(t *testing.T) {
			l, till := with100(t)
			c.plays(l, till)
			l.newest(till)
			l.balance(1, c.balance, c.debt)
			l.incidentSays(1, c.says)
			l.verify()
		})
	}
}

// A coupon whose hold was let go of may be used by another basket: if the first one's receipt comes then all the
// same, it has been used twice, and that is told once.
func TestACouponUsedTwiceIsAnIncident(t *testing.T) {
	l, c := with100(t)
	l.ask("0001", c.place(50, 2, 1, 0, 7))
	l.state(l.said(ReleaseProposal(rid(50))), record.HoldReleased, false)
	l.state(l.ask("0001", c.place(51, 3, 1, 0, 7)), record.HoldPlaced, false)
	l.newest(c.spends(3, 1, 0, 0, 51))
	l.incidentSays(0, "")
	l.newest(c.spends(2, 1, 0, 0, 50))
	l.incidentSays(1, "is used by another sale")
	l.newest(c.back(4, 3, 1, 0, 0)) // one of the two comes back: the other still uses it
	l.state(l.ask("0001", c.place(52, 5, 1, 0, 7)), record.HoldNoCoupon, false)
	l.newest(c.back(6, 2, 1, 0, 0))
	l.state(l.ask("0001", c.place(52, 5, 1, 0, 7)), record.HoldPlaced, false)
	l.newest(c.spends(5, 1, 0, 0, 52))
	l.newest(c.back(7, 2, 1, 0, 0)) // armed again once: a second return frees nobody's coupon
	l.state(l.ask("0001", c.place(53, 8, 1, 0, 7)), record.HoldNoCoupon, false)
	l.verify()
}

// A coupon of a basket without a card is held for nobody, and used up by that basket's sale.
func TestNobodysCoupon(t *testing.T) {
	l, c := with100(t)
	l.state(l.ask("0001", c.place(50, 2, 0, 0, 7)), record.HoldPlaced, false)
	l.state(l.ask("0001", c.place(51, 3, 1, 0, 7)), record.HoldNoCoupon, false)
	c.add(record.Header{Kind: record.KindSale, RID: rid(2), Hold: rid(50), At: firstDay}, []byte("2"))
	l.newest(c)
	l.state(l.ask("0001", c.place(51, 3, 1, 0, 7)), record.HoldNoCoupon, false)
	l.incidentSays(0, "")
	l.verify()
}
