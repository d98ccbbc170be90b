package trial_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/edge"
	"tillstream/edge/feed"
	"tillstream/edge/leaf"
	"tillstream/edge/uplink"
	"tillstream/subjects"
)

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time // guarded by mu
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// pass moves the clock; d may be negative.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// branch is a store and its till over real leafs, in the place of a fleet's own, with a clock of the
// test's: an edge node's configuration names no clock.
type branch struct {
	*fleet.Fleet
	seller
	till, store *tier
	clock       *clock
}

func openBranch(t *testing.T) *branch {
	t.Helper()
	f, err := fleet.Open(t.Context(), fleet.Config{Dir: t.TempDir(), Log: logger(t)})
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	must(t, f.Ready(t.Context()))
	s, at := f.Store(0), f.Store(0).Till(0)
	must(t, at.Crash())
	must(t, s.Crash())

	b := &branch{Fleet: f, clock: &clock{now: time.Now()}}
	b.store = openTier(t, t.TempDir(), s.Config().Store, subjects.TillID{}, b.clock.Now)
	b.till = openTier(t, t.TempDir(), s.Config().Store, at.Config().Till, b.clock.Now)
	b.seller = seller{tier: b.till, now: b.clock.Now, sold: count{}}
	lane := subjects.Lane{Store: s.Config().Store, Till: at.Config().Till}

	l, nc := join(t, s.Config(), subjects.StaysHere(), subjects.StoreInbox(lane.Store))
	b.start(t, b.store, l, nc, f.Net().Ingest(lane.Store), f.Net().FeedPull(lane.Store), f.Net().FeedChanged(lane.Store))
	run(t, uplink.NewIntake(uplink.IntakeConfig{Conn: nc, Store: lane.Store, Journal: b.store.journal, Log: logger(t)}).Run,
		feed.NewServer(feed.ServerConfig{Conn: nc, Store: lane.Store, Cache: b.store.cache, Log: logger(t)}).Run)
	l, nc = join(t, at.Config(), subjects.StaysOnTill(), lane.Inbox())
	b.start(t, b.till, l, nc, lane.Ingest(), lane.FeedPull(), lane.FeedChanged())
	return b
}

// join opens a node's leaf as edge.Open does.
func join(t *testing.T, cfg edge.Config, deny []string, inbox string) (*leaf.Leaf, *nats.Conn) {
	t.Helper()
	seed, err := os.ReadFile(cfg.UpstreamSeed)
	must(t, err)
	lc := leaf.Config{
		Name: "trial-" + cfg.Store.String() + "-" + cfg.Till.String(), Upstreams: cfg.Upstream,
		UpstreamSeed: strings.TrimSpace(string(seed)), Accept: cfg.Accept, DenyUp: deny, Log: logger(t),
	}
	for _, d := range cfg.Tills {
		u := leaf.User{Nkey: d.Nkey}
		u.Publish, u.Subscribe = subjects.Lane{Store: cfg.Store, Till: d.Till}.Permissions()
		lc.Downstream = append(lc.Downstream, u)
	}
	l, err := leaf.Open(lc)
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	nc, err := l.Connect(inbox)
	must(t, err)
	t.Cleanup(nc.Close)
	return l, nc
}

// start runs what moves a tier's records up and down.
func (b *branch) start(t *testing.T, e *tier, l *leaf.Leaf, nc *nats.Conn, ingest, pull, changed string) {
	t.Helper()
	run(t, l.Run,
		uplink.New(uplink.Config{Conn: nc, Subject: ingest, Journal: e.journal, Link: l.Link, Log: logger(t)}).Run,
		feed.NewFollower(feed.FollowerConfig{Conn: nc, Pull: pull, Changed: changed, Cache: e.cache,
			Posted: e.journal.SetPosted, Dropped: e.overlay, Log: logger(t)}).Run)
}

// sellFor sells n receipts evenly over days of the clock, and sweeps every day; that must take nothing.
func (b *branch) sellFor(t *testing.T, days, n int) {
	t.Helper()
	for i := range n {
		b.clock.pass(time.Duration(days) * day / time.Duration(n))
		b.sell(t)
		if i*days/n != (i+1)*days/n {
			if gone := b.till.sweep(t, b.clock.Now()) + b.store.sweep(t, b.clock.Now()); gone > 0 {
				t.Errorf("%d records were swept on day %d", gone, i*days/n)
			}
		}
	}
}

