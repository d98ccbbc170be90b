package fleet_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

const (
	callers  = 4                     // at each till
	tryAgain = 10 * time.Millisecond // of a POS whose till does not answer
)

// load is receipts being sold, in their order at each till, while something happens to the fleet.
type load struct {
	t        *testing.T
	f        *fleet.Fleet
	client   *http.Client
	receipts []sales.Receipt
	every    time.Duration // zero: as fast as tills answer
	sold     atomic.Int64  // receipts that tills have kept
	again    atomic.Int64  // tries that were answered otherwise
	cancel   context.CancelFunc
	begun    int // receipts that were taken up; valid when wg is done
	wg       sync.WaitGroup
}

// selling posts receipts to the fleet's tills, one every so often, each until it is kept, until all are
// or stop is called. A till that is down keeps its own shoppers waiting and no others.
func selling(t *testing.T, f *fleet.Fleet, every time.Duration, receipts []sales.Receipt) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{
		t: t, f: f, receipts: receipts, every: every, cancel: cancel,
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}},
	}
	queues := map[*fleet.Till]chan *sales.Receipt{}
	for _, till := range f.Tills() {
		queue := make(chan *sales.Receipt, len(receipts))
		queues[till] = queue
		for range callers {
			l.wg.Go(func() {
				for r := range queue {
					l.post(till, r)
				}
			})
		}
	}
	l.wg.Go(func() {
		l.feed(ctx, queues)
		for _, queue := range queues {
			close(queue)
		}
	})
	t.Cleanup(func() {
		cancel()
		l.wg.Wait()
		l.client.CloseIdleConnections()
	})
	return l
}

// feed gives each receipt to its till's queue, which has room for all.
func (l *load) feed(ctx context.Context, queues map[*fleet.Till]chan *sales.Receipt) {
	var pace <-chan time.Time
	if l.every > 0 {
		tick := time.NewTicker(l.every)
		defer tick.Stop()
		pace = tick.C
	}
	for i := range l.receipts {
		if pace != nil {
			select {
			case <-pace:
			case <-ctx.Done():
				return
			}
		}
		r := &l.receipts[i]
		store, till := r.Place(len(l.f.Stores()), len(l.f.Store(0).Tills()))
		queues[l.f.Store(store).Till(till)] <- r
		l.begun = i + 1
	}
}

// post asks a till until it has kept the receipt.
func (l *load) post(at *fleet.Till, r *sales.Receipt) {
	for {
		a, err := at.Sell(l.t.Context(), l.client, r)
		switch {
		case err == nil && a.Kept():
			l.sold.Add(1)
			return
		case err == nil && a.Status < http.StatusInternalServerError:
			l.t.Errorf("receipt %s: %d %s", r.Number, a.Status, a.Body)
			return
		}
		l.again.Add(1)
		select {
		case <-time.After(tryAgain):
		case <-l.t.Context().Done():
			return
		}
	}
}

// reach waits until so many receipts are kept.
func (l *load) reach(n int) {
	l.t.Helper()
	await(l.t, "sell", func() error {
		if got := int(l.sold.Load()); got < min(n, len(l.receipts)) {
			return fmt.Errorf("%d receipts are kept, want %d", got, n)
		}
		return nil
	})
}

// more waits until so many more are kept.
func (l *load) more(n int) {
	l.t.Helper()
	l.reach(int(l.sold.Load()) + n)
}

// stop sells no more, and gives what is sold.
func (l *load) stop() []sales.Receipt {
	l.cancel()
	l.wg.Wait()
	return l.receipts[:l.begun]
}

// wait sells the rest, and gives how many tries it took more than there are receipts.
func (l *load) wait() (again int) {
	l.wg.Wait()
	return int(l.again.Load())
}

// sell sells receipts; see load.wait.
func sell(t *testing.T, f *fleet.Fleet, receipts []sales.Receipt) (again int) {
	t.Helper()
	return selling(t, f, 0, receipts).wait()
}
