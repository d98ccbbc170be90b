package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

var intakeNet = subjects.Net{
	DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
}

// doors opens an intake, and gives a connection of a producer.
func doors(t *testing.T) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	srv, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not come up")
	}
	conn, err := nats.Connect("", nats.InProcessServer(srv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := streams.Apply(t.Context(), js, streams.WantFlow(intakeNet, 1)); err != nil {
		t.Fatal(err)
	}
	n := NewIntake(IntakeConfig{Net: intakeNet, Conn: conn, JS: js, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Now: func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return conn, js
}

// hand hands an activity in, once somebody listens.
func hand(t *testing.T, conn *nats.Conn, subject string, header nats.Header, data string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		a, err := service.AskWith(ctx, conn, service.Question{Subject: subject, Header: header, Data: []byte(data)})
		if errors.Is(err, nats.ErrNoResponders) && ctx.Err() == nil {
			continue
		}
		return string(a.Data), err
	}
}

func foreign(typ string) nats.Header {
	h := nats.Header{}
	for name, v := range map[string]string{"specversion": "1.0", "id": "42", "source": "/crm", "type": typ, "time": "2026-11-25T11:59:00Z",
		"datacontenttype": "application/json", "brand": "other", "dcat": "x", "decat": "2020-01-01T00:00:00Z"} {
		h["ce-"+name] = []string{v}
	}
	h["has-decision"] = []string{"true"}
	return h
}

const foreignCPP = `{"accountId":"0102030405060708090a0b0c0d0e0f10","promoCode":"STAMPS","attemptId":"2026-W48","status":"COMPLETED",
 "occurredAt":"2026-11-25T11:58:00Z","surprise":1,"rewardProgress":[{"rewardSchemeId":"coffee","activityType":"COUPON","progress":2,"target":2,"status":"COMPLETED"}]}`

const foreignEPPM = `{"accountId":"0102030405060708090a0b0c0d0e0f10","promoCode":"STAMPS","attemptId":"2026-W47","week":1,
 "occurredAt":"2026-11-23T00:00:00Z","rewardProgress":[{"rewardSchemeId":"coffee","activityType":"COUPON","progress":1,"target":2,"status":"UNQUALIFIED"}]}`

// Activities of producers outside enter on the documented subjects, in both modes, with headers that are ours; the same
// one twice is one event.
func TestActivitiesFromOutsideEnterTheFlow(t *testing.T) {
	t.Parallel()
	conn, js := doors(t)
	id, err := hand(t, conn, intakeNet.IntakeCPP(), foreign(event.TypeCPPActivity), foreignCPP)
	if err != nil {
		t.Fatal(err)
	}
	structured, err := json.Marshal(map[string]any{"specversion": "1.0", "id": "42", "source": "/crm", "type": event.TypeCPPActivity,
		"datacontenttype": "application/json", "data": json.RawMessage(foreignCPP)})
	if err != nil {
		t.Fatal(err)
	}
	again, err := hand(t, conn, intakeNet.IntakeCPP(), nats.Header{"Content-Type": {"application/cloudevents+json"}}, string(structured))
	if err != nil || again != id || id == "" {
		t.Errorf("handed in again: id %q, %v; want %q", again, err, id)
	}
	if _, err := hand(t, conn, intakeNet.IntakeEPPM(), foreign(event.TypeEPPMActivity), foreignEPPM); err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), intakeNet.FlowStream())
	if err != nil {
		t.Fatal(err)
	}
	for seq, want := range []struct{ subject, status string }{
		{intakeNet.CPPActivity(), "COMPLETED"}, {intakeNet.CPPActivity(), "COMPLETED"}, {intakeNet.EPPMActivity(), "UNQUALIFIED"}} {
		m, err := stream.GetMsg(t.Context(), uint64(seq+1))
		if err != nil {
			t.Fatal(err)
		}
		e, err := event.ReadEnvelope(m.Header)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject != want.subject || string(e.Status) != want.status || e.Brand != intakeNet.Brand || e.Decision != nil || seq < 2 && e.ID != id {
			t.Errorf("message %d on %s: %+v", seq+1, m.Subject, e)
		}
		at := event.CPP
		if seq == 2 {
			at = event.EPPM
		}
		for p, stamp := range e.Stamps {
			if stamp.IsZero() == (event.Point(p) == at) {
				t.Errorf("message %d: stamp of %s is %v", seq+1, event.Point(p), stamp)
			}
		}
		if strings.Contains(string(m.Data), "surprise") {
			t.Errorf("message %d has what nobody knows: %s", seq+1, m.Data)
		}
	}
}

// What is wrong is refused, by the name of the field, and nothing of it enters.
func TestTheIntakeNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	conn, js := doors(t)
	for want, change := range map[string]func(h nats.Header, data string) string{
		"ce-type":    func(h nats.Header, d string) string { h["ce-type"] = []string{"x"}; return d },
		"ce-id":      func(h nats.Header, d string) string { delete(h, "ce-id"); return d },
		"ce-time":    func(h nats.Header, d string) string { h["ce-time"] = []string{"2026-11-25T13:00:00Z"}; return d },
		"ce-subject": func(h nats.Header, d string) string { h["ce-subject"] = []string{"somebody"}; return d },
		"accountId": func(_ nats.Header, d string) string {
			return strings.Replace(d, "0102030405060708090a0b0c0d0e0f10", strings.Repeat("0", 32), 1)
		},
		"promo":     func(_ nats.Header, d string) string { return strings.Replace(d, "STAMPS", "a b", 1) },
		"attemptId": func(_ nats.Header, d string) string { return strings.Replace(d, "2026-W48", "first", 1) },
		"status":    func(_ nats.Header, d string) string { return strings.Replace(d, "COMPLETED", "WON", 1) },
		"occurredAt": func(_ nats.Header, d string) string {
			return strings.Replace(d, "2026-11-25T11:58", "2027-11-25T11:58", 1)
		},
		"rewardProgress": func(_ nats.Header, d string) string { return strings.Replace(d, `"progress":2`, `"progress":-2`, 1) },
		"data":           func(nats.Header, string) string { return "<xml/>" },
	} {
		h := foreign(event.TypeCPPActivity)
		data := change(h, foreignCPP)
		_, err := hand(t, conn, intakeNet.IntakeCPP(), h, data)
		var refusal *service.Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a refusal that names it", want, err)
		}
	}
	stream, err := js.Stream(t.Context(), intakeNet.FlowStream())
	if err != nil || stream.CachedInfo().State.Msgs != 0 {
		t.Errorf("%d of them entered, %v", stream.CachedInfo().State.Msgs, err)
	}
}