// settle waits until all that was sold is posted and known, and holds all nodes' books to the count.
func (b *branch) settle(t *testing.T) {
	t.Helper()
	await(t, "till", time.Minute, b.till.settled)
	await(t, "store", time.Minute, b.store.settled)
	await(t, "centre", time.Minute, func() error {
		for _, c := range b.Centre() {
			if at := c.Node().Replica().Status().Entry; at != b.Centre()[0].Node().Replica().Status().Entry {
				return fmt.Errorf("node %s is at entry %d, another is not", c.Name(), at)
			}
		}
		return nil
	})
	v, err := b.CheckBooks(t.Context())
	must(t, err)
	for _, n := range v.Nodes {
		if got := n.Totals; got.Posted != uint64(b.n) || got.Repeats != 0 || got.Incidents != 0 {
			t.Errorf("node %s: posted %d, repeats %d, incidents %d; want %d, 0 and 0", n.Node, got.Posted, got.Repeats, got.Incidents, b.n)
		}
	}
	node := b.Centre()[0].Node()
	must(t, node.Replica().Read(t.Context(), 0, func(uint64) {
		for i := range shoppers {
			s, _ := node.Books().Shopper(shopper(i))
			if balance, debt := b.sold.want(shopper(i)); s.Balance != balance || s.Debt != debt {
				t.Errorf("account %d: balance %d, debt %d; want %d and %d", i, s.Balance, s.Debt, balance, debt)
			}
		}
	}))
	b.knows(t, "till when all is posted", b.till.cache)
	b.knows(t, "store when all is posted", b.store.cache)
}

// held counts a tier's receipts after a number of sold ones.
func (e *tier) held(t *testing.T) (n int) {
	t.Helper()
	for _, c := range e.journal.Chains() {
		for _, err := range e.journal.After(c.ID, 1) {
			must(t, err)
			n++
		}
	}
	return n
}

// Two weeks and two months pass on the clock of a store and its till, whose leafs, lines and centre are
// real: what is not posted is kept however old it is, what is posted for 35 days.
func TestTwoWeeksOfflineOverLeafs(t *testing.T) {
	t.Parallel()
	b := openBranch(t)
	store, till := b.Store(0), b.Store(0).Till(0)
	b.sellFor(t, 1, 100)
	b.settle(t)

	store.Cut()
	till.Cut()
	b.sellFor(t, 7, 1400)
	till.Heal()
	b.sellFor(t, 7, 1400)
	await(t, "store", time.Minute, func() error {
		if n, _ := b.till.journal.Unconfirmed(); n > 0 {
			return fmt.Errorf("the till has %d records that the store does not have", n)
		}
		return nil
	})
	b.knows(t, "till after two weeks", b.till.cache)
	b.knows(t, "store after two weeks", b.store.cache)
	if n, _ := b.store.journal.Unposted(); n < 2800 {
		t.Errorf("%d records are not posted, want the 2,800 of two weeks at least", n)
	}
	store.Heal()
	b.settle(t)

	// On the 33rd day the WAN is cut again, and the clocks go on: from here on what was posted may be
	// swept when it is 35 days old, and what is sold now may not.
	b.clock.pass(18 * day)
	store.Cut()
	b.sellFor(t, 1, 50)
	b.clock.pass(36 * day)
	waiting := 50
	await(t, "store", time.Minute, func() error {
		if n, _ := b.till.journal.Unconfirmed(); n > 0 {
			return errors.New("the store does not have all")
		}
		return nil
	})
	for what, e := range map[string]*tier{"till": b.till, "store": b.store} {
		if e.sweep(t, b.clock.Now()) == 0 {
			t.Errorf("%s: nothing is swept, although all of two weeks is posted and 35 days old", what)
		}
		if n := e.held(t); n != waiting {
			t.Errorf("%s: %d receipts are left, want the %d that are not posted", what, n, waiting)
		}
		if n := e.sweep(t, b.clock.Now()); n > 0 {
			t.Errorf("%s: %d records more are swept", what, n)
		}
	}
	store.Heal()
	b.settle(t)
	b.clock.pass(36 * day)
	b.store.sweep(t, b.clock.Now())
	if n := b.store.held(t); n > 0 {
		t.Errorf("store: %d receipts are left, although all is posted and old", n)
	}
}
