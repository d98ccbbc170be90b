package books

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// The whole of the books, drawn: chains of two stores, sent in overlaps, with gaps, by the wrong store,
// from branches, with rids given twice; and an independent count of what must come of it.

// model counts again, from the rules and not from the code.
type model struct {
	posted   map[record.RID]bool
	accounts map[record.AccountID][2]int64 // balance, debt
	chains   map[record.ChainID]*taken
	repeats  uint64
}

type taken struct {
	store string
	recs  []record.Receipt
	fork  bool
}

func newModel() *model {
	return &model{posted: map[record.RID]bool{}, accounts: map[record.AccountID][2]int64{}, chains: map[record.ChainID]*taken{}}
}

// send takes a run and says what its mark must be.
func (m *model) send(store string, run []record.Receipt) (record.Status, int) {
	c := m.chains[run[0].Chain]
	if c == nil {
		if run[0].Seq != 1 {
			return record.StatusGap, 0
		}
		start, err := record.ReadStart(run[0].Data)
		if err != nil || start.Store != storeID(store) {
			return record.StatusRefused, 0
		}
		c = &taken{store: store, recs: run[:1:1]}
		m.chains[run[0].Chain] = c
	}
	if c.store != store {
		return record.StatusRefused, 0
	}
	if !c.fork {
		c.fork = m.other(c, run)
	}
	if c.fork {
		return record.StatusFork, len(c.recs)
	}
	for _, r := range run {
		switch n := uint64(len(c.recs)); {
		case r.Seq <= n:
		case r.Seq > n+1:
			return record.StatusGap, len(c.recs)
		default:
			m.post(&r.Header)
			c.recs = append(c.recs, r)
		}
	}
	return record.StatusHeld, len(c.recs)
}

// other reports whether a run is another branch than the one taken.
func (m *model) other(c *taken, run []record.Receipt) bool {
	for _, r := range run {
		switch n := uint64(len(c.recs)); {
		case r.Seq > n+1:
			return false
		case r.Seq == n+1:
			return r.Prev != c.recs[n-1].Hash()
		case r.Seq == n && r.Hash() != c.recs[n-1].Hash():
			return true
		case r.Seq < n && r.Hash() != c.recs[r.Seq-1].Hash() && !m.posted[r.RID]:
			return true
		}
	}
	return false
}

func (m *model) post(h *record.Header) {
	if m.posted[h.RID] {
		m.repeats++
		return
	}
	m.posted[h.RID] = true
	if h.Account.IsZero() {
		return
	}
	worth := m.accounts[h.Account][0] - m.accounts[h.Account][1]
	if h.Kind == record.KindSale {
		worth += h.Points
	} else {
		worth -= h.Points
	}
	m.accounts[h.Account] = [2]int64{max(worth, 0), max(-worth, 0)}
}

// sent is one pack, and the marks it must get.
type sent struct {
	proposal fold.Proposal
	want     []string
}

// drawPacks draws what stores send and counts what must come of it.
func drawPacks(t *rapid.T, m *model) []sent {
	stores := []string{"0001", "0002"}
	var branches []*chainOf
	home := map[*chainOf]string{}
	next := 0
	grow := func(c *chainOf) {
		for range rapid.IntRange(0, 6).Draw(t, "receipts") {
			r := next
			if next++; rapid.IntRange(0, 9).Draw(t, "given twice") == 0 {
				r = rapid.IntRange(0, next-1).Draw(t, "rid")
			}
			kind := rapid.SampledFrom([]record.Kind{record.KindSale, record.KindSale, record.KindReturn, record.KindVoid}).Draw(t, "kind")
			c.receipt(kind, r, rapid.IntRange(0, 4).Draw(t, "account"), rapid.Int64Range(0, 20).Draw(t, "points"))
		}
	}
	for n := range rapid.IntRange(1, 5).Draw(t, "chains") {
		store := stores[n%2]
		var found record.Tip
		if len(branches) > 0 && rapid.Bool().Draw(t, "found a tip") {
			found = rapid.SampledFrom(branches).Draw(t, "found").tip()
		}
		c := newChain(n, store, fmt.Sprint("t", n), found)
		grow(c)
		branches = append(branches, c)
		home[c] = store
		if rapid.IntRange(0, 4).Draw(t, "fork") == 0 {
			b := &chainOf{c.id, slices.Clone(c.recs[:rapid.IntRange(1, len(c.recs)).Draw(t, "fork at")])}
			grow(b)
			branches = append(branches, b)
			home[b] = store
		}
	}
	var packs []sent
	for range rapid.IntRange(1, 20).Draw(t, "packs") {
		store := rapid.SampledFrom(stores).Draw(t, "store")
		var p sent
		var runs [][]record.Receipt
		for range rapid.IntRange(1, 3).Draw(t, "runs") {
			c := rapid.SampledFrom(branches).Draw(t, "branch")
			if home[c] != store && rapid.IntRange(0, 5).Draw(t, "stranger") > 0 {
				continue
			}
			first := rapid.IntRange(1, len(c.recs)).Draw(t, "first")
			if rapid.Bool().Draw(t, "in order") {
				first = 1
			}
			run := c.run(first, rapid.IntRange(first, len(c.recs)).Draw(t, "last"))
			status, held := m.send(store, run)
			mark := fmt.Sprint(c.id, status, held)
			if n := len(runs); n > 0 && runs[n-1][0].Chain == c.id {
				p.want[len(p.want)-1] = mark // runs of one chain that follow each other have one mark
			} else {
				p.want = append(p.want, mark)
			}
			runs = append(runs, run)
		}
		p.proposal = pack(store, runs...)
		packs = append(packs, p)
	}
	return packs
}

