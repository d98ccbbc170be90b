package books

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"tillstream/kv/record"
)

// policy puts a policy.
func (l *ledger) policy(days, minutes uint16) {
	l.t.Helper()
	p := Policy{Revision: l.Policy().Revision + 1, ExpireDays: days, HoldMinutes: minutes}
	l.entry(p.Proposal())
	if now, taken, err := ReadPolicyOutcome(l.last.Outcomes[0]); err != nil || !taken || now.ExpireDays != days || now.HoldMinutes != minutes {
		l.t.Fatalf("policy %+v, taken %v, %v", now, taken, err)
	}
}

// lots checks an account's lots, written as points@day, days from the first of the ledger.
func (l *ledger) lotsAre(account int, want ...string) {
	l.t.Helper()
	var got []string
	for _, lot := range l.LotsOf(account_(account)) {
		day := "never"
		if lot.Expires != 0 {
			day = fmt.Sprint((lot.Expires - firstDay) / dayMS)
		}
		got = append(got, fmt.Sprint(lot.Points, "@", day))
	}
	if !slices.Equal(got, want) {
		l.t.Fatalf("lots %q, want %q", got, want)
	}
}

// on lets time pass to a day of the ledger, and all that is swept have its turn.
func (l *ledger) on(day int64) {
	l.at = firstDay + (day-1)*dayMS
	l.entry()
	l.at += dayMS
	l.entry()
}

// odoo#257854: buy, refund, keep the points. In parts and from any store no more comes back than was given.
func TestBuyRefundKeepPoints(t *testing.T) {
	l, c := with100(t)
	o := newChain(2, "0002", "t1", record.Tip{})
	o.back(20, 1, 1, 33, 0).back(21, 1, 1, 33, 0)
	l.send("0002", o.all())
	l.balance(1, 34, 0)
	l.newest(c.back(22, 1, 1, 33, 0))
	l.balance(1, 1, 0)
	l.incidentSays(0, "")
	l.newest(c.back(23, 1, 1, 33, 0)) // one is left
	l.balance(1, 0, 0)
	l.incidentSays(1, "takes 33 points back and gives 0 back, of sale "+rid(1).String()+" there were 1 and 0 left")
	l.newest(c.back(24, 1, 1, 100, 5)) // refunded twice: nothing is left, and nothing was spent
	l.balance(1, 0, 0)
	l.incidentSays(2, "there were 0 and 0 left")
	l.verify()
}

// erpnext#59050: what paid for a sale that comes back is there again, in the lots that it came from.
func TestRedeemedPointsComeBack(t *testing.T) {
	l := newLedger(t)
	l.policy(365, 30)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 30)
	l.send("0001", c.all())
	l.on(40)
	c.sale(2, 1, 50)
	l.newest(c)
	l.lotsAre(1, "30@396", "50@427")
	l.ask("0001", c.place(50, 3, 1, 60))
	l.lotsAre(1, "20@427") // the oldest first
	l.newest(c.spends(3, 1, 5, 55, 50))
	l.lotsAre(1, "30@427") // 5 of the hold came back, 5 were earned
	l.newest(c.back(4, 3, 1, 2, 25))
	l.lotsAre(1, "53@427") // those first that are good for longest
	l.newest(c.back(5, 3, 1, 3, 30))
	l.lotsAre(1, "30@396", "50@427")
	l.newest(c.back(6, 3, 1, 0, 1))
	l.balance(1, 80, 0)
	l.incidentSays(1, "there were 0 and 0 left")
	if tt := l.Totals(); tt.Redeemed != 0 || tt.Returned != 5 || tt.Issued != -85 {
		t.Fatalf("totals %+v", tt)
	}
	l.verify()
}

// Taken back from the sale's own lot first, then from the oldest, then as debt that earnings repay.
func TestAReturnTakesFromItsSalesLot(t *testing.T) {
	l := newLedger(t)
	l.policy(365, 30)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 30)
	l.send("0001", c.all())
	l.on(20)
	l.policy(400, 30)
	c.sale(2, 1, 50)
	c.sale(3, 1, 10)
	l.send("0001", c.run(3, 4))
	l.lotsAre(1, "30@396", "60@427")
	l.newest(c.back(4, 2, 1, 45, 0))
	l.lotsAre(1, "30@396", "15@427")
	l.newest(c.spends(5, 1, 0, 32, 0))
	l.lotsAre(1, "13@427")
	l.newest(c.back(6, 1, 1, 30, 0))
	l.balance(1, 0, 17)
	l.newest(c.spends(7, 1, 20, 0, 0))
	l.lotsAre(1, "3@427")
	l.verify()
}

// Points that expired with their lot count as taken back: nobody loses them twice. What the shopper had spent
// of them before is owed.
func TestAReturnAfterExpiry(t *testing.T) {
	l := newLedger(t)
	l.at += 29 * dayMS // 2010-12-30: good until the end of January
	l.policy(30, 30)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 100)
	c.spends(2, 1, 0, 40, 0)
	l.send("0001", c.all())
	l.lotsAre(1, "60@62")
	l.policy(365, 30)
	l.on(63)
	l.balance(1, 0, 0)
	if got := l.Totals().Expired; got != 60 {
		t.Fatalf("%d points have expired, want 60", got)
	}
	c.sale(3, 1, 70)
	l.newest(c)
	if !l.Posted(rid(1)) {
		t.Fatal("the sale is forgotten: this test shows nothing")
	}
	l = l.reopened()
	l.newest(c.back(4, 1, 1, 70, 0)) // 60 of them are gone
	l.balance(1, 60, 0)
	l.newest(c.back(5, 1, 1, 30, 0))
	l.balance(1, 30, 0)
	l.verify()
}

