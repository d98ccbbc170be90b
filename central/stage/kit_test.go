package stage_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/flow/flowtest"
	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// world is a centre, and TIM's place in the flow taken by stages of the tests.
type world struct{ *flowtest.World }

func open(t *testing.T) world {
	t.Helper()
	t.Parallel()
	return world{flowtest.Open(t)}
}

// config is that of a stage whose handler passes on what comes, but that do says another thing.
func (w world) config(do func(ctx context.Context, in *stage.Input) error) stage.Config {
	b := w.Base()
	return stage.Config{
		Stage: subjects.TIM, Point: event.TIM, Net: w.Net, JS: b.JS, Metrics: b.Stages, Log: w.Log,
		Handle: func(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
			if do != nil {
				if err := do(ctx, in); err != nil {
					return nil, err
				}
			}
			return []stage.Output{{
				Subject: w.Net.Relevant(), Envelope: in.Next(event.TIM, event.TypeRelevant, 0, time.Now()), Data: in.Data,
			}}, nil
		},
	}
}

// run starts an instance.
func (w world) run(cfg stage.Config) (stop func()) { return w.Run(stage.New(cfg).Run) }

// put publishes the nth event of an account and gives its id.
func (w world) put(account uint16, n int) string {
	w.T.Helper()
	e := w.event(account, n)
	w.Publish(w.Net.CPPEnriched(), e, []byte(`{}`))
	return e.ID
}

func (w world) event(account uint16, n int) event.Envelope {
	e, _ := w.Activity(flowtest.MustAttempt(account, "STAMPS", "2011-W48"), event.InProgress, fmt.Sprint(n))
	return e
}

// out is the id of what the stage makes of an event.
func out(id string) string { return event.NextID(id, event.TIM, 0) }

// wait returns once something has happened.
func (w world) wait(what string, c <-chan struct{}) {
	w.T.Helper()
	select {
	case <-c:
	case <-time.After(flowtest.Within):
		w.T.Fatalf("wait in vain: %s", what)
	}
}

// ackWait changes how long the server waits for an instance that may be dead.
func (w world) ackWait(d time.Duration) {
	w.T.Helper()
	c := streams.Consumer(w.Net, subjects.TIM)
	c.AckWait = d
	_, err := w.JS.UpdateConsumer(w.T.Context(), w.Net.FlowStream(), c)
	w.Must(err)
}

// faulty publishes as it is told.
type faulty struct {
	jetstream.JetStream
	publish func(m *nats.Msg, really func() error) error
}

func (f faulty) PublishMsg(ctx context.Context, m *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	var ack *jetstream.PubAck
	err := f.publish(m, func() (err error) {
		ack, err = f.JetStream.PublishMsg(ctx, m, opts...)
		return err
	})
	return ack, err
}

var errTest = errors.New("as the test wants it")

// tally counts by name.
type tally struct {
	mu sync.Mutex
	n  map[string]int // guarded by mu
}

func (c *tally) add(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[name]++
	return c.n[name]
}

func (c *tally) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[name]
}
