package cpp

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

const stamps = `
promo_code: STAMPS
revision: 1
name: Two stamps
tags: [loyalty]
opt_in: %v
count: {kind: receipts}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: COUPON, target: 2, valid_days: 14}
`

const cheap = `{"currency":"GBP","lines":[{"line_id":"1","item":"x","quantity":"1","amount":100}]}`

// count counts what is new in a journal.
func (w *world) count(c *CPP, j *journal, from int) {
	w.t.Helper()
	if err := c.count(w.t.Context(), j.all[from:], j.earlier()); err != nil {
		w.t.Fatal(err)
	}
}

// Who opts in takes part from then on, and not before; ops sees how far they are.
func TestOptInCountsFromThen(t *testing.T) {
	w := open(t)
	p := w.promotion(fmt.Sprintf(stamps, true))
	j := &journal{}
	c, who := w.cpp(w.js, j), shopper(1)
	j.add(record.KindSale, who, record.RID{}, w.clock().Add(-time.Hour), cheap)
	w.count(c, j, 0)
	for range 2 { // the second changes nothing
		if err := c.OptIn(t.Context(), who, p.Code); err != nil {
			t.Fatal(err)
		}
	}
	w.count(c, j, 0) // the one before, read again
	j.add(record.KindSale, who, record.RID{}, w.clock().Add(time.Second), cheap)
	w.count(c, j, 1)
	all, err := c.Shopper(t.Context(), who)
	if err != nil || len(all) != 1 || all[0].Promo != p.Code || len(all[0].Standing.Cycles) != 1 || all[0].Standing.Cycles[0].Sum() != 1 {
		t.Errorf("has come to %+v, %v; want one stamp", all, err)
	}
	if said, _ := w.said(who); len(said) != 1 || said[0].Status != event.InProgress {
		t.Errorf("said %+v", said)
	}
	w.set(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	none, _ := record.ParsePromoCode("NONE")
	if err := c.OptIn(t.Context(), who, none); !errors.Is(err, ErrPromotion) {
		t.Errorf("opted in to no promotion: %v", err)
	}
}

// A reward's code that a receipt redeems is spent, once, and is told to be of the attempt that gave it.
func TestARewardIsSpentOnce(t *testing.T) {
	w := open(t)
	w.promotion(fmt.Sprintf(stamps, false))
	j := &journal{}
	c, who := w.cpp(w.js, j), shopper(1)
	at := w.clock()
	for i := range 2 {
		j.add(record.KindSale, who, record.RID{}, at.Add(time.Duration(i)*time.Second), cheap)
	}
	w.count(c, j, 0)
	said, _ := w.said(who)
	if len(said) != 2 || said[1].Status != event.RewardAwarded {
		t.Fatalf("said %+v, want a reward", said)
	}
	code := said[1].cpp.RewardProgress[0].RewardID
	if code == "" || !flow.IsReward(code) {
		t.Fatalf("the reward's code is %q", code)
	}
	redeems := `{"currency":"GBP","coupons":[{"code":"` + code + `"}],"lines":[{"line_id":"1","item":"x","quantity":"1","amount":100}]}`
	next := at.AddDate(0, 0, 7)
	j.add(record.KindSale, shopper(2), record.RID{}, next, redeems) // somebody else's receipt is not the shopper's
	rid := j.add(record.KindSale, who, record.RID{}, next.Add(time.Second), redeems)
	j.add(record.KindSale, who, record.RID{}, next.Add(2*time.Second), redeems)
	w.count(c, j, 2)
	w.count(w.cpp(w.js, j), j, 2) // another life
	said, _ = w.said(who)
	var spent []message
	for _, m := range said {
		if m.Status == event.RewardSpent {
			spent = append(spent, m)
		}
	}
	if len(spent) != 1 {
		t.Fatalf("spent %d times: %+v", len(spent), said)
	}
	s := &spent[0]
	if s.cpp.RID != rid || s.Receipt != rid || s.Attempt.Attempt != said[1].Attempt.Attempt || s.cpp.RewardProgress[0].RewardID != code ||
		s.cpp.RewardProgress[0].Status != event.RewardSpent {
		t.Errorf("spent as %+v", s)
	}
	if s.Stamps[event.Sold].IsZero() || !s.Stamps[event.Posted].Equal(next.Add(time.Second)) || s.Stamps[event.CPP].IsZero() || s.Source != "/eu1/acme/cpp" {
		t.Errorf("its headers are %+v", s.Envelope)
	}
}

// A shopper with more receipts in a week than are kept does not stop the others, and their record stays small.
func TestAnAttemptIsBounded(t *testing.T) {
	cal, err := progress.NewCalendar("UTC")
	if err != nil {
		t.Fatal(err)
	}
	p := ruled{&progress.Promotion{Rewards: []progress.RewardScheme{{ID: "x", Target: 1}}, Repeatable: true}, cal}
	var st progress.Standing
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	for week := range 5 {
		for i := range progress.MaxReceipts + 10 {
			c := &cause{rid: record.NewRID(at), at: at.AddDate(0, 0, 7*week)}
			want := flow.Changed
			if i >= progress.MaxReceipts {
				want = flow.Nothing
			}
			if got := p.sale(&st, c, value{n: 1}, nil); got != want {
				t.Fatalf("week %d, receipt %d: %v, want %v", week, i, got, want)
			}
		}
	}
	b, err := st.Bytes()
	if err != nil || len(b) > 512<<10 || len(st.Cycles) != progress.KeptCycles+1 {
		t.Errorf("%d bytes of %d cycles, %v", len(b), len(st.Cycles), err)
	}
	if y := &st.Cycles[0]; y.Times("x") != progress.MaxTimes || y.Sum() != progress.MaxReceipts {
		t.Errorf("given %d times of %d", y.Times("x"), y.Sum())
	}
}
