package progress

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Bounds of a Standing, so that its record stays far below a message's 1 MiB: three cycles of 2,000 receipts are some
// 400 KiB. A card that has more in a week is a cashier's own, swiped for everybody.
const (
	MaxReceipts = 2000 // of an attempt; more do not count
	MaxTimes    = 100  // that a reward is given in an attempt
	KeptCycles  = 2    // after its own, for which an attempt is remembered: returns may come until then
)

// Standing is where a shopper stands in a promotion: the value of kv.ProgressKey. It is changed by compare-and-set only.
type Standing struct {
	Opted  bool             `json:"opted,omitempty"` // has asked to take part
	Since  int64            `json:"since,omitempty"` // Unix milliseconds: when they asked
	First  record.AttemptID `json:"first,omitzero"`  // in which they took part for the first time
	Cycles []Cycle          `json:"cycles,omitempty"`
	// Out is what the newest change has to say. Whoever changes the record next has to know that it was said, or to
	// say it again: so a crash between the change and its word loses nothing.
	Out Outbox `json:"out,omitzero"`
}

// Cycle is one attempt.
type Cycle struct {
	Attempt  record.AttemptID `json:"attempt"`
	Receipts []Counted        `json:"receipts,omitempty"`
	Names    []string         `json:"names,omitempty"`  // categories that its receipts name by their places
	Awards   []Award          `json:"awards,omitempty"` // in the order in which they were given
	Closed   bool             `json:"closed,omitempty"` // its end was worked through, and the shopper had not qualified
}

// Counted is what a sale counts, after what was given back of it.
type Counted struct {
	RID   record.RID   `json:"r"`
	N     int64        `json:"n,omitempty"` // stamps, pieces, minor units
	Names []int        `json:"c,omitempty"` // categories
	Back  []record.RID `json:"b,omitempty"` // returns and voids that were taken off
}

// Award is a reward that was given: the scheme's first in this attempt, second, …
type Award struct {
	Scheme string `json:"s"`
	Time   int64  `json:"t"`
	Spent  bool   `json:"x,omitempty"`
}

// Outbox is what one cause makes the flow say.
type Outbox struct {
	Cause  string           `json:"cause"` // what ids follow from
	RID    record.RID       `json:"rid,omitzero"`
	Store  subjects.StoreID `json:"store,omitzero"`
	Till   subjects.TillID  `json:"till,omitzero"`
	Sold   int64            `json:"sold,omitempty"`   // Unix milliseconds, as Posted
	Posted int64            `json:"posted,omitempty"` // and OccurredAt
	Made   int64            `json:"made"`             // Unix microseconds: the stamp, the same however often it is said
	Said   []Said           `json:"said"`
}

// Said is an activity; or one for each of Awards, which differ in what they award.
type Said struct {
	Attempt  record.AttemptID       `json:"attempt"`
	Status   event.Status           `json:"status"`
	Week     int                    `json:"week,omitempty"` // 1: it is EPPM's
	Progress []event.RewardProgress `json:"progress"`
	Awards   []Award                `json:"awards,omitempty"`
}

// ReadStanding reads a record; no bytes are a shopper who has done nothing yet.
func ReadStanding(b []byte) (s Standing, err error) {
	if len(b) == 0 {
		return s, nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, fmt.Errorf("read a shopper's progress: %w", err)
	}
	return s, nil
}

// Bytes writes the record.
func (s *Standing) Bytes() ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write a shopper's progress: %w", err)
	}
	return b, nil
}

// Cycle finds an attempt; nil: nothing was done in it, or it is forgotten.
func (s *Standing) Cycle(id record.AttemptID) *Cycle {
	for i := range s.Cycles {
		if s.Cycles[i].Attempt == id {
			return &s.Cycles[i]
		}
	}
	return nil
}

// Enter gives an attempt, made if need be, and forgets those that are over for more than KeptCycles. Nil: it is itself
// that long over.
func (s *Standing) Enter(c *Calendar, id record.AttemptID) *Cycle {
	if len(s.Cycles) > 0 {
		if n, err := c.Weeks(s.Cycles[len(s.Cycles)-1].Attempt, id); err != nil || n < -KeptCycles {
			return nil
		}
	}
	s.Cycles = slices.DeleteFunc(s.Cycles, func(y Cycle) bool {
		n, err := c.Weeks(y.Attempt, id)
		return err != nil || n > KeptCycles
	})
	if y := s.Cycle(id); y != nil {
		return y
	}
	s.Cycles = append(s.Cycles, Cycle{Attempt: id})
	slices.SortFunc(s.Cycles, func(a, b Cycle) int { n, _ := c.Weeks(b.Attempt, a.Attempt); return n }) // both are weeks
	return s.Cycle(id)
}

