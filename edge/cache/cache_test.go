package cache_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tillstream/edge/cache"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

var (
	ring  = mustRing("1 " + strings.Repeat("5a", seal.KeySize))
	alice = record.AccountID{1}
	bob   = record.AccountID{2}
	here  = chainID(1) // a chain of this node
	other = chainID(2) // one of the till beside it
	life1 = record.Generation{1}
	life2 = record.Generation{2}
)

func mustRing(text string) *seal.Ring {
	r, err := seal.ParseRing(text)
	if err != nil {
		panic(err)
	}
	return r
}

func chainID(n byte) record.ChainID { return record.ChainID{0: n, 15: n} }

func open(t testing.TB, path string) *cache.Cache {
	t.Helper()
	return openLog(t, path, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func openLog(t testing.TB, path string, log *slog.Logger) *cache.Cache {
	t.Helper()
	c, err := cache.Open(cache.Config{Path: path, Ring: ring, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func openNew(t testing.TB) *cache.Cache { return open(t, filepath.Join(t.TempDir(), "cache.db")) }

func reopen(t testing.TB, c *cache.Cache, path string) *cache.Cache {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, path)
}

func sale(c record.ChainID, seq uint64, a record.AccountID, points int64) record.Header {
	return record.Header{Kind: record.KindSale, Chain: c, Seq: seq, Account: a, Points: points}
}

func item(a record.AccountID, s record.Shopper) record.Item {
	return record.Item{Kind: record.ItemShopper, Key: a[:], Value: s.Append(nil)}
}

func page(entry uint64, items ...record.Item) *record.Page {
	return &record.Page{
		Status: record.FeedItems, Cursor: record.Cursor{Generation: life1, Entry: entry}, Items: items,
	}
}

func counted(p *record.Page, c record.ChainID, n uint64) *record.Page {
	p.Counted = append(p.Counted, record.Counted{Chain: c, Counted: n, Posted: n})
	return p
}

func more(p *record.Page) *record.Page { p.More = true; return p }

func apply(t testing.TB, c *cache.Cache, p *record.Page) {
	t.Helper()
	if err := c.Apply(p); err != nil {
		t.Fatal(err)
	}
}

func take(t testing.TB, c *cache.Cache, cursor record.Cursor, limit uint32) record.Page {
	t.Helper()
	p, err := c.Page(record.Pull{Cursor: cursor, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	// What travels is the binary form.
	p, err = record.ReadPage(p.Append(nil))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// follow brings down to what up has, as a follower does.
func follow(t testing.TB, up, down *cache.Cache) {
	t.Helper()
	for {
		p := take(t, up, down.Cursor(), 0)
		apply(t, down, &p)
		if p.Status == record.FeedItems && !p.More {
			return
		}
	}
}

func want(t testing.TB, c *cache.Cache, a record.AccountID, balance, pending int64) {
	t.Helper()
	s, ok, err := c.Shopper(a)
	if err != nil {
		t.Fatal(err)
	}
	if !ok || s.Balance != balance || s.Pending != pending {
		t.Fatalf("shopper %s: got balance %d, pending %d, found %v; want %d, %d",
			a, s.Balance, s.Pending, ok, balance, pending)
	}
}

func wantUnknown(t testing.TB, c *cache.Cache, a record.AccountID) {
	t.Helper()
	if s, ok, err := c.Shopper(a); ok || err != nil {
		t.Fatalf("shopper %s: got %+v, %v, %v; want nobody", a, s, ok, err)
	}
}

func wantFired(t testing.TB, c *cache.Cache, fired bool) {
	t.Helper()
	select {
	case <-c.Changed():
		if !fired {
			t.Fatal("changed fired, want not")
		}
	default:
		if fired {
			t.Fatal("changed did not fire")
		}
	}
}

func TestShopper(t *testing.T) {
	c := openNew(t)
	wantUnknown(t, c, alice)
	apply(t, c, page(3, item(alice, record.Shopper{Balance: 100, Debt: 3, Pending: 5, AsOf: 9})))
	got, ok, err := c.Shopper(alice)
	if w := (record.Shopper{Balance: 100, Debt: 3, Pending: 5, AsOf: 9}); err != nil || !ok || got != w {
		t.Fatalf("got %+v, %v, %v; want %+v", got, ok, err, w)
	}
	apply(t, c, page(4, record.Item{Kind: record.ItemShopper, Key: alice[:]}))
	wantUnknown(t, c, alice)
	if got := c.Len(); got.Items != 0 || got.Bytes == 0 {
		t.Fatalf("len: got %+v", got)
	}
}

// What a hold has set aside is out of the balance already; what has happened without one takes it out itself.
// A return or a void gives back what was spent and takes back what was earned.
func TestOverlayOfWhatWasSpent(t *testing.T) {
	c := openNew(t)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 100, Held: 60})))
	held := sale(here, 2, alice, 10)
	held.Spent, held.Hold = 60, record.RID{1}
	happened := sale(here, 3, alice, 7)
	happened.Spent = 20
	back := sale(here, 4, alice, 10)
	back.Kind, back.Spent, back.Of = record.KindReturn, 60, held.RID
	void := sale(here, 5, alice, 7)
	void.Kind, void.Spent, void.Of = record.KindVoid, 20, happened.RID
	for i, pending := range []int64{10, 10 + 7 - 20, 10 + 7 - 20 + 60 - 10, 10 + 7 - 20 + 60 - 10 + 20 - 7} {
		c.Overlay([]record.Header{held, happened, back, void}[i : i+1])
		want(t, c, alice, 100, pending)
	}
	apply(t, c, counted(page(2, item(alice, record.Shopper{Balance: 160, AsOf: 1})), here, 5))
	want(t, c, alice, 160, 0)
}

func TestOverlay(t *testing.T) {
	c := openNew(t)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 100, Pending: 7})))
	ret := sale(here, 3, alice, 4)
	ret.Kind = record.KindReturn
	hs := []record.Header{
		{Kind: record.KindStart, Chain: here, Seq: 1}, sale(here, 2, alice, 10), ret,
		sale(here, 4, record.AccountID{}, 99), sale(here, 5, bob, 8),
	}
	c.Overlay(hs)
	c.Overlay(hs) // again, as after a restart
	want(t, c, alice, 100, 13)
	want(t, c, bob, 0, 8) // first seen here
	if got := c.Len(); got.Overlay != 3 || got.Items != 1 {
		t.Fatalf("len: got %+v, want 3 receipts and 1 item", got)
	}
	apply(t, c, counted(page(2, item(alice, record.Shopper{Balance: 110})), here, 2))
	want(t, c, alice, 110, -4)
	want(t, c, bob, 0, 8)
	if got := len(take(t, c, record.Cursor{}, 0).Items); got != 2 {
		t.Fatalf("page from the beginning: got %d items, want each account once", got)
	}
	c.Overlay(hs[:2]) // late: contained already
	want(t, c, alice, 110, -4)
	apply(t, c, counted(page(5, item(alice, record.Shopper{Balance: 106}), item(bob, record.Shopper{Balance: 8})), here, 5))
	want(t, c, alice, 106, 0)
	want(t, c, bob, 8, 0)
	if got := c.Counted(here); got != 5 {
		t.Fatalf("counted: got %d, want 5", got)
	}
}

