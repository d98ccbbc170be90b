package flowtest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// Received is an event that the flow's streams have.
type Received struct {
	event.Envelope
	Subject  string
	Header   nats.Header
	Data     []byte
	Sequence uint64
}

// MustAttempt names shopper n's attempt at a promotion.
func MustAttempt(n uint16, promo, attempt string) record.Attempt {
	p, err := record.ParsePromoCode(promo)
	a, err2 := record.ParseAttemptID(attempt)
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	return record.Attempt{Account: record.AccountID{0: 0xa0, 14: byte(n >> 8), 15: byte(n)}, Promo: p, Attempt: a}
}

// Activity makes an activity of CPP with one progress, and its envelope. cause is what brought it about: the same
// cause gives the same id.
func (w *World) Activity(a record.Attempt, status event.Status, cause string) (event.Envelope, event.CPPActivity) {
	now := w.Now()
	e := event.Envelope{
		ID: event.FirstID(a, status, cause), Type: event.TypeCPPActivity,
		Source: event.Source(w.Net.DC, w.Net.Brand, event.CPP.String()),
		Time:   now, DC: w.Net.DC, Brand: w.Net.Brand, Attempt: a, Status: status,
	}
	e.Stamps[event.CPP] = now
	return e, event.CPPActivity{
		AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt, Status: status, OccurredAt: now,
		RewardProgress: []event.RewardProgress{{RewardSchemeID: "coffee", ActivityType: "FREE_SPINS", Progress: 3, Target: 3, Status: status}},
	}
}

// Publish puts an event on a subject of the flow. data is written as JSON, or as it is if it is bytes.
func (w *World) Publish(subject string, e event.Envelope, data any) {
	w.T.Helper()
	b, ok := data.([]byte)
	if !ok {
		var err error
		b, err = event.Data(data)
		w.Must(err)
	}
	w.PublishRaw(&nats.Msg{Subject: subject, Header: e.Headers(), Data: b})
}

// PublishRaw puts anything into the flow's stream.
func (w *World) PublishRaw(m *nats.Msg) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	_, err := w.JS.PublishMsg(ctx, m)
	w.Must(err)
}

// reader goes through what a stream has on one subject.
type reader struct {
	consumer jetstream.Consumer
	stream   string
	last     uint64
}

func (w *World) reader(subject string) *reader {
	w.T.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.reads[subject]
	if r == nil {
		stream := w.Net.DeadStream()
		if slices.Contains(w.Net.FlowSubjects(), subject) {
			stream = w.Net.FlowStream()
		}
		c, err := w.JS.OrderedConsumer(w.T.Context(), stream, jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}})
		w.Must(err)
		r = &reader{consumer: c, stream: stream}
		w.reads[subject] = r
	}
	return r
}

// Expect waits for the next event on a subject of the flow, that of dead letters too, in the order in which the
// stream has them: from the first, whenever it came.
func (w *World) Expect(subject string) Received {
	w.T.Helper()
	r := w.reader(subject)
	m, err := r.consumer.Next(jetstream.FetchMaxWait(Within))
	if err != nil {
		w.T.Fatalf("wait for an event on %s: %v", subject, err)
	}
	meta, err := m.Metadata()
	w.Must(err)
	r.last = meta.Sequence.Stream
	got := Received{Subject: m.Subject(), Header: m.Headers(), Data: m.Data(), Sequence: r.last}
	got.Envelope, _ = event.ReadEnvelope(m.Headers()) // a dead letter may be no event
	return got
}

// ExpectNone says that there is nothing more on a subject now. Settle first.
func (w *World) ExpectNone(subject string) {
	w.T.Helper()
	r := w.reader(subject)
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	s, err := w.JS.Stream(ctx, r.stream)
	w.Must(err)
	m, err := s.GetMsg(ctx, r.last+1, jetstream.WithGetMsgSubject(subject))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
	case err != nil:
		w.T.Fatal(err)
	default:
		w.T.Errorf("there is an event on %s that should not be: %v\n%s", subject, m.Header, m.Data)
	}
}

// Settle waits until stages have worked through all that the stream has for them.
func (w *World) Settle(stages ...subjects.Stage) {
	w.T.Helper()
	for _, s := range stages {
		last := w.last(w.Net.SubjectsOf(s))
		// What was published just now a consumer does not count yet; its floor does not lie.
		w.Until("stage "+s.String()+" has worked through its events", s, func(i *jetstream.ConsumerInfo) bool {
			return i.AckFloor.Stream >= last && i.NumPending == 0 && i.NumAckPending == 0
		})
	}
}

// last gives the sequence of the last event on some subjects; 0: there is none.
func (w *World) last(of []string) (last uint64) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	stream, err := w.JS.Stream(ctx, w.Net.FlowStream())
	w.Must(err)
	for _, subject := range of {
		m, err := stream.GetLastMsgForSubject(ctx, subject)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		w.Must(err)
		last = max(last, m.Sequence)
	}
	return last
}

// Until waits until a stage's consumer is as it should be.
func (w *World) Until(what string, s subjects.Stage, is func(*jetstream.ConsumerInfo) bool) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), Within)
	defer cancel()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for {
		c, err := w.JS.Consumer(ctx, w.Net.FlowStream(), s.String())
		w.Must(err)
		if is(c.CachedInfo()) {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			w.T.Fatalf("wait in vain until %s: %+v", what, c.CachedInfo())
		}
	}
}
