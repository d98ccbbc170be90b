package stage_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// same says whether a dead letter has an event as it came.
func same(t *testing.T, got, came *nats.Msg) {
	t.Helper()
	if !bytes.Equal(got.Data, came.Data) {
		t.Errorf("data is %q, came as %q", got.Data, came.Data)
	}
	for name, values := range came.Header {
		if strings.Join(got.Header[name], "|") != strings.Join(values, "|") {
			t.Errorf("header %s is %q, came as %q", name, got.Header[name], values)
		}
	}
}

// structured gives an event in structured mode.
func structured(t *testing.T, subject string, e event.Envelope, data string) *nats.Msg {
	t.Helper()
	whole := map[string]any{"data": json.RawMessage(data)}
	for name, values := range e.Headers() {
		whole[strings.TrimPrefix(name, "ce-")] = values[0]
	}
	b, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return &nats.Msg{Subject: subject, Header: nats.Header{"Content-Type": {"application/cloudevents+json; charset=utf-8"}}, Data: b}
}

func TestRejectedEventsAreReplayed(t *testing.T) {
	for _, mode := range []string{"binary", "structured"} {
		t.Run(mode, func(t *testing.T) {
			w := open(t)
			var mended atomic.Bool
			w.run(w.config(func(context.Context, *stage.Input) error {
				if !mended.Load() {
					return stage.Reject(errors.New("promotion \"X\" is unknown:\nput it, and replay"))
				}
				return nil
			}))
			e := w.event(1, 1)
			came := &nats.Msg{Subject: w.Net.CPPEnriched(), Header: e.Headers(), Data: []byte(`{"a":1}`)}
			if mode == "structured" {
				came = structured(t, came.Subject, e, `{"a":1}`)
			}
			came.Header.Set("X-Other", "stays")
			came.Header.Set(nats.MsgIdHdr, "of the publisher")
			w.PublishRaw(came)
			came.Header.Del(nats.MsgIdHdr)
			dead := w.Expect(w.Net.DeadLetters(subjects.TIM))
			same(t, &nats.Msg{Header: dead.Header, Data: dead.Data}, came)
			for name, want := range map[string]string{
				stage.DeadStage: "tim", stage.DeadSubject: came.Subject, stage.DeadSequence: "1", stage.DeadTries: "1",
				stage.DeadError: `promotion "X" is unknown: put it, and replay`,
			} {
				if got := dead.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if _, err := time.Parse(time.RFC3339Nano, dead.Header.Get(stage.DeadAt)); err != nil {
				t.Error(err)
			}
			w.Settle(subjects.TIM)
			w.ExpectNone(w.Net.Relevant())

			mended.Store(true)
			m, err := stage.Revived(dead.Header, dead.Data)
			w.Must(err)
			same(t, m, came)
			if len(m.Header) != len(came.Header) {
				t.Errorf("revived with headers %v, want %v", m.Header, came.Header)
			}
			w.PublishRaw(m)
			if got := w.Expect(w.Net.Relevant()); got.ID != out(e.ID) || string(got.Data) != `{"a":1}` {
				t.Errorf("replayed, it became %+v with %s", got.Envelope, got.Data)
			}
		})
	}
}

func TestWhatIsNoEventOfTheFlowIsRejected(t *testing.T) {
	w := open(t)
	w.run(w.config(func(_ context.Context, in *stage.Input) error {
		t.Errorf("the handler was given %+v", in)
		return nil
	}))
	valid := func(change func(e *event.Envelope)) *nats.Msg {
		e := w.event(1, 1)
		if change != nil {
			change(&e)
		}
		return &nats.Msg{Header: e.Headers(), Data: []byte(`{}`)}
	}
	without := func(header string) *nats.Msg {
		m := valid(nil)
		delete(m.Header, header)
		return m
	}
	large := valid(nil)
	large.Header["ce-time"] = []string{"x"}
	room := event.MaxData - 100
	for name, values := range large.Header {
		room -= len(name) + len(values[0]) + 4
	}
	large.Data = bytes.Repeat([]byte(" "), room)
	for name, c := range map[string]struct {
		m    *nats.Msg
		want string
	}{
		"not a CloudEvent": {&nats.Msg{Data: []byte("hello")}, "header ce-specversion is missing"},
		"nothing":          {&nats.Msg{}, "header ce-specversion is missing"},
		"no id":            {without("ce-id"), "header ce-id is missing"},
		"no attempt":       {without("ce-attemptid"), "header ce-attemptid is missing"},
		"unknown status":   {valid(func(e *event.Envelope) { e.Status = "WON" }), "unknown status"},
		"foreign brand":    {valid(func(e *event.Envelope) { e.Brand.Token = subjects.MustToken("other") }), "this is brand acme"},
		"circle":           {valid(func(e *event.Envelope) { e.Stamps[event.TIM] = e.Time }), "in a circle"},
		"future":           {valid(func(e *event.Envelope) { e.Time = e.Time.Add(time.Hour) }), "ahead of this node's clock"},
		"broken structured": {&nats.Msg{Header: nats.Header{"Content-Type": {"application/cloudevents+json"}}, Data: []byte("{")},
			"structured mode"},
		"too large for a dead letter": {large, "RFC 3339"},
	} {
		c.m.Subject = w.Net.CPPEnriched()
		w.PublishRaw(c.m)
		dead := w.Expect(w.Net.DeadLetters(subjects.TIM))
		if got := dead.Header.Get(stage.DeadError); !strings.Contains(got, c.want) {
			t.Errorf("%s: rejected as %q, want %q", name, got, c.want)
		}
		left := dead.Header.Get(stage.DeadLeft)
		if c.m != large {
			same(t, &nats.Msg{Header: dead.Header, Data: dead.Data}, c.m)
		} else if _, err := stage.Revived(dead.Header, dead.Data); err == nil || left == "" {
			t.Errorf("%s: %q of it are left, and it is revived: %v", name, left, err)
		}
	}
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.Relevant())
}

