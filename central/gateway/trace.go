package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Bounds of a trace.
const (
	maxTraced  = 500       // events of one answer
	maxRead    = 2_000_000 // events looked at for it
	traceWait  = 7 * time.Second
	traceBack  = time.Hour        // how far back an event is looked for, if it is not said
	traceSlack = 10 * time.Minute // how far ahead of the centre's clock a POS's may be, which drew the rid
	stampSlack = 10 * time.Second // how far apart the clocks of the centre's nodes may be, which stamp
)

// Trace is the answer to GET /v1/flow/trace/{id}: what the flow's stream has of a receipt, or of the activity that an
// event belongs to.
type Trace struct {
	ID      string       `json:"id"`
	From    time.Time    `json:"from"` // events that came before were not looked at
	Read    uint64       `json:"read"` // events that were
	Ways    []Way        `json:"ways"`
	Dead    []DeadLetter `json:"dead_letters"`
	Stopped string       `json:"stopped,omitempty"` // why the stream was not read to its end
	Next    uint64       `json:"next,omitempty"`    // where to go on then: ?after=; absent: what there was to find is likely here
}

// Way is one activity on its way through the flow.
type Way struct {
	Account string        `json:"account"`
	Promo   string        `json:"promo_code"`
	Attempt string        `json:"attempt_id"`
	Status  event.Status  `json:"status"`
	Receipt string        `json:"receipt,omitempty"`
	Events  []TracedEvent `json:"events"`
	Passed  []Passed      `json:"passed"` // by the stamps of its events
	Outcome Outcome       `json:"outcome"`

	key     wayKey
	stamps  event.Stamps
	attempt record.Attempt
}

// TracedEvent is one event of the flow's stream.
type TracedEvent struct {
	Sequence uint64    `json:"sequence"`
	Came     time.Time `json:"came"` // into the stream
	Subject  string    `json:"subject"`
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	From     string    `json:"from"`            // the component that made it
	Stage    string    `json:"stage"`           // that reads it
	State    State     `json:"state"`           // how far the stage is with it
	Again    bool      `json:"again,omitempty"` // one with this id came before
}

// State is how far a stage is with an event.
type State string

// States of an event.
const (
	Waits   State = "waits"     // no instance was given it
	Given   State = "given out" // one was; it may have done it, out of order
	Handled State = "handled"
	Dead    State = "dead letter"
)

// Passed is a point that an activity passed.
type Passed struct {
	Point  string    `json:"point"`
	At     time.Time `json:"at"`
	Millis float64   `json:"millis"` // since the point before; the first: zero
}

// wayKey tells activities apart. A stage's outputs bear what their inputs said of it.
type wayKey struct {
	attempt record.Attempt
	status  event.Status
	receipt record.RID
	began   int64 // Unix microseconds: CPP's or EPPM's stamp
}

func keyOf(e *event.Envelope) wayKey {
	began := e.Stamps[event.CPP]
	if began.IsZero() {
		began = e.Stamps[event.EPPM]
	}
	k := wayKey{attempt: e.Attempt, status: e.Status, receipt: e.Receipt}
	if !began.IsZero() {
		k.began = began.UnixMicro()
	}
	return k
}

// tracer makes one Trace.
type tracer struct {
	a       *Admin
	stream  jetstream.Stream
	now     time.Time
	from    time.Time
	after   uint64
	receipt record.RID // traced; zero: an event
	id      string     // of that event
	key     *wayKey    // of it, once it was found
	out     *Trace
	seen    map[string]bool // ids
	taken   int             // events
}

func (a *Admin) trace(r *http.Request) (Trace, error) {
	out := Trace{ID: r.PathValue("id"), Ways: []Way{}, Dead: []DeadLetter{}}
	t := &tracer{a: a, now: a.flowNow(), id: out.ID, out: &out, seen: map[string]bool{}}
	if err := t.ask(r); err != nil {
		return out, err
	}
	var err error
	if t.stream, err = a.stream(r.Context(), a.cfg.Net.FlowStream()); err != nil {
		return out, err
	}
	if err := t.run(r.Context()); err != nil {
		return out, err
	}
	if len(out.Ways) == 0 && len(out.Dead) == 0 && out.Stopped == "" {
		return out, t.none()
	}
	return out, t.finish(r.Context())
}

