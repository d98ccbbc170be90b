package tim

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/subjects/event"
)

// model is the rules of doc.go, said again over the list of what has passed.
type model []event.Envelope

func (m model) any(is func(e *event.Envelope, r event.Reward) bool) bool {
	for i := range m {
		if is(&m[i], m[i].Rewards[0]) {
			return true
		}
	}
	return false
}

func (m model) newest() (at time.Time) {
	for i := range m {
		if t := m[i].Stamps[event.CPP]; t.After(at) {
			at = t
		}
	}
	return at
}

func ended(s event.Status) bool { return s == event.RewardSpent || s == event.Expired }
func won(s event.Status) bool   { return s == event.RewardAwarded || ended(s) }

func (m model) news(e *event.Envelope) bool {
	r := e.Rewards[0]
	same := func(o event.Reward) bool {
		return o.SchemeID == r.SchemeID && max(o.Times, 1) == max(r.Times, 1)
	}
	if m.any(func(o *event.Envelope, _ event.Reward) bool { return o.ID == e.ID }) {
		return false
	}
	switch e.Status {
	case event.RewardAwarded:
		return !m.any(func(o *event.Envelope, s event.Reward) bool { return won(o.Status) && same(s) })
	case event.RewardSpent, event.Expired:
		return !m.any(func(o *event.Envelope, s event.Reward) bool { return ended(o.Status) && same(s) })
	case event.Unqualified:
		return !m.any(func(o *event.Envelope, _ event.Reward) bool { return o.Status == event.Unqualified || won(o.Status) })
	}
	late := e.Stamps[event.CPP].Before(m.newest())
	return !m.any(func(o *event.Envelope, s event.Reward) bool {
		switch {
		case o.Status == event.Unqualified:
			return true
		case s.SchemeID != r.SchemeID:
			return false
		case won(o.Status):
			return max(s.Times, 1) > r.Times
		case s.Times != r.Times:
			return s.Times > r.Times
		}
		return o.Status == event.Completed || late && e.Status == event.InProgress
	})
}

func envelopes() *rapid.Generator[event.Envelope] {
	return rapid.Custom(func(t *rapid.T) event.Envelope {
		e := event.Envelope{ID: fmt.Sprint(rapid.IntRange(0, 1000).Draw(t, "id")), Status: rapid.SampledFrom(event.Statuses()).Draw(t, "status")}
		e.Stamps[event.CPP] = time.UnixMicro(rapid.Int64Range(1, 20).Draw(t, "at"))
		e.Rewards = []event.Reward{{
			SchemeID: rapid.SampledFrom([]string{"coffee", "cake"}).Draw(t, "scheme"),
			Times:    rapid.Int64Range(0, 4).Draw(t, "times"),
		}}
		return e
	})
}

// Any order, any repeats of producers, any message delivered again, and the state written and read in between.
func TestStatesGoByTheRules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfNDistinct(envelopes(), 1, maxPassed, func(e event.Envelope) string { return e.ID }).Draw(t, "events")
		order := rapid.SliceOfN(rapid.IntRange(0, len(events)-1), 1, 3*maxPassed).Draw(t, "order")
		s := &state{}
		var m model
		var log []int                // events by the sequence of their message
		outcome := map[int]verdict{} // by sequence
		for _, n := range order {
			sequence := len(log)
			if len(log) > 0 && rapid.Bool().Draw(t, "delivered again") {
				sequence = rapid.IntRange(0, len(log)-1).Draw(t, "sequence")
				n = log[sequence]
			} else {
				log = append(log, n)
			}
			e := &events[n]
			want := m.news(e)
			spent := want && e.Status == event.RewardSpent && m.any(func(o *event.Envelope, r event.Reward) bool {
				return o.Status == event.RewardAwarded && r.SchemeID == e.Rewards[0].SchemeID && max(r.Times, 1) == max(e.Rewards[0].Times, 1)
			})
			was := s.clone()
			v, del := s.judge(e, uint64(sequence), true)
			switch before, known := outcome[sequence]; {
			case known && before == passes:
				if v != again {
					t.Fatalf("message %d has passed, and is %v when it comes again", sequence, v)
				}
				continue
			case want != (v == passes) || del != spent:
				t.Fatalf("%+v: %v, delete %t; want it to pass: %t, delete %t", e, v, del, want, spent)
			case v == passes:
				m = append(m, *e)
			case !reflect.DeepEqual(was, s):
				t.Fatalf("%v changed the state", v)
			}
			outcome[sequence] = v
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			s = &state{}
			if err := json.Unmarshal(b, s); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// What is no news for an older state is none for a later one: so a guess from memory may say no, without reading.
func TestNoStaysNo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOfN(envelopes(), 1, maxPassed).Draw(t, "events")
		one := envelopes().Draw(t, "one")
		s, no := &state{}, false
		for i := range events {
			v, _ := s.clone().judge(&one, 1000, true)
			if no && v == passes {
				t.Fatalf("%+v was no news before %+v", one, events[i-1])
			}
			no = v != passes
			s.judge(&events[i], uint64(i), true)
		}
	})
}

func TestTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var got times
		want := map[int64]bool{}
		for _, n := range rapid.SliceOfN(rapid.Int64Range(0, maxAlso), 0, 100).Draw(t, "times") {
			if got.has(n) != want[max(n, 1)] {
				t.Fatalf("%+v has %d: %t", got, n, got.has(n))
			}
			if !got.has(n) {
				got.add(n)
			}
			want[max(n, 1)] = true
		}
	})
	var gaps times
	for n := range int64(2 * maxAlso) {
		gaps.add(2*n + 2)
	}
	if len(gaps.Also) > maxAlso || gaps.top() != 4*maxAlso {
		t.Errorf("%d gaps are kept, top %d", len(gaps.Also), gaps.top())
	}
}

// A state that rests in a bucket must be read for ever.
func TestAnOldStateIsRead(t *testing.T) {
	const old = `{"at":"2011-12-01T08:26:00.000001Z","unqualified":true,"rewards":{"coffee":{"awarded":{"until":2,"also":[4]},` +
		`"spent":{"until":1},"expired":{"also":[2]},"round":4,"started":true,"completed":true}},` +
		`"passed":[{"sequence":7,"id":"0011","deletes":true}]}`
	var s state
	if err := json.Unmarshal([]byte(old), &s); err != nil {
		t.Fatal(err)
	}
	now, err := json.Marshal(s)
	if err != nil || string(now) != old {
		t.Errorf("written again it is %s, %v", now, err)
	}
}
