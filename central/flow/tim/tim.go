package tim

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/kv"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// TIM is one instance.
type TIM struct {
	flow.Base
	states *states
	events *prometheus.CounterVec // by what became of them
}

// New makes a TIM.
func New(b flow.Base) *TIM {
	t := &TIM{Base: b, events: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_tim_events_total",
		Help: "Events by what became of them: passed, again (after a crash or a lost acknowledgement), repeat, older, unwanted (no tag of tim_filter_tag); delete: instructions to MSQ.",
	}, []string{"what"})}
	b.Registry.MustRegister(t.events)
	return t
}

// Run handles events until ctx ends.
func (t *TIM) Run(ctx context.Context) error {
	if err := t.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	bucket, there := t.Open(ctx, kv.Attempts(t.Net.Brand))
	if !there {
		return nil
	}
	t.states = newStates(bucket)
	return stage.New(stage.Config{
		Stage: subjects.TIM, Point: event.TIM, Net: t.Net, JS: t.JS, Handle: t.handle, Ordered: true,
		AtOnce: t.AtOnce, Now: t.Now, Metrics: t.Stages, Log: t.Log,
	}).Run(ctx)
}

func (t *TIM) handle(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	if in.Type != event.TypeEnriched {
		return nil, stage.Reject(fmt.Errorf("%w: header ce-type is %.64q, want %q", event.ErrEvent, in.Type, event.TypeEnriched))
	}
	settings := t.Docs.Settings()
	if !anyOf(in.Tags, settings.TIMFilterTag) {
		t.count("unwanted")
		return nil, nil
	}
	v, deletes, err := t.states.settle(ctx, in, t.stay(in, settings.Calendar()), settings.DeleteInstruction)
	if err != nil {
		return nil, err
	}
	t.count(v.String())
	if v == repeat || v == older {
		return nil, nil
	}
	// From here on the state says that the event has passed. If we die here, it comes again, and passes again.
	subject, typ := t.Net.Relevant(), event.TypeRelevant
	if anyOf(in.Tags, settings.UnqualificationTag) {
		subject, typ = t.Net.RelevantUnqualification(), event.TypeUnqualification
	}
	out := []stage.Output{{Subject: subject, Envelope: in.Next(event.TIM, typ, 0, t.Now()), Data: in.Data}}
	if !deletes {
		return out, nil
	}
	data, err := event.Data(event.DeleteMessageInstruction{
		AccountID: in.Attempt.Account, PromoCode: in.Attempt.Promo, AttemptID: in.Attempt.Attempt,
		MessageType: event.MessageRewardAwarded, Brand: t.Net.Brand, At: said(&in.Envelope),
	})
	if err != nil {
		return nil, stage.Reject(err)
	}
	t.count("delete")
	return append(out, stage.Output{
		Subject: t.Net.MSQDelete(), Envelope: in.Next(event.TIM, event.TypeDeleteMessage, 1, t.Now()), Data: data,
	}), nil
}

func (t *TIM) count(what string) { t.events.WithLabelValues(what).Inc() }

func anyOf(tags, want []string) bool {
	return slices.ContainsFunc(tags, func(tag string) bool { return slices.Contains(want, tag) })
}
