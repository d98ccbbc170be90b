package gateway_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/gateway"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

func (s *site) traced(id, query string) gateway.Trace {
	s.T.Helper()
	var got gateway.Trace
	s.ok("GET", "/v1/flow/trace/"+id+query, "", &got)
	return got
}

// onsite puts a record into the bucket of shoppers on site.
func (s *site) onsite(key, value string) {
	s.T.Helper()
	b, err := kv.Open(s.T.Context(), s.JS, kv.Onsite(s.Net.Brand))
	s.Must(err)
	was, err := b.Get(s.T.Context(), key)
	if !errors.Is(err, kv.ErrNone) {
		s.Must(err)
	}
	_, err = b.Put(s.T.Context(), key, []byte(value), was.Revision)
	s.Must(err)
}

// sold has CPP make an activity of a receipt.
func (s *site) sold(n uint16, rid record.RID, promo string, at time.Time) (event.Envelope, event.CPPActivity) {
	e, data := s.Activity(flowtest.MustAttempt(n, promo, "2026-W48"), event.RewardAwarded, rid.String())
	e.Receipt, e.Time, data.RID = rid, at, rid
	e.Stamps[event.Posted], e.Stamps[event.CPP] = at.Add(-20*time.Millisecond), at
	s.Publish(s.Net.CPPActivity(), e, data)
	return e, data
}

// decided runs all stages, and waits until a way has come to its end: to so many decided events.
func (s *site) decided(n int) (last flowtest.Received) {
	s.T.Helper()
	for _, of := range subjects.Stages() {
		s.runStage(of)
	}
	for range n {
		last = s.Expect(s.Net.Decided())
	}
	s.acked(subjects.BCG, last.Sequence)
	s.Settle(subjects.Stages()...)
	return last
}

// A receipt's way is told from its headers: every event in order, when it passed what, and where it has come to.
func TestTraceOfAReceipt(t *testing.T) {
	s := openSite(t)
	at := s.Now().Add(-time.Minute)
	rid := record.NewRID(at)
	first, data := s.sold(1, rid, "STAMPS", at)
	s.sold(2, record.NewRID(at), "STAMPS", at) // another's
	second, _ := s.sold(1, rid, "WEEK", at)
	s.Publish(s.Net.CPPActivity(), first, data) // it comes again
	s.decided(4)

	got := s.traced(strings.ToUpper(rid.String()), "")
	if len(got.Ways) != 2 || len(got.Dead) != 0 || got.Stopped != "" || got.Read != 16 {
		t.Fatalf("got %+v", got)
	}
	way := got.Ways[0]
	if way.Promo != "STAMPS" || got.Ways[1].Promo != "WEEK" || way.Receipt != rid.String() || way.Status != event.RewardAwarded ||
		len(way.Events) != 8 || len(got.Ways[1].Events) != 4 || got.Ways[1].Events[0].ID != second.ID {
		t.Errorf("got %+v", way)
	}
	again := map[string]bool{}
	for i, e := range way.Events {
		if e.State != gateway.Handled || i > 0 && e.Sequence <= way.Events[i-1].Sequence || e.Again != again[e.ID] {
			t.Errorf("event %d: %+v", i, e)
		}
		again[e.ID] = true
	}
	if e := way.Events[0]; e.ID != first.ID || e.Subject != s.Net.CPPActivity() || e.From != "cpp" || e.Stage != "dec" || e.Came.IsZero() {
		t.Errorf("the first event: %+v", e)
	}
	var points []string
	for _, p := range way.Passed {
		points = append(points, p.Point)
	}
	if strings.Join(points, " ") != "posted cpp dec tim fred" || way.Passed[0].Millis != 0 || way.Passed[1].Millis != 20 || way.Passed[2].Millis < 1000 {
		t.Errorf("passed %+v", way.Passed)
	}
	if !strings.Contains(way.Outcome.Text, "BCG has handled it") {
		t.Errorf("outcome %+v", way.Outcome)
	}
	if from := got.From; from.After(at.Add(-9 * time.Minute)) {
		t.Errorf("it was read from %v, of a receipt of %v whose POS may be fast", from, at)
	}
}

