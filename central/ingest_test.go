package central_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/kv/record"
)

func expectMark(t *testing.T, m record.Mark, l *till, status record.Status, held int) {
	t.Helper()
	if m.Chain != l.recs[0].Chain || m.Status != status || m.Held != uint64(held) {
		t.Fatalf("mark %s at %d of chain %s, want %s at %d of %s", m.Status, m.Held, m.Chain, status, held, l.recs[0].Chain)
	}
}

func TestAPackIsPostedWhenItIsAnswered(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 10)
	expectMark(t, c.send(shop(1), l.pack())[0], l, record.StatusHeld, 2)
	if err := c.Replica().Read(t.Context(), 0, func(uint64) {
		if s, _ := c.Books().Shopper(account(t, "card-1")); s.Balance != 10 {
			t.Errorf("balance %d when the pack was answered, want 10", s.Balance)
		}
	}); err != nil {
		t.Fatal(err)
	}
}

// Asking costs the journal nothing, and the answer to a pack that asks as well is of one moment.
func TestMarksAreAsked(t *testing.T) {
	c := open(t, "")
	a, b := newTill(t, shop(1), "t1"), newTill(t, shop(1), "t2")
	a.sale("card-1", 1)
	c.send(shop(1), a.pack())
	before := c.Replica().Status().Entry
	marks := c.send(shop(1), record.Pack{Ask: []record.ChainID{b.recs[0].Chain, a.recs[0].Chain}})
	expectMark(t, marks[0], b, record.StatusUnknown, 0)
	expectMark(t, marks[1], a, record.StatusHeld, 2)
	if got := c.Replica().Status().Entry; got != before {
		t.Fatalf("a question made entry %d", got)
	}
	p := b.pack()
	p.Ask = []record.ChainID{b.recs[0].Chain}
	marks = c.send(shop(1), p)
	if len(marks) != 2 {
		t.Fatalf("%d marks, want that of the run and that asked for", len(marks))
	}
	expectMark(t, marks[0], b, record.StatusHeld, 1)
	expectMark(t, marks[1], b, record.StatusHeld, 1)
	expectMark(t, c.send(shop(2), record.Pack{Ask: []record.ChainID{a.recs[0].Chain}})[0], a, record.StatusRefused, 0)
}

// A pack that was taken and not heard of comes again; it must not fill the journal.
func TestAPackSentAgainIsNotJournaledAgain(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	p := l.pack()
	c.send(shop(1), p)
	before := c.Replica().Status().Entry
	expectMark(t, c.send(shop(1), p)[0], l, record.StatusHeld, 2)
	if got := c.Replica().Status().Entry; got != before {
		t.Fatalf("the pack is in the journal twice: entry %d after %d", got, before)
	}
}

// A branch of a chain that is held further is not answered as held: its receipts would be lost.
func TestABranchIsNotAnsweredAsHeld(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	clone := &till{t: t, store: l.store, recs: slices.Clone(l.recs)}
	l.sale("card-1", 1)
	l.sale("card-1", 1)
	clone.sale("card-2", 5)
	expectMark(t, c.send(shop(1), l.pack())[0], l, record.StatusHeld, 4)
	clone.sent = 2
	expectMark(t, c.send(shop(1), clone.pack())[0], l, record.StatusFork, 4)
}

func TestAStoreSendsItsOwnChainsOnly(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	p := l.pack()
	expectMark(t, c.send(shop(2), p)[0], l, record.StatusRefused, 0)
	expectMark(t, c.send(shop(1), p)[0], l, record.StatusHeld, 2)
	expectMark(t, c.send(shop(2), p)[0], l, record.StatusRefused, 0)
}

func TestGarbageIsRefused(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	good := l.pack()
	cut := good
	cut.Runs = slices.Clone(good.Runs)
	cut.Runs[0].Packed = cut.Runs[0].Packed[:20]
	broken := newTill(t, shop(1), "t1")
	broken.sale("card-1", 1)
	broken.recs[1].Prev[3]++
	bad := broken.pack()
	before := c.Replica().Status().Entry
	for name, data := range map[string][]byte{
		"nothing": nil, "noise": []byte("hello"), "a byte more": append(good.Append(nil), 0),
		"a run cut": cut.Append(nil), "a run that does not follow": bad.Append(nil),
	} {
		if _, err := c.ask(c.net.Ingest(shop(1)), data); err == nil || !strings.HasPrefix(err.Error(), "400 ") {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if got := c.Replica().Status().Entry; got != before {
		t.Fatalf("garbage made entry %d", got)
	}
	expectMark(t, c.send(shop(1), good)[0], l, record.StatusHeld, 2)
}

// A message of 1 MiB can hold more than a message of the journal may: such a pack is refused, and does
// not stop the writer.
func TestAPackThatIsTooLargeIsRefused(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	var runs []record.Run
	runs = append(runs, l.pack().Runs...)
	for range 4 {
		h := record.Header{Kind: record.KindSale, RID: record.NewRID(time.Now())}
		l.add(h, make([]byte, 250<<10))
		runs = append(runs, l.pack().Runs...)
	}
	p := record.Pack{Runs: runs}
	if _, err := c.ask(c.net.Ingest(shop(1)), p.Append(nil)); err == nil || !strings.HasPrefix(err.Error(), "400 ") {
		t.Fatalf("got %v, want a refusal", err)
	}
	expectMark(t, c.send(shop(1), record.Pack{Runs: runs[:3]})[0], l, record.StatusHeld, 3)
}

// Many stores at once, each pack with a body of its own: all are posted, each once.
func TestManyStoresAtOnce(t *testing.T) {
	c := open(t, "")
	const stores, packs = 8, 10
	var wg sync.WaitGroup
	for s := range stores {
		l := newTill(t, shop(s+1), "t1")
		wg.Go(func() {
			for n := range packs {
				l.sale("card-1", 1)
				if m := c.send(l.store, l.pack())[0]; m.Status != record.StatusHeld || m.Held != uint64(n+2) {
					t.Errorf("store %s: mark %s at %d, want held at %d", l.store, m.Status, m.Held, n+2)
				}
			}
		})
	}
	wg.Wait()
	if err := c.Replica().Read(t.Context(), 0, func(uint64) {
		if s, _ := c.Books().Shopper(account(t, "card-1")); s.Balance != stores*packs {
			t.Errorf("balance %d, want %d", s.Balance, stores*packs)
		}
	}); err != nil {
		t.Fatal(err)
	}
}
