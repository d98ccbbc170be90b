package central_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/bcg"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/dec"
	"tillstream/central/flow/des"
	"tillstream/central/flow/flowtest"
	"tillstream/central/flow/fred"
	"tillstream/central/flow/msq"
	"tillstream/central/flow/osg"
	"tillstream/central/flow/pph"
	"tillstream/central/flow/tim"
	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// chain is the components of the flow, from DEC on, as a centre of one node runs them, and the tills of a store.
type chain struct {
	*flowtest.World
	shop   *shopfront
	parts  []*part
	rnd    *rand.Rand // nil: nothing crashes
	due    []*part    // to crash, in this order
	steps  atomic.Int64
	copied atomic.Uint64 // messages that were published once more
	twice  bool
	said   int // events
	every  int // events from one crash to the next
}

// part is a component, which can crash and be started again.
type part struct {
	name string
	run  func(flow.Base) func(context.Context) error
	conn *nats.Conn
	stop func()

	registry *prometheus.Registry
}

// way is how the events go their way.
type way struct {
	name         string
	crash, twice bool
}

// eachWay runs a test plainly, with crashes of every component, and with every message twice.
func eachWay(t *testing.T, test func(t *testing.T, c *chain, shoppers int)) {
	t.Parallel()
	for _, w := range []way{{name: "plainly"}, {name: "with crashes", crash: true}, {name: "twice", twice: true}} {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			c, shoppers := newChain(flowtest.Open(t)), 40
			if w.twice {
				c.double()
			}
			if w.crash {
				c.crashes()
				shoppers = 200
			}
			c.PutPromotion(stamps)
			c.start()
			test(t, c, shoppers)
			if len(c.due) > 0 {
				t.Errorf("%d components have not crashed: the test says too little", len(c.due))
			}
			c.noDead()
		})
	}
}

const stamps = `
promo_code: STAMPS
revision: 1
name: Three stamps
url: https://example.com/stamps
tags: [loyalty]
repeatable: true
count: {kind: receipts}
reward_schemes:
  - {reward_scheme_id: coffee, activity_type: FREE_SPINS, target: 3, products: [coffee], reward_type: COUPON,
     product_reward_type: Coffee, tier_definition: one, expiration_date: "2099-01-01"}
`

func newChain(w *flowtest.World) *chain {
	c := &chain{World: w}
	c.shop = openShop(w)
	c.parts = []*part{
		{name: "DEC", run: func(b flow.Base) func(context.Context) error { return dec.New(b).Run }},
		{name: "PPH", run: func(b flow.Base) func(context.Context) error { return pph.New(b).Run }},
		{name: "TIM", run: func(b flow.Base) func(context.Context) error { return tim.New(b).Run }},
		{name: "FRED", run: func(b flow.Base) func(context.Context) error { return fred.New(b).Run }},
		{name: "DES", run: func(b flow.Base) func(context.Context) error { return des.New(b).Run }},
		{name: "BCG", run: func(b flow.Base) func(context.Context) error { return bcg.New(b).Run }},
		{name: "CSL", run: func(b flow.Base) func(context.Context) error { return csl.New(b).Run }},
		{name: "OSG", run: func(b flow.Base) func(context.Context) error { return osg.New(b).Run }},
		{name: "MSQ", run: func(b flow.Base) func(context.Context) error { return msq.New(b).Run }},
	}
	return c
}

func (c *chain) start() {
	c.T.Helper()
	for _, p := range c.parts {
		c.begin(p)
	}
}

// begin starts a component, with a connection of its own.
func (c *chain) begin(p *part) {
	c.T.Helper()
	b := c.Base()
	p.conn, p.registry = b.Conn, b.Registry.(*prometheus.Registry)
	run := p.run(b)
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.T.Context())) // a test's own ends before its clean-up
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := run(ctx); err != nil && !b.Conn.IsClosed() {
			c.T.Errorf("%s ended: %v", p.name, err)
		}
	})
	p.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	c.T.Cleanup(p.stop)
}

// crashes has every component crash, in an order that is drawn, while events are said.
func (c *chain) crashes() {
	seed := uint64(time.Now().UnixNano())
	c.T.Logf("seed %d", seed)
	c.rnd, c.every = rand.New(rand.NewPCG(seed, 0)), 20
	for _, i := range c.rnd.Perm(len(c.parts)) {
		c.due = append(c.due, c.parts[i])
	}
	// What a stage that died was at comes again after this, not after the ten seconds of a centre.
	for _, s := range subjects.Stages() {
		cfg := streams.Consumer(c.Net, s)
		cfg.AckWait = 3 * time.Second
		_, err := c.JS.CreateOrUpdateConsumer(c.T.Context(), c.Net.FlowStream(), cfg)
		c.Must(err)
	}
	_, err := c.Conn.Subscribe(">", func(*nats.Msg) { c.steps.Add(1) })
	c.Must(err)
}

