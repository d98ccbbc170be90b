package books

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Lots are by months: points are good for the days of the policy and to the end of that month, and what was
// earned before goes on by the policy of its day.
func TestPointsLieInLotsByMonth(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 5)
	l.send("0001", c.all())
	l.policy(30, 30)
	for n := range 60 {
		c.sale(10+n, 1, 1)
		l.newest(c)
		l.on(int64(n) + 1)
	}
	// 2010-12-01 and 30 days is the 31st: those have expired with December. Of 12-02 to 01-01 they are good to the
	// end of January, of 01-02 to 01-29 to that of February.
	l.lotsAre(1, "31@62", "28@90", "5@never")
	l.policy(0, 30)
	c.sale(100, 1, 10)
	l.newest(c)
	l.ask("0001", c.place(200, 201, 1, 60))
	l.lotsAre(1, "14@never")
	l.verify()
}

// What has expired may not be spent, from midnight on, whether the books have taken it out or not; and within a
// day they have, for accounts that nobody touches.
func TestExpiredPointsAreGoneAtMidnight(t *testing.T) {
	l := newLedger(t)
	l.policy(30, 30)
	c := newChain(1, "0001", "t1", record.Tip{})
	for n := 1; n <= 1000; n++ {
		c.sale(n, n, 10)
	}
	l.send("0001", c.all())
	l.lotsAre(1, "10@31")
	l.at = firstDay + 31*dayMS - 1
	l.entry()
	l.balance(1000, 10, 0)
	l.state(l.ask("0001", c.place(2000, 2001, 1000, 10)), record.HoldPlaced, false)
	l.said(ReleaseProposal(rid(2000)))
	l.at++
	l.entry()
	l.balance(1000, 0, 0)
	l.state(l.ask("0001", c.place(2002, 2003, 1000, 10)), record.HoldNoPoints, false)
	for hour := int64(1); hour <= 24; hour++ {
		l.at = firstDay + 31*dayMS + hour*dayMS/24
		was := l.Totals().Expired
		l.entry()
		if got := l.Totals().Expired - was; got > 600 {
			t.Fatalf("%d points expired within an hour: that is not a part of the accounts", got)
		}
	}
	if got := l.Totals(); got.Expired != 10_000 || got.Shopper != 0 {
		t.Fatalf("totals %+v", got)
	}
	l.verify()
}

// A store knows when its shoppers' points expire, and how many are held.
func TestAnItemTellsLotsAndHolds(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 5)
	l.send("0001", c.all())
	for n, days := range []uint16{400, 30, 100, 200} {
		l.policy(days, 30)
		c.sale(10+n, 1, int64(10+n))
		l.newest(c)
	}
	l.ask("0001", c.place(50, 51, 1, 3))
	items, _, _ := l.Feed(storeID("0001"), 0, 10)
	got, err := record.ReadShopper(items[len(items)-1].Value)
	at := func(n int64) int64 { return firstDay + n*dayMS }
	want := record.Shopper{
		Balance: 48, Held: 3, AsOf: l.at,
		Expires: [3]record.Lot{{Points: 8, At: at(31)}, {Points: 12, At: at(121)}, {Points: 13, At: at(212)}},
	}
	if err != nil || got != want {
		t.Fatalf("item %+v, %v; want %+v", got, err, want)
	}
	if got.Available(at(31)) != 40 {
		t.Fatalf("%d are available then, want 40", got.Available(at(31)))
	}
}

// A policy follows the one that its sender knows: two that were sent at once do not both take effect, and one
// that comes again, because its answer was lost, is the same.
func TestPoliciesFollowEachOther(t *testing.T) {
	l := newLedger(t)
	if p := l.Policy(); p.ExpireDays != 0 || p.HoldMinutes != 30 {
		t.Fatalf("without a policy points expire after %d days, and holds after %d minutes", p.ExpireDays, p.HoldMinutes)
	}
	put := func(p Policy, want Policy, taken bool) {
		t.Helper()
		l.entry(p.Proposal())
		now, ok, err := ReadPolicyOutcome(l.last.Outcomes[0])
		if err != nil || ok != taken || now.Revision != want.Revision || now.ExpireDays != want.ExpireDays {
			t.Fatalf("policy %+v, taken %v, %v; want %+v", now, ok, err, want)
		}
	}
	one, other := Policy{Revision: 1, ExpireDays: 100, HoldMinutes: 5}, Policy{Revision: 1, ExpireDays: 200, HoldMinutes: 5}
	put(one, one, true)
	put(other, one, false)
	put(one, one, true)
	two := Policy{Revision: 2, HoldMinutes: 5}
	put(two, two, true)
	put(one, two, false)
	l.verify()
	for _, p := range []Policy{{ExpireDays: 29, HoldMinutes: 1}, {ExpireDays: 3651, HoldMinutes: 1}, {}, {HoldMinutes: 1441}} {
		if p.Check() == nil {
			t.Errorf("policy %+v is accepted", p)
		}
		p.Revision = 3
		l.entry(p.Proposal())
	}
	l.incidentSays(4, "cannot be read")
	if got := l.Policy().Revision; got != 2 {
		t.Fatalf("policy %d, want 2", got)
	}
}

