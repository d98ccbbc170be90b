package central_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// follow pulls page after page as a store does and gives what it then knows.
type follower struct {
	c       *centre
	store   subjects.StoreID
	cursor  record.Cursor
	items   map[string]record.Shopper
	counted map[record.ChainID]uint64
	pages   int
}

func (c *centre) follower(n int) *follower {
	return &follower{c: c, store: shop(n), items: map[string]record.Shopper{}, counted: map[record.ChainID]uint64{}}
}

func (f *follower) pull(limit int) record.Page {
	f.c.t.Helper()
	page := f.c.pull(f.store, f.cursor, limit)
	if page.Status != record.FeedItems {
		f.c.t.Fatalf("page %+v, want items", page)
	}
	if page.Cursor.Entry < f.cursor.Entry {
		f.c.t.Fatalf("cursor %d after %d", page.Cursor.Entry, f.cursor.Entry)
	}
	f.cursor = page.Cursor
	f.pages++
	for _, it := range page.Items {
		if len(it.Value) == 0 {
			delete(f.items, string(it.Key))
			continue
		}
		s, err := record.ReadShopper(it.Value)
		if err != nil || it.Kind != record.ItemShopper {
			f.c.t.Fatalf("item %+v: %v", it, err)
		}
		f.items[string(it.Key)] = s
	}
	for _, n := range page.Counted {
		f.counted[n.Chain] = n.Counted
	}
	return page
}

func (f *follower) all(limit int) {
	f.c.t.Helper()
	for f.pull(limit).More {
	}
}

func (f *follower) balance(card string, want int64) {
	f.c.t.Helper()
	id := account(f.c.t, card)
	if got, ok := f.items[string(id[:])]; !ok || got.Balance != want {
		f.c.t.Fatalf("store %s has balance %d of %s (known: %v), want %d", f.store, got.Balance, card, ok, want)
	}
}

func TestAStorePullsWhatItsShoppersHave(t *testing.T) {
	c := open(t, "")
	a, b := newTill(t, shop(1), "t1"), newTill(t, shop(2), "t1")
	a.sale("card-1", 10)
	a.sale("", 3)
	b.sale("card-1", 5)
	b.sale("card-2", 7)
	c.send(shop(1), a.pack())
	c.send(shop(2), b.pack())
	entry := c.settled()
	one, two, three := c.follower(1), c.follower(2), c.follower(3)
	one.all(0)
	one.balance("card-1", 15)
	if len(one.items) != 1 || one.cursor.Entry != entry || one.counted[a.recs[0].Chain] != 3 || len(one.counted) != 1 {
		t.Fatalf("store 1 knows %v and counts %v at entry %d", one.items, one.counted, one.cursor.Entry)
	}
	two.all(0)
	two.balance("card-1", 15)
	two.balance("card-2", 7)
	three.all(0)
	if len(three.items) != 0 || len(three.counted) != 0 || three.cursor.Entry != entry {
		t.Fatalf("a store without receipts knows %v", three.items)
	}
	if page := one.pull(0); len(page.Items) != 0 || len(page.Counted) != 0 || page.More || page.Cursor != one.cursor {
		t.Fatalf("nothing has changed, but %+v", page)
	}
	b.sale("card-1", 100)
	c.send(shop(2), b.pack())
	c.settled()
	if page := one.pull(0); len(page.Items) != 1 || len(page.Counted) != 0 {
		t.Fatalf("page %+v, want the one item that another store changed", page)
	}
	one.balance("card-1", 115)
}

// Pages end with an entry and go on where they ended; whatever the limit, the same is known at the end.
func TestPages(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	const entries, each = 12, 5
	for e := range entries {
		for k := range each {
			l.sale(fmt.Sprint("card-", e, "-", k), int64(e+1))
		}
		c.send(shop(1), l.pack())
	}
	c.settled()
	for limit, pages := range map[int]int{1: 12, 5: 12, 6: 6, 23: 3, 60: 1, 0: 1, 1 << 30: 1} {
		f := c.follower(1)
		f.all(limit)
		if len(f.items) != entries*each || f.pages != pages {
			t.Errorf("limit %d: %d items in %d pages, want %d in %d", limit, len(f.items), f.pages, entries*each, pages)
		}
		f.balance("card-3-2", 4)
		if got, want := f.counted[l.recs[0].Chain], uint64(len(l.recs)); got != want {
			t.Errorf("limit %d: counted %d, want %d", limit, got, want)
		}
	}
}

