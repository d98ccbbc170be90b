package cache_test

import (
	"maps"
	"os"
	"slices"

	"pgregory.net/rapid"

	"tillstream/kv/record"
)

func (w *world) sell(t *rapid.T) {
	n := rapid.SampledFrom(w.tills).Draw(t, "till")
	h := record.Header{
		Kind:   rapid.SampledFrom([]record.Kind{record.KindSale, record.KindSale, record.KindReturn}).Draw(t, "kind"),
		Points: rapid.Int64Range(0, 50).Draw(t, "points"),
	}
	if i := rapid.IntRange(0, len(w.accounts)).Draw(t, "account"); i > 0 {
		h.Account = w.accounts[i-1]
	}
	w.keep(n, h)
}

// accept brings part of what a till has, and the store has not, into the store's journal.
func (w *world) accept(t *rapid.T) {
	n := rapid.SampledFrom(w.tills).Draw(t, "till")
	for _, id := range n.order {
		if rest := n.journal[id][len(w.store.journal[id]):]; len(rest) > 0 {
			w.store.append(rest[:rapid.IntRange(1, len(rest)).Draw(t, "receipts")]...)
			return
		}
	}
}

// post makes one entry of the centre's journal from what the store has and the centre has not.
func (w *world) post(t *rapid.T) {
	for _, id := range w.store.order {
		rest := w.store.journal[id][w.marks[id].Counted:]
		if len(rest) == 0 {
			continue
		}
		w.entry++
		rest = rest[:rapid.IntRange(1, len(rest)).Draw(t, "receipts")]
		for _, k := range rest {
			if !k.h.Account.IsZero() {
				w.book(k.h.Account, k.id, points(k.h))
			}
		}
		last := rest[len(rest)-1].h.Seq
		w.marks[id] = record.Counted{Chain: id, Counted: last, Posted: last}
		w.moved[id] = w.entry
	}
}

func (w *world) book(a record.AccountID, id int, points int64) {
	s := maps.Clone(w.posted[a])
	if s == nil {
		s = set{}
	}
	s[id] = points
	w.posted[a], w.touched[a] = s, w.entry
}

// foreign is a receipt of another store.
func (w *world) foreign(t *rapid.T) {
	w.entry++
	w.receipts++
	w.book(rapid.SampledFrom(w.accounts).Draw(t, "account"), w.receipts, rapid.Int64Range(0, 50).Draw(t, "points"))
}

// serve is the centre's answer to the store. It finishes the entry it is in.
func (w *world) serve(cursor record.Cursor, limit int) *flight {
	f := &flight{sets: map[record.AccountID]set{}}
	f.page = record.Page{Status: record.FeedItems, Cursor: record.Cursor{Generation: life1, Entry: w.entry}}
	due := slices.SortedFunc(maps.Keys(w.touched), func(a, b record.AccountID) int {
		return int(w.touched[a]) - int(w.touched[b])
	})
	last := uint64(0)
	for _, a := range due {
		at := w.touched[a]
		if at <= cursor.Entry {
			continue
		}
		if len(f.page.Items) >= limit && at != last {
			f.page.More, f.page.Cursor.Entry = true, last
			break
		}
		f.page.Items = append(f.page.Items, item(a, record.Shopper{Balance: w.posted[a].sum(), AsOf: int64(at)}))
		f.sets[a] = w.posted[a]
		last = at
	}
	for id, at := range w.moved {
		if at > cursor.Entry {
			f.page.Counted = append(f.page.Counted, w.marks[id])
		}
	}
	return f
}

// pull sends a node's page on its way; one that was on its way is lost.
func (w *world) pull(t *rapid.T) {
	n := rapid.SampledFrom(w.nodes()).Draw(t, "node")
	w.ask(t, n, rapid.IntRange(1, 4).Draw(t, "limit"))
}