// A page with a limit counts a chain past the receipt of a shopper whose item comes later.
func TestOverlayEndsWithItsItem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	c := open(t, path)
	hs := []record.Header{sale(here, 1, alice, 10), sale(here, 2, bob, 20)}
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1}), item(bob, record.Shopper{Balance: 2})))
	c.Overlay(hs)
	apply(t, c, more(counted(page(3, item(alice, record.Shopper{Balance: 11})), here, 2)))
	want(t, c, alice, 11, 0)
	want(t, c, bob, 2, 20)

	c = reopen(t, c, path)
	if got := c.Counted(here); got != 0 {
		t.Fatalf("counted between two pages: got %d, want 0: bob's receipt must come back", got)
	}
	c.Overlay(hs)
	want(t, c, alice, 11, 0)
	want(t, c, bob, 2, 20)

	apply(t, c, page(4, item(bob, record.Shopper{Balance: 22})))
	want(t, c, bob, 22, 0)
	if got := c.Counted(here); got != 2 {
		t.Fatalf("counted after the last page: got %d, want 2", got)
	}
	c.Overlay(hs)
	want(t, c, alice, 11, 0)
	want(t, c, bob, 22, 0)
}

func TestRepeatedAndOlderPages(t *testing.T) {
	c := openNew(t)
	c.Overlay([]record.Header{sale(here, 1, alice, 10), sale(here, 2, alice, 1)})
	p1 := counted(page(1, item(alice, record.Shopper{Balance: 10})), here, 1)
	p2 := counted(page(2, item(alice, record.Shopper{Balance: 11})), here, 2)
	for _, p := range []*record.Page{p1, p1, p2, p1, p2} {
		apply(t, c, p)
		s, _, err := c.Shopper(alice)
		if err != nil || s.Balance+s.Pending != 11 {
			t.Fatalf("got %+v, %v; want 11 points in all", s, err)
		}
	}
	want(t, c, alice, 11, 0)
	if got := c.Cursor().Entry; got != 2 {
		t.Fatalf("cursor: got %d, want 2", got)
	}
}

