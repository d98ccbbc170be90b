package gateway_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/central/flow/flowtest"
	"tillstream/central/gateway"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// publish has CPP say something, and gives the event's id.
func (s *site) publish(n uint16, change func(*event.Envelope)) string {
	s.T.Helper()
	e, data := s.Activity(flowtest.MustAttempt(n, "STAMPS", "2026-W48"), event.RewardAwarded, "cause")
	change(&e)
	s.Publish(s.Net.CPPActivity(), e, data)
	return e.ID
}

func asItIs(*event.Envelope) {}

func (s *site) stage(of subjects.Stage) gateway.FlowStage {
	s.T.Helper()
	var f gateway.Flow
	s.ok("GET", "/v1/flow", "", &f)
	for _, one := range f.Stages {
		if one.Stage == of.String() {
			return one
		}
	}
	s.T.Fatalf("no stage %s in %+v", of, f)
	return gateway.FlowStage{}
}

// A stage that does not keep up is seen: how much waits for it, since when, and that it has caught up.
func TestFlowStatus(t *testing.T) {
	s := openSite(t)
	dec := s.stage(subjects.DEC)
	if dec.Pending != 0 || dec.Oldest != nil || dec.PausedUntil != nil || dec.Counts.In != 0 {
		t.Errorf("at rest: %+v", dec)
	}
	old := s.publish(1, func(e *event.Envelope) { e.Time = s.Now().Add(-time.Hour) })
	s.publish(2, asItIs)
	s.publish(3, asItIs)
	s.await("DEC's consumer knows of all", func() bool { return s.stage(subjects.DEC).Pending == 3 })
	dec = s.stage(subjects.DEC)
	if dec.Oldest == nil || dec.Oldest.ID != old || dec.Oldest.Age < 3600 || dec.Oldest.Subject != s.Net.CPPActivity() {
		t.Errorf("behind: %+v, %+v", dec, dec.Oldest)
	}
	s.reject("no such thing")
	stop := s.runStage(subjects.DEC)
	s.acked(subjects.DEC, 3)
	stop()
	s.fails.Store(nil)
	s.publish(4, asItIs)
	s.runStage(subjects.DEC)
	s.acked(subjects.DEC, 4)
	s.await("the last is counted", func() bool { return s.stage(subjects.DEC).Counts.Took.Count == 4 })
	s.await("TIM's consumer knows of it", func() bool { return s.stage(subjects.TIM).Pending == 1 })
	var f gateway.Flow
	s.ok("GET", "/v1/flow", "", &f)
	dec = f.Stages[0]
	if dec.Pending != 0 || dec.UnderWay != 0 || dec.Oldest != nil || dec.Acked != 4 || dec.Counts.In != 4 || dec.Counts.Out != 1 ||
		dec.Counts.Dead != 3 || dec.DeadLetters != 3 || dec.Counts.Took.Count != 4 {
		t.Errorf("level: %+v", dec)
	}
	if f.Node != "c1" || f.Events != 5 || len(f.Parts) != 1 || f.Parts[0].From != "cpp" || f.Parts[0].To != "dec" || f.Parts[0].Took.Count != 1 {
		t.Errorf("got %+v", f)
	}
	if tim := f.Stages[1]; tim.Stage != "tim" || tim.Oldest == nil || tim.Oldest.Sequence != 5 {
		t.Errorf("TIM, which does not run: %+v", tim)
	}
}

func TestPauseAndResume(t *testing.T) {
	s := openSite(t)
	s.runStage(subjects.DEC)
	var p gateway.FlowPaused
	s.ok("POST", "/v1/flow/dec/pause", `{"for":"10m"}`, &p)
	if p.Until == nil || time.Until(*p.Until) < 9*time.Minute {
		t.Errorf("paused: %+v", p)
	}
	s.publish(1, asItIs)
	s.await("DEC's consumer knows of it", func() bool { return s.stage(subjects.DEC).Pending == 1 })
	if dec := s.stage(subjects.DEC); dec.PausedUntil == nil || dec.Oldest == nil || dec.Counts.In != 0 {
		t.Errorf("paused: %+v", dec)
	}
	s.ok("POST", "/v1/flow/dec/resume", "", &p)
	s.Expect(s.Net.CPPEnriched())
	if dec := s.stage(subjects.DEC); dec.PausedUntil != nil {
		t.Errorf("resumed: %+v", dec)
	}
	s.refused("POST", "/v1/flow/cpp/pause", `{"for":"10m"}`, http.StatusNotFound, "not-found", "want one of [dec tim fred bcg msq]")
	s.refused("POST", "/v1/flow/cpp/resume", "", http.StatusNotFound, "not-found")
	for _, body := range []string{`{"for":"48h"}`, `{"for":"soon"}`, `{"for":"-1m"}`, `{}`, `10m`, `{"until":"10m"}`} {
		s.refused("POST", "/v1/flow/dec/pause", body, http.StatusBadRequest, "invalid-field")
	}
}

// A node without the flow says what would have to be set; one whose streams are not there says that too.
func TestWithoutAFlow(t *testing.T) {
	s := openSite(t)
	with := s.url
	s.serve(nil)
	for _, q := range []string{"GET /v1/flow", "GET /v1/flow/dead", "GET /v1/flow/trace/x", "POST /v1/flow/dec/pause", "PUT /v1/flow/settings"} {
		method, path, _ := strings.Cut(q, " ")
		s.refused(method, path, "", http.StatusConflict, "no-flow", "flow: true")
	}
	s.url = with
	s.Must(s.JS.DeleteStream(t.Context(), s.Net.DeadStream()))
	s.refused("GET", "/v1/flow", "", http.StatusServiceUnavailable, "behind", "stream dead_acme")
	s.Must(s.JS.DeleteStream(t.Context(), s.Net.FlowStream()))
	s.refused("GET", "/v1/flow", "", http.StatusServiceUnavailable, "behind", "stream flow_acme")
	s.refused("GET", "/v1/flow/trace/x", "", http.StatusServiceUnavailable, "behind", "stream flow_acme")
	s.refused("POST", "/v1/flow/dec/pause", `{"for":"1m"}`, http.StatusServiceUnavailable, "behind")
	s.refused("GET", "/v1/flow/dead", "", http.StatusServiceUnavailable, "behind", "stream dead_acme")
}
