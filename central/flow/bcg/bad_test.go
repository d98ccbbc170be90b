package bcg_test

import (
	"strings"
	"testing"
	"time"

	"tillstream/central/stage"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// What is wrong goes to the dead letters, whole, and the stage goes on.
func TestBadEventsAreDeadLetters(t *testing.T) {
	d := open(t)
	for i, c := range []struct {
		want string
		make func(*event.Envelope, *event.DecidedEvent) any
	}{
		{"ce-type", func(e *event.Envelope, v *event.DecidedEvent) any { e.Type = event.TypeRelevant; return v }},
		{"invalid character", func(*event.Envelope, *event.DecidedEvent) any { return []byte("<html>") }},
		{"unexpected end", func(*event.Envelope, *event.DecidedEvent) any { return []byte{} }},
		{"is of attempt", func(e *event.Envelope, v *event.DecidedEvent) any { e.Attempt.Account[3]++; return v }},
		{"status", func(_ *event.Envelope, v *event.DecidedEvent) any { v.Status = "WON"; return v }},
		{"decision: got", func(_ *event.Envelope, v *event.DecidedEvent) any { v.Verdict = "MAYBE"; return v }},
		{"decision: there is none", func(_ *event.Envelope, v *event.DecidedEvent) any { v.Verdict = event.NoDecision; return v }},
		{"decision: there is none", func(_ *event.Envelope, v *event.DecidedEvent) any { v.Decisions = nil; return v }},
		{"unknown way \"sms\"", func(_ *event.Envelope, v *event.DecidedEvent) any { v.Delivery = "sms"; return v }},
		{"unknown type \"SPAM\"", func(_ *event.Envelope, v *event.DecidedEvent) any { v.MessageOf = "SPAM"; return v }},
		{"occurredAt", func(_ *event.Envelope, v *event.DecidedEvent) any { v.OccurredAt = time.Time{}; return v }},
		{"occurredAt", func(_ *event.Envelope, v *event.DecidedEvent) any {
			v.OccurredAt = thursday.AddDate(1, 0, 0)
			return v
		}},
		{"want a week such as", func(e *event.Envelope, v *event.DecidedEvent) any {
			*e, *v = d.decided(90, "SPRING", event.RewardAwarded)
			return v
		}},
		{"passed bcg before", func(e *event.Envelope, v *event.DecidedEvent) any { e.Stamps[event.BCG] = thursday; return v }},
	} {
		e, v := d.decided(uint16(i), "2011-W48", event.RewardAwarded)
		data := c.make(&e, &v)
		d.publish(e, data)
		dead := d.Expect(d.Net.DeadLetters(subjects.BCG))
		if got := dead.Header.Get(stage.DeadError); !strings.Contains(got, c.want) || dead.Header.Get("ce-id") != e.ID {
			t.Errorf("case %d is dead because %q, want %q", i, got, c.want)
		}
	}
	d.none(d.osg, "OSG")
	d.none(d.msq, "MSQ")
	d.publish(d.decided(100, "2011-W48", event.RewardAwarded))
	d.came(d.osg)
}

// A refusal is for good: BCG must not ask for ever, and hold up the shopper's other messages.
func TestWhatIsRefusedIsADeadLetter(t *testing.T) {
	d := open(t)
	d.says("osg", status("404"))
	for i, who := range []string{"msq", "osg", "csl"} {
		d.says(who, refuses)
		e, v := d.decided(uint16(i), "2011-W48", event.RewardAwarded)
		d.publish(e, v)
		dead := d.Expect(d.Net.DeadLetters(subjects.BCG))
		if got := dead.Header.Get(stage.DeadError); !strings.Contains(got, who) || dead.Header.Get("ce-id") != e.ID {
			t.Errorf("refused by %s: dead because %q", who, got)
		}
	}
}
