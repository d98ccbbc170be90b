package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/bcg"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/dec"
	"tillstream/central/flow/des"
	"tillstream/central/flow/fred"
	"tillstream/central/flow/msq"
	"tillstream/central/flow/osg"
	"tillstream/central/flow/pph"
	"tillstream/central/flow/tim"
	stages "tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// Documents under which a shopper's activity becomes a message, as document 004 has it.
const (
	flowPromotion = `{"promo_code": "STAMPS", "revision": 1, "name": "Three stamps", "url": "https://example.com/stamps", "tags": ["loyalty"],
		"count": {"kind": "receipts"}, "reward_schemes": [
		{"reward_scheme_id": "coffee", "activity_type": "FREE_SPINS", "target": 3, "products": ["coffee"], "reward_type": "COUPON", "valid_days": 14},
		{"reward_scheme_id": "breakfast", "activity_type": "FREE_SPINS", "target": 9, "products": ["coffee", "roll"], "reward_type": "COUPON", "valid_days": 14}]}`
	flowTemplate = `{"title": "Well done", "text": "{promoName}: {reward} is on us."}`
)

// flowRun is the flow from DEC to MSQ on the bare cluster: one instance of each component, at the node that leads
// the flow's stream. Nobody is on site, so every message ends in MSQ's queue.
type flowRun struct {
	net  subjects.Net
	conn *nats.Conn
	js   jetstream.JetStream
	docs *flow.Documents
	week record.AttemptID
	next uint64 // shopper

	stop func()
}

// openFlow makes the flow's streams and documents. The components do not run yet.
func openFlow(ctx context.Context, b *bench, c *bare) (*flowRun, error) {
	want := streams.WantFlow(c.net, bareNodes)
	conn, js, err := c.at(ctx, want[0])
	if err != nil {
		return nil, err
	}
	f := &flowRun{net: c.net, conn: conn, js: js, docs: flow.NewDocuments(c.net, js, b.log)}
	if err := f.prepare(ctx, want); err != nil {
		conn.Close()
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = f.docs.Run(ctx) }) // gives nil always
	f.stop = func() { cancel(); wg.Wait(); conn.Close() }
	return f, f.document(ctx)
}

func (f *flowRun) prepare(ctx context.Context, want []jetstream.StreamConfig) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	return until(ctx, 100*time.Millisecond, "the flow's streams are there", func() error {
		if _, err := streams.Apply(ctx, f.js, want); err != nil {
			return err
		}
		return streams.ApplyConsumers(ctx, f.js, f.net)
	})
}

// document puts the documents.
func (f *flowRun) document(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	if err := f.docs.Wait(ctx); err != nil {
		return err
	}
	if len(f.docs.Promotions()) == 0 {
		if _, err := f.docs.PutPromotion(ctx, []byte(flowPromotion)); err != nil {
			return err
		}
		if err := csl.Put(ctx, f.docs, string(event.MessageRewardAwarded), "en", []byte(flowTemplate)); err != nil {
			return err
		}
	}
	s := f.docs.Settings()
	f.week = s.Calendar().AttemptAt(time.Now())
	return nil
}