// ask reads the question.
func (t *tracer) ask(r *http.Request) (err error) {
	q := r.URL.Query()
	if t.after, err = number(q, "after", 0, 1<<62); err != nil {
		return err
	}
	t.from = t.now.Add(-traceBack)
	if rid, err := record.ParseRID(t.id); err == nil {
		t.receipt = rid
		if drawn := rid.Time().Add(-traceSlack); drawn.Before(t.from) {
			t.from = drawn
		}
	}
	if text := q.Get("since"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return fmt.Errorf("%w: since: want a duration back from now, such as 6h, got %q", errRequest, text)
		}
		t.from = t.now.Add(-d)
	}
	t.out.From = t.from.UTC()
	return nil
}

func (t *tracer) none() error {
	if t.receipt != (record.RID{}) {
		return fmt.Errorf("events of receipt %s since %s: %w: no progress promotion counts it, its store has not sent it, or CPP has not read so far",
			t.receipt, t.out.From.Format(time.RFC3339), errUnknown)
	}
	return fmt.Errorf("event %q since %s: %w: look further back with since, as far as the stream keeps", t.id, t.out.From.Format(time.RFC3339), errUnknown)
}

// run reads the dead letters and the stream. An event is looked for first, then what belongs to it.
func (t *tracer) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, traceWait)
	defer cancel()
	if t.receipt == (record.RID{}) {
		found, err := t.find(ctx)
		if err != nil || !found {
			return err
		}
	}
	if err := t.readDead(ctx); err != nil {
		return err
	}
	return t.read(ctx, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		e, ok := t.envelope(ctx, m, meta)
		if ok && t.wanted(&e) {
			t.take(&e, m.Subject(), meta)
		}
		return t.taken < maxTraced, nil
	})
}

// wanted reports whether an event belongs to what is traced.
func (t *tracer) wanted(e *event.Envelope) bool {
	if t.key != nil {
		return keyOf(e) == *t.key
	}
	return e.Receipt == t.receipt
}

// find looks for an event by its id, among the dead letters too, and says what it belongs to.
func (t *tracer) find(ctx context.Context) (bool, error) {
	look := func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		if e, ok := t.envelope(ctx, m, meta); ok && e.ID == t.id {
			k := keyOf(&e)
			t.key = &k
		}
		return t.key == nil, nil
	}
	if err := t.read(ctx, look); err != nil || t.key != nil || t.out.Stopped != "" {
		t.rewind()
		return t.key != nil, err
	}
	dead := reading{stream: t.a.cfg.Net.DeadStream(), subjects: []string{t.a.cfg.Net.AnyDeadLetters()}}
	err := t.a.read(ctx, dead, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		e, err := event.ReadEnvelope(event.Canonical(m.Headers()))
		switch {
		case e.ID != t.id:
		case err != nil: // it never was an event: there is nothing but the letter
			t.out.Dead = append(t.out.Dead, letter(meta.Sequence.Stream, m.Subject(), m.Headers(), sizeOf(m.Headers())))
		default:
			k := keyOf(&e)
			t.key = &k
		}
		return t.key == nil, nil
	})
	t.rewind()
	return t.key != nil, err
}

// rewind makes ready to read the stream again, from where the activity of the event that was found began.
func (t *tracer) rewind() {
	if t.key == nil {
		return
	}
	t.out.Read = 0
	if t.key.began != 0 {
		t.from, t.after = time.UnixMicro(t.key.began).Add(-stampSlack), 0
		t.out.From = t.from.UTC()
	}
}

// readDead gathers the dead letters that belong to what is traced.
func (t *tracer) readDead(ctx context.Context) error {
	what := reading{stream: t.a.cfg.Net.DeadStream(), subjects: []string{t.a.cfg.Net.AnyDeadLetters()}}
	t.out.Dead = t.out.Dead[:0]
	return t.a.read(ctx, what, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		e, _ := event.ReadEnvelope(event.Canonical(m.Headers())) // as far as it is one
		if t.wanted(&e) || t.receipt == (record.RID{}) && e.ID == t.id {
			t.out.Dead = append(t.out.Dead, letter(meta.Sequence.Stream, m.Subject(), m.Headers(), sizeOf(m.Headers())))
		}
		return len(t.out.Dead) < maxTraced, nil
	})
}

