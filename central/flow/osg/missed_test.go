package osg

import (
	"testing"
	"time"

	"tillstream/kv/record"
)

// Of whom somebody was told that they are not there it is said again, when they have come: soon after, and when the
// message must be in the queue. Of nobody else.
func TestMissed(t *testing.T) {
	a, b := record.AccountID{1}, record.AccountID{2}
	told := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	came := told.Add(2 * time.Second)
	s := site{missed: map[record.AccountID]*missed{a: {at: told}, b: {at: told}}}
	s.missed[a].comes(came, came)
	s.missed[a].comes(came, came.Add(time.Millisecond)) // the other instance's copy says so too
	if got := s.due(came.Add(soonAgain - time.Millisecond)); len(got) != 0 {
		t.Errorf("too soon: %v", got)
	}
	if got := s.due(came.Add(soonAgain + time.Millisecond)); len(got) != 1 || !got[a].Equal(came) {
		t.Errorf("soon after they came: %v", got)
	}
	if got := s.due(told.Add(missedFor - time.Millisecond)); len(got) != 0 {
		t.Errorf("once more, too early: %v", got)
	}
	if got := s.due(told.Add(missedFor + time.Millisecond)); len(got) != 1 || !got[a].Equal(came) {
		t.Errorf("at the end: %v", got)
	}
	if len(s.missed) != 0 {
		t.Errorf("%v are remembered for ever", s.missed)
	}
}