// What a page counts is contained in the items of that page, or in items that come later: with every
// page the balances that have come agree with what is counted, or lag; they are never ahead of it.
func TestItemsAndCountedAreOfOneMoment(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	chain := l.recs[0].Chain
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			l.sale("card-1", 1)
			l.sale("card-2", 1)
			c.send(shop(1), l.pack())
		}
	}()
	f := c.follower(1)
	c.within("300 receipts and 20 pages", func(context.Context) error {
		if page := c.pull(f.store, f.cursor, 1); page.Status == record.FeedBehind {
			return errors.New("behind") // nothing is on disk yet
		}
		page := f.pull(1)
		for _, it := range page.Items {
			s, err := record.ReadShopper(it.Value)
			if err != nil {
				t.Fatal(err)
			}
			// Each pair of receipts gives each card one point: the item holds exactly what is counted.
			if want := (int64(f.counted[chain]) - 1) / 2; s.Balance != want {
				t.Fatalf("an item holds %d points, and the page counts %d receipts of each card", s.Balance, want)
			}
		}
		if f.pages < 20 || f.counted[chain] < 300 {
			return errors.New("not yet")
		}
		return nil
	})
	close(stop)
	<-done
}

func TestACursorThatTheNodeDoesNotKnow(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	c.send(shop(1), l.pack())
	entry := c.settled()
	f := c.follower(1)
	f.all(0)
	ahead := c.pull(shop(1), record.Cursor{Generation: f.cursor.Generation, Entry: entry + 100}, 0)
	if ahead.Status != record.FeedBehind || len(ahead.Items) != 0 {
		t.Fatalf("a cursor that is ahead of the node: %+v, want behind", ahead)
	}
	other := c.pull(shop(1), record.Cursor{Generation: record.NewGeneration(time.Now()), Entry: 1}, 0)
	if other.Status != record.FeedReset || other.Cursor != (record.Cursor{Generation: f.cursor.Generation}) || len(other.Items) != 0 {
		t.Fatalf("a cursor of another journal: %+v, want reset", other)
	}
	again := c.pull(shop(1), other.Cursor, 0)
	if again.Status != record.FeedItems || len(again.Items) != 1 || again.Cursor != f.cursor {
		t.Fatalf("after the reset: %+v", again)
	}
	for name, data := range map[string][]byte{"nothing": nil, "noise": []byte("x")} {
		if _, err := c.ask(c.net.FeedPull(shop(1)), data); err == nil || !strings.HasPrefix(err.Error(), "400 ") {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

// The feed and its cursors outlive the node.
func TestCursorsOutliveARestart(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 1)
	c.send(shop(1), l.pack())
	c.settled()
	f := c.follower(1)
	f.all(0)
	c.stop()
	c.start()
	l.sale("card-2", 2)
	c.send(shop(1), l.pack())
	c.settled()
	if page := f.pull(0); len(page.Items) != 1 {
		t.Fatalf("page %+v, want the one new item", page)
	}
	f.balance("card-2", 2)
	f.balance("card-1", 1)
}

// A store that pulls here is told when there is more; one that does not is left alone.
func TestAPokeWhenThereIsMore(t *testing.T) {
	c := open(t, "")
	pokes, err := c.Conn().SubscribeSync(c.net.FeedChanged(shop(1)))
	if err != nil {
		t.Fatal(err)
	}
	others, err := c.Conn().SubscribeSync(c.net.FeedChanged(shop(2)))
	if err != nil {
		t.Fatal(err)
	}
	c.settled()
	c.follower(1).all(0)
	a, b := newTill(t, shop(1), "t1"), newTill(t, shop(2), "t1")
	a.sale("card-1", 1)
	b.sale("card-2", 1)
	c.send(shop(2), b.pack())
	c.send(shop(1), a.pack())
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := pokes.NextMsgWithContext(ctx); err != nil {
		t.Fatalf("no poke: %v", err)
	}
	if n, _, err := others.Pending(); err != nil || n != 0 {
		t.Fatalf("a store that does not pull here was poked %d times: %v", n, err)
	}
}
