package central_test

import (
	"context"
	"fmt"
	"testing"

	"tillstream/central/books"
	"tillstream/central/flow"
	"tillstream/central/flow/cpp"
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

// Document 004, paths 3 and 4, from the very beginning: the centre comes up after a week's end, and the real EPPM and the
// real CPP say who has not qualified in their first week and in their second. Each is told once, also when both components
// start a second time.
func TestWeeksEnd(t *testing.T) {
	t.Parallel()
	c := newChain(flowtest.Open(t))
	ctx, cancel := context.WithTimeout(t.Context(), flowtest.Within)
	defer cancel()
	_, err := streams.Apply(ctx, c.JS, streams.Want(c.Net, 1))
	c.Must(err)
	p := c.PutPromotion(stamps)
	c.template("UNQUALIFICATION", "{promoName}: not in week {week}")
	key := []byte("a secret of the brand")
	settings := c.Docs.Settings()
	cal := settings.Calendar()
	last, before := cal.AttemptAt(c.Now().AddDate(0, 0, -7)), cal.AttemptAt(c.Now().AddDate(0, 0, -14))
	for n, first := range map[int]record.AttemptID{1: last, 2: before, 3: cal.AttemptAt(c.Now())} {
		c.Must(flow.NewStandings(c.Base(), key).Change(ctx, c.attempt(n, "STAMPS").Account, &p, func(st *progress.Standing) (flow.Outcome, error) {
			st.First = first
			// The end of the first week of those whose second it is was worked through when it came.
			st.Cycles = []progress.Cycle{{Attempt: first, Closed: n == 2, Receipts: []progress.Counted{{RID: record.NewRID(c.Now()), N: 1}}}}
			return flow.Changed, nil
		}))
	}
	b := books.New()
	beats, _ := c.Connect()
	r, err := replica.Open(replica.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Net: c.Net, Machine: b, Dir: t.TempDir(), Conn: c.Conn, Beats: beats, Log: c.Log,
	})
	c.Must(err)
	t.Cleanup(func() { c.Must(r.Close()) })
	c.Run(r.Run)
	producers := []*part{
		{name: "CPP", run: func(base flow.Base) func(context.Context) error {
			return cpp.New(base, cpp.Config{Replica: r, Books: b, Key: key}).Run
		}},
		{name: "EPPM", run: func(base flow.Base) func(context.Context) error { return eppm.New(base, r, key).Run }},
	}
	c.parts = append(c.parts, producers...)
	c.start()

	// Shopper 1 by EPPM, and past TIM; shopper 2 by CPP, and through it. 3 is in their first week still.
	week := func(n int) string { return fmt.Sprintf("Three stamps: not in week %d", n) }
	c.sees(c.attempt(1, "STAMPS").Account, true, week(1))
	c.until("the second week is told", func() error {
		if len(c.events(c.Net.Decided())) < 2 {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	c.settle()
	for _, e := range c.events(c.Net.Decided()) {
		first := e.Attempt.Account == c.attempt(1, "STAMPS").Account
		if e.Stamps[event.TIM].IsZero() != first || e.Stamps[event.EPPM].IsZero() == first || e.Stamps[event.CPP].IsZero() != first {
			t.Errorf("the way of shopper %s was %v", e.Attempt.Account, e.Stamps)
		}
	}
	for _, p := range producers {
		p.stop()
		c.begin(p)
	}
	c.until("both ends are noted", func() error {
		for _, by := range []string{"cpp", "eppm"} {
			if !c.has(kv.Attempts(c.Net.Brand), kv.CycleKey(by, p.Code, last)) {
				return fmt.Errorf("%s has not", by)
			}
		}
		return nil
	})
	c.settle()
	c.sees(c.attempt(1, "STAMPS").Account, true, week(1))
	c.sees(c.attempt(2, "STAMPS").Account, true, week(2))
	c.comes(c.attempt(3, "STAMPS").Account)
	if got := c.shop.texts(c.attempt(3, "STAMPS").Account); len(got) > 0 {
		t.Errorf("shopper 3 was shown %q", got)
	}
	for _, subject := range []string{c.Net.EPPMActivity(), c.Net.CPPActivity()} {
		ids := map[string]bool{}
		for _, e := range c.events(subject) {
			ids[e.ID] = true
		}
		if len(ids) != 1 {
			t.Errorf("%d activities on %s, want 1 however often it was said", len(ids), subject)
		}
	}
	c.noDead()
}