// run starts the components, each stage with so many events at once, and gives what stops them.
func (f *flowRun) run(ctx context.Context, log *slog.Logger, atOnce int) (stop func() error) {
	registry := prometheus.NewRegistry()
	base := flow.Base{
		Net: f.net, Conn: f.conn, JS: f.js, Near: new(service.Near), Docs: f.docs, Stages: stages.NewMetrics(registry), Registry: registry,
		AtOnce: atOnce, Now: time.Now, Log: log,
	}
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{
		dec.New(base).Run, pph.New(base).Run, tim.New(base).Run, fred.New(base).Run, des.New(base).Run,
		bcg.New(base).Run, csl.New(base).Run, osg.New(base).Run, msq.New(base).Run,
	} {
		wg.Go(func() {
			if err := run(ctx); err != nil {
				cancel(err)
			}
		})
	}
	return func() error {
		cancel(nil)
		wg.Wait()
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

// activities makes those of n shoppers who have just earned a reward. None has come before.
func (f *flowRun) activities(n int) ([]*nats.Msg, error) {
	promo, err := record.ParsePromoCode("STAMPS")
	if err != nil {
		return nil, err
	}
	out := make([]*nats.Msg, n)
	for i := range out {
		f.next++
		of := record.Attempt{Account: card(f.next), Promo: promo, Attempt: f.week}
		now := time.Now()
		e := event.Envelope{
			ID: event.FirstID(of, event.RewardAwarded, "bench"), Type: event.TypeCPPActivity,
			Source: event.Source(f.net.DC, f.net.Brand, event.CPP.String()), Time: now, DC: f.net.DC, Brand: f.net.Brand,
			Attempt: of, Status: event.RewardAwarded,
		}
		e.Stamps[event.CPP] = now
		data, err := event.Data(event.CPPActivity{
			AccountID: of.Account, PromoCode: promo, AttemptID: f.week, Status: event.RewardAwarded, OccurredAt: now,
			RewardProgress: []event.RewardProgress{
				{RewardSchemeID: "coffee", ActivityType: "FREE_SPINS", Progress: 3, Target: 3, Status: event.RewardAwarded, Times: 1, RewardID: "ST4MP-" + e.ID[:10]},
				{RewardSchemeID: "breakfast", ActivityType: "FREE_SPINS", Progress: 3, Target: 9, Status: event.InProgress},
			},
		})
		if err != nil {
			return nil, err
		}
		out[i] = &nats.Msg{Subject: f.net.CPPActivity(), Header: e.Headers(), Data: data}
	}
	return out, nil
}

// pass publishes activities, and gives how long it took until MSQ had put the message of the last.
func (f *flowRun) pass(ctx context.Context, n int) (time.Duration, error) {
	msgs, err := f.activities(n)
	if err != nil {
		return 0, err
	}
	queue := kv.Onsite(f.net.Brand)
	stream, err := f.js.Stream(ctx, queue.Stream())
	if err != nil {
		return 0, err
	}
	last := stream.CachedInfo().State.LastSeq
	began := time.Now()
	if _, err := publish(ctx, f.conn, msgs); err != nil {
		return 0, err
	}
	err = until(ctx, 5*time.Millisecond, "the last message is queued", func() error {
		info, err := stream.Info(ctx)
		if err == nil && info.State.LastSeq < last+uint64(n) {
			err = fmt.Errorf("%d of %d are", info.State.LastSeq-last, n)
		}
		return err
	})
	return time.Since(began), err
}

// publish sends messages, a window of them under way, and gives messages a second until the last is acknowledged. It
// counts acknowledgements itself, which costs less than the client's PublishAsync: a stronger baseline.
func publish(ctx context.Context, conn *nats.Conn, msgs []*nats.Msg) (float64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, window)
	var acks atomic.Int64
	done := make(chan struct{})
	inbox := conn.NewInbox()
	sub, err := conn.Subscribe(inbox, func(m *nats.Msg) {
		if !bytes.Contains(m.Data, []byte(`"seq":`)) || bytes.Contains(m.Data, []byte(`"error"`)) {
			cancel(fmt.Errorf("bare publish: the stream answers %.200q", m.Data))
			return
		}
		<-slots
		if int(acks.Add(1)) == len(msgs) {
			close(done)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("bare publish: %w", err)
	}
	defer sub.Unsubscribe() //nolint:errcheck // the connection is closed with the cluster
	began := time.Now()
	for _, m := range msgs {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
		m.Reply = inbox
		if err := conn.PublishMsg(m); err != nil {
			return 0, fmt.Errorf("bare publish: %w", err)
		}
	}
	timeout := time.NewTimer(ackWithin)
	defer timeout.Stop()
	select {
	case <-done:
		return rate(len(msgs), time.Since(began)), nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	case <-timeout.C:
		return 0, fmt.Errorf("bare publish: %d of %d acknowledged", acks.Load(), len(msgs))
	}
}
