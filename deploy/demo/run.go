package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// run is one demo under way.
type run struct {
	cmd      *Command
	f        *fleet.Fleet
	receipts []sales.Receipt
	report   sales.Report
	out      io.Writer
	log      *slog.Logger

	drive  *drive
	watch  *watch
	before uint64 // repeats in the books before this run
}

// play starts the chain, feeds it, settles it and checks it.
func (r *run) play(ctx context.Context, speed float64) error {
	start, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	if err := r.f.Ready(start); err != nil {
		return err
	}
	if err := writeEndpoints(r.cmd.Endpoints, r.f); err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%d stores with %d tills each, a centre of %d nodes; %d receipts of %d lines\n",
		len(r.f.Stores()), len(r.f.Store(0).Tills()), len(r.f.Centre()), len(r.receipts), r.report.LinesRead)
	fmt.Fprintf(r.out, "a till in the browser: %s\n  its token: %s\n", pageURL(r.f.Tills()[0].URL(), r.receipts), fleet.Token())
	if r.cmd.Flow {
		if err := r.putFlow(ctx); err != nil {
			return err
		}
	}
	before, err := r.totals(ctx)
	if err != nil {
		return err
	}
	r.before = before.Repeats
	var q *quotes
	if r.cmd.Quotes {
		goods := sales.Goods(r.receipts)
		if err := r.putProgramme(ctx, goods); err != nil {
			return err
		}
		q = newQuotes(r.receipts, goods)
	}
	r.drive = newDrive(r.f, r.receipts, speed, q)
	if r.watch, err = newWatch(r.f, r.drive); err != nil {
		return err
	}
	defer r.watch.close()
	began := time.Now()
	if err := r.feed(ctx); err != nil {
		return err
	}
	if r.cmd.Faults { // a centre node that has crashed answers at another address
		if err := writeEndpoints(r.cmd.Endpoints, r.f); err != nil {
			return err
		}
	}
	settle, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	if err := r.f.Settle(settle); err != nil {
		return err
	}
	figures, differs := r.figures(ctx, time.Since(began))
	r.print(figures)
	if err := r.write(ctx, figures); err != nil {
		return errors.Join(differs, err)
	}
	if r.cmd.Exit || differs != nil || ctx.Err() != nil {
		return differs
	}
	r.invite()
	<-ctx.Done()
	return nil
}

// feed gives the receipts to the tills, with faults if asked, and shows how it goes.
func (r *run) feed(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	watching, seen := context.WithCancel(ctx)
	p := newProgress(r.out, r.f, r.drive)
	wg.Go(func() { p.run(watching) })
	if r.cmd.Faults {
		wg.Go(func() {
			if err := (&faults{f: r.f, drive: r.drive, say: p.say}).run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	r.drive.run(ctx)
	seen()
	wg.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (r *run) invite() {
	node := r.f.Centre()[0].Node()
	till := r.f.Tills()[0]
	fmt.Fprintf(r.out, `
The chain goes on until Ctrl-C. Ask a till for a card:
  curl -s %s/v1/lookups -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '{"identifier":{"kind":"card","value":"%s"}}'
Ask the centre:
  tillstream ops --centre %s books verify
  tillstream ops --centre %s status
`, till.URL(), fleet.Token(), r.anyCustomer(), node.URL(), node.URL())
	if r.cmd.Flow {
		fmt.Fprintf(r.out, `See the event flow at work:
  tillstream ops --centre %s flow
  tillstream ops --centre %s trace RID-OF-A-RECEIPT
`, node.URL(), node.URL())
	}
}

func (r *run) anyCustomer() string {
	for i := range r.receipts {
		if c := r.receipts[i].Customer; c != "" {
			return c
		}
	}
	return "1"
}
