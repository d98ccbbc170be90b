package books

import (
	"fmt"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

func TestASaleEarnsAndAReturnTakesBack(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 100)
	c.returns(2, 1, 30)
	c.receipt(record.KindVoid, 3, 1, 20)
	c.sale(4, 0, 7) // nobody: posted, and nobody earns
	l.expect(l.send("0001", c.all()), record.StatusHeld, 5)
	l.balance(1, 50, 0)
	want := Totals{Posted: 4, Anonymous: 1, Transactions: 3, Shopper: 50, Issued: -100, Returned: 50}
	if got := l.Totals(); got != want {
		t.Fatalf("totals %+v, want %+v", got, want)
	}
	for n := 1; n <= 4; n++ {
		if !l.Posted(rid(n)) {
			t.Fatalf("receipt %d is not known as posted", n)
		}
	}
	if store, till, ok := l.Till(c.id); !ok || store != storeID("0001") || till != tillID("t1") {
		t.Fatalf("chain of %s %s", store, till)
	}
	l.verify()
}

func TestAReturnBeyondTheBalanceIsDebtThatEarningsRepayFirst(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 10)
	c.returns(2, 1, 25)
	l.send("0001", c.all())
	l.balance(1, 0, 15)
	c.sale(3, 1, 6)
	l.send("0001", c.run(4, 4))
	l.balance(1, 0, 9)
	c.sale(4, 1, 20)
	l.send("0001", c.run(5, 5))
	l.balance(1, 11, 0)
	l.verify()
}

// A rid that was posted and comes again in another chain, or again in its own, moves the mark and
// nothing else, or the chain would stop for ever; the account's item goes out again.
func TestARepeatMovesTheMarkAndPostsNothing(t *testing.T) {
	l := newLedger(t)
	a := newChain(1, "0001", "t1", record.Tip{})
	a.sale(1, 1, 100)
	l.send("0001", a.all())
	b := newChain(2, "0002", "t1", a.tip())
	b.sale(1, 1, 100)
	b.sale(2, 1, 5)
	l.expect(l.send("0002", b.run(1, 2)), record.StatusHeld, 2)
	l.balance(1, 100, 0)
	if got := l.Totals(); got.Posted != 1 || got.Repeats != 1 {
		t.Fatalf("totals %+v", got)
	}
	if len(l.last.Took) != 0 {
		t.Fatalf("a repeat took effect: %+v", l.last.Took)
	}
	if got, want := fmt.Sprint(l.fell()), fmt.Sprint([]fallen{{"0001", account_(1)}, {"0002", account_(1)}}); got != want {
		t.Fatalf("feed changes %s, want %s", got, want)
	}
	l.expect(l.send("0002", b.run(3, 3)), record.StatusHeld, 3)
	l.balance(1, 105, 0)
	l.verify()
}

func TestTookNumbersAreDense(t *testing.T) {
	l := newLedger(t)
	a, b := newChain(1, "0001", "t1", record.Tip{}), newChain(2, "0001", "t2", record.Tip{})
	a.sale(1, 1, 1)
	a.sale(2, 1, 1)
	b.sale(2, 1, 1) // a repeat
	b.sale(3, 1, 1)
	l.entry(pack("0001", a.all()), pack("0001", b.all()))
	want := []fold.Took{{Proposal: 0, Record: 1, Number: 1}, {Proposal: 0, Record: 2, Number: 2}, {Proposal: 1, Record: 2, Number: 3}}
	if len(l.last.Took) != len(want) {
		t.Fatalf("took %+v, want %+v", l.last.Took, want)
	}
	for i := range want {
		if l.last.Took[i] != want[i] {
			t.Fatalf("took %+v, want %+v", l.last.Took[i], want[i])
		}
	}
}

func TestStatusesOfAChain(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	for n := 1; n <= 9; n++ {
		c.sale(n, 1, 1)
	}
	l.expect(l.Mark(c.id, storeID("0001")), record.StatusUnknown, 0)
	l.expect(l.send("0001", c.run(3, 4)), record.StatusGap, 0) // its start is missing
	l.expect(l.send("0001", c.run(1, 3)), record.StatusHeld, 3)
	l.expect(l.send("0001", c.run(5, 6)), record.StatusGap, 3)
	l.expect(l.send("0001", c.run(1, 3)), record.StatusHeld, 3) // the whole again
	l.expect(l.send("0001", c.run(2, 5)), record.StatusHeld, 5) // an overlap
	l.expect(l.send("0001", c.run(2, 2)), record.StatusHeld, 5)
	l.expect(l.send("0002", c.run(6, 6)), record.StatusRefused, 0) // not its chain
	l.expect(l.Mark(c.id, storeID("0002")), record.StatusRefused, 0)
	l.expect(l.Mark(c.id, storeID("0001")), record.StatusHeld, 5)
	if got, want := l.Mark(c.id, storeID("0001")).Hash, c.recs[4].Hash(); got != want {
		t.Fatalf("hash at the mark %s, want %s", got, want)
	}
	// Two runs of a pack that follow each other have one mark.
	marks := l.entry(pack("0001", c.run(6, 7), c.run(8, 10)))[0]
	if len(marks) != 1 {
		t.Fatalf("marks %+v, want one", marks)
	}
	l.expect(marks[0], record.StatusHeld, 10)
	l.balance(1, 9, 0)
	if l.Totals().Incidents != 0 {
		t.Fatalf("%d incidents", l.Totals().Incidents)
	}
	l.verify()
}

