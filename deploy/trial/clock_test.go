package trial_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/edge/feed"
	"tillstream/edge/uplink"
	"tillstream/kv/record"
	"tillstream/subjects"
)

const (
	year  = 365 * day
	right = time.Duration(0)
)

// off is a clock that is so many nanoseconds ahead, or that stands still.
type off struct{ ahead, still atomic.Int64 }

// stopped, as what a clock is set to, makes it stand still where it is.
const stopped = time.Duration(math.MinInt64)

func (o *off) Now() time.Time {
	if at := o.still.Load(); at != 0 {
		return time.Unix(0, at)
	}
	return time.Now().Add(time.Duration(o.ahead.Load()))
}

func (o *off) set(d time.Duration) {
	if d == stopped {
		o.still.Store(o.Now().UnixNano())
		return
	}
	o.still.Store(0)
	o.ahead.Store(int64(d))
}

// outlet is a store and a till, each with a clock of its own, on lines that are up.
type outlet struct {
	seller
	centre           *centre
	id               subjects.StoreID
	dirs             [2]string
	till, store      *tier
	tillOff, shopOff off
	stopTill         func()
	stopStore        func()
}

func up() (uint64, bool) { return 1, true }

func openOutlet(t *testing.T, c *centre, id string, tillOff, shopOff time.Duration) *outlet {
	t.Helper()
	o := &outlet{centre: c, id: subjects.StoreID{Token: subjects.MustToken(id)}, dirs: [2]string{t.TempDir(), t.TempDir()}}
	o.tillOff.set(tillOff)
	o.shopOff.set(shopOff)
	o.seller = seller{now: o.tillOff.Now, sold: count{}}
	o.startStore(t)
	o.startTill(t)
	return o
}

func (o *outlet) startTill(t *testing.T) {
	t.Helper()
	l := subjects.Lane{Store: o.id, Till: first}
	o.till = openTier(t, o.dirs[0], o.id, first, o.tillOff.Now)
	o.tier = o.till
	o.stopTill = o.follow(t, o.till, l.Ingest(), l.FeedPull(), l.FeedChanged())
}

func (o *outlet) startStore(t *testing.T) {
	t.Helper()
	o.store = openTier(t, o.dirs[1], o.id, subjects.TillID{}, o.shopOff.Now)
	nc := o.centre.connect(t, "store")
	o.stopStore = o.follow(t, o.store, brand.Ingest(o.id), brand.FeedPull(o.id), brand.FeedChanged(o.id),
		uplink.NewIntake(uplink.IntakeConfig{Conn: nc, Store: o.id, Journal: o.store.journal, Log: logger(t)}).Run,
		feed.NewServer(feed.ServerConfig{Conn: nc, Store: o.id, Cache: o.store.cache, Log: logger(t)}).Run)
}

func (o *outlet) follow(t *testing.T, e *tier, ingest, pull, changed string, more ...func(context.Context) error) (stop func()) {
	t.Helper()
	nc := o.centre.connect(t, "edge")
	end := run(t, append(more,
		uplink.New(uplink.Config{Conn: nc, Subject: ingest, Journal: e.journal, Link: up, Log: logger(t)}).Run,
		feed.NewFollower(feed.FollowerConfig{Conn: nc, Pull: pull, Changed: changed, Cache: e.cache,
			Posted: e.journal.SetPosted, Dropped: e.overlay, Log: logger(t)}).Run)...)
	return func() { end(); e.close(t); nc.Close() }
}

// sellSome sells 25 receipts and lets both tiers sweep, which must take nothing that is not posted.
func (o *outlet) sellSome(t *testing.T) {
	t.Helper()
	for range 25 {
		o.sell(t)
	}
	o.till.sweep(t, o.tillOff.Now())
	o.store.sweep(t, o.shopOff.Now())
}

