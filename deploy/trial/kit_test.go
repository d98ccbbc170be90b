package trial_test

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

const day = 24 * time.Hour

var (
	brand = subjects.Net{
		DC: subjects.MustToken("dc1"), Env: subjects.MustToken("trial"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
	shop  = subjects.StoreID{Token: subjects.MustToken("0001")}
	first = subjects.TillID{Token: subjects.MustToken("01")}
	lane  = subjects.Lane{Store: shop, Till: first}
)

func node(name string) subjects.NodeID { return subjects.NodeID{Token: subjects.MustToken(name)} }

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))
}

// must fails the test on an error of something that is no question of the test.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await asks again until done is nil. The last error says what was missing.
func await(t *testing.T, what string, patience time.Duration, done func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(patience / 6000)
	defer tick.Stop()
	for err := done(); err != nil; err = done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// run starts Run methods and gives a function that stops them and waits, which the test's end calls too.
func run(t *testing.T, parts ...func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part(ctx); err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// tier is what an edge node keeps, put together as edge.Open does it, with a clock of the test's.
type tier struct {
	journal *journal.Journal
	cache   *cache.Cache
}

// openTier opens a till's files in dir, or a store's if till is zero.
func openTier(t *testing.T, dir string, store subjects.StoreID, till subjects.TillID, now func() time.Time) *tier {
	t.Helper()
	ring, err := seal.ParseRing("1 " + strings.Repeat("5a", seal.KeySize))
	must(t, err)
	e := &tier{}
	e.journal, err = journal.Open(journal.Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: store, Till: till,
		Kept: func(hs []record.Header) { e.cache.Overlay(hs) }, Now: now, Log: logger(t),
	})
	must(t, err)
	e.cache, err = cache.Open(cache.Config{Path: filepath.Join(dir, "cache.db"), Ring: ring, Now: now, Log: logger(t)})
	must(t, err)
	must(t, e.overlay())
	t.Cleanup(func() { e.close(t) })
	return e
}

func (e *tier) close(t *testing.T) {
	t.Helper()
	if err := e.journal.Close(); err != nil {
		t.Error(err)
	}
	if err := e.cache.Close(); err != nil {
		t.Error(err)
	}
}

// overlay gives the cache what the journal holds and the balances do not contain yet.
func (e *tier) overlay() error {
	for _, c := range e.journal.Chains() {
		for r, err := range e.journal.After(c.ID, e.cache.Counted(c.ID)) {
			if err != nil {
				return err
			}
			e.cache.Overlay([]record.Header{r.Header})
		}
	}
	return nil
}

// sweep lets go of what is posted and old, and gives how many records went.
func (e *tier) sweep(t *testing.T, now time.Time) int {
	t.Helper()
	n, err := e.journal.Sweep(now)
	must(t, err)
	return n
}

// settled is nil when the centre has posted all that the journal holds, and the overlay has ended.
func (e *tier) settled() error {
	if n, _ := e.journal.Unposted(); n > 0 {
		return fmt.Errorf("%d records are not posted", n)
	}
	if n, _ := e.journal.Unconfirmed(); n > 0 {
		return fmt.Errorf("%d records are not confirmed", n)
	}
	if n := e.cache.Len().Overlay; n > 0 {
		return fmt.Errorf("%d receipts are still in the overlay", n)
	}
	return nil
}

// count is an independent count of what a series of sales and returns leaves: debt is repaid by what
// comes later, so only the net counts.
type count map[record.AccountID]int64

// want is what the books must say of an account.
func (c count) want(a record.AccountID) (balance, debt int64) { return max(c[a], 0), max(-c[a], 0) }

// till sells.
type seller struct {
	tier *tier
	now  func() time.Time
	sold count
	rids []record.RID
	n    int
}

const shoppers = 700

func shopper(i int) record.AccountID {
	return record.AccountID{0: 0xac, 14: byte(i >> 8), 15: byte(i)}
}

// sell commits one receipt, of which one in eight is a return, and counts it.
func (s *seller) sell(t *testing.T) record.Receipt {
	t.Helper()
	s.n++
	now := s.now()
	h := record.Header{
		Kind: record.KindSale, Rules: 1, At: now.UnixMilli(), RID: record.NewRID(now),
		Account: shopper(s.n * 31 % shoppers), Points: int64(s.n%40 + 1),
		Day: uint32(now.Year()*10000 + int(now.Month())*100 + now.Day()),
	}
	if s.n%8 == 0 {
		h.Kind = record.KindReturn
	}
	body := fmt.Appendf(nil, `{"receipt":%q,"number":%d,"lines":[{"item":"20001","quantity":"1","amount":%d}],"tender":"cash"}`,
		h.RID, s.n, 100*h.Points)
	rec, repeated, err := s.tier.journal.Commit(t.Context(), record.Receipt{Header: h, Data: body})
	must(t, err)
	if repeated {
		t.Errorf("receipt %s is taken for a repeat", h.RID)
	}
	s.rids = append(s.rids, h.RID)
	if h.Kind == record.KindSale {
		s.sold[h.Account] += h.Points
	} else {
		s.sold[h.Account] -= h.Points
	}
	return rec
}

// knows wants a cache to tell an account's net points, posted and pending together.
func (s *seller) knows(t *testing.T, where string, c *cache.Cache) {
	t.Helper()
	for i := range shoppers {
		got, _, err := c.Shopper(shopper(i))
		must(t, err)
		if net := got.Balance - got.Debt + got.Pending; net != s.sold[shopper(i)] {
			t.Errorf("%s: account %d has balance %d, debt %d, pending %d; want %d in all",
				where, i, got.Balance, got.Debt, got.Pending, s.sold[shopper(i)])
		}
	}
}
