package osg

import (
	"testing"
	"time"

	"tillstream/kv/record"
)

// Of whom somebody was told that they are not there it is said again, when they have come: soon after, and when the
// message must be in the queue. Of whoever comes later it is not.
func TestMissed(t *testing.T) {
	a, late := record.AccountID{1}, record.AccountID{2}
	told := time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	came, end := told.Add(2*time.Second), told.Add(missedFor)
	s := site{came: map[record.AccountID]*again{}}
	s.comes(a, told, came, came)
	s.comes(a, told, came, came.Add(time.Millisecond)) // the other instance's copy says so too
	s.comes(late, told, end.Add(time.Millisecond), end.Add(time.Millisecond))
	for _, c := range []struct {
		what string
		now  time.Time
		said bool
	}{
		{"too soon", came.Add(soonAgain), false},
		{"soon after they came", came.Add(soonAgain + time.Millisecond), true},
		{"once more, too early", end, false},
		{"at the end", end.Add(time.Millisecond), true},
		{"after the end", end.Add(time.Hour), false},
	} {
		got := s.due(c.now)
		if len(got) > 1 || len(got) == 1 != c.said || c.said && !got[a].Equal(came) {
			t.Errorf("%s: %v", c.what, got)
		}
	}
	if len(s.came) != 0 {
		t.Errorf("%v are remembered for ever", s.came)
	}
}