// A dead letter that cannot be kept just now is one later. What is no event stays so meanwhile.
func TestABurialFails(t *testing.T) {
	w := open(t)
	cfg := w.config(func(_ context.Context, in *stage.Input) error {
		t.Errorf("the handler was given %+v", in)
		return nil
	})
	var fail atomic.Int32
	fail.Store(2)
	cfg.JS = faulty{cfg.JS, func(_ *nats.Msg, really func() error) error {
		err := really() // once it is kept all the same: that is one dead letter
		if fail.Add(-1) >= 0 {
			return errTest
		}
		return err
	}}
	w.run(cfg)
	w.PublishRaw(&nats.Msg{Subject: w.Net.CPPEnriched(), Data: []byte("hello")})
	w.Expect(w.Net.DeadLetters(subjects.TIM))
	w.Settle(subjects.TIM)
	w.ExpectNone(w.Net.DeadLetters(subjects.TIM))
}

func TestWhatBecomesTooLargeIsRejected(t *testing.T) {
	w := open(t)
	for _, size := range []int{event.MaxData + 1, event.MaxData} { // the second has no room for its headers
		cfg := w.config(nil)
		cfg.Handle = func(_ context.Context, in *stage.Input) ([]stage.Output, error) {
			return []stage.Output{{Subject: w.Net.Relevant(), Envelope: in.Next(event.TIM, event.TypeRelevant, 0, time.Now()), Data: make([]byte, size)}}, nil
		}
		stop := w.run(cfg)
		w.put(1, size)
		w.Expect(w.Net.DeadLetters(subjects.TIM))
		stop()
	}
}

func TestAStageCounts(t *testing.T) {
	w := open(t)
	cfg := w.config(func(_ context.Context, in *stage.Input) error {
		if in.Tries == 1 {
			return errTest
		}
		return nil
	})
	registry := prometheus.NewRegistry()
	cfg.Metrics = stage.NewMetrics(registry)
	w.run(cfg)
	w.put(1, 1)
	w.PublishRaw(&nats.Msg{Subject: w.Net.CPPEnriched()})
	w.Settle(subjects.TIM)
	got := map[string]float64{}
	families, err := registry.Gather()
	w.Must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	for name, want := range map[string]float64{
		"tillstream_stage_events_total tim in":    2,
		"tillstream_stage_events_total tim out":   1,
		"tillstream_stage_events_total tim again": 1,
		"tillstream_stage_events_total tim dead":  1,
		"tillstream_flow_part_seconds cpp tim":    1,
	} {
		found := false
		for label, n := range got { // labels come in the order of their names
			found = found || sameWords(label, name) && n == want
		}
		if !found {
			t.Errorf("%s is not %v: %v", name, want, got)
		}
	}
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	for _, word := range x {
		if !strings.Contains(" "+b+" ", " "+word+" ") {
			return false
		}
	}
	return len(x) == len(y)
}

// An event that fails is no reason to wait when the consumer has to be read anew.
func TestALostConsumerIsReadAgainBesideAnEventThatFails(t *testing.T) {
	w := open(t)
	bad := w.event(9, 0).Attempt
	failing := make(chan struct{}, 100)
	w.run(w.config(func(ctx context.Context, in *stage.Input) error {
		if in.Attempt != bad {
			return nil
		}
		failing <- struct{}{}
		<-ctx.Done() // as long as the stage runs
		return ctx.Err()
	}))
	w.put(9, 0)
	w.wait("the event that fails", failing)
	w.Must(w.JS.DeleteConsumer(t.Context(), w.Net.FlowStream(), subjects.TIM.String()))
	w.Must(streams.ApplyConsumers(t.Context(), w.JS, w.Net))
	id := w.put(1, 1)
	if got := w.Expect(w.Net.Relevant()); got.ID != out(id) {
		t.Errorf("got %s, want %s", got.ID, out(id))
	}
}
