package feed_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
)

// What upstream had posted is void before the cache is emptied: if the node died in between, nobody would
// tell it again. And an upstream that begins another life twice does not stop the feed.
func TestResetIsHeardFirst(t *testing.T) {
	ns := startServer(t)
	nc := connect(t, ns)
	third := record.Generation{3}
	page := func(status record.FeedStatus, g record.Generation, entry uint64, balance int64) []byte {
		p := record.Page{Status: status, Cursor: record.Cursor{Generation: g, Entry: entry}}
		if status == record.FeedItems {
			p.Items = []record.Item{item(alice, record.Shopper{Balance: balance})}
		}
		return p.Append(nil)
	}
	second := record.Generation{2}
	answers := [][]byte{
		page(record.FeedItems, life, 5, 7),
		page(record.FeedReset, second, 0, 0), page(record.FeedReset, second, 0, 0), page(record.FeedReset, second, 0, 0), // heard, at the third
		page(record.FeedReset, third, 0, 0), page(record.FeedReset, third, 0, 0), // again before anything came
		page(record.FeedItems, third, 1, 9),
	}
	var pulls atomic.Int64
	sub, err := nc.Subscribe(lane("t1").FeedPull(), func(m *nats.Msg) {
		n := int(pulls.Add(1)) - 1
		if err := m.Respond(answers[min(n, len(answers)-1)]); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the test ends
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	till := newCache(t)
	cfg := follower(t, connect(t, ns), "t1", till)
	cfg.Every = 10 * time.Millisecond
	var heard atomic.Int64
	cfg.Reset = func() error {
		if heard.Add(1) < 3 {
			if g := till.Cursor().Generation; g != life {
				t.Errorf("the cache is of generation %s before the journal knows", g)
			}
			return errors.New("disk full")
		}
		return nil
	}
	follow(t, cfg)
	await(t, till, "the third life", shows(t, till, 9, 0))
	if got := heard.Load(); got != 4 {
		t.Errorf("heard of a reset %d times, want 4: twice in vain, and once for each life", got)
	}
}
