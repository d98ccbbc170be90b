package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/kv/record"
)

// lonePause lets the chain come to rest between two receipts.
const lonePause = 5 * time.Millisecond

// lone measures receipts that find the chain idle: everything on the disk, the next one only when the one
// before is posted and announced.
func (b *bench) lone(ctx context.Context) ([]Result, error) {
	deck, err := b.ordinary()
	if err != nil {
		return nil, err
	}
	dir, err := b.place.onDisk("lone")
	if err != nil {
		return nil, err
	}
	f, err := openFleet(ctx, b, fleet.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	answered, posted, err := loneRounds(ctx, f, deck, b.size(1000, 50))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	row := func(name string, d []time.Duration, p float64) Result {
		return Result{Name: name, Value: millis(percentile(d, p)), Unit: "ms"}
	}
	return []Result{
		row("lone_answered_p50", answered, 50), row("lone_answered_p99", answered, 99),
		row("lone_posted_p50", posted, 50), row("lone_posted_p99", posted, 99),
	}, nil
}

// loneRounds posts so many receipts, and gives the times from the post to the answer and to the posted
// event, sorted.
func loneRounds(ctx context.Context, f *fleet.Fleet, deck *deck, n int) (answered, posted []time.Duration, err error) {
	heard := make(chan record.RID, 64)
	sub, err := f.Centre()[0].Node().Conn().Subscribe(f.Net().ReceiptsPosted(), func(m *nats.Msg) {
		id, _, _ := strings.Cut(m.Header.Get("ce-subject"), ".")
		if rid, err := record.ParseRID(id); err == nil {
			select {
			case heard <- rid:
			case <-ctx.Done():
			}
		}
	})
	if err != nil {
		return nil, nil, fmt.Errorf("hear posted receipts: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is closed with its node
	till := f.Tills()[0]
	pos := fleet.NewPOS(till.URL())
	defer pos.Close() //nolint:errcheck // it has heard all it asked for
	for range n {
		r := deck.deal()
		q := &questions{}
		q.add(pos, &r, till.Config().Store, till.Config().Till)
		start := time.Now()
		a, err := pos.Ask(ctx, q.asks[0])
		if err != nil || !a.Kept() {
			return nil, nil, fmt.Errorf("a till answers %d %.200s: %w", a.Status, a.Body, err)
		}
		answered = append(answered, time.Since(start))
		for got := (record.RID{}); got != r.RID; {
			select {
			case got = <-heard:
			case <-ctx.Done():
				return nil, nil, fmt.Errorf("wait for receipt %s to be posted: %w", r.RID, context.Cause(ctx))
			}
		}
		posted = append(posted, time.Since(start))
		sleep(ctx, lonePause)
	}
	slices.Sort(answered)
	slices.Sort(posted)
	return answered, posted, nil
}

// openFleet starts a fleet and waits until it works.
func openFleet(ctx context.Context, b *bench, cfg fleet.Config) (*fleet.Fleet, error) {
	cfg.Log = b.log
	f, err := fleet.Open(context.WithoutCancel(ctx), cfg) // it is closed by whoever opens it
	if err != nil {
		return nil, err
	}
	start, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if err := f.Ready(start); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
