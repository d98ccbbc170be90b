package cpp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// endings gives those of EPPM and of CPP, as a node that has just started has them.
func (w *world) endings(js jetstream.JetStream) (both [2]*flow.Endings) {
	for i, at := range []event.Point{event.EPPM, event.CPP} {
		b := w.base(js)
		both[i] = flow.NewEndings(b, flow.NewStandings(b, testKey), at, i+1, nil)
	}
	return both
}

func (w *world) look(through time.Time) {
	w.t.Helper()
	for _, n := range w.endings(w.js) {
		if err := n.Look(w.t.Context(), through); err != nil {
			w.t.Fatal(err)
		}
	}
}

// ends gives the unqualifications of a shopper.
func (w *world) ends(who record.AccountID) (all []string) {
	said, _ := w.said(who)
	for _, m := range said {
		if m.Status != event.Unqualified {
			continue
		}
		week := m.eppm.Week
		at := m.eppm.OccurredAt
		if m.Type == event.TypeCPPActivity {
			week, at = 2, m.cpp.OccurredAt
		}
		all = append(all, fmt.Sprintf("%s week %d of %s at %s", m.subject, week, m.Attempt.Attempt, at.Format(time.RFC3339)))
	}
	return all
}

func equal(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// Weeks one and two of the document, in a zone whose clocks change in between: the cycle ends on Monday 00:00 there, and
// nothing is said a moment before.
func TestWhoHasNotQualifiedIsTold(t *testing.T) {
	w := open(t)
	w.settings("revision: 1\nzone: Europe/London\n")
	w.promotion(fmt.Sprintf(stamps, false))
	j := &journal{}
	c := w.cpp(w.js, j)
	// The clocks go back on Sunday, 25 October 2026, at 02:00: the week has an hour more.
	monday := time.Date(2026, 10, 26, 0, 0, 0, 0, time.UTC) // 00:00 in London too
	lazy, busy, late := shopper(1), shopper(2), shopper(3)
	j.add(record.KindSale, lazy, record.RID{}, monday.Add(-time.Second), cheap) // the last of week 43
	j.add(record.KindSale, busy, record.RID{}, monday.Add(-2*time.Hour), cheap)
	j.add(record.KindSale, busy, record.RID{}, monday.Add(-time.Hour), cheap)
	j.add(record.KindSale, late, record.RID{}, monday, cheap) // the first of week 44
	w.count(c, j, 0)
	w.look(monday.Add(-time.Millisecond))
	equal(t, "a moment before", w.ends(lazy))
	w.look(monday)
	one := "eu1.acme.eppm.activity week 1 of 2026-W43 at 2026-10-26T00:00:00Z"
	equal(t, "who had one stamp", w.ends(lazy), one)
	equal(t, "who had two", w.ends(busy))
	equal(t, "who came on Monday", w.ends(late))
	next := monday.AddDate(0, 0, 7)
	w.look(next.Add(time.Hour))
	w.look(next.Add(2 * time.Hour))
	two := "eu1.acme.cpp.activity week 2 of 2026-W44 at 2026-11-02T00:00:00Z"
	equal(t, "week two", w.ends(lazy), one, two)
	equal(t, "who qualified in week one, week two", w.ends(busy), two)
	equal(t, "who came on Monday, a week later", w.ends(late), "eu1.acme.eppm.activity week 1 of 2026-W44 at 2026-11-02T00:00:00Z")
	w.look(next.AddDate(0, 0, 7))
	equal(t, "week three", w.ends(lazy), one, two)
}

// Whoever dies in the middle, and however many close at once: everybody is told, with one id.
func TestAnEndIsWorkedThroughOnce(t *testing.T) {
	w := open(t)
	w.promotion(fmt.Sprintf(stamps, false))
	j := &journal{}
	const shoppers = 40
	for i := range byte(shoppers) {
		j.add(record.KindSale, shopper(i), record.RID{}, w.clock(), cheap)
	}
	w.count(w.cpp(w.js, j), j, 0)
	through := w.clock().AddDate(0, 0, 7)
	for tries := 0; ; tries++ { // each is another life
		rate := 0.02
		if tries > 100 {
			rate = 0
		}
		js := &faulty{JetStream: w.js, rnd: rand.New(rand.NewPCG(1, uint64(tries))), rate: rate}
		if w.endings(js)[0].Look(t.Context(), through) == nil {
			break
		}
	}
	w.set(w.clock().Add(time.Hour)) // what is said again has the stamp of the first time
	var wg sync.WaitGroup
	for range 2 {
		for _, n := range w.endings(w.js) {
			wg.Go(func() {
				if err := n.Look(context.WithoutCancel(t.Context()), through.AddDate(0, 0, 7)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for i := range byte(shoppers) {
		if got := w.ends(shopper(i)); len(got) != 2 {
			t.Fatalf("shopper %d was told %q, want of weeks one and two", i, got)
		}
	}
}
