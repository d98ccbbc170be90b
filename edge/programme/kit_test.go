package programme_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tillstream/edge/cache"
	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// node is one store's cache and what is priced by there.
type node struct {
	t     *testing.T
	dir   string
	cache *cache.Cache
	*programme.Revisions
	entry  uint64
	cancel func()
}

func store(s string) subjects.StoreID {
	return subjects.StoreID{Token: subjects.MustToken(s)}
}

func open(t *testing.T) *node {
	n := &node{t: t, dir: t.TempDir(), entry: 1_795_000_000}
	n.start()
	t.Cleanup(func() { n.stop() })
	return n
}

func (n *node) start() {
	n.t.Helper()
	ring, err := seal.OpenRing(filepath.Join(n.dir, "ring"))
	if err != nil {
		n.t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(n.t.Output(), nil))
	if n.cache, err = cache.Open(cache.Config{Path: filepath.Join(n.dir, "cache.db"), Ring: ring, Log: log}); err != nil {
		n.t.Fatal(err)
	}
	if n.Revisions, err = programme.Open(programme.Config{Cache: n.cache, Store: store("0017"), CardPrefixes: []string{"27"}, Log: log}); err != nil {
		n.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(n.t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.cancel = func() {
		cancel()
		if err := <-done; err != nil {
			n.t.Error(err)
		}
	}
}

func (n *node) stop() {
	n.t.Helper()
	n.cancel()
	if err := n.cache.Close(); err != nil {
		n.t.Fatal(err)
	}
}

// put lets a change fall, all at once, and waits until it is gone by or refused. An empty text takes away.
func (n *node) put(changes ...record.Reference) uint32 {
	n.t.Helper()
	p := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: record.Generation{1}}}
	for _, r := range changes {
		n.entry++
		r.Entry, r.At = n.entry, 1
		p.Records = append(p.Records, r)
	}
	p.Cursor.Entry = n.entry
	if err := n.cache.ApplyReference(p); err != nil {
		n.t.Fatal(err)
	}
	deadline := time.After(20 * time.Second)
	for n.State().Newest != n.entry {
		select {
		case <-time.After(time.Millisecond):
		case <-deadline:
			n.t.Fatalf("the newest is %d, want %d", n.State().Newest, n.entry)
		}
	}
	return uint32(n.entry)
}

func promotion(id string, revision int, set, percent string) record.Reference {
	return record.Reference{Kind: record.RefPromotion, Key: id, Value: fmt.Appendf(nil,
		`{"schema":"promotion/v1","id":%q,"revision":%d,"name":"x","text":{"en":"x"},"mechanic":{"type":"percentage","set":%q,"percent":%q}}`,
		id, revision, set, percent)}
}

func set(id, rest string) record.Reference {
	return record.Reference{Kind: record.RefSet, Key: id, Value: fmt.Appendf(nil, `{"id":%q,"revision":1,%s}`, id, rest)}
}

func setting(id, rest string) record.Reference {
	return record.Reference{Kind: record.RefSetting, Key: id, Value: fmt.Appendf(nil, `{"id":%q,"revision":1,%s}`, id, rest)}
}

func item(code string, p record.Product) record.Reference {
	return record.Reference{Kind: record.RefItem, Key: code, Value: p.Append(nil)}
}

// quote prices one piece of 10.00 for a shopper.
func quote(t *testing.T, r *programme.Revision, currency, scanned string) *pricing.Quote {
	t.Helper()
	it := r.Item(scanned)
	q, err := r.Pricing(currency).Quote(&pricing.Basket{
		Store: "0017", StoreSets: r.StoreSets(), Channel: "till", At: time.Date(2026, 11, 20, 23, 30, 0, 0, time.UTC), Zone: r.Zone(),
		Currency: currency, Shopper: &pricing.Shopper{ID: "s"},
		Lines: []pricing.Line{{LineID: "1", Item: it.Code, Quantity: "1", Unit: "pc", UnitPrice: 1000, Facts: it.Item}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if q.Revision != r.Number() {
		t.Errorf("a quote of revision %d, want %d", q.Revision, r.Number())
	}
	return q
}
