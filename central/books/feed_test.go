package books

import (
	"fmt"
	"testing"

	"tillstream/kv/record"
)

// told pulls page after page, as a store does, and gives what it then knows: accounts, and pages.
func (l *ledger) told(store string, after uint64, limit int) (known map[record.AccountID]int64, pages int) {
	l.t.Helper()
	known = map[record.AccountID]int64{}
	for {
		items, upTo, more := l.Feed(storeID(store), after, limit)
		pages++
		for _, it := range items {
			id := record.AccountID(it.Key)
			if len(it.Value) == 0 {
				delete(known, id)
				continue
			}
			s, err := record.ReadShopper(it.Value)
			if err != nil {
				l.t.Fatal(err)
			}
			known[id] = s.Balance
		}
		if !more {
			return known, pages
		}
		if upTo <= after {
			l.t.Fatalf("a page after entry %d ends with %d", after, upTo)
		}
		after = upTo
	}
}

// The feed's pages end with an entry, and go on where they ended; one store does not see another's.
func TestFeedPages(t *testing.T) {
	l := newLedger(t)
	a, b := newChain(1, "1", "t1", record.Tip{}), newChain(2, "11", "t1", record.Tip{})
	n, held := 0, 0
	for e := range 4 {
		for range 3 {
			n++
			a.sale(n, n, 1)
			b.sale(100+n, 100+n, 1)
		}
		l.entry(pack("1", a.run(held+1, len(a.recs))), pack("11", b.run(held+1, len(b.recs))))
		if held = len(a.recs); l.Newest(storeID("1")) != uint64(e+1) {
			t.Fatalf("newest entry %d, want %d", l.Newest(storeID("1")), e+1)
		}
	}
	for _, page := range []struct {
		after uint64
		limit int
		items int
		upTo  uint64
		more  bool
	}{
		{0, 1, 3, 1, true}, {0, 3, 3, 1, true}, {0, 4, 6, 2, true}, {1, 6, 6, 3, true},
		{3, 1, 3, 0, false}, {2, 6, 6, 0, false}, {0, 100, 12, 0, false}, {4, 1, 0, 0, false}, {9, 1, 0, 0, false},
	} {
		for _, l := range []*ledger{l, l.reopened()} {
			items, upTo, more := l.Feed(storeID("1"), page.after, page.limit)
			if len(items) != page.items || upTo != page.upTo || more != page.more {
				t.Errorf("after %d limit %d: %d items up to %d, more %v; want %d up to %d, more %v",
					page.after, page.limit, len(items), upTo, more, page.items, page.upTo, page.more)
			}
		}
	}
	if items, _, more := l.Feed(storeID("9"), 0, 10); len(items) != 0 || more || l.Newest(storeID("9")) != 0 {
		t.Fatalf("a store without receipts is told %v", items)
	}
}

// An account that changes again and again is one item, and its store's part of the feed does not grow
// without end.
func TestOldRowsAreNotToldAndNotKept(t *testing.T) {
	l := newLedger(t)
	s := shops(2)
	const changes = 3000
	for n := range changes {
		l.buys(s, n%2, n, 1+n%3)
	}
	for i, c := range s {
		if got := len(l.stores[l.storeOf[storeID(shop(i))]].feed); got > 2*feedSlack {
			t.Errorf("store %d has %d rows for 3 accounts", i, got)
		}
		items, _, more := l.Feed(storeID(shop(i)), 0, 100)
		if len(items) != 3 || more {
			t.Errorf("store %d is told %d items, want 3", i, len(items))
		}
		known, _ := l.told(shop(i), uint64(changes-2), 1)
		if len(known) != 2 {
			t.Errorf("store %d is told %d items of the last two entries", i, len(known))
		}
		_ = c
	}
	l.verify()
	l.reopened().verify()
}

// leaving makes an account leave a store, with so many changes of others after it in that store, some days
// later. It gives the cursor of a store that knew the account before.
func leaving(t *testing.T, others int, days int64) (l *ledger, cursor uint64) {
	l = newLedger(t)
	s := shops(2)
	l.buys(s, 0, 1, 1)
	l.buys(s, 0, 4, 1)
	l.buys(s, 0, 2, 2)
	cursor = l.number
	l.at = firstDay + 80*dayMS
	l.buys(s, 1, 5, 1) // falls to the first store once more
	l.at = firstDay + 91*dayMS
	l.buys(s, 1, 3, 1) // here it leaves the first store
	l.at += days * dayMS
	for n := range others {
		l.buys(s, 0, 10+n, 3)
	}
	return l, cursor
}

// A removal is told for 45 days, whatever else changes; a store that hears of nothing for longer begins
// anew, or it would keep the account for ever.
func TestARemovalIsToldFor45Days(t *testing.T) {
	for _, c := range []struct {
		others    int
		days      int64
		forgotten bool
	}{{0, 0, false}, {2000, 0, false}, {2000, 45, false}, {2000, 46, true}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			l, cursor := leaving(t, c.others, c.days)
			for _, l := range []*ledger{l, l.reopened()} {
				if got := l.Forgotten(storeID(shop(0)), cursor); got != c.forgotten {
					t.Fatalf("the removal is forgotten: %v, want %v", got, c.forgotten)
				}
				if l.Forgotten(storeID(shop(0)), l.number) || l.Forgotten(storeID(shop(1)), 1) {
					t.Fatal("a store that has missed nothing must begin anew")
				}
				items, _, _ := l.Feed(storeID(shop(0)), cursor, 5000)
				removed := 0
				for _, it := range items {
					if record.AccountID(it.Key) == account_(1) && len(it.Value) == 0 {
						removed++
					}
				}
				if got := removed > 0; got == c.forgotten {
					t.Fatalf("%d removals are told, forgotten: %v", removed, c.forgotten)
				}
				if c.others > 0 { // the rows are in order
					removed = 0
					items, _, _ = l.Feed(storeID(shop(0)), 0, 5000)
					for _, it := range items {
						if len(it.Value) == 0 {
							removed++
						}
					}
					if removed > 1 {
						t.Fatalf("%d removals of one account are kept", removed)
					}
				}
				known, _ := l.told(shop(0), 0, 10) // anew
				if _, ok := known[account_(1)]; ok || known[account_(2)] != 1 {
					t.Fatalf("a store that begins anew knows %v", known)
				}
			}
		})
	}
}

// An account that was removed and is seen again is an item again, and only that.
func TestAnAccountComesBackToAStore(t *testing.T) {
	l, cursor := leaving(t, 0, 1)
	s := shops(3)
	s[2].sale(50, 1, 5)
	l.send(shop(2), s[2].all())
	c := newChain(77, shop(0), "t9", record.Tip{})
	c.sale(51, 1, 7)
	l.send(shop(0), c.all())
	known, _ := l.told(shop(0), cursor, 1)
	if got := known[account_(1)]; got != 16 {
		t.Fatalf("the store knows %v, want 14 points", known)
	}
}
