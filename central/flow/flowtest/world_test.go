package flowtest_test

import (
	"testing"

	"tillstream/central/flow/flowtest"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

func TestWorld(t *testing.T) {
	t.Parallel()
	w := flowtest.Open(t)
	if s := w.PutSettings("zone: Europe/London"); s.Zone != w.Docs.Settings().Zone {
		t.Errorf("got zone %s", w.Docs.Settings().Zone)
	}
	a := flowtest.MustAttempt(1, "STAMPS", "2011-W48")
	e, activity := w.Activity(a, event.RewardAwarded, "one")
	w.Publish(w.Net.CPPActivity(), e, activity)
	got := w.Expect(w.Net.CPPActivity())
	if _, err := event.Read[event.CPPActivity](&got.Envelope, event.TypeCPPActivity, got.Data); err != nil || got.ID != e.ID {
		t.Errorf("got %+v, %v", got, err)
	}
	w.ExpectNone(w.Net.CPPActivity())
	w.Settle(subjects.TIM) // for which there is nothing
}
