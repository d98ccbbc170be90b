package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// Endings works through the ends of cycles: shoppers whose first cycle it was, or whose second, and who have not
// qualified. It runs once per promotion and attempt, however often nodes start: a record says that it was done. Two nodes
// at once do no harm, since a shopper's own record says that they were told.
//
// # When
//
// A cycle is over when CPP has read the journal past its end ([Cursor]). Entries have the centre's time, and an entry's
// time decides the attempt, so a till that was offline for days has no receipts for a cycle that is over: they count for
// the one in which they come. Cycles that ended more than KeptCycles ago, with the centre down since, are not closed.
type Endings struct {
	base      Base
	standings *Standings
	by        event.Point
	week      int
	writes    func() bool

	done map[string]bool // owned by Run: cycle keys that need no more looking at
}

// NewEndings makes the Endings of a component: shoppers' week 1 is EPPM's, 2 is CPP's. writes says whether this node is
// the one that writes the journal, which does the work; nil: it does.
func NewEndings(b Base, s *Standings, by event.Point, week int, writes func() bool) *Endings {
	if writes == nil {
		writes = func() bool { return true }
	}
	return &Endings{base: b, standings: s, by: by, week: week, writes: writes, done: map[string]bool{}}
}

// Cursor is how far CPP has read the journal: kv.CursorKey.
type Cursor struct {
	Generation record.Generation `json:"generation"`
	Entry      uint64            `json:"entry"`
	Line       uint64            `json:"line"` // of history, where the next ones begin
	// Through is a time, in Unix milliseconds: nothing with an earlier one is still to be read.
	Through int64 `json:"through"`
}

