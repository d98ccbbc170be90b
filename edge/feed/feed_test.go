package feed_test

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/cache"
	"tillstream/edge/feed"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

const patience = 20 * time.Second // of a test that waits for what must come

var (
	shop  = subjects.StoreID{Token: subjects.MustToken("s1")}
	alice = record.AccountID{1}
	chain = record.ChainID{1}
	life  = record.Generation{1}
)

func lane(till string) subjects.Lane {
	return subjects.Lane{Store: shop, Till: subjects.TillID{Token: subjects.MustToken(till)}}
}

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

func startServer(t *testing.T) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func connect(t *testing.T, ns *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func openCache(t *testing.T, path string) *cache.Cache {
	t.Helper()
	ring, err := seal.ParseRing("1 " + strings.Repeat("5a", seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(cache.Config{Path: path, Ring: ring, Log: logger(t)})
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

func newCache(t *testing.T) *cache.Cache { return openCache(t, filepath.Join(t.TempDir(), "cache.db")) }

// run starts a Run method and gives a function that stops it, which the test's end calls too.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func serve(t *testing.T, nc *nats.Conn, c *cache.Cache) (stop func()) {
	t.Helper()
	return run(t, feed.NewServer(feed.ServerConfig{Conn: nc, Store: shop, Cache: c, Log: logger(t)}).Run)
}

// follower is one that would wait an hour: what comes soon came by a poke.
func follower(t *testing.T, nc *nats.Conn, till string, c *cache.Cache) feed.FollowerConfig {
	return feed.FollowerConfig{
		Conn: nc, Pull: lane(till).FeedPull(), Changed: lane(till).FeedChanged(),
		Cache: c, Every: time.Hour, Log: logger(t),
	}
}

func follow(t *testing.T, cfg feed.FollowerConfig) *feed.Follower {
	t.Helper()
	f := feed.NewFollower(cfg)
	run(t, f.Run)
	return f
}

func item(a record.AccountID, s record.Shopper) record.Item {
	return record.Item{Kind: record.ItemShopper, Key: a[:], Value: s.Append(nil)}
}

// fall puts items in the store's cache, as the centre's feed does.
func fall(t *testing.T, c *cache.Cache, counted uint64, items ...record.Item) {
	t.Helper()
	p := record.Page{
		Status:  record.FeedItems,
		Cursor:  record.Cursor{Generation: life, Entry: c.Cursor().Entry + 1},
		Items:   items,
		Counted: []record.Counted{{Chain: chain, Counted: counted, Posted: counted}},
	}
	if err := c.Apply(&p); err != nil {
		t.Fatal(err)
	}
}

// await waits until a cache that nobody serves from is as it should be.
func await(t *testing.T, c *cache.Cache, what string, done func() bool) {
	t.Helper()
	late := time.After(patience)
	for !done() {
		select {
		case <-c.Changed():
		case <-late:
			t.Fatalf("did not come: %s", what)
		}
	}
}

func shows(t *testing.T, c *cache.Cache, balance, pending int64) func() bool {
	return func() bool {
		s, ok, err := c.Shopper(alice)
		if err != nil {
			t.Fatal(err)
		}
		return ok && s.Balance == balance && s.Pending == pending
	}
}

func TestStoreToTills(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	store, till1, till2 := newCache(t), newCache(t), newCache(t)
	fall(t, store, 0, item(alice, record.Shopper{Balance: 100}))
	serve(t, nc, store)
	follow(t, follower(t, connect(t, ns), "t1", till1))
	cfg := follower(t, connect(t, ns), "t2", till2)
	var posted atomic.Uint64
	cfg.Posted = func(cs []record.Counted) error { posted.Store(cs[0].Posted); return nil }
	f := follow(t, cfg)
	await(t, till1, "the shopper at till 1", shows(t, till1, 100, 0))
	await(t, till2, "the shopper at till 2", shows(t, till2, 100, 0))
	if f.Age() > patience || f.LastAnswer().IsZero() {
		t.Errorf("age %v, last answer %v; want one of just now", f.Age(), f.LastAnswer())
	}

	h := []record.Header{{Kind: record.KindSale, Chain: chain, Seq: 1, Account: alice, Points: 10}}
	till1.Overlay(h)
	if !shows(t, till1, 100, 10)() {
		t.Fatal("the sale does not show at its own till at once")
	}
	store.Overlay(h) // the store has taken the receipt
	await(t, till2, "the sale as pending", shows(t, till2, 100, 10))
	await(t, till1, "the store's record of it", func() bool { return till1.Len().Overlay == 0 })
	if !shows(t, till1, 100, 10)() {
		t.Fatal("the sale shows twice or not at all at its own till")
	}
	fall(t, store, 1, item(alice, record.Shopper{Balance: 110}))
	await(t, till1, "the balance", shows(t, till1, 110, 0))
	await(t, till2, "the balance", shows(t, till2, 110, 0))
	if got := posted.Load(); got != 1 {
		t.Errorf("posted: till 2 heard %d, want 1", got)
	}
}

// A store tells the tills that ask for it how it hears the centre, with each page; whoever does not ask is answered
// as before there was any such word.
func TestTheStoreSaysHowItHearsTheCentre(t *testing.T) {
	ns := startServer(t)
	store, till, old := newCache(t), newCache(t), newCache(t)
	age := uint64(0)
	run(t, feed.NewServer(feed.ServerConfig{Conn: connect(t, ns), Store: shop, Cache: store, Log: logger(t), Above: func() record.Above {
		age++ // in the subscription's own goroutine
		return record.Above{Linked: age%2 == 0, Age: age}
	}}).Run)
	heard := make(chan record.Above, 100)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every, cfg.Above = 10*time.Millisecond, func(a record.Above) {
		select {
		case heard <- a:
		default:
		}
	}
	follow(t, cfg)
	follow(t, follower(t, connect(t, ns), "t2", old))
	for last := uint64(0); last < 3; {
		select {
		case a := <-heard:
			if a.Age <= last || a.Linked != (a.Age%2 == 0) {
				t.Fatalf("heard %+v after %d", a, last)
			}
			last = a.Age
		case <-time.After(patience):
			t.Fatal("the store does not say")
		}
	}
	fall(t, store, 0, item(alice, record.Shopper{Balance: 1}))
	await(t, old, "the page of one who does not ask", shows(t, old, 1, 0))
}

// The poke is lost; the interval brings the change. And a store that comes late is found.
func TestPokeLost(t *testing.T) {
	ns := startServer(t)
	store, till := newCache(t), newCache(t)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Changed = "nobody.pokes.here"
	cfg.Every = 10 * time.Millisecond
	f := follow(t, cfg)
	if !f.LastAnswer().IsZero() || f.Age() <= 0 {
		t.Errorf("before the store: last answer %v, age %v", f.LastAnswer(), f.Age())
	}
	serve(t, connect(t, ns), store)
	fall(t, store, 0, item(alice, record.Shopper{Balance: 1}))
	await(t, till, "the first", shows(t, till, 1, 0))
	fall(t, store, 0, item(alice, record.Shopper{Balance: 2}))
	await(t, till, "the second", shows(t, till, 2, 0))
}

// When the feed is quiet the cache is brought to the disk, and its mark goes.
func TestQuietFeedSyncs(t *testing.T) {
	ns := startServer(t)
	path := filepath.Join(t.TempDir(), "cache.db")
	store, till := newCache(t), openCache(t, path)
	fall(t, store, 0, item(alice, record.Shopper{Balance: 1}))
	stop := serve(t, connect(t, ns), store)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every = 10 * time.Millisecond
	follow(t, cfg)
	await(t, till, "the shopper", shows(t, till, 1, 0))
	if _, err := os.Stat(path + ".open"); err != nil {
		t.Fatalf("mark while the feed is busy: %v", err)
	}
	stop() // cut off is quiet too
	late, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path + ".open"); errors.Is(err, os.ErrNotExist) {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the cache was never brought to the disk")
		}
	}
}

func TestManyItems(t *testing.T) {
	const n = 10_000
	ns := startServer(t)
	store, till := newCache(t), newCache(t)
	items := make([]record.Item, n)
	for i := range items {
		var a record.AccountID
		binary.BigEndian.PutUint32(a[4:], uint32(i))
		items[i] = item(a, record.Shopper{Balance: int64(i)})
	}
	fall(t, store, 3, items...)
	serve(t, connect(t, ns), store)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Limit = 700
	follow(t, cfg)
	await(t, till, "all items", func() bool { return till.Len().Items == n })
	if got := till.Counted(chain); got != 3 {
		t.Errorf("counted: got %d, want 3", got)
	}
}

// The store's cache is deleted under its tills: they drop what they have and follow the new one.
func TestStoreBeginsAnew(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	old, till := newCache(t), newCache(t)
	bob := record.AccountID{2}
	fall(t, old, 0, item(alice, record.Shopper{Balance: 1}), item(bob, record.Shopper{Balance: 1}))
	stop := serve(t, nc, old)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every = 10 * time.Millisecond
	dropped := make(chan struct{}, 10)
	cfg.Dropped = func() error { dropped <- struct{}{}; return nil }
	follow(t, cfg)
	await(t, till, "the old store's shopper", shows(t, till, 1, 0))
	stop()

	anew := newCache(t)
	fall(t, anew, 0, item(alice, record.Shopper{Balance: 2}))
	serve(t, nc, anew)
	await(t, till, "the new store's shopper", shows(t, till, 2, 0))
	if _, ok, err := till.Shopper(bob); ok || err != nil {
		t.Fatalf("bob is still there (%v), although the new store does not know him", err)
	}
	if got := len(dropped); got != 1 {
		t.Fatalf("dropped: called %d times, want once", got)
	}
}

func TestRefusedPulls(t *testing.T) {
	nc := connect(t, startServer(t))
	serve(t, nc, newCache(t))
	ask := func(subject string, body []byte) *nats.Msg {
		t.Helper()
		for {
			m, err := nc.Request(subject, body, patience)
			if errors.Is(err, nats.ErrNoResponders) && t.Context().Err() == nil {
				continue // the server is still starting
			}
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
	good := (&record.Pull{}).Append(nil)
	for what, m := range map[string]*nats.Msg{
		"cut short": ask(lane("t1").FeedPull(), good[:5]),
		"empty":     ask(lane("t1").FeedPull(), nil),
		"bad till":  ask("edge.s1.T1.feed", good),
	} {
		if got := m.Header.Get(micro.ErrorCodeHeader); got != "400" {
			t.Errorf("%s: got code %q, want 400", what, got)
		}
	}
	if m := ask(lane("t1").FeedPull(), good); m.Header.Get(micro.ErrorCodeHeader) != "" {
		t.Errorf("good pull: got %v", m.Header)
	}
	if _, err := nc.Request("edge.s2.t1.feed", good, patience); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("another store's till: got %v, want nobody to answer", err)
	}
}