// Whatever the clocks of a till and its store say, before, at and after a start: sales go on, every
// receipt is posted once, and all tiers come to the same balances.
func TestClocksOfTheEdge(t *testing.T) {
	t.Parallel()
	c := openCentre(t)
	c.start(t, time.Now)
	const hour, decade = time.Hour, 10 * year
	ancient := -time.Since(time.Unix(-1e6, 0)) // before 1970
	table := []struct {
		name  string
		tills [3]time.Duration // at the first start, while it runs, at the second start
		shops [3]time.Duration
	}{
		{"all right", [3]time.Duration{}, [3]time.Duration{}},
		{"till an hour ahead", [3]time.Duration{hour, hour, hour}, [3]time.Duration{}},
		{"till an hour behind", [3]time.Duration{-hour, -hour, -hour}, [3]time.Duration{}},
		{"till ten years ahead", [3]time.Duration{decade, decade, decade}, [3]time.Duration{}},
		{"till ten years behind", [3]time.Duration{-decade, -decade, -decade}, [3]time.Duration{}},
		{"till before 1970", [3]time.Duration{ancient, ancient, ancient}, [3]time.Duration{}},
		{"till backwards at boot", [3]time.Duration{right, right, -decade}, [3]time.Duration{}},
		{"till backwards at boot, by an hour", [3]time.Duration{right, right, -hour}, [3]time.Duration{}},
		{"till set right, from ahead", [3]time.Duration{decade, right, right}, [3]time.Duration{}},
		{"till set right, from behind", [3]time.Duration{-decade, right, right}, [3]time.Duration{}},
		{"till that leaps", [3]time.Duration{right, decade, -decade}, [3]time.Duration{}},
		{"till whose clock stops", [3]time.Duration{right, stopped, right}, [3]time.Duration{}},
		{"till whose clock stands still from the start", [3]time.Duration{stopped, stopped, stopped}, [3]time.Duration{}},
		{"store an hour ahead", [3]time.Duration{}, [3]time.Duration{hour, hour, hour}},
		{"store an hour behind", [3]time.Duration{}, [3]time.Duration{-hour, -hour, -hour}},
		{"store ten years behind", [3]time.Duration{}, [3]time.Duration{-decade, -decade, -decade}},
		{"store before 1970", [3]time.Duration{}, [3]time.Duration{ancient, ancient, ancient}},
		{"store whose clock stops", [3]time.Duration{}, [3]time.Duration{right, stopped, -hour}},
		{"store ten years ahead", [3]time.Duration{}, [3]time.Duration{decade, decade, decade}},
		{"store backwards at boot", [3]time.Duration{}, [3]time.Duration{right, right, -decade}},
		{"store that leaps", [3]time.Duration{}, [3]time.Duration{right, decade, -decade}},
		{"each its own", [3]time.Duration{hour, -decade, decade}, [3]time.Duration{-decade, hour, right}},
	}
	for i, clocks := range table {
		t.Run(clocks.name, func(t *testing.T) {
			o := openOutlet(t, c, fmt.Sprintf("%04d", i+1), clocks.tills[0], clocks.shops[0])
			o.sellSome(t)
			o.tillOff.set(clocks.tills[1])
			o.shopOff.set(clocks.shops[1])
			o.sellSome(t)
			o.stopTill()
			o.stopStore()
			o.tillOff.set(clocks.tills[2])
			o.shopOff.set(clocks.shops[2])
			o.startStore(t)
			o.startTill(t)
			o.sellSome(t)
			o.check(t)
		})
	}
	// Its accounts are the same in all stores: the sums are checked by the books' own laws.
	must(t, c.replica.Read(t.Context(), 0, func(uint64) {
		if got, want := c.books.Totals(), uint64(len(table)*75); got.Posted != want || got.Repeats != 0 || got.Incidents != 0 {
			t.Errorf("posted %d, repeats %d, incidents %d; want %d, 0 and 0", got.Posted, got.Repeats, got.Incidents, want)
		}
	}))
}

// check wants all that the outlet sold to be posted, and to be known where it was sold.
func (o *outlet) check(t *testing.T) {
	t.Helper()
	await(t, "till", time.Minute, o.till.settled)
	await(t, "store", time.Minute, o.store.settled)
	must(t, o.centre.replica.Read(t.Context(), 0, func(uint64) {
		for _, rid := range o.rids {
			if !o.centre.books.Posted(rid) {
				t.Errorf("receipt %s is not posted", rid)
			}
		}
	}))
	for where, e := range map[string]*tier{"till": o.till, "store": o.store} {
		await(t, "balances at the "+where, time.Minute, func() error { return o.level(e) })
	}
}

// level is nil when a tier knows of every account what the centre knows.
func (o *outlet) level(e *tier) (err error) {
	return errors.Join(err, o.centre.replica.Read(context.Background(), 0, func(uint64) {
		for a := range o.sold {
			want, _ := o.centre.books.Shopper(a)
			got, _, failed := e.cache.Shopper(a)
			if failed != nil || got.Balance != want.Balance || got.Debt != want.Debt || got.Pending != 0 {
				err = fmt.Errorf("account %s has balance %d, debt %d, pending %d, error %w; the centre has %d and %d",
					a, got.Balance, got.Debt, got.Pending, failed, want.Balance, want.Debt)
			}
		}
	}))
}