// Find gives what a sale counts, and in which attempt.
func (s *Standing) Find(rid record.RID) (*Cycle, *Counted) {
	for i := range s.Cycles {
		y := &s.Cycles[i]
		for k := range y.Receipts {
			if y.Receipts[k].RID == rid {
				return y, &y.Receipts[k]
			}
		}
	}
	return nil, nil
}

// Sum is how far the attempt has come.
func (y *Cycle) Sum() (n int64) {
	names := map[int]bool{}
	for i := range y.Receipts {
		n += y.Receipts[i].N
		for _, k := range y.Receipts[i].Names {
			names[k] = true
		}
	}
	return n + int64(len(names))
}

// Name gives a category's place among the attempt's names.
func (y *Cycle) Name(category string) int {
	if i := slices.Index(y.Names, category); i >= 0 {
		return i
	}
	y.Names = append(y.Names, category)
	return len(y.Names) - 1
}

// Times is how often a reward was given in the attempt.
func (y *Cycle) Times(scheme string) (n int64) {
	for _, a := range y.Awards {
		if a.Scheme == scheme {
			n++
		}
	}
	return n
}

// Earned gives how often the rewards are earned by what was done.
func (p *Promotion) Earned(sum int64) []int64 {
	times := make([]int64, len(p.Rewards))
	round, left := int64(0), sum
	if p.Repeatable {
		last := p.Rewards[len(p.Rewards)-1].Target
		round, left = sum/last, sum%last
	}
	for i := range p.Rewards {
		times[i] = round
		if left >= p.Rewards[i].Target {
			times[i]++
		}
		times[i] = min(times[i], MaxTimes)
	}
	return times
}

// Give gives the rewards that are earned and were not given yet. One that was given stays given.
func (p *Promotion) Give(y *Cycle) (fresh []Award) {
	for i, n := range p.Earned(y.Sum()) {
		scheme := p.Rewards[i].ID
		for t := y.Times(scheme) + 1; t <= n; t++ {
			fresh = append(fresh, Award{Scheme: scheme, Time: t})
		}
	}
	y.Awards = append(y.Awards, fresh...)
	return fresh
}

// Progress tells how far an attempt has come towards each reward. A reward that can be had again begins anew after the
// one with the largest target.
func (p *Promotion) Progress(y *Cycle) []event.RewardProgress {
	all := make([]event.RewardProgress, len(p.Rewards))
	last, at := p.Rewards[len(p.Rewards)-1].Target, y.Sum()
	if p.Repeatable && at > 0 {
		if at %= last; at == 0 {
			at = last // a full card, until something is on the next
		}
	}
	for i := range p.Rewards {
		r := &p.Rewards[i]
		g := event.RewardProgress{
			RewardSchemeID: r.ID, ActivityType: r.ActivityType, Progress: min(at, r.Target), Target: r.Target, Status: event.InProgress,
		}
		times := y.Times(r.ID)
		if times > 0 && (!p.Repeatable || at >= r.Target) {
			g.Status = event.RewardAwarded
			if !slices.ContainsFunc(y.Awards, func(a Award) bool { return a.Scheme == r.ID && !a.Spent }) {
				g.Status = event.RewardSpent
			}
		}
		if p.Repeatable {
			g.Times = times
		}
		all[i] = g
	}
	return all
}

// End closes an attempt of a shopper who has not qualified, if it is their first cycle, or the second, …; false: it is
// not, or they have, or it was closed before. Whoever has had a reward has qualified.
func (s *Standing) End(c *Calendar, p *Promotion, id record.AttemptID, week int, now time.Time) bool {
	if s.First.IsZero() || p.OptIn && !s.Opted {
		return false
	}
	if n, err := c.Weeks(s.First, id); err != nil || n != week-1 {
		return false
	}
	y := s.Enter(c, id)
	if y == nil || y.Closed || len(y.Awards) > 0 {
		return false
	}
	_, end, err := c.Attempt(id)
	if err != nil {
		return false
	}
	y.Closed = true
	all := p.Progress(y)
	for i := range all {
		all[i].Status = event.Unqualified
	}
	s.Out = Outbox{
		Cause: causeEnd, Posted: end.UnixMilli(), Made: now.UnixMicro(),
		Said: []Said{{Attempt: id, Status: event.Unqualified, Week: week, Progress: all}},
	}
	return true
}

// Ended reports whether the outbox has the end of an attempt to say.
func (s *Standing) Ended(id record.AttemptID) bool {
	return s.Out.Cause == causeEnd && len(s.Out.Said) == 1 && s.Out.Said[0].Attempt == id
}

// causeEnd is the cause of what is said of a cycle's end.
const causeEnd = "end"

// Stay is how long a shopper's record is kept after a change: until three weeks after the promotion's end, or, of one
// that has none, for half a year.
func (c *Calendar) Stay(p *Promotion, now time.Time) time.Duration {
	if p.Until == "" {
		return 182 * 24 * time.Hour
	}
	return max(c.start(p.Until).AddDate(0, 0, 7*(KeptCycles+1)).Sub(now), 24*time.Hour)
}
