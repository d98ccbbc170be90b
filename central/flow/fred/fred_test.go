package fred_test

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow/des"
	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/fred"
	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// desk is a FRED, beside a DES that a test puts there.
type desk struct {
	*flowtest.World
	registry *prometheus.Registry
	stop     func()
	asked    atomic.Int64 // questions to a stub of DES
}

func open(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	d := &desk{World: flowtest.Open(t)}
	d.start()
	return d
}

func (d *desk) start() {
	b := d.Base()
	d.registry = b.Registry.(*prometheus.Registry)
	d.stop = d.Run(fred.New(b).Run)
}

// stub is a DES that answers as a test says, to a question in turn; nil: not at all.
func (d *desk) stub(answer func(n int64, q *nats.Msg) *nats.Msg) {
	d.T.Helper()
	_, err := d.Conn.Subscribe(d.Net.DESDecide(), func(m *nats.Msg) {
		if a := answer(d.asked.Add(1), m); a != nil {
			a.Subject = m.Reply
			d.Must(d.Conn.PublishMsg(a))
		}
	})
	d.Must(err)
	d.Must(d.Conn.Flush())
}

// decides answers as DES does, with data that nobody can open.
func (d *desk) decides(yes bool, data []byte) func(int64, *nats.Msg) *nats.Msg {
	return func(_ int64, q *nats.Msg) *nats.Msg {
		e, err := event.ReadEnvelope(q.Header)
		d.Must(err)
		n := e.Next(event.DES, event.TypeDecided, 0, d.Now())
		n.Decision = &yes
		return &nats.Msg{Header: nats.Header(n.Headers()), Data: data}
	}
}

func (d *desk) relevant(n uint16, s event.Status) (event.Envelope, event.CPPActivity) {
	e, a := d.Activity(flowtest.MustAttempt(n, "STAMPS", "2011-W48"), s, "receipt")
	e.Type, e.Stamps[event.TIM] = event.TypeRelevant, d.Now()
	return e, a
}

// ends waits until so many events have come to such an end.
func (d *desk) ends(what string, n float64) {
	d.T.Helper()
	look, last := time.NewTicker(2*time.Millisecond), time.After(flowtest.Within)
	defer look.Stop()
	for d.counted(what) != n {
		select {
		case <-look.C:
		case <-last:
			d.T.Fatalf("%v events are %s, want %v", d.counted(what), what, n)
		}
	}
}