// read goes through the flow's stream within the trace's bounds, and says when it stopped at one.
func (t *tracer) read(ctx context.Context, fn func(jetstream.Msg, *jetstream.MsgMetadata) (bool, error)) error {
	what := reading{stream: t.a.cfg.Net.FlowStream(), subjects: []string{">"}, from: t.from}
	if t.after > 0 {
		what.after, what.from = t.after, time.Time{}
	}
	at := t.after
	err := t.a.read(ctx, what, func(m jetstream.Msg, meta *jetstream.MsgMetadata) (bool, error) {
		at = meta.Sequence.Stream
		t.out.Read++
		more, err := fn(m, meta)
		if t.taken >= maxTraced || t.out.Read >= maxRead {
			t.stop(at, "after %d events, of which %d belong to it", t.out.Read, t.taken)
			return false, err
		}
		return more, err
	})
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		t.stop(at, "after %v and %d events", traceWait, t.out.Read)
		return nil
	}
	return err
}

// stop says that the stream was not read to its end. After an event was found, its activity follows closely.
func (t *tracer) stop(at uint64, why string, args ...any) {
	t.out.Stopped = fmt.Sprintf(why, args...)
	if t.key == nil {
		t.out.Next = at
	}
}

// envelope reads what a message of the flow says of itself; false: it is no event. One whose headers say nothing may
// be one in structured mode, which has them in its data.
func (t *tracer) envelope(ctx context.Context, m jetstream.Msg, meta *jetstream.MsgMetadata) (event.Envelope, bool) {
	h := event.Canonical(m.Headers())
	if len(h["ce-id"]) > 0 {
		if !t.mayBe(h) {
			return event.Envelope{}, false
		}
		e, err := event.ReadEnvelope(h)
		return e, err == nil
	}
	whole, err := t.stream.GetMsg(ctx, meta.Sequence.Stream)
	if err != nil {
		return event.Envelope{}, false
	}
	e, _, err := event.Receive(whole.Header, whole.Data)
	return e, err == nil
}

// mayBe is a quick look at headers: nearly all of a stream are of others.
func (t *tracer) mayBe(h nats.Header) bool {
	if t.key != nil {
		return h.Get("ce-subject") == t.key.attempt.Account.String()
	}
	if t.receipt != (record.RID{}) {
		return strings.EqualFold(h.Get("ce-receipt"), t.receipt.String())
	}
	v := h.Get("ce-id")
	return v == t.id || strings.Contains(v, "%") // escaped: read it
}

// take adds an event to its way.
func (t *tracer) take(e *event.Envelope, subject string, meta *jetstream.MsgMetadata) {
	k := keyOf(e)
	i := slices.IndexFunc(t.out.Ways, func(w Way) bool { return w.key == k })
	if i < 0 {
		i = len(t.out.Ways)
		w := Way{
			Account: e.Attempt.Account.String(), Promo: e.Attempt.Promo.String(), Attempt: e.Attempt.Attempt.String(),
			Status: e.Status, key: k, attempt: e.Attempt,
		}
		if e.Receipt != (record.RID{}) {
			w.Receipt = e.Receipt.String()
		}
		t.out.Ways = append(t.out.Ways, w)
	}
	w := &t.out.Ways[i]
	one := TracedEvent{
		Sequence: meta.Sequence.Stream, Came: meta.Timestamp.UTC(), Subject: subject, ID: e.ID, Type: e.Type,
		From: e.Source[strings.LastIndexByte(e.Source, '/')+1:], Again: t.seen[e.ID],
	}
	for _, s := range subjects.Stages() {
		if slices.Contains(t.a.cfg.Net.SubjectsOf(s), subject) {
			one.Stage = s.String()
		}
	}
	t.seen[e.ID] = true
	t.taken++
	w.Events = append(w.Events, one)
	for p, at := range e.Stamps {
		if w.stamps[p].IsZero() { // of one that came again, the first time
			w.stamps[p] = at
		}
	}
}
