package feed_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/cache"
	"tillstream/edge/feed"
	"tillstream/kv/record"
)

// An upstream that is behind, refuses, talks nonsense or resets for ever: the follower goes on, does
// not flood it, and takes the first good answer.
func TestBadUpstream(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	good := record.Page{
		Status: record.FeedItems, Cursor: record.Cursor{Generation: life, Entry: 5},
		Items: []record.Item{item(alice, record.Shopper{Balance: 7})},
	}
	behind := record.Page{Status: record.FeedBehind}
	reset := record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: life}}
	stuck := record.Page{Status: record.FeedItems, Cursor: record.Cursor{Generation: life}, More: true}
	refusal := nats.NewMsg("")
	refusal.Header.Set(micro.ErrorCodeHeader, "500")
	answers := []*nats.Msg{
		refusal, {Data: []byte("nonsense")}, {Data: behind.Append(nil)},
		{Data: reset.Append(nil)}, {Data: reset.Append(nil)}, {Data: stuck.Append(nil)}, {Data: good.Append(nil)},
	}
	var pulls atomic.Int64
	sub, err := nc.Subscribe(lane("t1").FeedPull(), func(m *nats.Msg) {
		n := int(pulls.Add(1)) - 1
		if err := m.RespondMsg(answers[min(n, len(answers)-1)]); err != nil {
			t.Error(err)
		}
		if err := nc.Publish(lane("t1").FeedChanged(), nil); err != nil { // and it pokes after each answer
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	till := newCache(t)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every = 20 * time.Millisecond
	start := time.Now()
	f := follow(t, cfg)
	await(t, till, "the good answer", shows(t, till, 7, 0))
	if got := pulls.Load(); got < int64(len(answers)) {
		t.Errorf("got %d pulls, want every answer to be asked for", got)
	}
	if f.LastAnswer().Before(start) {
		t.Errorf("last answer %v, want one after %v", f.LastAnswer(), start)
	}
}

// The journal must hear what is posted before the page is applied: its cursor is asked for once.
func TestPostedFails(t *testing.T) {
	ns := startServer(t)
	store, till := newCache(t), newCache(t)
	fall(t, store, 4, item(alice, record.Shopper{Balance: 1}))
	serve(t, connect(t, ns), store)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every = 10 * time.Millisecond
	var calls atomic.Int64
	cfg.Posted = func(cs []record.Counted) error {
		if len(cs) != 1 || cs[0] != (record.Counted{Chain: chain, Counted: 4, Posted: 4}) {
			t.Errorf("posted: got %v", cs)
		}
		if calls.Add(1) < 3 {
			if till.Cursor() != (record.Cursor{}) {
				t.Error("the page was applied before the journal knew what is posted")
			}
			return errors.New("disk full")
		}
		return nil
	}
	follow(t, cfg)
	await(t, till, "the shopper", shows(t, till, 1, 0))
	if got := calls.Load(); got != 3 {
		t.Errorf("posted: %d calls, want 3", got)
	}
}

// A damaged cache ends Run on both sides, so that the owner makes it anew.
func TestDamagedCacheEndsRun(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	path := filepath.Join(t.TempDir(), "cache.db")
	store := openCache(t, path)
	items := make([]record.Item, 1000)
	for i := range items {
		items[i] = item(record.AccountID{1, byte(i), byte(i >> 8)}, record.Shopper{})
	}
	fall(t, store, 0, items...)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, fi.Size()-2*4096), 2*4096); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	srv := feed.NewServer(feed.ServerConfig{Conn: nc, Store: shop, Cache: store, Log: logger(t)})
	var wg sync.WaitGroup
	wg.Go(func() { ended <- srv.Run(t.Context()) })
	defer wg.Wait()
	cfg := follower(t, connect(t, ns), "t1", newCache(t))
	cfg.Every = 10 * time.Millisecond
	follow(t, cfg)
	select {
	case err := <-ended:
		if !errors.Is(err, cache.ErrDamaged) {
			t.Errorf("server: got %v, want damage", err)
		}
	case <-time.After(patience):
		t.Fatal("the server goes on with a damaged cache")
	}
	if err := feed.NewFollower(feed.FollowerConfig{
		Conn: nc, Pull: "up", Changed: "changed", Cache: damagedFollower(t, nc, store), Every: time.Millisecond,
	}).Run(t.Context()); !errors.Is(err, cache.ErrDamaged) {
		t.Errorf("follower: got %v, want damage", err)
	}
}

// damagedFollower answers on "up" with a page for a cache that is damaged.
func damagedFollower(t *testing.T, nc *nats.Conn, c *cache.Cache) *cache.Cache {
	t.Helper()
	p := record.Page{
		Status: record.FeedItems, Cursor: record.Cursor{Generation: life, Entry: 99},
		Items: []record.Item{item(alice, record.Shopper{})},
	}
	if _, err := nc.Subscribe("up", func(m *nats.Msg) {
		if err := m.Respond(p.Append(nil)); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClosedConnectionEndsRun(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	cfg := follower(t, nc, "t1", newCache(t))
	cfg.Every = time.Millisecond
	ended := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { ended <- feed.NewFollower(cfg).Run(t.Context()) })
	defer wg.Wait()
	nc.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("got nil, want an error")
		}
	case <-time.After(patience):
		t.Fatal("the follower goes on without a connection")
	}
}