// Run works until ctx ends. It looks whenever CPP has said how far it is.
func (n *Endings) Run(ctx context.Context) error {
	if err := n.base.Docs.Wait(ctx); err != nil {
		return nil // it has ended before it began
	}
	for ctx.Err() == nil {
		err := n.watch(ctx)
		if err != nil && ctx.Err() == nil {
			n.base.Log.Debug("close cycles again, later", "err", err)
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
	return nil
}

func (n *Endings) watch(ctx context.Context) error {
	bucket, err := n.standings.Bucket(ctx)
	if err != nil {
		return err
	}
	return bucket.Watch(ctx, kv.CursorKey, func(r kv.Record) error {
		var c Cursor
		if err := json.Unmarshal(r.Value, &c); err != nil {
			return fmt.Errorf("read CPP's cursor: %w", err)
		}
		if !n.writes() {
			return nil
		}
		n.standings.Settled(c.Through)
		return n.Look(ctx, time.UnixMilli(c.Through))
	})
}

// Look closes the cycles that ended until a moment and were not closed, the older first.
func (n *Endings) Look(ctx context.Context, through time.Time) error {
	settings := n.base.Docs.Settings()
	cal := settings.Calendar()
	for _, p := range n.base.Docs.Promotions() {
		for _, at := range ended(cal, through) {
			if !cal.RunsIn(p, at) {
				continue
			}
			if err := n.close(ctx, cal, p, at); err != nil {
				return fmt.Errorf("close cycle %s of promotion %s: %w", at, p.Code, err)
			}
		}
	}
	return nil
}

// ended gives the attempts that are over at a moment and are remembered, the oldest first.
func ended(cal *progress.Calendar, at time.Time) (all []record.AttemptID) {
	start, _, err := cal.Attempt(cal.AttemptAt(at))
	for i := 0; i < progress.KeptCycles && err == nil; i++ {
		id := cal.AttemptAt(start.Add(-time.Millisecond))
		all = append([]record.AttemptID{id}, all...)
		start, _, err = cal.Attempt(id)
	}
	return all
}

// ending is the value of kv.CycleKey.
type ending struct {
	Begun int64 `json:"begun"` // Unix milliseconds
	Done  int64 `json:"done,omitempty"`
	Seen  int64 `json:"seen"` // shoppers
	Told  int64 `json:"told"` // of them, that they have not qualified; again after a crash
}

// endingStays is longer than anybody looks for it.
const endingStays = 7 * (progress.KeptCycles + 3) * 24 * time.Hour

func (n *Endings) close(ctx context.Context, cal *progress.Calendar, p *progress.Promotion, at record.AttemptID) error {
	key := kv.CycleKey(n.by.String(), p.Code, at)
	if n.done[key] {
		return nil
	}
	bucket, err := n.standings.Bucket(ctx)
	if err != nil {
		return err
	}
	e, revision, err := n.begin(ctx, bucket, key)
	if err != nil {
		return err
	}
	if e.Done == 0 {
		if e.Seen, e.Told, err = n.tell(ctx, bucket, cal, p, at); err != nil {
			return err
		}
		e.Done = n.base.Now().UnixMilli()
		if _, err := n.keep(ctx, bucket, key, &e, revision); err != nil && !errors.Is(err, kv.ErrConflict) {
			return err // a conflict: another node was as far
		}
		n.base.Log.Info("closed a cycle", "promotion", p.Code.String(), "attempt", at.String(), "shoppers", e.Seen, "told", e.Told)
	}
	n.done[key] = true
	return nil
}

// begin reads how far a cycle's end was worked through, or notes that it is begun.
func (n *Endings) begin(ctx context.Context, bucket *kv.Store, key string) (e ending, revision uint64, err error) {
	for {
		r, err := bucket.Get(ctx, key)
		switch {
		case errors.Is(err, kv.ErrNone):
			e = ending{Begun: n.base.Now().UnixMilli()}
			if revision, err = n.keep(ctx, bucket, key, &e, 0); errors.Is(err, kv.ErrConflict) {
				continue // another node has begun it
			}
			return e, revision, err
		case err != nil:
			return e, 0, err
		}
		if err := json.Unmarshal(r.Value, &e); err != nil {
			return e, 0, fmt.Errorf("%s: %w", key, err)
		}
		return e, r.Revision, nil
	}
}

func (n *Endings) keep(ctx context.Context, bucket *kv.Store, key string, e *ending, was uint64) (uint64, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	return bucket.PutFor(ctx, key, value, was, endingStays)
}

// tellAtOnce bounds the shoppers whose records are changed at one time.
const tellAtOnce = 64

// tell goes through all shoppers of a promotion.
func (n *Endings) tell(ctx context.Context, bucket *kv.Store, cal *progress.Calendar, p *progress.Promotion,
	at record.AttemptID) (seen, told int64, err error) {
	n.standings.Forget()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		slots = make(chan struct{}, tellAtOnce)
	)
	err = bucket.Scan(ctx, kv.PromoProgressKeys(p.Code), func(r kv.Record) error {
		account, _, err := kv.ProgressOf(r.Key)
		if err != nil {
			return err
		}
		seen++
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		wg.Go(func() {
			defer func() { <-slots }()
			ok, err := n.one(ctx, cal, p, account, at)
			if err != nil {
				cancel(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if ok {
				told++
			}
		})
		return nil
	})
	wg.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return seen, told, err
}

// one closes a shopper's attempt. What that has to say is taken out of the outbox once it was said: the record may not
// change for weeks, and nobody could tell then whether it was.
func (n *Endings) one(ctx context.Context, cal *progress.Calendar, p *progress.Promotion, account record.AccountID,
	at record.AttemptID) (told bool, err error) {
	err = n.standings.Change(ctx, account, p, func(st *progress.Standing) (Outcome, error) {
		switch {
		case st.End(cal, p, at, n.week, n.base.Now()):
			told = true
			return Changed, nil
		case st.Ended(at):
			told = true
			return Again, nil
		}
		return Nothing, nil
	})
	if err != nil || !told {
		return told, err
	}
	return told, n.standings.Change(ctx, account, p, func(st *progress.Standing) (Outcome, error) {
		if !st.Ended(at) {
			return Nothing, nil
		}
		st.Out = progress.Outbox{}
		return Changed, nil
	})
}
