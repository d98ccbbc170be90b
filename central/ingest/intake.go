package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// IntakeConfig says for whom an Intake works.
type IntakeConfig struct {
	Net  subjects.Net
	Conn *nats.Conn // of the brand's account at the centre
	JS   jetstream.JetStream
	Now  func() time.Time // nil: time.Now
	Log  *slog.Logger
}

// Intake takes CPP and EPPM activities from producers outside, checks them, and puts them on the documented subjects, from
// where on the flow is the same. Of their headers it believes id, source, type, subject, time and trace context; brand,
// stamps, and whether there is a decision are not theirs to say.
type Intake struct{ cfg IntakeConfig }

// NewIntake makes an Intake.
func NewIntake(cfg IntakeConfig) *Intake {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Intake{cfg}
}

// Run serves until ctx ends, and waits for the activities under way.
func (n *Intake) Run(ctx context.Context) error {
	net := n.cfg.Net
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, door := range []struct {
		name, subject string
		read          func(event.Foreign, []byte) (event.Envelope, []byte, error)
		to            string
		at            event.Point
	}{
		{"cpp", net.IntakeCPP(), readCPP, net.CPPActivity(), event.CPP},
		{"eppm", net.IntakeEPPM(), readEPPM, net.EPPMActivity(), event.EPPM},
	} {
		s := service.New(service.Config{
			Conn: n.cfg.Conn, Name: subjects.ServiceIntake, Endpoint: door.name, Subject: door.subject,
			Description: "takes " + door.name + " activities of producers outside, for brand " + net.Brand.String(),
			Log:         n.cfg.Log,
			Answer: func(ctx context.Context, q service.Question) (service.Answer, error) {
				id, err := n.take(ctx, q, door.read, door.to, door.at)
				if errors.Is(err, event.ErrEvent) {
					err = &service.Refusal{Err: err}
				}
				return service.Answer{Data: []byte(id)}, err
			},
		})
		wg.Go(func() {
			if err := s.Run(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// intakeWithin bounds the stream's word that it has an activity.
const intakeWithin = 5 * time.Second

// ahead is how far a producer's clock may be before ours.
const ahead = time.Minute

// take puts an activity on its subject, and gives the id that it has there.
func (n *Intake) take(ctx context.Context, q service.Question, read func(event.Foreign, []byte) (event.Envelope, []byte, error),
	to string, at event.Point) (string, error) {
	foreign, data, err := event.ReadForeign(q.Header, q.Data)
	if err != nil {
		return "", err
	}
	now := n.cfg.Now()
	if foreign.Time.After(now.Add(ahead)) {
		return "", fmt.Errorf("%w: header ce-time is %v, which is yet to come", event.ErrEvent, foreign.Time)
	}
	e, data, err := read(foreign, data)
	if err != nil {
		return "", err
	}
	if e.Time.After(now.Add(ahead)) {
		return "", fmt.Errorf("%w: data: occurredAt is %v, which is yet to come", event.ErrEvent, e.Time)
	}
	if s := foreign.Subject; s != "" && s != e.Attempt.Account.String() {
		return "", fmt.Errorf("%w: header ce-subject is not accountId of the data", event.ErrEvent)
	}
	e.ID, e.Trace = event.ForeignID(foreign.Source, foreign.ID), foreign.Trace
	e.DC, e.Brand, e.Source = n.cfg.Net.DC, n.cfg.Net.Brand, event.Source(n.cfg.Net.DC, n.cfg.Net.Brand, "intake")
	e.Time = now
	e.Stamps[at] = now
	ctx, cancel := context.WithTimeout(ctx, intakeWithin)
	defer cancel()
	if _, err := n.cfg.JS.PublishMsg(ctx, &nats.Msg{Subject: to, Header: e.Headers(), Data: data}); err != nil {
		return "", fmt.Errorf("publish on %s: %w", to, err)
	}
	return e.ID, nil
}

// readCPP reads a CPP activity. The envelope's time is when it occurred.
func readCPP(f event.Foreign, data []byte) (event.Envelope, []byte, error) {
	var a event.CPPActivity
	return readActivity(f, event.TypeCPPActivity, data, &a, func(e *event.Envelope) (err error) {
		e.Attempt = a.Attempt()
		if a, err = event.Read[event.CPPActivity](e, event.TypeCPPActivity, data); err != nil {
			return err
		}
		e.Status, e.Receipt, e.Time = a.Status, a.RID, a.OccurredAt
		return nil
	})
}

func readEPPM(f event.Foreign, data []byte) (event.Envelope, []byte, error) {
	var a event.EPPMActivity
	return readActivity(f, event.TypeEPPMActivity, data, &a, func(e *event.Envelope) (err error) {
		e.Attempt = a.Attempt()
		if a, err = event.Read[event.EPPMActivity](e, event.TypeEPPMActivity, data); err != nil {
			return err
		}
		e.Status, e.Time = event.Unqualified, a.OccurredAt
		return nil
	})
}

// readActivity reads data into v, has it checked, and writes it again: what we do not know of it does not come in.
func readActivity(f event.Foreign, typ string, data []byte, v any, check func(*event.Envelope) error) (e event.Envelope, _ []byte, err error) {
	if e.Type = f.Type; f.Type != typ {
		return e, nil, fmt.Errorf("%w: header ce-type is %q, want %q", event.ErrEvent, clip(f.Type), typ)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return e, nil, fmt.Errorf("%w: data of %s: %w", event.ErrEvent, typ, err)
	}
	if err := check(&e); err != nil {
		return e, nil, err
	}
	switch of := e.Attempt; {
	case of.Account.IsZero():
		err = errors.New("accountId: is missing")
	case of.Promo.IsZero():
		err = errors.New("promoCode: is missing")
	default:
		err = isWeek(of.Attempt)
	}
	if err == nil && e.Time.IsZero() {
		err = errors.New("occurredAt: is missing")
	}
	if err != nil {
		return e, nil, fmt.Errorf("%w: data of %s: %w", event.ErrEvent, typ, err)
	}
	data, err = event.Data(v)
	return e, data, err
}

// isWeek refuses an attempt that is no cycle: nobody could tell when its reward expires.
func isWeek(id record.AttemptID) error {
	cal, err := progress.NewCalendar("UTC") // any zone has the same weeks
	if err == nil {
		_, _, err = cal.Attempt(id)
	}
	if err != nil {
		return fmt.Errorf("attemptId: %w", err)
	}
	return nil
}

// clip keeps an error short.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