// give sends a pack of a chain to the centre and wants it taken.
func (c *centre) give(t *testing.T, ch *chain, pack []record.Receipt) {
	t.Helper()
	nc := c.connect(t, "pack")
	defer nc.Close()
	await(t, "take a pack", time.Minute, func() error {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		defer cancel()
		m, err := nc.RequestWithContext(ctx, brand.Ingest(ch.start.Store), (&record.Pack{Runs: []record.Run{record.PackRun(pack)}}).Append(nil))
		if err != nil {
			return err
		}
		marks, err := record.ReadMarks(m.Data)
		if err == nil && (len(marks) != 1 || marks[0].Posted != ch.tip.Seq) {
			err = fmt.Errorf("marks %+v", marks)
		}
		return err
	})
}

// once makes a chain of one receipt with a rid that is given.
func once(till int, rid record.RID) (*chain, []record.Receipt) {
	ch := begin(shop, till)
	pack := append(ch.pack(0), ch.extend(record.Receipt{Header: record.Header{
		Kind: record.KindSale, Day: 20260302, Rules: 1, RID: rid, Account: shopper(1), Points: 5}, Data: []byte("a body")}))
	return ch, pack
}

// A rid is remembered by the time of its posting, not by the time in it, which a wrong clock has drawn:
// neither forgotten at once because it looks old, nor for ever because it looks new.
func TestRIDOfAWrongClock(t *testing.T) {
	t.Parallel()
	for name, drawn := range map[string]time.Duration{"ten years ago": -10 * year, "in ten years": 10 * year, "now": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, clock := openCentre(t), &off{}
			c.start(t, clock.Now)
			rid := record.NewRID(time.Now().Add(drawn))
			totals := func(posted, repeats uint64) {
				t.Helper()
				must(t, c.replica.Read(t.Context(), 0, func(uint64) {
					if got := c.books.Totals(); got.Posted != posted || got.Repeats != repeats {
						t.Errorf("posted %d, repeats %d; want %d and %d", got.Posted, got.Repeats, posted, repeats)
					}
				}))
			}
			till := 1
			for _, step := range []struct{ passed, posted, repeats int }{
				{0, 1, 0}, {0, 1, 1}, {44, 1, 2}, {44, 1, 3}, // remembered from its last repeat on
				{52, 2, 3}, // forgotten, as any other: memory is bounded
			} {
				clock.set(time.Duration(clock.ahead.Load()) + time.Duration(step.passed)*day)
				ch, pack := once(till, rid)
				till++
				c.give(t, ch, pack)
				totals(uint64(step.posted), uint64(step.repeats))
			}
		})
	}
}

// checkTime wants the times of the journal's entries never to go back, and none to be ahead of until.
func (c *centre) checkTime(t *testing.T, until time.Time) {
	t.Helper()
	var last int64
	for _, e := range c.journal(t) {
		if e.At < last {
			t.Errorf("entry %d is of %s, the one before it of %s", e.Number, time.UnixMilli(e.At), time.UnixMilli(last))
		}
		if ahead := time.UnixMilli(e.At).Sub(until); ahead > 2*time.Second {
			t.Errorf("entry %d of term %d, with %d proposals, is %s ahead of the time", e.Number, e.Term, len(e.Proposals), ahead)
		}
		last = e.At
	}
}

// The only node of a centre is told by nobody that its clock is wrong: receipts are posted all the same,
// and while the clock is behind what the journal has seen, its time stands still.
func TestClockOfALoneCentreGoesBack(t *testing.T) {
	t.Parallel()
	c, clock := openCentre(t), &off{}
	c.start(t, clock.Now)
	ch := begin(shop, 1)
	for _, d := range []time.Duration{0, -time.Hour, -10 * year, time.Hour, stopped, right} {
		clock.set(d)
		for range 5 {
			c.give(t, ch, ch.pack(5))
		}
	}
	c.stop()
	clock.set(-10 * year) // backwards at boot
	c.start(t, clock.Now)
	c.give(t, ch, ch.pack(5))
	c.checkTime(t, time.Now().Add(time.Hour))
	must(t, c.replica.Read(t.Context(), 0, func(uint64) {
		if got := c.books.Totals(); got.Posted != 6*5*5+5 || got.Repeats != 0 {
			t.Errorf("posted %d, repeats %d; want %d and 0", got.Posted, got.Repeats, 6*5*5+5)
		}
	}))
}
