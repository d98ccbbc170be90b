package demo

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// drive is the POS terminals of all tills.
type drive struct {
	f        *fleet.Fleet
	receipts []sales.Receipt
	speed    float64 // receipts a second; zero: as fast as they go
	began    time.Time

	kept     atomic.Int64 // receipts that a till has answered for
	repeated atomic.Int64 // of them, those that it had from before
	refused  atomic.Int64
	started  []atomic.Int64 // per receipt: Unix nanoseconds of its first post
	answered []atomic.Int64 // per receipt: nanoseconds from there to the till's answer; zero: none

	mu   sync.Mutex
	said []string // guarded by mu: the first refusals
}

// callers is how many sales a till has under way at full speed. At a given rate it is the most.
const callers = 64

// maxSaid is how many refusals are named.
const maxSaid = 10

func newDrive(f *fleet.Fleet, receipts []sales.Receipt, speed float64) *drive {
	return &drive{
		f: f, receipts: receipts, speed: speed, began: time.Now(),
		started: make([]atomic.Int64, len(receipts)), answered: make([]atomic.Int64, len(receipts)),
	}
}

// done is how many receipts need nothing more from their POS.
func (d *drive) done() int64 { return d.kept.Load() + d.refused.Load() }

// run posts every receipt until a till has answered for it.
func (d *drive) run(ctx context.Context) {
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	defer client.CloseIdleConnections()
	tills := d.f.Tills()
	queues := make([]chan int, len(tills))
	var wg sync.WaitGroup
	for i, t := range tills {
		queues[i] = make(chan int, len(d.receipts))
		for range callers {
			wg.Go(func() {
				var body []byte
				for k := range queues[i] {
					body = d.sell(ctx, client, t, k, body[:0])
				}
			})
		}
	}
	d.deal(ctx, queues)
	for _, q := range queues {
		close(q)
	}
	wg.Wait()
}

// deal hands the receipts to the tills, at the speed asked for.
func (d *drive) deal(ctx context.Context, queues []chan int) {
	stores, tills := len(d.f.Stores()), len(d.f.Store(0).Tills())
	for k := range d.receipts {
		if d.speed > 0 {
			due := d.began.Add(time.Duration(float64(k) / d.speed * float64(time.Second)))
			if !sleep(ctx, time.Until(due)) {
				return
			}
		}
		s, t := d.receipts[k].Place(stores, tills)
		queues[s*tills+t] <- k
	}
}

// sell posts one receipt until the till has answered for it: a POS sends the same rid again, so a till
// that crashed in between keeps it once.
func (d *drive) sell(ctx context.Context, client *http.Client, t *fleet.Till, k int, body []byte) []byte {
	r := &d.receipts[k]
	cfg := t.Config()
	body = r.AppendBody(body, cfg.Store.String(), cfg.Till.String(), r.Customer)
	start := time.Now()
	d.started[k].Store(start.UnixNano())
	for ctx.Err() == nil {
		a, err := fleet.Post(ctx, client, t.URL(), r.Return, r.RID, body)
		switch {
		case err == nil && a.Kept():
			d.answered[k].Store(int64(time.Since(start)))
			if a.Repeated() {
				d.repeated.Add(1)
			}
			d.kept.Add(1)
			return body
		case err == nil && a.Status < http.StatusInternalServerError:
			d.refuse(fmt.Sprintf("receipt %s: till %s answers %d %s", r.Number, t.Name(), a.Status, a.Body))
			return body
		}
		sleep(ctx, 20*time.Millisecond) // the till is down: a POS tries again
	}
	return body
}

func (d *drive) refuse(text string) {
	d.refused.Add(1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.said) < maxSaid {
		d.said = append(d.said, text)
	}
}

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
