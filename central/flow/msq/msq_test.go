package msq_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tillstream/central/flow/flowtest"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Messages wait for their shopper, and are shown in order, once, when they come.
func TestMessagesWaitForTheirShopper(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	start(w)
	of := attempt(w, 1)
	var ids []string
	for n := range 10 {
		e, m := message(w, of, n)
		ids = append(ids, e.ID)
		put(t, w, e, m)
		put(t, w, e, m) // BCG did not hear the answer
	}
	other, m := message(w, attempt(w, 2), 99)
	put(t, w, other, m)
	if got := waiting(w, of.Account); len(got) != 10 {
		t.Errorf("%d wait", len(got))
	}
	for range 3 { // OSG says it again and again
		s.comes(of.Account)
	}
	s.wants(of, ids...)
	if got := waiting(w, attempt(w, 2).Account); len(got) != 1 {
		t.Errorf("another's messages: %v", got)
	}
}

// The shopper leaves in the middle: the rest waits on, and is in order when they come back.
func TestShopperLeavesInTheMiddle(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	of := attempt(w, 1)
	var ids []string
	for n := range 6 {
		e, m := message(w, of, n)
		ids = append(ids, e.ID)
		put(t, w, e, m)
	}
	s.set(func() {
		s.before = func(e *event.Envelope) bool {
			if e.ID == ids[3] {
				s.goes(of.Account)
			}
			return true
		}
	})
	s.comes(of.Account)
	eventually(t, "the first half", func(context.Context) error {
		if got := s.all(); !slices.Equal(got, ids[:3]) || len(waiting(w, of.Account)) != 3 {
			return fmt.Errorf("shown %v", got)
		}
		return nil
	})
	s.set(func() { s.before = nil })
	s.comes(of.Account)
	s.wants(of, ids...)
}

// An error is neither: the same message is tried again, and no other comes before it.
func TestErrorsAreTriedAgainInOrder(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	of := attempt(w, 1)
	e1, m1 := message(w, of, 1)
	e2, m2 := message(w, of, 2)
	put(t, w, e1, m1)
	put(t, w, e2, m2)
	var failed atomic.Int32
	s.set(func() {
		s.before = func(e *event.Envelope) bool { return e.ID != e1.ID || failed.Add(1) > 3 }
	})
	s.comes(of.Account)
	s.wants(of, e1.ID, e2.ID)
}

// BCG hears 404, the shopper comes, and only then the message is put: their coming was too early to find it. OSG, which
// has said 404, says it again.
func TestArrivalAgainstPut(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	start(w)
	var wg sync.WaitGroup
	for n := range 30 {
		of := attempt(w, uint16(n))
		e, m := message(w, of, n)
		wg.Go(func() { put(t, w, e, m) })
		wg.Go(func() { s.comes(of.Account) })
	}
	wg.Wait()
	for n := range 30 {
		s.comes(attempt(w, uint16(n)).Account)
	}
	eventually(t, "all are shown", func(context.Context) error {
		if got := s.all(); len(got) != 30 {
			return fmt.Errorf("%d of 30 are shown", len(got))
		}
		return nil
	})
	for n := range 30 {
		eventually(t, "nothing waits", func(context.Context) error {
			if left := waiting(w, attempt(w, uint16(n)).Account); len(left) > 0 {
				return fmt.Errorf("%v wait", left)
			}
			return nil
		})
	}
}

// The Monday rule: a reward of the cycle before does not interrupt the visit in which its message comes, and is shown
// at the next. Any other message is.
func TestMondayRuleWaitsForTheNextVisit(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	monday := time.Date(2011, 11, 28, 9, 0, 0, 0, time.UTC)
	w.SetNow(monday)
	s := open(t, w)
	start(w)
	of := flowtest.MustAttempt(1, "STAMPS", "2011-W47")
	w.SetNow(monday.Add(-time.Minute))
	s.comes(of.Account)
	w.SetNow(monday)
	e, m := message(w, of, 1)
	put(t, w, e, m)
	un, mun := message(w, of, 2)
	mun.MessageType = event.MessageUnqualification
	put(t, w, un, mun)
	s.comes(of.Account) // said again of the same visit
	eventually(t, "the other message", func(context.Context) error {
		if got := s.all(); !slices.Equal(got, []string{un.ID}) {
			return fmt.Errorf("shown %v", got)
		}
		return nil
	})
	s.goes(of.Account)
	w.SetNow(monday.Add(time.Minute))
	s.comes(of.Account)
	s.wants(of, un.ID, e.ID)
}

// A reward is spent before its message was seen; also when the instruction comes first, and twice.
func TestDeletedMessageIsNotShown(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	start(w)
	of, first := attempt(w, 1), attempt(w, 2)
	e, m := message(w, of, 1)
	put(t, w, e, m)
	un, mun := message(w, of, 2)
	mun.MessageType = event.MessageUnqualification
	put(t, w, un, mun)
	instruct(w, of)
	instruct(w, of)
	instruct(w, first)
	settle(w)
	if got := waiting(w, of.Account); !slices.Equal(got, []string{kv.WaitKey(of.Account, un.ID)}) {
		t.Errorf("%v wait, want only what the instruction does not name", got)
	}
	put(t, w, e, m) // BCG did not hear the answer
	e2, m2 := message(w, first, 3)
	put(t, w, e2, m2)
	s.comes(of.Account)
	s.comes(first.Account)
	s.wants(of, un.ID)
	s.wants(first, un.ID) // nothing of theirs, and nothing waits
}

