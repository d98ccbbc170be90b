package fred

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/kv/progress"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// answerWithin bounds one question to DES: less than the stage's consumer waits before it gives the event to another
// instance.
const answerWithin = 5 * time.Second

// FRED is one instance.
type FRED struct {
	flow.Base
	events *prometheus.CounterVec // by what came of them
}

// New makes a FRED.
func New(b flow.Base) *FRED {
	f := &FRED{b, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_fred_events_total",
		Help: "Events of FRED: decided (on to BCG), no_decision, and filtered out by their status or promotion.",
	}, []string{"what"})}
	b.Registry.MustRegister(f.events)
	return f
}

// Run is the stage. It handles events until ctx ends.
func (f *FRED) Run(ctx context.Context) error {
	if err := f.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	return stage.New(stage.Config{
		Stage: subjects.FRED, Point: event.FRED, Net: f.Net, JS: f.JS, Handle: f.handle, Ordered: true,
		AtOnce: f.AtOnce, Now: f.Now, Metrics: f.Stages, Log: f.Log,
	}).Run(ctx)
}

func (f *FRED) handle(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	if what, ok := passes(&in.Envelope, f.Docs.Settings()); !ok {
		f.events.WithLabelValues(what).Inc()
		f.Log.Debug("an event is filtered out", "event", in.ID, "by", what)
		return nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	answer, err := f.Ask(asking, service.Question{
		Subject: f.Net.DESDecide(), Header: nats.Header(in.Headers()), Data: in.Data,
	})
	if _, refused := errors.AsType[*service.Refusal](err); refused || errors.Is(err, nats.ErrMaxPayload) {
		return nil, stage.Reject(err)
	}
	if err != nil {
		return nil, err
	}
	e, err := read(&in.Envelope, answer)
	if err != nil {
		return nil, fmt.Errorf("answer of DES: %w", err)
	}
	if !*e.Decision {
		f.events.WithLabelValues("no_decision").Inc()
		f.Log.Debug("an event has no decision", "event", in.ID)
		return nil, nil
	}
	f.events.WithLabelValues("decided").Inc()
	return []stage.Output{{Subject: f.Net.Decided(), Envelope: e.Next(event.FRED, e.Type, 0, f.Now()), Data: answer.Data}}, nil
}

// passes says by headers alone whether the brand wants a decision on an event; if not, what keeps it out.
func passes(e *event.Envelope, s progress.Settings) (what string, ok bool) {
	switch {
	case !slices.Contains(s.FREDStatuses, e.Status):
		return "filtered_status", false
	case slices.Contains(s.FREDExcludes, e.Attempt.Promo.String()):
		return "filtered_promotion", false
	}
	return "", true
}

// read gives the headers of DES's answer. One that is about another event would bring a shopper another's message.
func read(asked *event.Envelope, a service.Answer) (event.Envelope, error) {
	e, err := event.ReadEnvelope(event.Canonical(a.Header))
	switch {
	case err != nil:
	case e.Decision == nil:
		err = fmt.Errorf("%w: header %s is missing", event.ErrEvent, event.HasDecision)
	case e.Brand != asked.Brand || e.Attempt != asked.Attempt || e.Status != asked.Status:
		err = fmt.Errorf("%w: asked about %s of %s %s, told of %s of %s %s", event.ErrEvent,
			asked.Status, asked.Brand, asked.Attempt, e.Status, e.Brand, e.Attempt)
	}
	return e, err
}