func (d *desk) counted(what string) float64 {
	d.T.Helper()
	families, err := d.registry.Gather()
	d.Must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tillstream_fred_events_total" && m.GetLabel()[0].GetValue() == what {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// Document 004: FRED "doesn't need to deserialise it". Neither the event nor the answer can be opened here.
func TestFREDOpensNoBody(t *testing.T) {
	d := open(t)
	sealed, decision := []byte("\x00\xff{no JSON\x80"), []byte("\xfe\x00neither is this")
	seen := make(chan *nats.Msg, 4)
	answer := d.decides(true, decision)
	d.stub(func(n int64, q *nats.Msg) *nats.Msg { seen <- q; return answer(n, q) })
	for i, subject := range []string{d.Net.Relevant(), d.Net.RelevantUnqualification()} {
		e, _ := d.relevant(uint16(i), event.RewardAwarded)
		d.Publish(subject, e, sealed)
		if q := <-seen; !bytes.Equal(q.Data, sealed) || q.Header.Get("ce-id") != e.ID {
			t.Errorf("DES was asked %v %q", q.Header, q.Data)
		}
		got := d.Expect(d.Net.Decided())
		if !bytes.Equal(got.Data, decision) || got.Type != event.TypeDecided || got.Decision == nil || !*got.Decision {
			t.Errorf("BCG gets %+v %q", got.Envelope, got.Data)
		}
		if got.Attempt != e.Attempt || got.Stamps[event.TIM].IsZero() || got.Stamps[event.DES].IsZero() || got.Stamps[event.FRED].IsZero() {
			t.Errorf("on the way it lost something: %+v", got.Envelope)
		}
		d.Publish(subject, e, sealed) // twice: one id
		if again := d.Expect(d.Net.Decided()); again.ID != got.ID || got.ID == e.ID {
			t.Errorf("ids of one event are %s and %s", got.ID, again.ID)
		}
		<-seen
	}
}

func TestFREDFiltersByTheBrandsConfiguration(t *testing.T) {
	d := open(t)
	d.stub(d.decides(true, nil))
	one := func(n uint16, s event.Status) {
		e, a := d.relevant(n, s)
		d.Publish(d.Net.Relevant(), e, a)
	}
	for i, s := range event.Statuses() { // by default
		one(uint16(i), s)
	}
	d.ends("filtered_status", 4)
	d.ends("decided", 2)
	for range 2 {
		if got := d.Expect(d.Net.Decided()); got.Status != event.RewardAwarded && got.Status != event.Unqualified {
			t.Errorf("status %s passes", got.Status)
		}
	}
	d.PutSettings("fred_statuses: [IN_PROGRESS]")
	one(10, event.InProgress)
	if got := d.Expect(d.Net.Decided()); got.Status != event.InProgress {
		t.Errorf("got %s", got.Status)
	}
	d.PutSettings("fred_excludes: [STAMPS]")
	one(11, event.RewardAwarded)
	d.ends("filtered_promotion", 1)
	if d.asked.Load() != 3 {
		t.Errorf("DES was asked %d times, want 3: not about what is filtered out", d.asked.Load())
	}
	d.ExpectNone(d.Net.Decided())
}

func TestWhatHasNoDecisionEnds(t *testing.T) {
	d := open(t)
	d.stub(d.decides(false, []byte("{}")))
	e, a := d.relevant(1, event.RewardAwarded)
	d.Publish(d.Net.Relevant(), e, a)
	d.ends("no_decision", 1)
	d.ExpectNone(d.Net.Decided())
	d.ExpectNone(d.Net.DeadLetters(subjects.FRED))
}

// DES is down, slow to come, or answers what is no answer: FRED asks until there is one.
func TestFREDAsksUntilThereIsAnAnswer(t *testing.T) {
	d := open(t)
	answer := d.decides(true, []byte("yes"))
	change := func(header, value string) func(int64, *nats.Msg) *nats.Msg {
		return func(n int64, q *nats.Msg) *nats.Msg {
			m := answer(n, q)
			m.Header[header] = []string{value}
			if value == "" {
				delete(m.Header, header)
			}
			return m
		}
	}
	faults := []func(int64, *nats.Msg) *nats.Msg{
		change(event.HasDecision, ""), change(event.HasDecision, "TRUE"), change("ce-id", ""),
		change("ce-attemptid", "2011-W49"), change("ce-brand", "other"), change("ce-status", "EXPIRED"),
		func(int64, *nats.Msg) *nats.Msg { return nil }, // until the time is out
		func(int64, *nats.Msg) *nats.Msg {
			return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {"503"}, micro.ErrorHeader: {"for a test"}}}
		},
	}
	first := map[string]func(int64, *nats.Msg) *nats.Msg{} // by event, for the first question about it
	for i := range faults {
		e, a := d.relevant(uint16(i), event.RewardAwarded)
		first[e.ID] = faults[i]
		d.Publish(d.Net.Relevant(), e, a) // and there is no DES at all yet
	}
	d.stub(func(n int64, q *nats.Msg) *nats.Msg { // one question at a time
		id := q.Header.Get("ce-id")
		if fault := first[id]; fault != nil {
			delete(first, id)
			return fault(n, q)
		}
		return answer(n, q)
	})
	for range faults {
		if got := d.Expect(d.Net.Decided()); string(got.Data) != "yes" {
			t.Errorf("got %q", got.Data)
		}
	}
	d.ends("decided", float64(len(faults)))
	if got := d.asked.Load(); got != 2*int64(len(faults)) {
		t.Errorf("DES was asked %d times, want twice about each", got)
	}
	d.ExpectNone(d.Net.Decided())
	d.ExpectNone(d.Net.DeadLetters(subjects.FRED))
}