// Each event of an activity finds all of it, and nothing of another's.
func TestTraceOfAnEvent(t *testing.T) {
	s := openSite(t)
	at := s.Now()
	first, _ := s.sold(1, record.NewRID(at), "STAMPS", at)
	s.sold(1, record.NewRID(at), "STAMPS", at.Add(time.Millisecond)) // the same shopper, attempt and status
	s.decided(2)
	dec := event.NextID(first.ID, event.DEC, 0)
	tim := event.NextID(dec, event.TIM, 0)
	for _, id := range []string{first.ID, dec, tim, event.NextID(tim, event.FRED, 0)} {
		got := s.traced(id, "")
		if len(got.Ways) != 1 || len(got.Ways[0].Events) != 4 || got.Ways[0].Events[1].ID != dec {
			t.Errorf("by %s: %+v", id, got)
		}
	}
	if got := s.traced(tim, "?after=1"); len(got.Ways) != 1 || len(got.Ways[0].Events) != 4 {
		t.Errorf("looked for behind the first: %+v", got)
	}
	if got := s.traced(first.Receipt.String(), "?after=1"); len(got.Ways) != 1 || len(got.Ways[0].Events) != 3 {
		t.Errorf("the receipt behind the first: %+v", got)
	}
	s.refused("GET", "/v1/flow/trace/none", "", http.StatusNotFound, "not-found", "look further back")
	s.refused("GET", "/v1/flow/trace/"+tim+"?since=1ns", "", http.StatusNotFound, "not-found")
	s.refused("GET", "/v1/flow/trace/"+record.NewRID(at).String(), "", http.StatusNotFound, "not-found", "no progress promotion counts it")
	for _, query := range []string{"?since=yesterday", "?since=-1h", "?after=x"} {
		s.refused("GET", "/v1/flow/trace/"+tim+query, "", http.StatusBadRequest, "invalid-field")
	}
}

// An event that waits, or lies among the dead letters, is told so.
func TestTraceOfWhatHasNotArrived(t *testing.T) {
	s := openSite(t)
	at := s.Now()
	rid := record.NewRID(at)
	e, _ := s.sold(1, rid, "STAMPS", at)
	got := s.traced(rid.String(), "")
	if got.Ways[0].Events[0].State != gateway.Waits || got.Ways[0].Outcome.Text != "at DEC: waits" {
		t.Errorf("before: %+v", got)
	}
	s.reject("no such promotion")
	stop := s.runStage(subjects.DEC)
	s.Expect(s.Net.DeadLetters(subjects.DEC))
	s.acked(subjects.DEC, 1)
	stop()
	for _, id := range []string{rid.String(), e.ID} {
		got := s.traced(id, "")
		if len(got.Dead) != 1 || got.Dead[0].Event != e.ID || got.Ways[0].Events[0].State != gateway.Dead || got.Ways[0].Outcome.Text != "at DEC: dead letter" {
			t.Errorf("rejected, by %s: %+v", id, got)
		}
	}
	// The stream keeps an event for days, a dead letter for good.
	flow, err := s.JS.Stream(t.Context(), s.Net.FlowStream())
	s.Must(err)
	s.Must(flow.Purge(t.Context()))
	for _, id := range []string{rid.String(), e.ID} {
		if got := s.traced(id, ""); len(got.Dead) != 1 || len(got.Ways) != 0 {
			t.Errorf("the letter alone, by %s: %+v", id, got)
		}
	}
	// What is no event of the flow, but has an id, is found as the letter that it became.
	bad := nats.Header{"ce-id": {"half"}, "ce-specversion": {"1.0"}}
	s.PublishRaw(&nats.Msg{Subject: s.Net.CPPActivity(), Header: bad})
	s.runStage(subjects.DEC)
	s.await("it is a letter", func() bool { return len(s.letters("").Letters) == 2 })
	if got := s.traced("half", ""); len(got.Dead) != 1 || got.Dead[0].Event != "half" {
		t.Errorf("got %+v", got)
	}
}

