package cpp

import (
	"slices"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// cause is a posted receipt, as far as what comes of it says where it is from.
type cause struct {
	rid   record.RID
	store subjects.StoreID
	till  subjects.TillID
	sold  int64     // Unix milliseconds by the POS
	at    time.Time // of the entry that posted it: the centre's time
	now   time.Time // the stamp
}

func (c *cause) outbox() progress.Outbox {
	return progress.Outbox{
		Cause: c.rid.String(), RID: c.rid, Store: c.store, Till: c.till,
		Sold: c.sold, Posted: c.at.UnixMilli(), Made: c.now.UnixMicro(),
	}
}

// ruled is a promotion and the calendar by which its attempts go.
type ruled struct {
	*progress.Promotion
	cal *progress.Calendar
}

// sale counts a sale, and marks rewards as spent whose codes it redeemed. It is in the record already if the record says
// so: then its word is said again as long as it is the newest.
func (p ruled) sale(st *progress.Standing, c *cause, v value, spent func(record.AttemptID, progress.Award) bool) flow.Outcome {
	out := c.outbox()
	counted := p.count(st, c, v, &out)
	redeemed := spent != nil && p.redeem(st, spent, &out)
	switch {
	case counted || redeemed:
		st.Out = out
		return flow.Changed
	case st.Out.RID == c.rid:
		return flow.Again
	}
	return flow.Nothing
}

func (p ruled) count(st *progress.Standing, c *cause, v value, out *progress.Outbox) bool {
	if v.isZero() || p.OptIn && (!st.Opted || c.at.UnixMilli() < st.Since) || !p.cal.Runs(p.Promotion, c.at) {
		return false
	}
	if _, was := st.Find(c.rid); was != nil {
		return false
	}
	attempt := p.cal.AttemptAt(c.at)
	y := st.Enter(p.cal, attempt)
	if y == nil || len(y.Receipts) >= progress.MaxReceipts {
		return false
	}
	if st.First.IsZero() {
		st.First = attempt
	}
	before := y.Sum()
	n := progress.Counted{RID: c.rid, N: v.n, Back: v.back}
	for _, name := range v.categories {
		n.Names = append(n.Names, y.Name(name))
	}
	y.Receipts = append(y.Receipts, n)
	fresh := p.Give(y)
	said := progress.Said{Attempt: attempt, Status: event.InProgress, Progress: p.Progress(y)}
	switch {
	case len(fresh) > 0:
		said.Status, said.Awards = event.RewardAwarded, fresh
	case y.Sum() == before:
		return true // a category that was there before: remembered, for when that receipt comes back
	}
	out.Said = append(out.Said, said)
	return true
}

// redeem marks awards as spent.
func (p ruled) redeem(st *progress.Standing, spent func(record.AttemptID, progress.Award) bool, out *progress.Outbox) (some bool) {
	for i := range st.Cycles {
		y := &st.Cycles[i]
		var now []progress.Award
		for k := range y.Awards {
			a := &y.Awards[k]
			if !a.Spent && spent(y.Attempt, *a) {
				now = append(now, *a)
				a.Spent = true
			}
		}
		if len(now) > 0 {
			out.Said = append(out.Said, progress.Said{Attempt: y.Attempt, Status: event.RewardSpent, Progress: p.Progress(y), Awards: now})
			some = true
		}
	}
	return some
}

// back takes off what a return or a void gave back of a sale: what the sale counted without it, less what it counts with
// it. of gives what the sale counts after some of its returns, by the promotion as it is now; were its goods others when
// the sale was counted, never more is taken than it gave. Rewards that were given stay given: the shopper may hold the
// coupon, and no chain asks for it back. What is taken from an attempt that is over is not said.
func (p ruled) back(st *progress.Standing, c *cause, sale record.RID, all bool, of func([]record.RID) value) flow.Outcome {
	y, n := st.Find(sale)
	if n == nil {
		return flow.Nothing
	}
	if slices.Contains(n.Back, c.rid) {
		if st.Out.RID == c.rid {
			return flow.Again
		}
		return flow.Nothing
	}
	was := y.Sum()
	before := of(n.Back)
	n.Back = append(n.Back, c.rid)
	if all {
		n.N, n.Names = 0, nil
	} else {
		after := of(n.Back)
		n.N = max(n.N-max(before.n-after.n, 0), 0)
		n.Names = slices.DeleteFunc(n.Names, func(k int) bool {
			return slices.Contains(before.categories, y.Names[k]) && !slices.Contains(after.categories, y.Names[k])
		})
	}
	st.Out = c.outbox()
	if y.Sum() != was && y.Attempt == p.cal.AttemptAt(c.at) {
		st.Out.Said = []progress.Said{{Attempt: y.Attempt, Status: event.InProgress, Progress: p.Progress(y)}}
	}
	return flow.Changed
}