// Several instances share the stage, and each of them dies while DES has questions of it: every event passes, and all
// that passes twice is one event.
func TestFREDDiesAndOthersGoOn(t *testing.T) {
	d := open(t)
	c := streams.Consumer(d.Net, subjects.FRED)
	c.AckWait = time.Second // so that a test does not wait for it
	_, err := d.JS.UpdateConsumer(t.Context(), d.Net.FlowStream(), c)
	d.Must(err)
	first := d.stop
	d.start()
	const events = 40
	held := make(chan struct{}, events)
	answer := d.decides(true, []byte("yes"))
	d.stub(func(n int64, q *nats.Msg) *nats.Msg {
		if n%3 != 0 && n <= events {
			held <- struct{}{}
			return nil
		}
		return answer(n, q)
	})
	for i := range uint16(events) {
		e, a := d.relevant(i, event.RewardAwarded)
		d.Publish(d.Net.Relevant(), e, a)
		if i%10 == 0 {
			d.Publish(d.Net.Relevant(), e, a)
		}
	}
	<-held
	first()
	<-held
	d.stop()
	d.start()
	ids := map[string]string{}
	for len(ids) < events {
		got := d.Expect(d.Net.Decided())
		if id := ids[got.Attempt.String()]; id != "" && id != got.ID {
			t.Errorf("an event passed as %s and as %s", id, got.ID)
		}
		ids[got.Attempt.String()] = got.ID
	}
	d.ExpectNone(d.Net.DeadLetters(subjects.FRED))
}

// The real DES refuses what is no event for it: a dead letter, whole, and the stage goes on.
func TestWhatDESRefusesIsADeadLetter(t *testing.T) {
	d := open(t)
	d.Run(des.New(d.Base()).Run)
	for i, c := range []struct {
		want string
		make func(*event.Envelope) []byte
	}{
		{"invalid character", func(*event.Envelope) []byte { return []byte("<html>") }},
		{"ce-type", func(e *event.Envelope) []byte { e.Type = event.TypeCPPActivity; return []byte("{}") }},
		{"want at most", func(*event.Envelope) []byte { return bytes.Repeat([]byte(" "), 1<<20-1500) }}, // as it is, it does travel
	} {
		e, _ := d.relevant(uint16(i), event.RewardAwarded)
		data := c.make(&e)
		if i == 2 {
			data = enriched(e, len(data))
		}
		d.Publish(d.Net.Relevant(), e, data)
		dead := d.Expect(d.Net.DeadLetters(subjects.FRED))
		if got := dead.Header.Get(stage.DeadError); !strings.Contains(got, c.want) || !bytes.Equal(dead.Data, data) || dead.ID != e.ID {
			t.Errorf("case %d: dead because %q, with %d bytes", i, got, len(dead.Data))
		}
	}
	e, _ := d.relevant(9, event.RewardAwarded)
	d.Publish(d.Net.Relevant(), e, enriched(e, 0))
	if got := d.Expect(d.Net.Decided()); got.Attempt != e.Attempt {
		t.Errorf("got %+v", got.Envelope)
	}
}

// enriched makes an event's data of so many bytes at least.
func enriched(e event.Envelope, size int) []byte {
	a := event.EnrichedActivity{
		AccountID: e.Attempt.Account, PromoCode: e.Attempt.Promo, AttemptID: e.Attempt.Attempt, Status: e.Status,
		OccurredAt: e.Time, Brand: e.Brand, RewardProgress: []event.EnrichedProgress{{RewardProgress: event.RewardProgress{
			RewardSchemeID: "coffee", ActivityType: "FREE_SPINS", Progress: 3, Target: 3, Status: e.Status,
		}}},
	}
	b, _ := event.Data(&a)
	a.PromoName = strings.Repeat("x", max(size-len(b), 0))
	b, _ = event.Data(&a)
	return b
}
