package trial_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/nats-io/nats.go"

	"tillstream/edge/feed"
	"tillstream/edge/uplink"
	"tillstream/subjects"
)

// bubble runs a test in virtual time, in a process of its own (see doc.go), whose files are in memory where
// there is a place for that: thirty thousand fsyncs are not what it is about.
func bubble(t *testing.T, f func(*testing.T)) {
	t.Helper()
	const memory = "/dev/shm"
	env := []string{"GOMAXPROCS=1"} // its goroutines run one at a time anyway
	if info, err := os.Stat(memory); err == nil && info.IsDir() {
		env = append(env, "TMPDIR="+memory)
	}
	if !apart(t, nil, env...) {
		return
	}
	ats.Register() // the server's clock, which must not be made within
	defer ats.Unregister()
	synctest.Test(t, f)
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// offline is a store and its till, each behind a line that is down.
type offline struct {
	*centre
	seller
	till, store *tier
	lan, wan    *line
	stopEdge    func()
}

func openOffline(t *testing.T) *offline {
	t.Helper()
	o := &offline{centre: openCentre(t)}
	o.till = openTier(t, t.TempDir(), shop, first, nil)
	o.store = openTier(t, t.TempDir(), shop, subjects.TillID{}, nil)
	o.seller = seller{tier: o.till, now: time.Now, sold: count{}}
	o.lan = stand(t, o.connect(t, "lan"), "lan", lane.Ingest(), lane.FeedPull())
	o.wan = stand(t, o.connect(t, "wan"), "wan", brand.Ingest(shop), brand.FeedPull(shop))
	at, up := o.connect(t, "till"), o.connect(t, "store")
	follow := func(e *tier, nc *nats.Conn, pull, changed string) *feed.Follower {
		// Once a minute, and not once a second: what comes sooner is poked, and a fortnight has few minutes.
		return feed.NewFollower(feed.FollowerConfig{Conn: nc, Pull: pull, Changed: changed, Cache: e.cache,
			Posted: e.journal.SetPosted, Dropped: e.overlay, Every: time.Minute, Log: logger(t)})
	}
	stop := run(t,
		uplink.New(uplink.Config{Conn: at, Subject: "lan.ingest", Journal: o.till.journal, Link: o.lan.link, Wait: 2 * time.Second, Log: logger(t)}).Run,
		follow(o.till, at, "lan.feed", lane.FeedChanged()).Run,
		uplink.NewIntake(uplink.IntakeConfig{Conn: up, Store: shop, Journal: o.store.journal, Log: logger(t)}).Run,
		feed.NewServer(feed.ServerConfig{Conn: up, Store: shop, Cache: o.store.cache, Log: logger(t)}).Run,
		uplink.New(uplink.Config{Conn: up, Subject: "wan.ingest", Journal: o.store.journal, Link: o.wan.link, Log: logger(t)}).Run,
		follow(o.store, up, "wan.feed", brand.FeedChanged(shop)).Run)
	o.stopEdge = func() { stop(); at.Close(); up.Close(); o.lan.nc.Close(); o.wan.nc.Close() }
	return o
}

// sellFor sells 2,000 receipts a day, evenly.
func (o *offline) sellFor(t *testing.T, days int) {
	t.Helper()
	const aDay = 2000
	for range days * aDay {
		pass(day / aDay)
		o.sell(t)
	}
}

// A store that was cut off for two weeks, and a till that was cut off from its store for the first of
// them, lose nothing when they are back, although every answer is lost once.
func TestTwoWeeksOffline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := openOffline(t)
		o.sellFor(t, 7)
		o.knows(t, "till after a week alone", o.till.cache)
		if n := o.store.cache.Len().Overlay; n != 0 {
			t.Errorf("the store knows of %d receipts, although its till is cut off", n)
		}
		o.lan.heal()
		o.sellFor(t, 7)
		pass(time.Hour)
		o.knows(t, "till after two weeks", o.till.cache)
		o.knows(t, "store after two weeks", o.store.cache)
		if n, _ := o.store.journal.Unconfirmed(); n < 28_000 {
			t.Errorf("%d records wait in the store, want 28,000 and the starts of their chains", n)
		}

		o.start(t, time.Now)
		o.wan.heal()
		await(t, "till", time.Hour, o.till.settled)
		await(t, "store", time.Hour, o.store.settled)
		o.checkPosted(t, 28_000, o.sold)
		o.checkMarks(t)
		o.knows(t, "till when all is posted", o.till.cache)
		o.knows(t, "store when all is posted", o.store.cache)
		o.lan.check("till to store")
		o.wan.check("store to centre")
		o.checkKept(t)
	})
}

// checkMarks wants all three tiers to say the same of every chain.
func (o *offline) checkMarks(t *testing.T) {
	t.Helper()
	chains := o.till.journal.Chains()
	if len(chains) != 2 {
		t.Errorf("the till has %d chains, want 2: one a week", len(chains))
	}
	held := map[string]bool{}
	for _, e := range []*tier{o.till, o.store} {
		for _, c := range e.journal.Chains() {
			held[c.ID.String()] = true
			m := o.books.Mark(c.ID, shop)
			if c.Confirmed != c.Tip.Seq || c.Posted != c.Tip.Seq || m.Posted != c.Tip.Seq || m.Hash != c.Tip.Hash {
				t.Errorf("chain %s: tip %d, confirmed %d, posted %d, the centre says %d", c.ID, c.Tip.Seq, c.Confirmed, c.Posted, m.Posted)
			}
		}
	}
	if len(held) != len(chains) {
		t.Errorf("till and store have %d chains, want the till's %d", len(held), len(chains))
	}
}

// checkKept wants what is posted to stay for 35 days, and then to go.
func (o *offline) checkKept(t *testing.T) {
	t.Helper()
	o.stop()
	o.stopEdge()
	newest := o.till.journal.Chains()[1]
	pass(20 * day) // the first chain ended 27 days ago
	for _, e := range []*tier{o.till, o.store} {
		if n := e.sweep(t, time.Now()); n > 0 {
			t.Errorf("%d records are swept before they are 35 days old", n)
		}
	}
	pass(16 * day)
	o.till.sweep(t, time.Now())
	o.store.sweep(t, time.Now())
	if left := o.till.journal.Chains(); len(left) != 1 || left[0].ID != newest.ID {
		t.Errorf("the till keeps %d chains, want its newest alone", len(left))
	}
	if left := o.store.journal.Chains(); len(left) != 0 {
		t.Errorf("the store keeps %d chains, want none", len(left))
	}
}