// A promotion that gives its reward again and again, or several: what was spent is not shown, the others are. A
// tombstone of the whole attempt would swallow each coffee after the first one that was drunk.
func TestOnlyTheRewardThatWasSpentIsNotShown(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	of := attempt(w, 1)
	var all []event.Envelope
	for i, r := range []event.Reward{{SchemeID: "coffee", Times: 1}, {SchemeID: "coffee", Times: 2}, {SchemeID: "cake", Times: 1}} {
		e, m := message(w, of, i+1)
		e.Rewards = []event.Reward{r}
		if i < 2 {
			put(t, w, e, m)
		}
		all = append(all, e)
	}
	instruct(w, of, event.Reward{SchemeID: "coffee", Times: 1})
	settle(w)
	late, m := message(w, of, 3)
	late.Rewards = all[2].Rewards
	put(t, w, late, m)
	s.comes(of.Account)
	s.wants(of, all[1].ID, late.ID)
}

// Deletion, put and drain at once: whatever comes first, nothing is left behind, and what was deleted before the
// shopper came is not shown.
func TestDeletionAgainstPutAndDrain(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	start(w)
	start(w)
	var wg sync.WaitGroup
	for n := range 40 {
		of := attempt(w, uint16(n))
		e, m := message(w, of, n)
		wg.Go(func() { put(t, w, e, m) })
		wg.Go(func() { instruct(w, of) })
		if n%2 == 0 {
			wg.Go(func() { s.comes(of.Account) })
		}
	}
	wg.Wait()
	settle(w)
	for _, id := range s.all() {
		var n int
		if _, err := fmt.Sscanf(strings.TrimLeft(id, "0")+" ", "%x ", &n); err == nil && n%2 == 1 {
			t.Errorf("message %d is shown to somebody who was never there", n)
		}
	}
	again := s.all()
	for n := range 40 {
		s.comes(attempt(w, uint16(n)).Account)
	}
	for n := range 40 {
		eventually(t, "nothing waits", func(context.Context) error {
			if left := waiting(w, attempt(w, uint16(n)).Account); len(left) > 0 {
				return fmt.Errorf("%v wait", left)
			}
			return nil
		})
	}
	e, m := message(w, attempt(w, 99), 99)
	put(t, w, e, m)
	s.comes(attempt(w, 99).Account)
	s.wants(attempt(w, 99), append(again, e.ID)...)
}

// An instance dies when OSG has shown the message and before it is taken out of the queue: the next shows it once.
func TestCrashInTheMiddleOfADrain(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	s := open(t, w)
	stop := start(w)
	of := attempt(w, 1)
	var ids []string
	for n := range 4 {
		e, m := message(w, of, n)
		ids = append(ids, e.ID)
		put(t, w, e, m)
	}
	reached := make(chan struct{})
	var once sync.Once
	s.set(func() {
		s.before = func(e *event.Envelope) bool {
			if e.ID == ids[1] {
				once.Do(func() {
					s.set(func() { s.shown = append(s.shown, e.ID) }) // shown, and the answer is lost
					close(reached)
				})
				return false
			}
			return true
		}
	})
	s.comes(of.Account)
	<-reached
	stop()
	s.set(func() { s.before = nil })
	start(w)
	eventually(t, "the new instance hears OSG", func(context.Context) error {
		s.comes(of.Account)
		if got := s.all(); !slices.Equal(got, ids) {
			return fmt.Errorf("shown %v, want %v", got, ids)
		}
		return nil
	})
	s.wants(of, ids...)
}

func TestWhatMSQRefuses(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	open(t, w)
	start(w)
	of := attempt(w, 1)
	e, m := message(w, of, 1)
	put(t, w, e, m) // it answers
	for name, spoil := range map[string]func(e *event.Envelope, m *event.OnsiteMessage){
		"another type":    func(e *event.Envelope, _ *event.OnsiteMessage) { e.Type = event.TypeDecided },
		"another account": func(_ *event.Envelope, m *event.OnsiteMessage) { m.AccountID = record.AccountID{9} },
		"another brand":   func(e *event.Envelope, _ *event.OnsiteMessage) { e.Brand.Token = subjects.MustToken("other") },
		"an id of no use": func(e *event.Envelope, _ *event.OnsiteMessage) { e.ID = "a.>" },
	} {
		e, m := message(w, of, 2)
		spoil(&e, &m)
		if err := putOnce(t.Context(), w, w.Conn, e, m); err == nil || strings.Contains(err.Error(), "cannot answer now") {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	e, m = message(w, of, 3)
	m.ExpiresAt = w.Now().Add(-time.Second)
	put(t, w, e, m)
	if got := waiting(w, of.Account); len(got) != 1 {
		t.Errorf("%v wait, want none that has expired", got)
	}
	// An instruction of another type is no instruction.
	w.Publish(w.Net.MSQDelete(), e, m)
	if d := w.Expect(w.Net.DeadLetters(subjects.MSQ)); d.ID != e.ID {
		t.Errorf("the dead letter is %s", d.ID)
	}
}
