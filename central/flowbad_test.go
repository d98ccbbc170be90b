package central_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/central/flow/flowtest"
	"tillstream/central/stage"
	"tillstream/kv"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// badCase is something of an event that no stage can take, or that a brand does not want.
type badCase struct {
	what  string
	spoil func(c *chain, e *event.Envelope, a *event.CPPActivity) *nats.Msg // nil: as e and a say
	// Its stage has it among its dead letters, for this reason; or else a component has counted it so.
	stage     subjects.Stage
	why       string
	component string
	count     string
}

func badCases() []badCase {
	raw := func(c *chain, e *event.Envelope, a *event.CPPActivity) *nats.Msg {
		data, err := event.Data(a)
		c.Must(err)
		return &nats.Msg{Subject: c.Net.CPPActivity(), Header: e.Headers(), Data: data}
	}
	with := func(change func(m *nats.Msg)) func(*chain, *event.Envelope, *event.CPPActivity) *nats.Msg {
		return func(c *chain, e *event.Envelope, a *event.CPPActivity) *nats.Msg {
			m := raw(c, e, a)
			change(m)
			return m
		}
	}
	of := func(change func(c *chain, e *event.Envelope, a *event.CPPActivity)) func(*chain, *event.Envelope, *event.CPPActivity) *nats.Msg {
		return func(c *chain, e *event.Envelope, a *event.CPPActivity) *nats.Msg { change(c, e, a); return nil }
	}
	promo := func(code string) func(*chain, *event.Envelope, *event.CPPActivity) *nats.Msg {
		return of(func(_ *chain, e *event.Envelope, a *event.CPPActivity) {
			e.Attempt = flowtest.MustAttempt(1, code, e.Attempt.Attempt.String())
			a.AccountID, a.PromoCode = e.Attempt.Account, e.Attempt.Promo
		})
	}
	dec := subjects.DEC
	return []badCase{
		{what: "not a CloudEvent", stage: dec, why: "specversion", spoil: with(func(m *nats.Msg) { m.Header, m.Data = nil, []byte("hello") })},
		{what: "wrong type", stage: dec, why: "ce-type", spoil: of(func(_ *chain, e *event.Envelope, _ *event.CPPActivity) { e.Type = "com.example.other" })},
		{what: "missing header", stage: dec, why: "ce-brand", spoil: with(func(m *nats.Msg) { delete(m.Header, "ce-brand") })},
		{what: "unknown status", stage: dec, why: "DANCING", spoil: with(func(m *nats.Msg) { m.Header["ce-status"] = []string{"DANCING"} })},
		{what: "unknown promo", stage: dec, why: "NOPE", spoil: promo("NOPE")},
		{what: "unknown brand", stage: dec, why: "elsewhere", spoil: of(func(_ *chain, e *event.Envelope, _ *event.CPPActivity) { e.Brand = flowtest.BrandOf("elsewhere").Brand })},
		{what: "time of the future", stage: dec, why: "ahead", spoil: of(func(_ *chain, e *event.Envelope, _ *event.CPPActivity) { e.Time = e.Time.Add(time.Hour) })},
		{what: "a loop", stage: dec, why: "circle", spoil: of(func(_ *chain, e *event.Envelope, _ *event.CPPActivity) { e.Stamps[event.DEC] = e.Time })},
		{what: "template without a variable", stage: subjects.BCG, why: "code", spoil: promo("LACKS")},
		{what: "unknown tag", component: "TIM", count: "unwanted", spoil: promo("UNTAGGED")},
		{what: "unknown reward type", component: "FRED", count: "no_decision",
			spoil: of(func(_ *chain, _ *event.Envelope, a *event.CPPActivity) { a.RewardProgress[0].ActivityType = "BALLOON" })},
	}
}