// An event in structured mode has nothing in its headers, and is found all the same.
func TestTraceOfStructuredMode(t *testing.T) {
	s := openSite(t)
	e, data := s.Activity(flowtest.MustAttempt(1, "STAMPS", "2026-W48"), event.RewardAwarded, "cause")
	whole := map[string]any{"data": data}
	for name, values := range e.Headers() {
		if name = strings.TrimPrefix(name, "ce-"); name == "Content-Type" || name == "content-type" {
			name = "datacontenttype"
		}
		whole[name] = values[0]
	}
	b, err := json.Marshal(whole)
	s.Must(err)
	s.PublishRaw(&nats.Msg{Subject: s.Net.CPPActivity(), Header: nats.Header{"Content-Type": {"application/cloudevents+json"}}, Data: b})
	s.decided(1)
	if got := s.traced(e.ID, ""); len(got.Ways) != 1 || len(got.Ways[0].Events) != 4 || got.Ways[0].Events[0].ID != e.ID {
		t.Errorf("got %+v", got)
	}
}

// What OSG and MSQ have of a message is told with the way.
func TestTraceTellsTheOutcome(t *testing.T) {
	s := openSite(t)
	at := s.Now()
	rid := record.NewRID(at)
	e, _ := s.sold(1, rid, "STAMPS", at)
	message := event.NextID(s.decided(1).ID, event.BCG, 0)
	var last gateway.Passed
	outcome := func() gateway.Outcome {
		way := s.traced(rid.String(), "").Ways[0]
		last = way.Passed[len(way.Passed)-1]
		return way.Outcome
	}
	if got := outcome(); got.Message != message || got.Waiting || got.Claim != nil {
		t.Errorf("at first: %+v", got)
	}
	s.onsite(kv.TombstoneKey(e.Attempt), `{"type":"REWARD_AWARDED"}`)
	if got := outcome(); !strings.Contains(got.Text, "must not be shown") || string(got.Tombstone) != `{"type":"REWARD_AWARDED"}` {
		t.Errorf("with a tombstone: %+v", got)
	}
	s.onsite(kv.ClaimKey(message), `no JSON`)
	if got := outcome(); !strings.Contains(got.Text, "must not be shown") || string(got.Claim) != `"no JSON"` {
		t.Errorf("with a claim of another form: %+v", got)
	}
	const asked = `{"asked":{"store":"0001","till":"01"},"at":"2126-11-27T12:00:00Z"}`
	s.onsite(kv.ClaimKey(message), asked)
	if got := outcome(); !strings.Contains(got.Text, "a screen was asked") || string(got.Claim) != asked {
		t.Errorf("claimed: %+v", got)
	}
	s.onsite(kv.WaitKey(e.Attempt.Account, message), "whatever")
	if got := outcome(); !strings.Contains(got.Text, "if the tombstone names its reward, it is never shown") || !got.Waiting || got.Message != message {
		t.Errorf("waiting, with a tombstone: %+v", got)
	}
	s.onsite(kv.ClaimKey(message), strings.Replace(asked, "}", `},"shown":true`, 1))
	if got := outcome(); got.Text != "its message was shown" || last.Point != "osg" || last.At.Year() != 2126 {
		t.Errorf("shown: %+v", got)
	}

	rid = record.NewRID(at)
	e, _ = s.sold(2, rid, "STAMPS", at)
	message = event.NextID(s.decided(1).ID, event.BCG, 0)
	s.onsite(kv.WaitKey(e.Attempt.Account, message), "whatever")
	if got := outcome(); !strings.Contains(got.Text, "waits in MSQ's queue for the shopper") || !got.Waiting || got.Message != message {
		t.Errorf("waiting: %+v", got)
	}
}

// An answer has its bounds, says when it stopped at one, and goes on from there.
func TestTraceStopsAndGoesOn(t *testing.T) {
	s := openSite(t)
	at := s.Now()
	rid := record.NewRID(at)
	const all = 510
	for n := range uint16(all) {
		s.sold(n, rid, "STAMPS", at)
	}
	got := s.traced(rid.String(), "")
	if got.Stopped == "" || got.Next == 0 || len(got.Ways) >= all {
		t.Fatalf("stopped %q, next %d, %d ways", got.Stopped, got.Next, len(got.Ways))
	}
	if last := got.Ways[len(got.Ways)-1]; !strings.Contains(last.Outcome.Text, "only the first 100") || len(last.Events) != 1 {
		t.Errorf("the last: %+v", last)
	}
	rest := s.traced(rid.String(), "?after="+jsonOf(got.Next))
	if rest.Stopped != "" || len(got.Ways)+len(rest.Ways) != all {
		t.Errorf("the rest: %q, %d and %d ways", rest.Stopped, len(got.Ways), len(rest.Ways))
	}
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v) // of numbers
	return string(b)
}
