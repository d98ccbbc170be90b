package cpp

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// receipt is a posted record, in the order of history.
type receipt struct {
	record.Receipt
	store subjects.StoreID
	till  subjects.TillID
	entry uint64
	at    time.Time // of the entry
}

// job is a receipt, and the shopper whose progress it changes: of a return that is the sale's.
type job struct {
	*receipt
	account record.AccountID
	doc     *document
	story   *story              // of a return its sale's; of a sale its own, if something was given back of it
	ahead   map[record.RID]bool // of a sale with a story: what its entry posted before it
}

// atOnce bounds the shoppers whose records are changed at one time.
const atOnce = 128

// count counts a batch of receipts: those of one shopper one after the other, in their order.
func (c *CPP) count(ctx context.Context, batch []receipt, earlier map[record.RID]bool) error {
	var order []record.AccountID
	jobs := map[record.AccountID][]job{}
	for i := range batch {
		j, ok, err := c.job(ctx, batch, i, earlier)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if jobs[j.account] == nil {
			order = append(order, j.account)
		}
		jobs[j.account] = append(jobs[j.account], j)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, account := range order {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			for i := range jobs[account] {
				if err := c.one(ctx, &jobs[account][i]); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// job says whose progress a receipt changes; false: nobody's. A body that cannot be read is logged and counts nothing: it
// will not be another one the next time.
func (c *CPP) job(ctx context.Context, batch []receipt, i int, earlier map[record.RID]bool) (j job, ok bool, err error) {
	r := &batch[i]
	j = job{receipt: r, account: r.Account}
	switch r.Kind {
	case record.KindSale:
		if r.Account.IsZero() {
			return j, false, nil
		}
		if j.doc, err = readDocument(&r.Receipt); err != nil {
			c.b.Log.Warn("a receipt counts for no promotion", "store", r.store.String(), "till", r.till.String(), "err", err)
			return j, false, nil
		}
		if earlier[r.RID] {
			j.story, err = c.find(ctx, r.RID)
			j.ahead = map[record.RID]bool{}
			for i--; i >= 0 && batch[i].entry == r.entry; i-- {
				j.ahead[batch[i].RID] = true
			}
		}
		return j, true, err
	case record.KindReturn, record.KindVoid:
		if r.Of == (record.RID{}) {
			return j, false, nil // of no sale that anybody knows
		}
		if j.story, err = c.find(ctx, r.Of); err != nil || j.story == nil {
			return j, false, err // the sale has not come: when it does, it finds this return
		}
		j.account = j.story.sale.Account
		j.story.add(&r.Receipt, r.entry)
		return j, !j.account.IsZero(), nil
	}
	return j, false, nil
}

// one changes a shopper's progress in every promotion that the receipt is about.
func (c *CPP) one(ctx context.Context, j *job) error {
	settings := c.b.Docs.Settings()
	cal := settings.Calendar()
	because := &cause{rid: j.RID, store: j.store, till: j.till, sold: j.At, at: j.at, now: c.b.Now()}
	if j.Kind != record.KindSale {
		return c.back(ctx, j, cal, because)
	}
	before := j.before()
	values := map[record.PromoCode]value{}
	for _, p := range c.b.Docs.Promotions() {
		if cal.Runs(p, j.at) {
			if v := c.goods.valueOf(p, j.doc, before); !v.isZero() {
				values[p.Code] = v
			}
		}
	}
	codes := slices.DeleteFunc(j.doc.redeemed(), func(code string) bool { return !flow.IsReward(code) })
	for _, p := range c.b.Docs.Promotions() {
		v, ok := values[p.Code]
		if !ok && len(codes) == 0 {
			continue
		}
		var spent func(record.AttemptID, progress.Award) bool
		if len(codes) > 0 {
			spent = func(attempt record.AttemptID, a progress.Award) bool {
				return slices.Contains(codes, c.standings.RewardCode(record.Attempt{Account: j.account, Promo: p.Code, Attempt: attempt}, a))
			}
		}
		err := c.standings.Change(ctx, j.account, p, func(st *progress.Standing) (flow.Outcome, error) {
			return ruled{p, cal}.sale(st, because, v, spent), nil
		})
		if err != nil {
			return fmt.Errorf("count receipt %s for promotion %s: %w", j.RID, p.Code, err)
		}
	}
	return nil
}

// before gives the returns of a sale that were posted before it.
func (j *job) before() (out []given) {
	if j.story == nil {
		return nil
	}
	for i, g := range j.story.returns {
		if j.story.entries[i] < j.entry || j.story.entries[i] == j.entry && j.ahead[g.rid] {
			out = append(out, g)
		}
	}
	return out
}

func (c *CPP) back(ctx context.Context, j *job, cal *progress.Calendar, because *cause) error {
	for _, p := range c.b.Docs.Promotions() {
		of := func(rids []record.RID) value { return c.goods.valueOf(p, j.story.doc, j.story.some(rids)) }
		err := c.standings.Change(ctx, j.account, p, func(st *progress.Standing) (flow.Outcome, error) {
			return ruled{p, cal}.back(st, because, j.Of, j.Kind == record.KindVoid, of), nil
		})
		if err != nil {
			return fmt.Errorf("take receipt %s back from promotion %s: %w", j.RID, p.Code, err)
		}
	}
	return nil
}
