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
	callers  = 16                    // who sell at once
	tryAgain = 10 * time.Millisecond // a POS whose till does not answer
)

// load is receipts being sold, in their order, while something happens to the fleet.
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

// selling posts receipts to the fleet's tills, one every so often, until each is kept or stop is called.
func selling(t *testing.T, f *fleet.Fleet, every time.Duration, receipts []sales.Receipt) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{
		t: t, f: f, receipts: receipts, every: every, cancel: cancel,
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}},
	}
	next := make(chan *sales.Receipt)
	for range callers {
		l.wg.Go(func() {
			for r := range next {
				l.post(r)
			}
		})
	}
	l.wg.Go(func() {
		defer close(next)
		l.feed(ctx, next)
	})
	t.Cleanup(func() {
		cancel()
		l.wg.Wait()
		l.client.CloseIdleConnections()
	})
	return l
}

func (l *load) feed(ctx context.Context, next chan<- *sales.Receipt) {
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
		select {
		case next <- &l.receipts[i]:
			l.begun = i + 1
		case <-ctx.Done():
			return
		}
	}
}

// post asks its till until it has kept the receipt.
func (l *load) post(r *sales.Receipt) {
	store, till := r.Place(len(l.f.Stores()), len(l.f.Store(0).Tills()))
	at := l.f.Store(store).Till(till)
	body := r.Body(at.Config().Store.String(), at.Config().Till.String(), r.Customer)
	for {
		a, err := fleet.Post(l.t.Context(), l.client, at.URL(), r.Return, r.RID, body)
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