// A copy of a running till's memory gives two branches of one chain. Whichever comes second, and however
// it lies to the mark, is refused and named: to answer it "held" would lose its receipts.
func TestAForkIsRefusedHoweverItLies(t *testing.T) {
	for name, second := range map[string]func(c *chainOf) []record.Receipt{
		"at the mark":            func(c *chainOf) []record.Receipt { return c.run(4, 6) },
		"beyond the mark":        func(c *chainOf) []record.Receipt { return c.run(4, 8) },
		"short of the mark":      func(c *chainOf) []record.Receipt { return c.run(4, 4) },
		"from the start":         func(c *chainOf) []record.Receipt { return c.run(1, 4) },
		"only what is beyond":    func(c *chainOf) []record.Receipt { return c.run(7, 8) },
		"after a posted receipt": func(c *chainOf) []record.Receipt { return append(c.run(4, 4), posted(c, rid(4))) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t)
			c := newChain(1, "0001", "t1", record.Tip{})
			c.sale(1, 1, 1)
			c.sale(2, 1, 1)
			other := c.branch()
			for n := 3; n <= 5; n++ {
				c.sale(n, 1, 1)
			}
			for n := 13; n <= 17; n++ {
				other.sale(n, 2, 1)
			}
			l.expect(l.send("0001", c.all()), record.StatusHeld, 6)
			before := l.Digest()
			run := second(other)
			if _, held := l.Held(storeID("0001"), run); held {
				t.Fatal("another branch is taken for held")
			}
			l.expect(l.send("0001", run), record.StatusFork, 6)
			if l.Digest() == before {
				t.Fatal("that the chain is refused is not in the digest")
			}
			if got := l.Totals().Incidents; got != 1 {
				t.Fatalf("%d incidents, want 1", got)
			}
			c.sale(6, 1, 1)
			l.expect(l.send("0001", c.run(7, 7)), record.StatusFork, 6) // nobody can tell which is the right one
			if _, held := l.Held(storeID("0001"), c.run(7, 7)); !held {
				t.Fatal("a refused chain is proposed again and again")
			}
			if got := l.Totals(); got.Incidents != 1 || got.Posted != 5 {
				t.Fatalf("totals %+v", got)
			}
			l.verify()
			l.reopened().expect(l.reopened().Mark(c.id, storeID("0001")), record.StatusFork, 6)
		})
	}
}

// posted gives the record at seq 5 of the branch with the rid of a receipt that was posted there.
func posted(c *chainOf, r record.RID) record.Receipt {
	rec := c.recs[4]
	rec.RID = r
	return rec
}

func TestHeldAnswersOnlyWhatIsHeld(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 1)
	c.sale(2, 1, 1)
	c.sale(3, 1, 1)
	held := func(store string, first, last int, want bool) {
		t.Helper()
		m, got := l.Held(storeID(store), c.run(first, last))
		if got != want {
			t.Fatalf("records %d to %d of store %s held: %v, want %v", first, last, store, got, want)
		}
		if got {
			l.expect(m, record.StatusHeld, 3)
		}
	}
	held("0001", 1, 1, false)
	l.send("0001", c.run(1, 3))
	held("0001", 1, 1, true)
	held("0001", 2, 3, true)
	held("0001", 3, 4, false)
	held("0001", 4, 4, false)
	held("0002", 1, 1, false)
}

func TestAStartThatIsNotTheSendersIsRefused(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0002", "t1", record.Tip{})
	c.sale(1, 1, 1)
	l.expect(l.send("0001", c.all()), record.StatusRefused, 0)
	if got := l.Totals(); got.Incidents != 1 || got.Posted != 0 {
		t.Fatalf("totals %+v", got)
	}
	l.expect(l.send("0002", c.all()), record.StatusHeld, 2) // its own store may
	bad := newChain(2, "0001", "t1", record.Tip{})
	bad.recs[0].Data = bad.recs[0].Data[:5]
	bad.recs[0].BodySize = 5
	l.expect(l.send("0001", bad.all()), record.StatusRefused, 0)
	l.verify()
}

