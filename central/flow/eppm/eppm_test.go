package eppm_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/flow"
	"tillstream/central/flow/eppm"
	"tillstream/central/flow/flowtest"
	"tillstream/central/replica"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

const promotion = `
promo_code: STAMPS
revision: 1
name: Two stamps
tags: [loyalty]
count: {kind: receipts}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: COUPON, target: 2, valid_days: 14}
`

// When CPP's cursor has passed a week's end, the node that writes tells those whose first it was, and it is EPPM's week one.
func TestWeekOneIsToldWhenCPPHasPassedIt(t *testing.T) {
	w := flowtest.Open(t)
	ctx, cancel := context.WithTimeout(t.Context(), flowtest.Within)
	defer cancel()
	_, err := streams.Apply(ctx, w.JS, streams.Want(w.Net, 1))
	w.Must(err)
	beats, _ := w.Connect()
	r, err := replica.Open(replica.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Net: w.Net, Machine: books.New(), Dir: t.TempDir(),
		Conn: w.Conn, Beats: beats, Log: w.Log,
	})
	w.Must(err)
	t.Cleanup(func() { w.Must(r.Close()) })
	w.Run(r.Run)
	p := w.PutPromotion(promotion)
	of := flowtest.MustAttempt(1, "STAMPS", "2026-W48")
	settings := w.Docs.Settings()
	start, end, err := settings.Calendar().Attempt(of.Attempt)
	w.Must(err)
	key := []byte("secret")
	w.Must(flow.NewStandings(w.Base(), key).Change(ctx, of.Account, &p, func(st *progress.Standing) (flow.Outcome, error) {
		st.First = of.Attempt
		st.Cycles = []progress.Cycle{{Attempt: of.Attempt, Receipts: []progress.Counted{{RID: record.NewRID(start), N: 1}}}}
		return flow.Changed, nil
	}))
	w.Run(eppm.New(w.Base(), r, key).Run)
	bucket, err := kv.Open(ctx, w.JS, kv.Attempts(w.Net.Brand))
	w.Must(err)
	put := func(through time.Time, was uint64) uint64 {
		value, err := json.Marshal(flow.Cursor{Generation: record.Generation{1}, Through: through.UnixMilli()})
		w.Must(err)
		revision, err := bucket.Put(ctx, kv.CursorKey, value, was)
		w.Must(err)
		return revision
	}
	revision := put(end.Add(-time.Millisecond), 0)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for { // as CPP does, again and again: this node may not write yet
		revision = put(end.Add(time.Duration(revision)*time.Millisecond), revision)
		if _, err := bucket.Get(ctx, kv.CycleKey("eppm", p.Code, of.Attempt)); err == nil {
			break
		} else if !errors.Is(err, kv.ErrNone) {
			t.Fatal(err)
		}
		<-tick.C
	}
	got := w.Expect(w.Net.EPPMActivity())
	a, err := event.Read[event.EPPMActivity](&got.Envelope, event.TypeEPPMActivity, got.Data)
	w.Must(err)
	if a.Attempt() != of || a.Week != 1 || !a.OccurredAt.Equal(end) || a.RewardProgress[0].Progress != 1 || got.Status != event.Unqualified || got.Stamps[event.EPPM].IsZero() {
		t.Errorf("said %+v with %+v", a, got.Envelope)
	}
	w.ExpectNone(w.Net.EPPMActivity())
}