// moneyLedger has some of all that is new since there are lots and holds.
func moneyLedger(t testing.TB) *ledger {
	l := newLedger(t)
	l.policy(30, 60)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 100)
	l.send("0001", c.all())
	l.on(35)
	l.policy(365, 60)
	c.sale(2, 1, 200)
	c.sale(3, 2, 1)
	l.send("0001", c.run(3, 4))
	l.ask("0001", c.place(50, 4, 1, 60, 1, 2))
	l.ask("0001", c.place(51, 5, 1, 30, 3))
	l.ask("0001", c.place(52, 6, 0, 0, 4))
	l.ask("0001", c.place(53, 7, 1, 1))
	l.said(ReleaseProposal(rid(53)))
	c.spends(4, 1, 7, 55, 50)
	c.back(8, 4, 1, 2, 11)
	c.back(9, 99, 2, 2, 11)
	c.back(10, 98, 0, 2, 11)
	c.sale(1, 1, 100)
	c.back(11, 1, 1, 10, 0)
	l.send("0001", c.run(5, 10))
	l.on(70)
	return l
}

// Commands, history and snapshot are read for ever, and written as before.
func TestGoldenMoney(t *testing.T) {
	want := moneyLedger(t)
	var frames []byte
	for _, p := range want.snapshot() {
		frames = record.AppendBlob(frames, p)
	}
	c := newChain(1, "0001", "t1", record.Tip{})
	q := c.place(50, 4, 1, 60, 1, 2)
	p := Policy{Revision: 3, ExpireDays: 365, HoldMinutes: 60}
	for name, made := range map[string][]byte{
		"history-2": want.history, "snapshot-3-money": frames, "hold": HoldProposal(storeID("0001"), &q).Head,
		"policy": p.Proposal().Head, "release": ReleaseProposal(rid(50)).Head,
	} {
		if !bytes.Equal(golden(t, name, func() []byte { return made }), made) {
			t.Errorf("%s is written otherwise than before", name)
		}
	}
	r := record.Reader{B: frames}
	var parts [][]byte
	for len(r.B) > 0 {
		parts = append(parts, r.Blob())
	}
	got := want.restored(parts)
	got.verify()
	if got.Digest() != want.Digest() {
		t.Fatal("the digest differs after a restart")
	}
	for _, name := range []string{"hold", "policy", "release"} {
		if _, err := ReadCommand(golden(t, name, nil)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What is not a whole snapshot is refused, wherever it is cut.
	for i, p := range parts {
		for cut := range len(p) {
			b := New()
			if err := b.Restore(giving(slices.Concat(parts[:i], [][]byte{p[:cut]}, parts[i+1:]))); err == nil {
				t.Fatalf("part %d cut to %d bytes was read", i, cut)
			}
		}
	}
}

func TestVerifyFindsWhatIsWrongWithMoney(t *testing.T) {
	account := func(l *ledger, n int) *account {
		id := account_(n)
		a, _, _ := l.accounts.find(&id)
		return a
	}
	standing := func(l *ledger, n int) *hold {
		id := rid(n)
		i, _ := l.Books.holds.find((*[16]byte)(&id))
		return l.Books.holds.at(i)
	}
	for name, plant := range map[string]func(l *ledger) (says string){
		"a lot": func(l *ledger) string {
			a := account(l, 1)
			l.setLots(a, append(l.lotsOf(nil, a), lot{never, 5}))
			return "its lots sum to"
		},
		"a lot's day":     func(l *ledger) string { account(l, 2).lots++; return "digest" },
		"a hold's points": func(l *ledger) string { standing(l, 51).points++; return "its lots sum to" },
		"a hold that ended": func(l *ledger) string {
			standing(l, 51).state = record.HoldReleased
			return "its holds have 0 points, its postings say 30"
		},
		"a hold's time":      func(l *ledger) string { standing(l, 51).expires++; return "the digest is not that of the holds" },
		"a hold's coupon":    func(l *ledger) string { l.coupons.at(2).held = 0; return "coupon" },
		"a coupon's uses":    func(l *ledger) string { l.coupons.at(2).uses++; return "the digest is not that of the coupons" },
		"what a sale earned": func(l *ledger) string { l.deals.at(0).earned++; return "the digest is not that of the sales" },
		"what a sale gave":   func(l *ledger) string { l.deals.at(0).taken += 1000; return "returns took" },
		"a return that waits": func(l *ledger) string {
			w := l.waits.at(0)
			w.back = l.lists.write(w.back, l.lists.read(nil, w.back)[:0])
			return "the digest is not that of the returns"
		},
		"the held":     func(l *ledger) string { l.totals.Held++; return "the totals say" },
		"the expired":  func(l *ledger) string { l.totals.Expired++; return "do not sum to zero" },
		"the redeemed": func(l *ledger) string { l.totals.Redeemed++; return "do not sum to zero" },
		"the moves":    func(l *ledger) string { l.totals.Moves++; return "moves, but" },
		"the policy":   func(l *ledger) string { l.Books.policy.HoldMinutes++; return "history tells of" },
	} {
		t.Run(name, func(t *testing.T) {
			l := moneyLedger(t)
			l.verify()
			says := plant(l)
			v, err := l.Verify(l.history)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(v.Wrong, "\n"), says) {
				t.Fatalf("found %q, want something that %q", v.Wrong, says)
			}
		})
	}
}

// FuzzCommand holds ReadCommand and Apply to: no panic, whatever lies in the journal.
func FuzzCommand(f *testing.F) {
	for _, name := range []string{"hold", "policy", "release"} {
		f.Add(golden(f, name, nil))
	}
	f.Fuzz(func(t *testing.T, head []byte) {
		l := moneyLedger(t)
		l.number++
		l.Apply(&fold.Entry{Number: l.number, Term: 1, At: l.at, Proposals: []fold.Proposal{{Head: head}}}, &fold.Effects{Asked: true})
		if _, err := ReadCommand(head); err == nil && fmt.Sprint(l.totals.Sum()) != "0" {
			t.Fatalf("totals %+v", l.totals)
		}
	})
}