// A return may be there before its sale: the sale's store was cut. It moves nothing until the sale comes, and its
// account falls to the stores all the same, or the edge would count it as pending for ever.
func TestAReturnWaitsForItsSale(t *testing.T) {
	l, c := with100(t)
	l.newest(c.back(3, 2, 1, 40, 0))
	l.balance(1, 100, 0)
	if got, want := fmt.Sprint(l.fell()), fmt.Sprint([]fallen{{"0001", account_(1)}}); got != want {
		t.Fatalf("fell %s, want %s", got, want)
	}
	l = l.reopened()
	l.on(44)
	o := newChain(2, "0002", "t1", record.Tip{})
	o.sale(2, 1, 50)
	l.send("0002", o.all())
	l.balance(1, 110, 0)
	l.newest(c.back(4, 2, 1, 11, 0)) // ten are left
	l.balance(1, 100, 0)
	l.incidentSays(1, "there were 10 and 0 left")
	var causes []Cause
	if err := Postings(l.history, l.LastPosting(account_(1)), func(p Posting) bool { causes = append(causes, p.Cause); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []Cause{0, CauseSale, 0, CauseWaits, 0}; !slices.Equal(causes, want) {
		t.Fatalf("postings %v, want %v", causes, want)
	}
	l.verify()
}

// After 45 days nobody waits any more: it is a return without a receipt. So is one whose sale is forgotten.
func TestAReturnWaitsInVain(t *testing.T) {
	l, c := with100(t)
	l.newest(c.back(3, 2, 1, 140, 9))
	l.on(45)
	l.balance(1, 100, 0)
	l.on(47)
	l.balance(1, 0, 40)
	l.incidentSays(1, "which has not come for 45 days")
	if l.Posted(rid(1)) {
		l.on(60)
	}
	l.newest(c.back(4, 1, 1, 5, 0))
	l.balance(1, 0, 40)
	l.on(110)
	l.balance(1, 0, 45)
	l.incidentSays(2, "which has not come for 45 days")
	l.verify()
}

// The account is the sale's, whomever the return names; what names no sale gives nothing that nobody spent.
func TestReturnsThatNameSomethingElse(t *testing.T) {
	l, c := with100(t)
	l.newest(c.back(2, 1, 2, 10, 0))
	l.balance(1, 90, 0)
	l.balance(2, 0, 0)
	l.incidentSays(1, "names another shopper than sale")
	l.newest(c.back(3, 1, 0, 10, 0))
	l.balance(1, 80, 0)
	l.incidentSays(1, "names another shopper than sale")
	l.newest(c.back(4, 2, 1, 10, 0))
	l.balance(1, 70, 0)
	l.incidentSays(2, "which is no sale")
	c.sale(5, 0, 0)
	l.newest(c)
	l.newest(c.back(6, 5, 1, 10, 0)) // nobody's sale
	l.balance(1, 70, 0)
	c.add(record.Header{Kind: record.KindReturn, RID: rid(7), Account: account_(1), Points: 5, Spent: 50}, nil)
	l.newest(c)
	l.balance(1, 65, 0)
	l.incidentSays(5, "it gives none")
	l.verify()
}

// Points of one receipt that fit no 32 bits, and of an account that fit no lot's word, are as exact as others.
func TestManyPoints(t *testing.T) {
	l := newLedger(t)
	l.policy(365, 30)
	c := newChain(1, "0001", "t1", record.Tip{})
	most := int64(record.MaxPoints)
	for n := range 200 {
		c.sale(n, 1, most)
	}
	l.send("0001", c.all())
	l.policy(0, 30)
	c.sale(1000, 1, math.MaxUint32)
	l.newest(c)
	l = l.reopened()
	l.lotsAre(1, fmt.Sprint(200*most, "@396"), fmt.Sprint(int64(math.MaxUint32), "@never"))
	l.newest(c.back(1001, 3, 1, most, 0))
	l.newest(c.back(1002, 1000, 1, math.MaxUint32, 0))
	l.lotsAre(1, fmt.Sprint(199*most, "@396"))
	l.incidentSays(0, "")
	l.verify()
}

// The gateway finds a sale's records, and its returns': also of a sale that came twice, and after a restart.
func TestWhereASalesRecordsLie(t *testing.T) {
	l, c := with100(t) // entry 1
	want := func(r int, ranges ...EntryRange) {
		t.Helper()
		for _, l := range []*ledger{l, l.reopened()} {
			if got, ok := l.Sale(rid(r)); ok != (len(ranges) > 0) || !slices.Equal(got, ranges) {
				t.Fatalf("sale %d lies in %v, %v; want %v", r, got, ok, ranges)
			}
		}
	}
	want(1, EntryRange{1, 1})
	for n := range 130 {
		c.sale(100+n, 1, 1)
		l.newest(c)
	}
	want(1, EntryRange{1, 65}) // 64 rids to a block
	want(100+62, EntryRange{1, 65})
	want(100+63, EntryRange{65, 129})
	want(100+129, EntryRange{129, 131})
	want(99)
	o := newChain(2, "0002", "t1", record.Tip{})
	o.back(300, 1, 1, 1, 0)
	o.sale(1, 1, 100) // again
	l.send("0002", o.all())
	want(1, EntryRange{1, 65}, EntryRange{132, 132})
	want(300)
	l.on(44)
	l.newest(c.back(301, 1, 1, 1, 0))
	want(1, EntryRange{1, 65}, EntryRange{132, 132}, EntryRange{135, 135})
	l.on(200)
	want(1)
	if n := l.deals.live; n != 0 {
		t.Fatalf("%d sales are remembered that are forgotten", n)
	}
	l.verify()
}