func (w *world) ask(t *rapid.T, n *node, limit int) {
	if n == w.store {
		n.flying = w.serve(n.c.Cursor(), limit)
		return
	}
	p, err := w.store.c.Page(record.Pull{Cursor: n.c.Cursor(), Limit: uint32(limit)})
	if err != nil {
		t.Fatal(err)
	}
	n.flying = &flight{page: p, sets: map[record.AccountID]set{}}
	for i := range p.Items {
		a := record.AccountID(p.Items[i].Key)
		n.flying.sets[a] = w.store.knows(a)
	}
}

// arrive applies a page, and sometimes leaves it to be applied again.
func (w *world) arrive(t *rapid.T) {
	n := rapid.SampledFrom(w.nodes()).Draw(t, "node")
	w.land(t, n)
	if rapid.IntRange(0, 3).Draw(t, "again") > 0 {
		n.flying = nil
	}
}

func (w *world) land(t *rapid.T, n *node) {
	f := n.flying
	if f == nil {
		return
	}
	held := n.c.Cursor()
	if err := n.c.Apply(&f.page); err != nil {
		if held.Generation != f.page.Cursor.Generation {
			return // of a life that has ended: refused
		}
		t.Fatal(err)
	}
	switch {
	case f.page.Status == record.FeedReset:
		n.fell = map[record.AccountID]set{}
		n.flying = nil
		n.rebuild()
	case f.page.Cursor.Entry >= held.Entry:
		maps.Copy(n.fell, f.sets)
	}
}

// restart stops a node; sometimes its cache is deleted before it starts again.
func (w *world) restart(t *rapid.T) {
	if rapid.IntRange(0, 5).Draw(t, "rarely") > 0 {
		return
	}
	n := rapid.SampledFrom(w.nodes()).Draw(t, "node")
	if err := n.c.Close(); err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "delete") {
		if err := os.Remove(n.path); err != nil {
			t.Fatal(err)
		}
		n.fell = nil
	}
	w.start(t, n)
}

// learn asks the centre for an account, as a till does for a shopper whom it does not know.
func (w *world) learn(t *rapid.T) {
	a := rapid.SampledFrom(w.accounts).Draw(t, "account")
	if _, found, err := w.store.c.Shopper(a); err != nil || found || w.posted[a] == nil {
		return
	}
	if err := w.store.c.Learn(a, record.Shopper{Balance: w.posted[a].sum(), AsOf: int64(w.touched[a])}); err != nil {
		t.Fatal(err)
	}
	w.store.fell[a] = w.posted[a]
}

func (w *world) check(t *rapid.T) {
	for _, n := range w.nodes() {
		for _, a := range w.accounts {
			s, _, err := n.c.Shopper(a)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := s.Balance+s.Pending, n.knows(a).sum(); got != want {
				t.Fatalf("%s shows %d + %d points of account %x, want %d", n.name, s.Balance, s.Pending, a[0], want)
			}
		}
	}
}

// settle lets everything go round.
func (w *world) settle(t *rapid.T) {
	for _, n := range w.tills {
		for _, id := range n.order {
			if rest := n.journal[id][len(w.store.journal[id]):]; len(rest) > 0 {
				w.store.append(rest...)
			}
		}
	}
	for _, id := range w.store.order {
		for uint64(len(w.store.journal[id])) > w.marks[id].Counted {
			w.post(t)
		}
	}
	for _, n := range []*node{w.store, w.tills[0], w.tills[1]} {
		for more := true; more; {
			w.ask(t, n, 3)
			more = n.flying.page.More || n.flying.page.Status == record.FeedReset
			w.land(t, n)
		}
	}
	w.check(t)
	for _, n := range w.nodes() {
		for _, a := range w.accounts {
			s, _, err := n.c.Shopper(a)
			if err != nil {
				t.Fatal(err)
			}
			if s.Balance != w.posted[a].sum() || s.Pending != 0 {
				t.Fatalf("%s: at the end account %x has %+v, want %d and nothing pending",
					n.name, a[0], s, w.posted[a].sum())
			}
		}
		if got := n.c.Len().Overlay; got != 0 {
			t.Fatalf("%s: %d receipts are left in the overlay", n.name, got)
		}
	}
}