// crash ends the next component in the middle of what it does, a number of messages from now, and starts it again. Half
// of them lose their connection first: then nothing of what they had under way is heard of any more.
func (c *chain) crash() {
	c.T.Helper()
	p := c.due[0]
	c.due = c.due[1:]
	until := c.steps.Load() + c.rnd.Int64N(150)
	look, late := time.NewTicker(time.Millisecond), time.NewTimer(100*time.Millisecond) // others may wait for what crashed before
	defer look.Stop()
	defer late.Stop()
	for idle := false; !idle && c.steps.Load() < until; {
		select {
		case <-look.C:
		case <-late.C:
			idle = true
		}
	}
	if c.rnd.IntN(2) == 0 {
		p.conn.Close()
	}
	p.stop()
	c.begin(p)
}

// double publishes each message of the flow's stream once more.
func (c *chain) double() {
	c.T.Helper()
	const mark = "Test-Copy"
	conn, js := c.Connect()
	for _, subject := range c.Net.FlowSubjects() {
		sub, err := conn.Subscribe(subject, func(m *nats.Msg) {
			if m.Header.Get(mark) != "" {
				return
			}
			second := &nats.Msg{Subject: m.Subject, Header: nats.Header{mark: {"1"}}, Data: m.Data}
			for name, values := range m.Header {
				second.Header[name] = values
			}
			if _, err := js.PublishMsg(context.WithoutCancel(c.T.Context()), second); err != nil {
				c.T.Errorf("publish once more: %v", err)
			}
			c.copied.Add(1)
		})
		c.Must(err)
		c.Must(sub.SetPendingLimits(-1, -1))
	}
	c.Must(conn.Flush())
	c.twice = true
}

// say publishes an activity, as CPP or EPPM does.
func (c *chain) say(subject string, e event.Envelope, data any) {
	c.T.Helper()
	c.Publish(subject, e, data)
	if c.said++; len(c.due) > 0 && c.said%c.every == 0 {
		c.crash()
	}
}

// settle waits until nothing of the flow is under way.
func (c *chain) settle() {
	c.T.Helper()
	for {
		c.Settle(subjects.Stages()...)
		s, err := c.JS.Stream(c.T.Context(), c.Net.FlowStream())
		c.Must(err)
		was := s.CachedInfo().State.LastSeq
		c.Settle(subjects.Stages()...)
		now, err := s.Info(c.T.Context())
		c.Must(err)
		if now.State.LastSeq == was && (!c.twice || 2*c.copied.Load() == was) {
			return
		}
	}
}

// events gives what the flow's stream has on a subject.
func (c *chain) events(subject string) (all []event.Envelope) {
	c.T.Helper()
	s, err := c.JS.Stream(c.T.Context(), c.Net.FlowStream())
	c.Must(err)
	for n := uint64(1); n <= s.CachedInfo().State.LastSeq; n++ {
		m, err := s.GetMsg(c.T.Context(), n)
		c.Must(err)
		if m.Subject != subject {
			continue
		}
		e, err := event.ReadEnvelope(m.Header)
		c.Must(err)
		all = append(all, e)
	}
	return all
}

// noDead says that nothing is in the dead letters.
func (c *chain) noDead() {
	c.T.Helper()
	s, err := c.JS.Stream(c.T.Context(), c.Net.DeadStream())
	c.Must(err)
	if n := s.CachedInfo().State.Msgs; n > 0 {
		m, err := s.GetMsg(c.T.Context(), s.CachedInfo().State.FirstSeq)
		c.T.Errorf("%d dead letters, the first: %v, %v", n, m, err)
	}
}

// template puts a message's words.
func (c *chain) template(tag, text string) {
	c.T.Helper()
	c.Must(csl.Put(c.T.Context(), c.Docs, tag, "en", fmt.Appendf(nil, "text: %q", text)))
}

// until tries until it works.
func (c *chain) until(what string, try func() error) {
	c.T.Helper()
	tick, late := time.NewTicker(20*time.Millisecond), time.NewTimer(flowtest.Within)
	defer tick.Stop()
	defer late.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late.C:
			c.T.Fatalf("%s: %v", what, err)
		}
	}
}