func TestPagesThatDoNotFit(t *testing.T) {
	c := openNew(t)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1})))
	foreign := page(2, item(alice, record.Shopper{Balance: 9}))
	foreign.Cursor.Generation = life2
	for what, p := range map[string]*record.Page{
		"short key":  page(2, record.Item{Kind: record.ItemShopper, Key: []byte("x")}),
		"bad value":  page(2, record.Item{Kind: record.ItemShopper, Key: alice[:], Value: []byte("x")}),
		"generation": foreign,
		"no status":  {Cursor: record.Cursor{Generation: life1, Entry: 2}},
	} {
		if err := c.Apply(p); err == nil {
			t.Errorf("%s: applied, want an error", what)
		}
	}
	apply(t, c, &record.Page{Status: record.FeedBehind, Cursor: record.Cursor{Generation: life1}})
	want(t, c, alice, 1, 0)
	if got := c.Cursor(); got != page(1).Cursor {
		t.Fatalf("cursor: got %v, want it where it was", got)
	}
}

func TestLearn(t *testing.T) {
	c, till := openNew(t), openNew(t)
	learn := func(a record.AccountID, s record.Shopper) {
		t.Helper()
		if err := c.Learn(a, s); err != nil {
			t.Fatal(err)
		}
	}
	learn(alice, record.Shopper{Balance: 50, AsOf: 5})
	want(t, c, alice, 50, 0)
	learn(alice, record.Shopper{Balance: 40, AsOf: 4})
	want(t, c, alice, 50, 0) // never back
	follow(t, c, till)
	want(t, till, alice, 50, 0)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 60, AsOf: 3})))
	want(t, c, alice, 60, 0) // the feed is right
	c.Overlay([]record.Header{sale(here, 1, alice, 10), sale(here, 2, bob, 10)})
	learn(alice, record.Shopper{Balance: 70, AsOf: 8})
	learn(bob, record.Shopper{Balance: 10, AsOf: 8})
	want(t, c, alice, 60, 10) // the answer may contain the sale
	want(t, c, bob, 0, 10)
	if got := c.Len().Items; got != 1 {
		t.Fatalf("items: got %d, want 1", got)
	}
}