// play applies packs in entries of the given sizes and checks the marks.
func play(t *rapid.T, l *ledger, packs []sent, sizes func() int) {
	for len(packs) > 0 {
		n := min(max(sizes(), 1), len(packs))
		var ps []fold.Proposal
		for _, p := range packs[:n] {
			ps = append(ps, p.proposal)
		}
		for i, marks := range l.entry(ps...) {
			var got []string
			for _, m := range marks {
				got = append(got, fmt.Sprint(m.Chain, m.Status, m.Held))
			}
			if !slices.Equal(got, packs[i].want) {
				t.Fatalf("entry %d proposal %d: marks %v, want %v", l.number, i, got, packs[i].want)
			}
		}
		packs = packs[n:]
	}
}

// counted checks a ledger against the count.
func counted(t *rapid.T, l *ledger, m *model) {
	got := map[record.AccountID][2]int64{}
	for i := range uint32(l.accounts.len()) {
		id := l.accounts.at(i).id
		if s, _ := l.Shopper(id); s.Balance != 0 || s.Debt != 0 {
			got[id] = [2]int64{s.Balance, s.Debt}
		}
	}
	want := maps.Clone(m.accounts)
	maps.DeleteFunc(want, func(_ record.AccountID, v [2]int64) bool { return v == [2]int64{} })
	if !maps.Equal(got, want) {
		t.Fatalf("balances and debts %v, want %v", got, want)
	}
	if tt := l.Totals(); tt.Posted != uint64(len(m.posted)) || tt.Repeats != m.repeats {
		t.Fatalf("totals %+v, want %d posted and %d repeats", tt, len(m.posted), m.repeats)
	}
	v, err := l.Verify(l.history)
	if err != nil || len(v.Wrong) > 0 {
		t.Fatalf("the books are wrong: %v %q", err, v.Wrong)
	}
}

func sameEffects(t *rapid.T, a, b *fold.Effects) {
	if fmt.Sprint(a) != fmt.Sprint(b) {
		t.Fatalf("two nodes made different effects:\n%v\n%v", a, b)
	}
}

func TestBooksAreWhatAnIndependentCountSays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := newModel()
		packs := drawPacks(rt, m)
		drawn := func() int { return rapid.IntRange(1, 4).Draw(rt, "batch") }

		var sizes []int
		a := newLedger(t)
		play(rt, a, packs, func() int { sizes = append(sizes, drawn()); return sizes[len(sizes)-1] })
		counted(rt, a, m)

		// Another node, the same entries; it is stopped and started on its way.
		b, cut := newLedger(t), rapid.IntRange(0, len(sizes)-1).Draw(rt, "restart")
		at := 0
		play(rt, b, packs, func() int {
			if at == cut {
				*b = *b.reopened()
			}
			at++
			return sizes[at-1]
		})
		if a.Digest() != b.Digest() {
			rt.Fatal("two nodes with the same entries have different digests")
		}
		sameEffects(rt, &a.last, &b.last)
		counted(rt, b, m)

		// Other batchings: the same books, though not the same entry numbers.
		whole := newLedger(t)
		play(rt, whole, packs, func() int { return len(packs) })
		counted(rt, whole, m)
		single := newLedger(t)
		play(rt, single, packs, func() int { return 1 })
		counted(rt, single, m)
		if whole.Totals() != single.Totals() || whole.Totals() != a.Totals() {
			rt.Fatalf("totals differ by batching: %+v, %+v, %+v", whole.Totals(), single.Totals(), a.Totals())
		}
	})
}

// A snapshot says all that the future depends on, and it is the same bytes wherever the same journal was
// folded: also by a node that was stopped and started on its way.
func TestSnapshotOfASnapshotIsTheSameState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLedger(t)
		packs := drawPacks(rt, newModel())
		half := len(packs) / 2
		play(rt, l, packs[:half], func() int { return 2 })
		again := l.reopened()
		same := func() {
			if got, want := again.Digest(), l.Digest(); got != want {
				rt.Fatalf("digest %s, want %s", got, want)
			}
			a, b := l.snapshot(), again.snapshot()
			if !slices.EqualFunc(a, b, bytes.Equal) {
				rt.Fatalf("snapshots differ:\n%q\n%q", a, b)
			}
		}
		same()
		play(rt, l, packs[half:], func() int { return 1 })
		play(rt, again, packs[half:], func() int { return 1 })
		same()
		if !bytes.Equal(l.history, again.history) {
			rt.Fatal("histories differ")
		}
	})
}

// A snapshot that is written while the fold goes on holds the state of the moment when it began, whatever
// is changed between its parts.
func TestASnapshotIsOfOneMoment(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLedger(t)
		packs := drawPacks(rt, newModel())
		n := rapid.IntRange(0, len(packs)).Draw(rt, "before")
		play(rt, l, packs[:n], func() int { return 1 })
		want := l.snapshot()
		rest := packs[n:]
		next := l.Freeze()
		var got [][]byte
		for {
			for len(rest) > 0 && rapid.Bool().Draw(rt, "an entry between") {
				if rapid.IntRange(0, 5).Draw(rt, "weeks later") == 0 {
					l.at += 50 * dayMS
				}
				l.entry(rest[0].proposal)
				rest = rest[1:]
			}
			p, more := next(nil)
			if !more {
				break
			}
			got = append(got, p)
		}
		l.Thaw()
		if !slices.EqualFunc(got, want, bytes.Equal) {
			rt.Fatalf("got\n%q\nwant\n%q", got, want)
		}
	})
}
