package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
)

const (
	callers    = 3                     // sales that a till may have under way
	tryAgain   = 50 * time.Millisecond // after one that was not answered
	atATime    = 1000                  // receipts that are generated together
	lookWithin = 10 * time.Second      // of a look-up, all in all
)

// place is where the till is.
func (n *node) place() laws.Place { return laws.Place{Store: n.store, Till: n.till} }

// drive sells at a till until ctx ends: a receipt every so often, as long as a caller is free. When ctx has
// ended, those under way are posted until the till answers for them or last ends.
func (w *world) drive(ctx, last context.Context, n *node, every time.Duration) {
	next := make(chan *sales.Receipt)
	for range callers {
		w.wg.Go(func() {
			for r := range next {
				w.sell(last, n, r)
			}
		})
	}
	w.wg.Go(func() {
		defer close(next)
		tick := time.NewTicker(every)
		defer tick.Stop()
		index := uint64(n.target.store*1000 + n.target.till)
		for batch := uint64(0); ; batch++ {
			receipts := sales.Generate(atATime, w.cfg.Seed<<32^index<<16^batch, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
			for i := range receipts {
				select {
				case <-tick.C:
				case <-ctx.Done():
					return
				}
				select {
				case next <- &receipts[i]:
				case <-ctx.Done():
					return
				}
			}
		}
	})
}

// sell posts a receipt for the first time.
func (w *world) sell(ctx context.Context, n *node, r *sales.Receipt) {
	x := &sale{customer: r.Customer, path: "/v1/receipts", body: r.Body(n.store.String(), n.till.String(), r.Customer)}
	x.Sale = laws.NewSale(r, n.place(), w.cards.Account(r.Customer), x.body)
	if r.Return {
		x.path = "/v1/returns"
	}
	w.sent.send(x)
	w.post(ctx, n, x, x.body)
}

// resell posts again what a till has answered last: its POS has a journal of its own, and is told that the
// till lost its disk. What the till, its store or the centre have from before is not posted twice.
func (w *world) resell(ctx context.Context, n *node, most int) {
	again := w.sent.lately(n.place(), most)
	w.resold.Add(int64(len(again)))
	w.wg.Go(func() {
		for _, x := range again {
			if x.deal == nil {
				w.post(ctx, n, x.sale, x.bytes)
			} else {
				w.again(ctx, n, x)
			}
			w.resold.Add(-1)
		}
	})
}

// post posts a receipt until its till has answered for it: always the same bytes under the same rid.
func (w *world) post(ctx context.Context, n *node, x *sale, body []byte) {
	status, b, _ := w.until(ctx, n, x, body)
	if status == 0 {
		return
	}
	answer := &answer{}
	if err := json.Unmarshal(b, answer); err != nil {
		w.counts.refuse(fmt.Sprintf("till %s answers %d to receipt %s with what cannot be read: %v", x.At, status, x.RID, err))
		return
	}
	switch {
	case !isKept(status):
		w.counts.refuse(fmt.Sprintf("till %s answers %d to receipt %s: %s", x.At, status, x.RID, answer.Detail))
	case x.customer != "" && answer.points(x.Kind) != x.Points:
		w.counts.refuse(fmt.Sprintf("till %s says that receipt %s moves %d points, want %d", x.At, x.RID, answer.points(x.Kind), x.Points))
	}
}

func isKept(status int) bool { return status == http.StatusCreated || status == http.StatusOK }

// later reports whether a POS is told to try again.
func later(status int) bool {
	return status >= http.StatusInternalServerError || status == http.StatusRequestTimeout
}

// until sends a receipt until its till says that it has it, or will not have it. It gives the answer, and how often
// it was sent; without a status nobody waits any more.
func (w *world) until(ctx context.Context, n *node, x *sale, body []byte) (status int, said []byte, times int) {
	deadline := w.cfg.Deadline
	var o owing
	for wait := patience(x.RID, deadline); ; wait = deadline {
		times++
		disk, began := n.disk.Load(), o.ask(n)
		status, said, err := n.put(ctx, wait, http.MethodPost, x.path, x.RID.String(), body)
		took := time.Since(began)
		owed := o.owed(n) && wait == deadline
		if n.disk.Load() != disk {
			disk = -1
		}
		w.counts.try(owed, took, err == nil)
		switch {
		case err == nil && isKept(status):
			w.sent.answered(x, began, time.Now(), disk)
			w.counts.answer(status == http.StatusOK)
			return status, said, times
		case err == nil && !later(status):
			return status, said, times
		case err == nil && owed && o.over(deadline):
			w.counts.refuse(fmt.Sprintf("till %s, up and left alone, answers %d to receipt %s: %s", x.At, status, x.RID, said))
		case err != nil && owed && o.over(deadline) && ctx.Err() == nil:
			w.counts.late(fmt.Sprintf("till %s, up and left alone, to receipt %s at %s: %v", x.At, x.RID, began.Format("15:04:05.000"), err))
		}
		if !sleep(ctx, tryAgain) {
			return 0, nil, times
		}
	}
}

// owing is what a till owes who asks it: an answer within the deadline of the first question since which it is up and
// left alone. A POS that is hung up on, or told to try again, does.
type owing struct {
	calm  uint64
	since time.Time
}

// ask notes a question.
func (o *owing) ask(n *node) time.Time {
	now := time.Now()
	if calm := n.calm.Load(); calm != o.calm || o.since.IsZero() {
		o.calm, o.since = calm, now
	}
	return now
}

// owed reports whether the till was up and left alone all the time.
func (o *owing) owed(n *node) bool { return o.calm%2 == 1 && n.calm.Load() == o.calm }

// over reports whether the deadline is.
func (o *owing) over(deadline time.Duration) bool { return time.Since(o.since) >= deadline }

// patience is how long a POS waits for the first answer: one in thirty hangs up at once, when the receipt
// may be kept already or not, and asks again.
func patience(rid record.RID, deadline time.Duration) time.Duration {
	if n := rid[15]; n%32 == 0 {
		return time.Duration(1+n/32) * time.Millisecond
	}
	return deadline
}

// answer is what a till says of a receipt, or of what is wrong with it.
type answer struct {
	Points struct {
		Earned    *int64 `json:"earned"`
		TakenBack *int64 `json:"taken_back"`
	} `json:"points"`
	Detail string `json:"detail"`
}

func (a *answer) points(k record.Kind) int64 {
	p := a.Points.Earned
	if k == record.KindReturn {
		p = a.Points.TakenBack
	}
	if p == nil {
		return -1
	}
	return *p
}

// put asks a till something, once, and waits so long. key may be empty.
func (n *node) put(ctx context.Context, wait time.Duration, method, path, key string, body []byte) (status int, said []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, n.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	if said, err = io.ReadAll(res.Body); err != nil {
		return 0, nil, fmt.Errorf("read the answer of %s: %w", n.target, err)
	}
	return res.StatusCode, said, nil
}

// shopper is what a till says of a card.
type shopper struct {
	Known  bool `json:"known"`
	Points struct {
		Available *int64 `json:"available"`
		Pending   *int64 `json:"pending"`
		Debt      *int64 `json:"debt"`
	} `json:"points"`
	Source string `json:"source"`
}

// lookUp asks a till or a store for a card.
func (n *node) lookUp(ctx context.Context, card string) (s shopper, err error) {
	body, err := json.Marshal(map[string]any{"identifier": map[string]string{"kind": "card", "value": card}, "wait_ms": 2000})
	if err != nil {
		return s, err
	}
	status, said, err := n.put(ctx, lookWithin, http.MethodPost, "/v1/lookups", "", body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err == nil {
		err = json.Unmarshal(said, &s)
	}
	if err != nil {
		return s, fmt.Errorf("look up at %s: %w", n.target, err)
	}
	return s, nil
}
