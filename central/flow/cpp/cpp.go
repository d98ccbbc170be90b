package cpp

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/books"
	"tillstream/central/flow"
	"tillstream/central/replica"
	"tillstream/subjects/event"
)

// Config says what CPP reads.
type Config struct {
	Replica *replica.Replica
	Books   *books.Books // read under the replica's lock
	Items   Items        // the item master; nil: lines have the categories that the POS sent
	Key     []byte       // from which the codes of rewards follow: secret, and the same on every node of the brand
}

// CPP is the component on one node.
type CPP struct {
	b         flow.Base
	cfg       Config
	goods     goods
	find      records
	standings *flow.Standings
	endings   *flow.Endings
	receipts  prometheus.Counter
	behind    prometheus.Gauge

	// Owned by Run.
	cursor saved
}

// New makes a CPP.
func New(b flow.Base, cfg Config) *CPP {
	b.Log = b.Log.With("stage", event.CPP.String())
	c := &CPP{
		b: b, cfg: cfg, goods: goods{cfg.Items}, standings: flow.NewStandings(b, cfg.Key),
		receipts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "tillstream_cpp_receipts_total", Help: "Posted receipts that CPP has worked through on this node, also again."}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_cpp_behind_entries", Help: "Entries of the journal that CPP has still to read, where this node writes; else 0."}),
	}
	if b.Registry != nil {
		b.Registry.MustRegister(c.receipts, c.behind)
	}
	c.find = c.story
	c.endings = flow.NewEndings(b, c.standings, event.CPP, 2, c.writes)
	return c
}

// writes reports whether this node writes the journal.
func (c *CPP) writes() bool {
	s := c.cfg.Replica.Status()
	return s.Writer != "" && s.Writer == s.Node.String()
}

// Run counts what is posted, and closes cycles, until ctx ends.
func (c *CPP) Run(ctx context.Context) error {
	if err := c.b.Docs.Wait(ctx); err != nil {
		return nil // it has ended before it began
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = c.endings.Run(ctx) }) // it gives none
	defer wg.Wait()
	for n := 0; ctx.Err() == nil; n++ {
		worked, err := c.work(ctx)
		if worked || err == nil {
			n = 0
		}
		if ctx.Err() != nil {
			break
		}
		switch {
		case err == nil:
		case n == stuck:
			c.b.Log.Warn("receipts are not counted: tries on", "tries", n, "err", err)
		default:
			c.b.Log.Debug("reads posted receipts again", "err", err)
		}
		flow.Sleep(ctx, idle(n, err))
	}
	return nil
}

// stuck is after how many tries a person should look.
const stuck = 10

// idle is how long a node rests that does not write, or for which something failed.
func idle(n int, err error) time.Duration {
	if err == nil {
		return 100 * time.Millisecond
	}
	d := min(20*time.Millisecond<<min(n, 8), 5*time.Second)
	return d + rand.N(d/2)
}

// work follows history from the cursor for as long as this node writes. It gives whether it has counted something.
func (c *CPP) work(ctx context.Context) (worked bool, err error) {
	if !c.writes() {
		return false, nil
	}
	c.standings.Forget() // another node may have worked since
	if err := c.load(ctx); err != nil {
		return false, err
	}
	f := &follower{c: c}
	defer func() {
		c.behind.Set(0)
		// A cursor that is not kept costs the next one a few receipts to read again.
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastSave)
		defer cancel()
		if e := c.save(last); e != nil {
			err = errors.Join(err, e)
		}
	}()
	for ctx.Err() == nil && c.writes() {
		more, err := f.next(ctx)
		if err != nil {
			return worked, err
		}
		worked = worked || more
	}
	return worked, nil
}

const (
	saveEvery = time.Second
	lastSave  = 2 * time.Second
	// restEvery is how often the cursor says, when nothing comes, until when nothing has come.
	restEvery = 10 * time.Second
)
