package books

import (
	"bytes"
	"slices"
	"testing"

	"tillstream/kv/record"
)

// closed is a chain of 3 receipts with another begun behind it, both posted, and so many days passed.
func closed(t *testing.T, days int64) (l *ledger, c, behind *chainOf) {
	l = newLedger(t)
	c = newChain(1, "0001", "t1", record.Tip{})
	for n := 1; n <= 3; n++ {
		c.sale(n, 1, 10)
	}
	l.send("0001", c.all())
	behind = newChain(2, "0001", "t1", c.tip())
	l.send("0001", behind.all())
	l.at += days * dayMS
	l.entry()
	return l, c, behind
}

func (l *ledger) atRest(c *chainOf) bool {
	n, ok := l.chains.find(&c.id)
	return ok && n&atRest != 0
}

func TestAClosedChainIsLetGoOfAfter45Days(t *testing.T) {
	l, c, _ := closed(t, restDays)
	if l.atRest(c) {
		t.Fatal("let go of after 45 days, want later")
	}
	l, c, behind := closed(t, restDays+1)
	if !l.atRest(c) || l.atRest(behind) {
		t.Fatalf("at rest: %v, and the one behind: %v", l.atRest(c), l.atRest(behind))
	}
	if got := l.Counted(storeID("0001"), 0); len(got) != 1 || got[0].Chain != behind.id {
		t.Fatalf("counted %+v, want the one that is left", got)
	}
	l.verify()
	l = l.reopened()
	l.verify()
	if got := l.Counted(storeID("0001"), 0); len(got) != 1 {
		t.Fatalf("counted %+v after a restart", got)
	}
	if store, till, ok := l.Till(c.id); !ok || store != storeID("0001") || till != tillID("t1") {
		t.Fatalf("chain of %s %s", store, till)
	}
}

// What is let go of is not forgotten: a till with a wrong clock keeps its records for years, and sends them
// all if it hears that nothing is held. Their rids are forgotten: they would be posted once more.
func TestAChainAtRestIsStillHeld(t *testing.T) {
	l, c, _ := closed(t, keepDays+3*partDays)
	for _, l := range []*ledger{l, l.reopened()} {
		if l.Posted(rid(1)) {
			t.Fatal("its rids are remembered: nothing is shown here")
		}
		m := l.Mark(c.id, storeID("0001"))
		l.expect(m, record.StatusHeld, 4)
		if m.Hash != (record.Hash{}) {
			t.Fatal("the mark says a hash, which is not known any more")
		}
		l.expect(l.Mark(c.id, storeID("0002")), record.StatusRefused, 0)
		if m, held := l.Held(storeID("0001"), c.all()); !held || m.Held != 4 {
			t.Fatalf("held: %v, %+v", held, m)
		}
		l.expect(l.send("0001", c.all()), record.StatusHeld, 4)
		l.expect(l.send("0001", c.run(2, 3)), record.StatusHeld, 4)
		l.expect(l.send("0002", c.all()), record.StatusRefused, 0)
		l.balance(1, 30, 0)
		if got := l.Totals(); got.Posted != 3 || got.Incidents != 0 {
			t.Fatalf("totals %+v", got)
		}
		l.verify()
	}
}

// A disk that lay in a drawer has a receipt that nobody has: it is posted.
func TestALateRecordWakesItsChain(t *testing.T) {
	l, c, _ := closed(t, restDays+1)
	c.sale(4, 1, 5)
	c.sale(5, 1, 5)
	c.sale(6, 1, 5)
	l.expect(l.send("0001", c.run(7, 7)), record.StatusGap, 4)
	if _, held := l.Held(storeID("0001"), c.run(4, 5)); held {
		t.Fatal("a late record is taken for held")
	}
	l.expect(l.send("0001", c.run(3, 5)), record.StatusHeld, 5)
	l.verify()
	l = l.reopened()
	l.verify()
	l.expect(l.send("0001", c.run(1, 6)), record.StatusHeld, 6)
	l.balance(1, 40, 0)
	if got := l.Mark(c.id, storeID("0001")); got.Hash != c.recs[5].Hash() {
		t.Fatal("the mark has another hash than its record")
	}
	if got := l.Counted(storeID("0001"), 0); len(got) != 2 {
		t.Fatalf("counted %+v, want the chain again", got)
	}
	l.at += (restDays + 1) * dayMS
	l.entry()
	if !l.atRest(c) {
		t.Fatal("it is not let go of again")
	}
	l.verify()
	l.reopened().verify()
	l.expect(l.send("0001", c.run(7, 7)), record.StatusHeld, 7)
	l.balance(1, 45, 0)
	l.verify()
}

// Another branch of a chain at rest is refused as any is.
func TestABranchOfAChainAtRestIsAFork(t *testing.T) {
	l, c, _ := closed(t, restDays+1)
	other := &chainOf{c.id, c.recs[:2:2]}
	for n := 14; n <= 16; n++ {
		other.sale(n, 2, 1)
	}
	l.expect(l.send("0001", other.run(5, 5)), record.StatusFork, 4)
	if got := l.Totals(); got.Incidents != 1 || got.Posted != 3 {
		t.Fatalf("totals %+v", got)
	}
	l.verify()
	l.reopened().verify()
}

// An old image still shows when what it found is at rest.
func TestAnImageBehindAChainAtRestIsAnIncident(t *testing.T) {
	l, c, _ := closed(t, restDays+1)
	image := newChain(3, "0001", "t1", record.Tip{Chain: c.id, Seq: 2, Hash: c.recs[1].Hash()})
	l.expect(l.send("0001", image.all()), record.StatusHeld, 1)
	if got := l.Totals().Incidents; got != 1 {
		t.Fatalf("%d incidents, want 1", got)
	}
}

// Chains come and go; what stays in memory of those gone is small.
func TestManyChainsComeAndGo(t *testing.T) {
	l := newLedger(t)
	var found record.Tip
	for n := range 1000 {
		c := newChain(n, "0001", "t1", found)
		c.sale(n, 1, 1)
		l.send("0001", c.all())
		found = c.tip()
		if n%4 == 3 {
			l.at += dayMS
		}
	}
	if got := len(l.Counted(storeID("0001"), 0)); got > 4*(restDays+3) {
		t.Fatalf("%d chains are counted", got)
	}
	full := 0
	for _, s := range l.chains.slabs {
		if s != nil {
			full++
		}
	}
	if full > 2 {
		t.Fatalf("%d slabs of chains are kept", full)
	}
	l.verify()
	l.reopened().verify()
	l.balance(1, 1000, 0)
}

// Chains that are closed and let go of while a snapshot is written are in it as they were.
func TestASnapshotWhileChainsAreLetGoOf(t *testing.T) {
	for name, c := range map[string]struct {
		days int64
		then func(l *ledger, c *chainOf)
	}{
		"closed": {0, func(l *ledger, c *chainOf) {
			other := newChain(9, "0001", "t1", record.Tip{Chain: id("chain", 2), Seq: 1})
			l.send("0001", other.all())
		}},
		"let go of": {restDays, func(l *ledger, _ *chainOf) { l.at += dayMS; l.entry() }},
		"awake again": {restDays + 1, func(l *ledger, c *chainOf) {
			c.sale(4, 1, 5)
			l.send("0001", c.run(5, 5))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l, ch, _ := closed(t, c.days)
			want := l.snapshot()
			next := l.Freeze()
			c.then(l, ch)
			var got [][]byte
			for p, more := next(nil); more; p, more = next(nil) {
				got = append(got, p)
			}
			l.Thaw()
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Fatalf("got\n%q\nwant\n%q", got, want)
			}
		})
	}
}
