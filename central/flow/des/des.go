package des

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/kv/progress"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// atOnce bounds the questions under way. One costs microseconds and waits for nothing; FRED's instances ask at most
// as many as they have events under way.
const atOnce = 4096

// roomOnward is for the stamps and subjects with which the answer travels on.
const roomOnward = 1024

// DES is one instance.
type DES struct {
	flow.Base
	answers *prometheus.CounterVec // by verdict
}

// New makes a DES.
func New(b flow.Base) *DES {
	d := &DES{b, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_des_answers_total", Help: "Answers of DES, by decision; refused: what is no event for it.",
	}, []string{"decision"})}
	b.Registry.MustRegister(d.answers)
	return d
}

// Run answers until ctx ends.
func (d *DES) Run(ctx context.Context) error {
	if err := d.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	return service.New(service.Config{
		Conn: d.Conn, Name: subjects.ServiceDES, Endpoint: "decide", Subject: d.Net.DESDecide(), AtOnce: atOnce,
		Description: "decisions for brand " + d.Net.Brand.String(), Answer: d.answer, Near: d.Near, Log: d.Log,
	}).Run(ctx)
}

// answer decides on an event. All that can go wrong is wrong with the event.
func (d *DES) answer(_ context.Context, q service.Question) (service.Answer, error) {
	a, verdict, err := d.decide(q)
	if err != nil {
		d.answers.WithLabelValues("refused").Inc()
		return a, &service.Refusal{Err: fmt.Errorf("decide on an event: %w", err)}
	}
	d.answers.WithLabelValues(string(verdict)).Inc()
	return a, nil
}

func (d *DES) decide(q service.Question) (a service.Answer, v event.Verdict, err error) {
	e, data, err := event.Receive(q.Header, q.Data)
	if err != nil {
		return a, v, err
	}
	if e.Brand != d.Net.Brand {
		return a, v, fmt.Errorf("%w: header ce-brand is %s, this is brand %s", event.ErrEvent, e.Brand, d.Net.Brand)
	}
	typ := e.Type
	if typ != event.TypeUnqualification {
		typ = event.TypeRelevant // Read refuses what is neither
	}
	activity, err := event.Read[event.EnrichedActivity](&e, typ, data)
	if err != nil {
		return a, v, err
	}
	decided := Decide(activity, d.Docs.Settings())
	answer, yes := e.Next(event.DES, event.TypeDecided, 0, d.Now()), decided.Verdict == event.Decision
	answer.Decision = &yes
	a.Header = nats.Header(answer.Headers())
	if a.Data, err = event.Data(&decided); err != nil {
		return a, v, err
	}
	// What the connection does not take would never arrive, however often FRED asks.
	if size, most := (&nats.Msg{Header: a.Header, Data: a.Data}).Size()+roomOnward, int(d.Conn.MaxPayload()); size > most {
		return a, v, fmt.Errorf("%w: with a decision it is %d bytes, want at most %d", event.ErrEvent, size, most)
	}
	return a, decided.Verdict, nil
}

// Decide gives what a brand's table says of an activity.
func Decide(a event.EnrichedActivity, s progress.Settings) event.DecidedEvent {
	d := event.DecidedEvent{EnrichedActivity: a, Verdict: event.NoDecision}
	for i := range a.RewardProgress {
		p := &a.RewardProgress[i]
		verdict := event.NoDecision
		if slices.Contains(s.DESActivityTypes, p.ActivityType) {
			verdict, d.Verdict = event.Decision, event.Decision
		}
		d.Decisions = append(d.Decisions, event.Decided{RewardSchemeID: p.RewardSchemeID, Verdict: verdict})
	}
	// By the status, not by the subject on which it came: a promotion whose tags say unqualification also has rewards.
	if m, ok := a.Status.Message(); ok {
		d.MessageOf, d.Delivery = m, s.DESDelivery[m]
	}
	return d
}
