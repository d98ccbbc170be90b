package bcg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

const (
	// handleWithin bounds one try with an event: less than the stage's consumer waits before it gives the event to
	// another instance.
	handleWithin = 8 * time.Second
	wordsWithin  = 3 * time.Second // of that, for CSL
	osgWithin    = 5 * time.Second // for OSG, which asks stores
)

// BCG is one instance.
type BCG struct {
	flow.Base
	messages *prometheus.CounterVec // by what became of them
}

// What becomes of a message.
const (
	delivered    = "delivered"     // OSG has shown it
	queued       = "queued"        // the shopper is not on site
	monday       = "monday"        // queued by the Monday rule
	expired      = "expired"       // dropped
	noPreference = "no_preference" // dropped
)

// New makes a BCG.
func New(b flow.Base) *BCG {
	c := &BCG{b, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tillstream_bcg_messages_total",
		Help: "Messages of BCG: delivered, queued (not on site), monday (queued by the Monday rule), and dropped: expired, no_preference.",
	}, []string{"what"})}
	b.Registry.MustRegister(c.messages)
	return c
}

// Run is the stage. It handles events until ctx ends.
func (b *BCG) Run(ctx context.Context) error {
	if err := b.Docs.Wait(ctx); err != nil {
		return nil // ctx has ended
	}
	return stage.New(stage.Config{
		Stage: subjects.BCG, Point: event.BCG, Net: b.Net, JS: b.JS, Handle: b.handle, Ordered: true,
		AtOnce: b.AtOnce, Now: b.Now, Metrics: b.Stages, Log: b.Log,
	}).Run(ctx)
}

// handle brings an event's message where it belongs. Nothing of it goes back into the flow's stream.
func (b *BCG) handle(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	ctx, cancel := context.WithTimeout(ctx, handleWithin)
	defer cancel()
	d, err := event.Read[event.DecidedEvent](&in.Envelope, event.TypeDecided, in.Data)
	if err != nil {
		return nil, stage.Reject(err)
	}
	s, now := b.Docs.Settings(), b.Now()
	m, reward, err := draft(&d, &in.Envelope, s)
	if err != nil {
		return nil, stage.Reject(err)
	}
	what := monday
	switch late, err := pastCycle(&d, s, now); {
	case err != nil:
		return nil, stage.Reject(err)
	case m.Delivery == event.NoDelivery:
		what = noPreference
	case !now.Before(m.ExpiresAt):
		what = expired
	default:
		if err := b.words(ctx, &d, reward, s, &m); err != nil {
			return nil, err
		}
		if what, err = b.bring(ctx, in.Next(event.BCG, event.TypeOnsiteMessage, 0, now), &m, late); err != nil {
			return nil, err
		}
	}
	b.messages.WithLabelValues(what).Inc()
	b.Log.Debug("a message has come to its end", "event", in.ID, "what", what)
	return nil, nil
}

// pastCycle is the Monday rule.
func pastCycle(d *event.DecidedEvent, s progress.Settings, now time.Time) (bool, error) {
	if !s.MondayRule || d.MessageOf != event.MessageRewardAwarded {
		return false, nil
	}
	cal := s.Calendar()
	weeks, err := cal.Weeks(d.AttemptID, cal.AttemptAt(now))
	if err != nil {
		return false, fmt.Errorf("%w: data of %s: %w", event.ErrEvent, event.TypeDecided, err)
	}
	return weeks > 0, nil
}

// words asks CSL for the message's text.
func (b *BCG) words(ctx context.Context, d *event.DecidedEvent, reward *event.EnrichedProgress, s progress.Settings, m *event.OnsiteMessage) error {
	p, ok := b.Docs.Promotion(d.PromoCode)
	if !ok {
		return fmt.Errorf("promotion %s is not known here yet: put it again if it is lost", d.PromoCode)
	}
	m.Code = couponCode(d, reward)
	q, err := json.Marshal(event.ContentQuestion{MessageType: d.MessageOf, PromoCode: d.PromoCode, Values: values(d, reward, &p.Count, s.Calendar())})
	if err != nil {
		return fmt.Errorf("write a question for content: %w", err)
	}
	a, err := b.ask(ctx, wordsWithin, service.Question{Subject: b.Net.CSLContent(), Data: q})
	if err != nil {
		return err
	}
	content, err := event.ReadContent(a.Data)
	if err != nil {
		return fmt.Errorf("answer of CSL: %w", err)
	}
	m.Language, m.Title, m.Text = content.Language, content.Title, content.Text
	return nil
}

// bring gives a message to OSG, and to MSQ if the shopper is not on site, or if it is late: then to MSQ alone.
func (b *BCG) bring(ctx context.Context, e event.Envelope, m *event.OnsiteMessage, late bool) (what string, err error) {
	data, err := event.Data(m)
	if err != nil {
		return "", err
	}
	q := service.Question{Subject: b.Net.OSGDeliver(), Header: nats.Header(e.Headers()), Data: data}
	what = monday
	if !late {
		a, err := b.ask(ctx, osgWithin, q)
		if err != nil {
			return "", err
		}
		switch status := a.Header.Get(event.OSGStatus); status {
		case event.OSGDelivered:
			return delivered, nil
		case event.OSGNotOnSite:
			what = queued
		default:
			return "", fmt.Errorf("answer of OSG: status %q, want %s or %s", status, event.OSGDelivered, event.OSGNotOnSite)
		}
	}
	q.Subject = b.Net.MSQPut()
	// From the answer on the message is kept. If it is lost, or we die here, MSQ is given the same one again.
	_, err = b.ask(ctx, handleWithin, q)
	return what, err
}

// ask asks a component. What it refuses, and what the connection does not take, is rejected.
func (b *BCG) ask(ctx context.Context, within time.Duration, q service.Question) (service.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	a, err := b.Ask(ctx, q)
	if _, refused := errors.AsType[*service.Refusal](err); refused || errors.Is(err, nats.ErrMaxPayload) {
		err = stage.Reject(err)
	}
	return a, err
}