func TestReset(t *testing.T) {
	store, till := openNew(t), openNew(t)
	apply(t, store, counted(page(9, item(alice, record.Shopper{Balance: 1}), item(bob, record.Shopper{Balance: 2})), here, 1))
	store.Overlay([]record.Header{sale(here, 2, alice, 10)})
	follow(t, store, till)
	want(t, till, bob, 2, 0)

	apply(t, store, &record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: life2, Entry: 7}})
	if got, w := store.Cursor(), (record.Cursor{Generation: life2}); got != w {
		t.Fatalf("cursor: got %v, want %v", got, w)
	}
	wantUnknown(t, store, bob)
	want(t, store, alice, 0, 10)
	if p := take(t, store, till.Cursor(), 0); p.Status != record.FeedReset {
		t.Fatalf("downstream of a reset cache: got status %d, want a reset", p.Status)
	}
	follow(t, store, till)
	wantUnknown(t, till, bob)
	want(t, till, alice, 0, 10)

	p := counted(page(1, item(alice, record.Shopper{Balance: 11})), here, 2)
	p.Cursor.Generation = life2
	apply(t, store, p)
	follow(t, store, till)
	want(t, till, alice, 11, 0)
}

func TestPageLimits(t *testing.T) {
	const n = 10_000
	store, till := openNew(t), openNew(t)
	var items []record.Item
	for i := range n {
		a := record.AccountID{0: 7, 1: byte(i >> 8), 2: byte(i)}
		items = append(items, item(a, record.Shopper{Balance: int64(i)}))
	}
	for part := range slices.Chunk(items, 1000) {
		apply(t, store, more(page(store.Cursor().Entry+1, part...)))
	}
	var hs []record.Header // every tenth has a receipt that is pending, half of them are new here
	for i := range n / 10 {
		a := record.AccountID{0: 7, 1: byte(i * 20 >> 8), 2: byte(i * 20), 3: byte(i * 20 >> 16)}
		hs = append(hs, sale(here, uint64(i+1), a, 1))
	}
	store.Overlay(hs)
	seen, pages := map[string]int{}, 0
	for cursor := (record.Cursor{}); ; pages++ {
		p := take(t, store, cursor, 900)
		if len(p.Items) > 900 {
			t.Fatalf("page of %d items, want 900 at most", len(p.Items))
		}
		for i := range p.Items {
			seen[string(p.Items[i].Key)]++
		}
		apply(t, till, &p)
		if cursor = p.Cursor; !p.More {
			break
		}
	}
	for key, times := range seen {
		if times != 1 {
			t.Fatalf("account %x came %d times, want once", key, times)
		}
	}
	if got, w := len(seen), till.Len().Items; got < n || got != w || pages < 11 {
		t.Fatalf("got %d accounts in %d pages, %d at the till", got, pages, w)
	}
	if got := len(take(t, store, record.Cursor{}, 1<<31).Items); got != cache.MaxLimit {
		t.Fatalf("greatest page: got %d items, want %d", got, cache.MaxLimit)
	}
	if p := take(t, store, till.Cursor(), 0); len(p.Items)+len(p.Counted) != 0 || p.More || p.Cursor != till.Cursor() {
		t.Fatalf("nothing changed, got %+v", p)
	}
}

func TestChangedFires(t *testing.T) {
	c := openNew(t)
	apply(t, c, page(1))
	wantFired(t, c, false)
	apply(t, c, counted(page(2, item(alice, record.Shopper{})), here, 1))
	wantFired(t, c, true)
	apply(t, c, counted(page(3), here, 1)) // said before
	wantFired(t, c, false)
	c.Overlay([]record.Header{sale(here, 2, record.AccountID{}, 0)})
	wantFired(t, c, true) // downstream may end its overlay, and pass the count on
	c.Overlay([]record.Header{sale(here, 2, record.AccountID{}, 0)})
	wantFired(t, c, false)
}
