package bcg_test

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow/bcg"
	"tillstream/central/flow/flowtest"
	"tillstream/kv/record"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// desk is a BCG and those whom it asks. What these answer a test says; what they are asked it can wait for.
type desk struct {
	*flowtest.World
	registry *prometheus.Registry
	stop     func()

	osg, msq, csl chan asked

	mu      sync.Mutex
	answers map[string]func(asked) *nats.Msg // guarded by mu: of osg, msq and csl; nil: none
}

// asked is a question that came.
type asked struct {
	header nats.Header
	data   []byte
}

// A Thursday of 2011-W48.
var thursday = time.Date(2011, 12, 1, 12, 0, 0, 0, time.UTC)

const stamps = `{"promo_code": "STAMPS", "revision": 1, "name": "Stamps", "tags": ["loyalty"], "count": {"kind": "receipts"},
	"reward_schemes": [{"reward_scheme_id": "coffee", "activity_type": "COUPON", "target": 3, "valid_days": 7}]}`

func open(t *testing.T) *desk {
	t.Helper()
	t.Parallel()
	d := &desk{World: flowtest.Open(t), osg: make(chan asked, 64), msq: make(chan asked, 64), csl: make(chan asked, 64),
		answers: map[string]func(asked) *nats.Msg{}}
	d.SetNow(thursday)
	d.PutPromotion(stamps)
	d.says("csl", content("Well done"))
	d.says("osg", status("200"))
	d.says("msq", func(asked) *nats.Msg { return &nats.Msg{} })
	for name, c := range map[string]struct {
		subject string
		came    chan asked
	}{"osg": {d.Net.OSGDeliver(), d.osg}, "msq": {d.Net.MSQPut(), d.msq}, "csl": {d.Net.CSLContent(), d.csl}} {
		_, err := d.Conn.Subscribe(c.subject, func(m *nats.Msg) {
			q := asked{m.Header, m.Data}
			d.mu.Lock()
			answer := d.answers[name]
			d.mu.Unlock()
			a := answer(q)
			c.came <- q
			if a != nil {
				a.Subject = m.Reply
				d.Must(d.Conn.PublishMsg(a))
			}
		})
		d.Must(err)
	}
	d.Must(d.Conn.Flush())
	d.start()
	return d
}

// start starts another instance.
func (d *desk) start() {
	b := d.Base()
	d.registry = b.Registry.(*prometheus.Registry)
	d.stop = d.Run(bcg.New(b).Run)
}

func (d *desk) says(name string, answer func(asked) *nats.Msg) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answers[name] = answer
}

func status(code string) func(asked) *nats.Msg {
	return func(asked) *nats.Msg { return &nats.Msg{Header: nats.Header{"status": {code}}} }
}

func content(text string) func(asked) *nats.Msg {
	b, _ := json.Marshal(event.Content{Language: "en", Title: "Hello", Text: text})
	return func(asked) *nats.Msg { return &nats.Msg{Data: b} }
}

func fails(code string) func(asked) *nats.Msg {
	return func(asked) *nats.Msg {
		return &nats.Msg{Header: nats.Header{micro.ErrorCodeHeader: {code}, micro.ErrorHeader: {"for a test"}}}
	}
}

func silent(asked) *nats.Msg { return nil }

var refuses = fails(service.CodeRefused)

// came waits for the next question.
func (d *desk) came(questions chan asked) asked {
	d.T.Helper()
	select {
	case q := <-questions:
		return q
	case <-time.After(flowtest.Within):
		d.T.Fatal("nothing was asked")
		return asked{}
	}
}

// message reads a question that is a message.
func (d *desk) message(q asked) (event.Envelope, event.OnsiteMessage) {
	d.T.Helper()
	e, data, err := event.Receive(q.header, q.data)
	d.Must(err)
	m, err := event.Read[event.OnsiteMessage](&e, event.TypeOnsiteMessage, data)
	d.Must(err)
	return e, m
}

// none says that there was no other question.
func (d *desk) none(questions chan asked, what string) {
	d.T.Helper()
	select {
	case q := <-questions:
		d.T.Errorf("%s was asked: %v %s", what, q.header, q.data)
	default:
	}
}

// decided makes shopper n's event with a decision, as FRED passes it on.
func (d *desk) decided(n uint16, attempt string, s event.Status) (event.Envelope, event.DecidedEvent) {
	a := flowtest.MustAttempt(n, "STAMPS", attempt)
	e, activity := d.Activity(a, s, "receipt")
	yes := true
	e.Type, e.Decision, e.Stamps[event.FRED] = event.TypeDecided, &yes, d.Now()
	m, _ := s.Message()
	return e, event.DecidedEvent{
		EnrichedActivity: event.EnrichedActivity{
			AccountID: a.Account, PromoCode: a.Promo, AttemptID: a.Attempt, Status: s, OccurredAt: d.Now(),
			PromoName: "Stamps", PromoURL: "https://example.com/stamps", Brand: d.Net.Brand, Tags: []string{"loyalty"},
			RewardProgress: []event.EnrichedProgress{{
				RewardProgress: activity.RewardProgress[0], RewardType: "COUPON", TierDefinition: "Gold",
				ExpirationDate: d.Now().Add(60 * 24 * time.Hour),
			}},
		},
		Verdict: event.Decision, Decisions: []event.Decided{{RewardSchemeID: "coffee", Verdict: event.Decision}},
		Delivery: event.FullScreen, MessageOf: m,
	}
}

func (d *desk) publish(e event.Envelope, data any) {
	d.T.Helper()
	d.Publish(d.Net.Decided(), e, data)
}

// ends waits until so many messages have come to an end.
func (d *desk) ends(what string, n float64) {
	d.T.Helper()
	look, last := time.NewTicker(2*time.Millisecond), time.After(flowtest.Within)
	defer look.Stop()
	for d.counted(what) != n {
		select {
		case <-look.C:
		case <-last:
			d.T.Fatalf("%v messages are %s, want %v", d.counted(what), what, n)
		}
	}
}

// counted gives how many messages came to such an end.
func (d *desk) counted(what string) float64 {
	d.T.Helper()
	families, err := d.registry.Gather()
	d.Must(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "tillstream_bcg_messages_total" && m.GetLabel()[0].GetValue() == what {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

func rid(b byte) record.RID { return record.RIDFrom(thursday, record.Hash{b}) }
