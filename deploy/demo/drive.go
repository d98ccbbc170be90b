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
	quotes   *quotes // nil: nothing is quoted
	began    time.Time

	kept     atomic.Int64 // receipts that a till has answered for
	repeated atomic.Int64 // of them, those that it had from before
	refused  atomic.Int64
	silent   atomic.Int64   // receipts that no till has answered for in answerWithin
	started  []atomic.Int64 // per receipt: Unix nanoseconds of its first post
	answered []atomic.Int64 // per receipt: nanoseconds from there to the till's answer; zero: none

	mu   sync.Mutex
	said []string // guarded by mu: the first of what was not sold, and why
}

// callers is how many sales a till has under way at full speed. At a given rate it is the most.
const callers = 64

// quoting is the same where sales are quoted: a quote waits for a processor and not for a disk, and more callers
// than this would keep the links of all nodes, which are in this process too, from being looked after.
const quoting = 8

// answerWithin bounds the tries to sell one receipt: a till whose node has ended by itself, or whose disk
// is full, must not keep a run from its end.
const answerWithin = 5 * time.Minute

// maxSaid is how many refusals are named.
const maxSaid = 10

func newDrive(f *fleet.Fleet, receipts []sales.Receipt, speed float64, q *quotes) *drive {
	return &drive{
		f: f, receipts: receipts, speed: speed, quotes: q, began: time.Now(),
		started: make([]atomic.Int64, len(receipts)), answered: make([]atomic.Int64, len(receipts)),
	}
}

// done is how many receipts need nothing more from their POS.
func (d *drive) done() int64 { return d.kept.Load() + d.refused.Load() + d.silent.Load() }

// keptReceipts are those that tills have answered for: what the books must have.
func (d *drive) keptReceipts() []sales.Receipt {
	if int(d.kept.Load()) == len(d.receipts) {
		return d.receipts
	}
	var kept []sales.Receipt
	for i := range d.receipts {
		if d.answered[i].Load() != 0 {
			kept = append(kept, d.receipts[i])
		}
	}
	return kept
}

// count is an independent count of what the books must say.
func (d *drive) count() sales.Count {
	if d.quotes != nil {
		return d.quotes.offers.CountPoints(d.keptReceipts())
	}
	return sales.CountPoints(d.keptReceipts())
}

// run posts every receipt until a till has answered for it.
func (d *drive) run(ctx context.Context) {
	tills := d.f.Tills()
	queues, sizes := make([]chan int, len(tills)), make([]int, len(tills))
	for k := range d.receipts {
		sizes[d.place(k)]++
	}
	many := callers
	if d.quotes != nil {
		many = quoting
	}
	var wg sync.WaitGroup
	for i, t := range tills {
		queues[i] = make(chan int, sizes[i])
		for range many {
			wg.Go(func() {
				pos := fleet.NewPOS(t.URL())
				defer pos.Close() //nolint:errcheck // it has heard all it asked for
				var body []byte
				for k := range queues[i] {
					body = d.sell(ctx, pos, t, k, body[:0])
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
	for k := range d.receipts {
		if d.speed > 0 {
			due := d.began.Add(time.Duration(float64(k) / d.speed * float64(time.Second)))
			if !sleep(ctx, time.Until(due)) {
				return
			}
		}
		queues[d.place(k)] <- k
	}
}

// place is the number of the till that sells a receipt.
func (d *drive) place(k int) int {
	stores, tills := len(d.f.Stores()), len(d.f.Store(0).Tills())
	s, t := d.receipts[k].Place(stores, tills)
	return s*tills + t
}

// sell posts one receipt until the till has answered for it: a POS sends the same rid again, so a till
// that crashed in between keeps it once.
func (d *drive) sell(ctx context.Context, pos *fleet.POS, t *fleet.Till, k int, body []byte) []byte {
	r := &d.receipts[k]
	cfg := t.Config()
	body = r.AppendBody(body, cfg.Store.String(), cfg.Till.String(), r.Customer)
	if d.quotes != nil && d.quotes.costs[k].Quoted {
		return d.sellQuoted(ctx, pos, t, k, body)
	}
	d.start(k)
	if a, ok := d.ask(ctx, t, k, func() (fleet.Answer, error) { return pos.Post(ctx, r.Return, r.RID, body) }); ok {
		d.hear(k, t, a)
	}
	return body
}

// start notes when a receipt was first posted.
func (d *drive) start(k int) { d.started[k].CompareAndSwap(0, time.Now().UnixNano()) }

// ask asks until the till answers. False: it does not.
func (d *drive) ask(ctx context.Context, t *fleet.Till, k int, question func() (fleet.Answer, error)) (fleet.Answer, bool) {
	began := time.Now()
	for ctx.Err() == nil {
		a, err := question()
		switch {
		case err == nil && a.Status < http.StatusInternalServerError:
			return a, true
		case time.Since(began) > answerWithin:
			d.silent.Add(1)
			d.say(fmt.Sprintf("receipt %s: till %s does not take it: %d %s %v", d.receipts[k].Number, t.Name(), a.Status, a.Body, err))
			return a, false
		}
		sleep(ctx, 20*time.Millisecond) // the till is down: a POS tries again
	}
	return fleet.Answer{}, false
}

// hear counts what a till has answered to a receipt.
func (d *drive) hear(k int, t *fleet.Till, a fleet.Answer) {
	if !a.Kept() {
		d.refuse(k, t, a)
		return
	}
	d.answered[k].Store(time.Now().UnixNano() - d.started[k].Load())
	if a.Repeated() {
		d.repeated.Add(1)
	}
	d.kept.Add(1)
	if d.quotes != nil {
		d.quotes.committed(d, k, a.Body)
	}
}

func (d *drive) refuse(k int, t *fleet.Till, a fleet.Answer) {
	d.refused.Add(1)
	d.say(fmt.Sprintf("receipt %s: till %s answers %d %s", d.receipts[k].Number, t.Name(), a.Status, a.Body))
}

func (d *drive) say(text string) {
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
