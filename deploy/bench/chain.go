package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/deploy/fleet"
)

// The chain that is measured, and how hard it is driven.
const (
	chainStores  = 4
	chainTills   = 2  // in each store
	chainCallers = 64 // sales under way at each till
)

// bareBaseline names what chain and centre are held to.
const bareBaseline = "bare R3 publishes, window 1,024"

// chain measures the whole chain: from the first question to a till until the books have the last receipt.
// Each till and store has a disk of its own in a chain of shops, so their files lie in memory; then again
// with everything on the one disk, which measures that disk's fsync.
func (b *bench) chain(ctx context.Context) ([]Result, error) {
	var results []Result
	if b.place.memory == "" {
		b.note("there is no file system in memory here: only everything on one disk")
	} else {
		edge, err := b.place.inMemory("chain")
		if err != nil {
			return nil, err
		}
		got, err := b.chainOn(ctx, "chain", edge, b.rounds, ratioAtLeast(0.25))
		results = append(results, got...)
		if err != nil {
			return results, err
		}
	}
	got, err := b.chainOn(ctx, "chain_one_disk", "", (b.rounds+1)/2, goal{})
	return append(results, got...), err
}

// chainOn measures with the edge nodes' files in a directory; empty: beside the centre's.
func (b *bench) chainOn(ctx context.Context, name, edge string, rounds int, g goal) ([]Result, error) {
	bare, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := b.place.onDisk(name)
	if err != nil {
		return nil, err
	}
	f, err := openFleet(ctx, b, fleet.Config{Dir: dir, Edge: edge, Stores: chainStores, Tills: chainTills})
	if err != nil {
		return nil, err
	}
	results, err := b.chainRounds(ctx, name, f, bare, rounds, g)
	return results, errors.Join(err, f.Close())
}

func (b *bench) chainRounds(ctx context.Context, name string, f *fleet.Fleet, bare *bare, rounds int, g goal) ([]Result, error) {
	if err := label(ctx, f); err != nil {
		return nil, err
	}
	d := newDriver(f, &deck{receipts: b.receipts})
	defer d.close()
	n := b.size(10_000, 2000)
	ours := func(ctx context.Context) (float64, error) {
		took, err := d.run(ctx, d.make(n))
		return rate(n, took), err
	}
	base := func(ctx context.Context) (float64, error) {
		var bodies [][]byte
		for _, q := range d.make(n) {
			bodies = append(bodies, q.bodies...)
		}
		return bare.publish(ctx, bodies)
	}
	if _, err := d.run(ctx, d.make(n/4)); err != nil { // warms up: chains begin, pages are mapped
		return nil, err
	}
	p, err := b.alternate(ctx, rounds, ours, base)
	if err != nil {
		return nil, err
	}
	results := []Result{p.result(name, "receipts/s", bareBaseline, g)}
	todo := d.make(2 * n)
	stages, err := b.stages(ctx, name, func(ctx context.Context) (int, error) {
		_, err := d.run(ctx, todo)
		return 2 * n, err
	})
	return append(results, stages...), err
}

// label starts the edge nodes once more, under a profile label that all their goroutines inherit: so a
// profile tells a till's servers from a store's. What has no label is the centre's.
func label(ctx context.Context, f *fleet.Fleet) (err error) {
	as := func(tier string, e *fleet.Edge) {
		pprof.Do(ctx, pprof.Labels(tierLabel, tier), func(context.Context) { err = errors.Join(err, e.Restart()) })
	}
	for _, s := range f.Stores() {
		as("store", &s.Edge)
		for _, t := range s.Tills() {
			as("till", &t.Edge)
		}
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	return f.Ready(ctx)
}

// driver is the POS terminals of a fleet's tills.
type driver struct {
	f    *fleet.Fleet
	deck *deck
	pos  [][]*fleet.POS // by till
}

func newDriver(f *fleet.Fleet, deck *deck) *driver {
	d := &driver{f: f, deck: deck}
	for _, t := range f.Tills() {
		at := make([]*fleet.POS, chainCallers)
		for i := range at {
			at[i] = fleet.NewPOS(t.URL())
		}
		d.pos = append(d.pos, at)
	}
	return d
}

func (d *driver) close() {
	for _, at := range d.pos {
		for _, p := range at {
			_ = p.Close() // it has heard all it asked for
		}
	}
}

// make makes n receipts ready, by till.
func (d *driver) make(n int) []*questions {
	tills := d.f.Tills()
	out := make([]*questions, len(tills))
	for i := range out {
		out[i] = &questions{}
	}
	stores, each := len(d.f.Stores()), len(d.f.Store(0).Tills())
	for range n {
		r := d.deck.deal()
		s, t := r.Place(stores, each)
		at := s*each + t
		cfg := tills[at].Config()
		out[at].add(d.pos[at][0], &r, cfg.Store, cfg.Till)
	}
	return out
}

// run gives the questions to the tills, as fast as they answer, and gives the time until the books have
// them all. Then it waits until the chain has come to rest.
func (d *driver) run(ctx context.Context, todo []*questions) (time.Duration, error) {
	before, n := posted(d.f), 0
	for _, q := range todo {
		n += len(q.asks)
	}
	began := time.Now()
	if err := d.sell(ctx, todo); err != nil {
		return 0, err
	}
	err := until(ctx, time.Millisecond, "the books have all receipts", func() error {
		if got := posted(d.f) - before; got < uint64(n) {
			return fmt.Errorf("%d of %d", got, n)
		}
		return nil
	})
	took := time.Since(began)
	return took, errors.Join(err, d.f.Settle(ctx))
}

// sell asks all questions, each till's by so many callers at once.
func (d *driver) sell(ctx context.Context, todo []*questions) error {
	// The connections are watched under the context of the bench's part, which outlives the round.
	failed := make(chan error, 1)
	var stop atomic.Bool
	var wg sync.WaitGroup
	for i, q := range todo {
		var next atomic.Int64
		for _, pos := range d.pos[i] {
			wg.Go(func() {
				for k := next.Add(1) - 1; int(k) < len(q.asks) && !stop.Load(); k = next.Add(1) - 1 {
					a, err := pos.Ask(ctx, q.asks[k])
					if err == nil && !a.Kept() {
						err = fmt.Errorf("a till answers %d %.200s", a.Status, a.Body)
					}
					if err != nil {
						stop.Store(true)
						select {
						case failed <- err:
						default: // one is enough
						}
						return
					}
				}
			})
		}
	}
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// posted is how many receipts are in the books of the node that has come furthest.
func posted(f *fleet.Fleet) (most uint64) {
	for _, c := range f.Centre() {
		if n := c.Node(); n != nil {
			// Without an entry to wait for, Read does not wait and cannot fail.
			_ = n.Replica().Read(context.Background(), 0, func(uint64) { most = max(most, n.Books().Totals().Posted) })
		}
	}
	return most
}