// Whatever bad comes to the flow is a dead letter or a documented default, counted, and the stage goes on with what comes
// next.
func TestBadEvents(t *testing.T) {
	t.Parallel()
	c := newChain(flowtest.Open(t))
	c.SetNow(time.Now().Add(3 * time.Minute)) // DEC waits for a promotion that it does not know, for two minutes
	c.PutPromotion(stamps)
	c.PutPromotion(strings.Replace(stamps, "STAMPS", "LACKS", 1))
	c.PutPromotion(strings.NewReplacer("STAMPS", "UNTAGGED", "loyalty", "unheard").Replace(stamps))
	c.template("REWARD_AWARDED", "{promoName}")
	c.template("REWARD_AWARDED.LACKS", "{code}") // which these awards do not have
	c.start()
	for i, b := range badCases() {
		t.Run(b.what, func(t *testing.T) {
			before := uint64(0)
			if b.component != "" {
				before = c.counted(b.component, b.count)
			}
			e, a := c.Activity(c.attempt(1, "STAMPS"), event.RewardAwarded, b.what)
			if m := b.spoil(c, &e, &a); m != nil {
				c.PublishRaw(m)
			} else {
				c.Publish(c.Net.CPPActivity(), e, a)
			}
			good := c.attempt(100+i, "STAMPS")
			c.award(good, event.RewardAwarded, 1)
			c.settle()
			if got := len(c.waits(good.Account)); got != 1 {
				t.Errorf("the next event has brought %d messages, want 1: the stage does not go on", got)
			}
			if got := c.waits(c.attempt(1, "STAMPS").Account); len(got) > 0 {
				t.Errorf("it has brought a message")
			}
			if b.component != "" {
				if got := c.counted(b.component, b.count) - before; got != 1 {
					t.Errorf("%s has counted %d as %s, want 1", b.component, got, b.count)
				}
				return
			}
			dead := c.Expect(c.Net.DeadLetters(b.stage))
			if why := dead.Header.Get(stage.DeadError); !strings.Contains(why, b.why) {
				t.Errorf("a dead letter because of %q, want it to say %q", why, b.why)
			}
		})
	}
	// A body over 1 MiB comes to no stage: the centre's server refuses it. (What a stage makes of a good one and is too
	// large is package stage's test.)
	e, _ := c.Activity(c.attempt(1, "STAMPS"), event.RewardAwarded, "large")
	_, err := c.JS.PublishMsg(t.Context(), &nats.Msg{Subject: c.Net.CPPActivity(), Header: e.Headers(), Data: make([]byte, event.MaxData+1)})
	if !errors.Is(err, nats.ErrMaxPayload) {
		t.Errorf("a body over 1 MiB: %v, want %v", err, nats.ErrMaxPayload)
	}
	for _, s := range subjects.Stages() {
		c.ExpectNone(c.Net.DeadLetters(s))
	}
}

// HTML in a variable is text in the message, and a CMS that answers with no JSON holds messages back, counted, until it is
// mended.
func TestBadWords(t *testing.T) {
	t.Parallel()
	c := newChain(flowtest.Open(t))
	c.PutPromotion(strings.Replace(stamps, "Three stamps", `"<script>alert(1)</script>"`, 1))
	c.template("REWARD_AWARDED", "{promoName}!")
	c.start()
	first := c.attempt(1, "STAMPS")
	c.award(first, event.RewardAwarded, 1)
	c.sees(first.Account, true, "‹script›alert(1)‹/script›!")

	cms := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	t.Cleanup(cms.Close)
	c.PutSettings("cms: " + cms.URL)
	second := c.attempt(2, "STAMPS")
	c.award(second, event.RewardAwarded, 1)
	c.until("CSL has counted that the CMS answers no JSON", func() error {
		if c.counted("CSL", "unavailable") == 0 {
			return errors.New("it has not")
		}
		return nil
	})
	if c.has(kv.Attempts(c.Net.Brand), kv.AttemptKey(second)) && len(c.waits(second.Account)) > 0 {
		t.Error("a message without words")
	}
	c.PutSettings("zone: UTC")
	c.sees(second.Account, true, "‹script›alert(1)‹/script›!")
	c.noDead()
}

// counted gives how often a component has counted something so.
func (c *chain) counted(component, as string) (n uint64) {
	c.T.Helper()
	for _, p := range c.parts {
		if p.name != component {
			continue
		}
		families, err := p.registry.Gather()
		c.Must(err)
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetValue() == as {
						n += uint64(m.GetCounter().GetValue())
					}
				}
			}
		}
	}
	return n
}