// A till that starts from an old image or a copy finds a tip that the centre has passed. That is told
// to ops and blocks nothing.
func TestAFoundTipLowerThanTheHeldIsAnIncident(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 1)
	old := c.tip()
	c.sale(2, 1, 1)
	l.send("0001", c.all())
	same := newChain(2, "0001", "t1", c.tip())
	l.expect(l.send("0001", same.all()), record.StatusHeld, 1)
	if got := l.Totals().Incidents; got != 0 {
		t.Fatalf("%d incidents after a start in order", got)
	}
	image := newChain(3, "0001", "t1", old)
	image.sale(2, 1, 1) // it had been answered and posted before the image was put back
	image.sale(3, 1, 1)
	l.expect(l.send("0001", image.all()), record.StatusHeld, 3)
	if got := l.Totals(); got.Incidents != 1 || got.Repeats != 1 || got.Posted != 3 {
		t.Fatalf("totals %+v", got)
	}
	if got := len(l.incidents()); got != 1 {
		t.Fatalf("%d incidents in history, want 1", got)
	}
	l.balance(1, 3, 0)
	l.verify()
}

// What a later version wrote stops nobody: it is named, and the rest of the entry counts.
func TestAProposalThatCannotBeReadIsAnIncident(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	good := pack("0001", c.all())
	for _, head := range [][]byte{nil, {99}, good.Head[:len(good.Head)-1], append(good.Head[:len(good.Head):len(good.Head)], 0)} {
		if marks := l.entry(fold.Proposal{Head: head})[0]; len(marks) != 0 {
			t.Fatalf("marks %+v of what cannot be read", marks)
		}
	}
	marks := l.entry(fold.Proposal{Head: []byte{99}}, good)
	l.expect(marks[1][0], record.StatusHeld, 1)
	if got := l.Totals().Incidents; got != 5 {
		t.Fatalf("%d incidents, want 5", got)
	}
	if got := len(l.incidents()); got != 5 {
		t.Fatalf("%d incidents in history, want 5", got)
	}
	l.verify()
}

func TestCountedListsWhatMovedAfterAnEntry(t *testing.T) {
	l := newLedger(t)
	a, b := newChain(1, "0001", "t1", record.Tip{}), newChain(2, "0001", "t2", record.Tip{})
	a.sale(1, 1, 1)
	l.send("0001", a.all())
	l.send("0001", b.all())
	if got := l.Counted(storeID("0001"), 1); len(got) != 1 || got[0] != (record.Counted{Chain: b.id, Counted: 1, Posted: 1}) {
		t.Fatalf("counted after entry 1: %+v", got)
	}
	if got := l.Counted(storeID("0001"), 0); len(got) != 2 || got[0].Counted != 2 {
		t.Fatalf("counted after entry 0: %+v", got)
	}
	for _, none := range [][]record.Counted{l.Counted(storeID("0001"), 2), l.Counted(storeID("0009"), 0)} {
		if len(none) != 0 {
			t.Fatalf("counted %+v, want nothing", none)
		}
	}
}

// The rid index forgets by the journal's time alone, and not before 45 days.
func TestRidsAreForgottenByTheJournalsTime(t *testing.T) {
	l := newLedger(t)
	c := newChain(1, "0001", "t1", record.Tip{})
	c.sale(1, 1, 1)
	c.sale(2, 1, 1)
	l.send("0001", c.run(1, 2))
	l.at = firstDay + 44*dayMS
	l.send("0001", c.run(3, 3))
	l.at = firstDay + 45*dayMS
	l.entry()
	if !l.Posted(rid(1)) {
		t.Fatal("forgotten after 45 days, want later")
	}
	l.at = firstDay + (keepDays+2*partDays)*dayMS
	l.entry()
	if l.Posted(rid(1)) || !l.Posted(rid(2)) {
		t.Fatal("want the first rid forgotten, the second not")
	}
	// What lies before the mark is not another branch because it is forgotten.
	l.expect(l.send("0001", c.run(2, 2)), record.StatusHeld, 3)
	if got := l.Totals().Incidents; got != 0 {
		t.Fatalf("%d incidents", got)
	}
	l.verify()
}

// A record that repeats a receipt is remembered as long as one that posts it: sent again, it is not
// another branch.
func TestARepeatIsRememberedLikeAPosting(t *testing.T) {
	l := newLedger(t)
	a := newChain(1, "0001", "t1", record.Tip{})
	a.sale(1, 1, 1)
	l.send("0001", a.all())
	l.at = firstDay + 44*dayMS
	b := newChain(2, "0001", "t1", a.tip())
	b.sale(1, 1, 1)
	b.sale(2, 1, 1)
	l.send("0001", b.all())
	l.at = firstDay + 80*dayMS
	l.expect(l.send("0001", b.run(1, 2)), record.StatusHeld, 3)
	if got := l.Totals(); got.Incidents != 0 || got.Posted != 2 {
		t.Fatalf("totals %+v", got)
	}
}
