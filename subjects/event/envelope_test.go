package event_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	ce "github.com/cloudevents/sdk-go/v2/event"

	"tillstream/subjects/event"
)

func TestHeadersSurviveAnyText(t *testing.T) {
	for _, want := range []string{
		"plain", `a "quoted" 100% value`, "crème brûlée", "line\r\nNats-Expected-Last-Msg-Id: x", " leading", "€", "a\tb",
	} {
		e := ce.New()
		e.SetID("1")
		e.SetSource("/x")
		e.SetType("t")
		e.SetSubject("s" + want)
		e.SetExtension("note", "s"+want)
		header, _, err := event.ToHeaders(e)
		if err != nil {
			t.Fatalf("%q: %v", want, err)
		}
		for k, v := range header {
			if strings.ContainsAny(v[0], "\r\n \"") {
				t.Errorf("header %s: %q would not cross the wire", k, v)
			}
		}
		got, err := event.FromHeaders(header, nil)
		if err != nil {
			t.Fatalf("%q: %v", want, err)
		}
		if got.Subject() != "s"+want || got.Extensions()["note"] != "s"+want {
			t.Errorf("got %q and %q, want %q", got.Subject(), got.Extensions()["note"], "s"+want)
		}
	}
}

func TestToHeadersRefuses(t *testing.T) {
	valid := func() ce.Event {
		e := ce.New()
		e.SetID("1")
		e.SetSource("/x")
		e.SetType("t")
		e.SetTime(time.UnixMilli(1))
		return e
	}
	for name, spoil := range map[string]func(*ce.Event){
		"id":           func(e *ce.Event) { e.SetID("") },
		"source":       func(e *ce.Event) { e.SetSource("") },
		"type":         func(e *ce.Event) { e.SetType("") },
		"specversion":  func(e *ce.Event) { e.SetSpecVersion(ce.CloudEventsVersionV03) },
		"not an event": func(e *ce.Event) { *e = ce.Event{} },
	} {
		e := valid()
		spoil(&e)
		if _, _, err := event.ToHeaders(e); !errors.Is(err, event.ErrEvent) {
			t.Errorf("%s: got error %v, want %v", name, err, event.ErrEvent)
		}
	}
	if _, _, err := event.ToHeaders(valid()); err != nil {
		t.Error(err)
	}
}
