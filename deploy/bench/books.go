package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/central"
	"tillstream/central/fold"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// booksCallers post at once.
const booksCallers = 1024

// booksStores is over how many stores the callers' tills are spread.
const booksStores = 16

// booksReady is how many receipts lie ready for each caller before the clock starts, at most: what the
// baselines send lies ready too. Whoever needs more writes them as it goes.
const booksReady = 1000

// books measures the books alone: callers that each post one receipt and wait until the journal has it.
// The receipts have no bodies, so that a baseline moves the same bytes: a header, to one account of many.
func (b *bench) books(ctx context.Context) ([]Result, error) {
	bare, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	if err := bare.openAccounts(ctx); err != nil {
		return nil, err
	}
	f, err := b.centreOnly(ctx, "books", 1)
	if err != nil {
		return nil, err
	}
	results, err := b.booksRounds(ctx, f, bare)
	return results, errors.Join(err, f.Close())
}

func (b *bench) booksRounds(ctx context.Context, f *fleet.Fleet, bare *bare) ([]Result, error) {
	callers, err := newCallers(ctx, f)
	if err != nil {
		return nil, err
	}
	lasts := time.Duration(b.size(2000, 500)) * time.Millisecond
	seqs := make([][]uint64, casWorkers)
	for i := range seqs {
		seqs[i] = make([]uint64, accounts/casWorkers)
	}
	before := posted(f)
	header := callers[0].pen.sale(record.NewRID(time.Now()), card(1), 1, nil)
	callers[0].pen = newPen(callers[0].pen.store, callers[0].pen.till) // that record is not sent
	ours := func(ctx context.Context) (float64, error) {
		// As many as the last round took, and a half more.
		ready := min(booksReady, int(posted(f)-before)*3/2/len(callers)+16)
		before = posted(f)
		for _, c := range callers {
			c.write(ready)
		}
		return post(ctx, f, callers, lasts)
	}
	swap := func(ctx context.Context) (float64, error) { return bare.swap(ctx, lasts, seqs, header.Append(nil)) }
	if _, err := ours(ctx); err != nil { // warms up: every chain begins
		return nil, err
	}
	p, err := b.alternate(ctx, b.rounds, ours, swap)
	if err != nil {
		return nil, err
	}
	results := []Result{p.result("books", "receipts/s", "compare-and-set per account, R3, 64 workers", ratioAtLeast(10))}
	stages, err := b.stages(ctx, "books", func(ctx context.Context) (int, error) {
		before := posted(f)
		_, err := ours(ctx)
		return int(posted(f) - before), err
	})
	results = append(results, stages...)
	if err != nil {
		return results, err
	}
	pg, err := b.booksPostgres(ctx, header.Append(nil), ours, max(lasts, time.Second))
	return append(results, pg...), err
}

// booksPostgres compares with PostgreSQL, where it is installed.
func (b *bench) booksPostgres(ctx context.Context, entry []byte, ours func(context.Context) (float64, error), lasts time.Duration) ([]Result, error) {
	pg, why, err := b.openPostgres(ctx, entry)
	if err != nil {
		return nil, err
	}
	if pg == nil {
		b.note("no comparison with PostgreSQL: %s", why)
		return nil, nil
	}
	p, err := b.alternate(ctx, b.rounds, ours, func(ctx context.Context) (float64, error) { return pg.transact(ctx, lasts) })
	if err = errors.Join(err, pg.close()); err != nil {
		return nil, err
	}
	return []Result{p.result("books_postgresql", "receipts/s", "PostgreSQL transactions, 16 connections", ratioAtLeast(10))}, nil
}

// caller is a till that posts one receipt at a time.
type caller struct {
	pen   *pen
	rand  *rand.Rand
	ready []fold.Proposal // written and not yet posted
	seq   uint64          // of the last record posted
}

func newCallers(ctx context.Context, f *fleet.Fleet) ([]*caller, error) {
	out := make([]*caller, booksCallers)
	for i := range out {
		store, err := subjects.ParseStoreID(fmt.Sprintf("books%02d", i%booksStores))
		if err != nil {
			return nil, err
		}
		till, err := subjects.ParseTillID(fmt.Sprintf("%02d", i/booksStores))
		if err != nil {
			return nil, err
		}
		out[i] = &caller{pen: newPen(store, till), rand: rand.New(rand.NewPCG(uint64(i), 1))}
	}
	return out, ctx.Err()
}

// write makes so many receipts ready; with the first, the chain begins.
func (c *caller) write(n int) {
	for len(c.ready) < n {
		var recs []record.Receipt
		if c.pen.seq == 0 {
			recs = append(recs, c.pen.start())
		}
		recs = append(recs, c.pen.sale(record.NewRID(time.Now()), card(c.rand.Uint64N(accounts)), 7, nil))
		c.ready = append(c.ready, c.pen.pack(recs...).Proposal())
	}
}

// post posts for so long, at the node that writes, and gives receipts a second.
func post(ctx context.Context, f *fleet.Fleet, callers []*caller, lasts time.Duration) (float64, error) {
	n, err := writer(ctx, f)
	if err != nil {
		return 0, err
	}
	before := posted(f)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var done atomic.Int64
	began := time.Now()
	var wg sync.WaitGroup
	for _, c := range callers {
		wg.Go(func() {
			for time.Since(began) < lasts && ctx.Err() == nil {
				if err := c.post(ctx, n); err != nil {
					cancel(err)
					return
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	took := time.Since(began)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if got := posted(f) - before; got != uint64(done.Load()) {
		return 0, fmt.Errorf("the books have posted %d receipts, %d were answered", got, done.Load())
	}
	return rate(int(done.Load()), took), nil
}

// post posts one receipt.
func (c *caller) post(ctx context.Context, n *central.Node) error {
	c.write(1)
	p := c.ready[0]
	c.ready = c.ready[1:]
	if c.seq++; c.seq == 1 { // it begins the chain
		c.seq++
	}
	_, outcome, err := n.Replica().Propose(ctx, p)
	if err != nil {
		return err
	}
	marks, err := record.ReadMarks(outcome)
	if err == nil && (len(marks) != 1 || marks[0].Status != record.StatusHeld || marks[0].Held != c.seq) {
		err = fmt.Errorf("the books answer %+v to seq %d of chain %s", marks, c.seq, c.pen.chain)
	}
	return err
}

// writer waits until a node writes the journal, and gives it.
func writer(ctx context.Context, f *fleet.Fleet) (n *central.Node, err error) {
	err = until(ctx, 5*time.Millisecond, "a node writes the journal", func() error {
		c := f.Writer()
		if c == nil {
			return errors.New("nobody does")
		}
		if n = c.Node(); n == nil {
			return errors.New("it is down")
		}
		return nil
	})
	return n, err
}
