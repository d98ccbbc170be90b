package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/subjects"
)

// flow measures activities from DEC to MSQ's queue, against what the same cluster gives at best: each event costs n
// publishes, those to buckets among them, and m deliveries, so bare publishes at a rate of P and bare deliveries at a
// rate of C bound it by 1/(n/P + m/C). n and m are counted, P and C measured in turns with ours.
func (b *bench) flow(ctx context.Context) ([]Result, error) {
	bare, err := b.cluster(ctx)
	if err != nil {
		return nil, err
	}
	f, err := openFlow(ctx, b, bare)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	stop := f.run(ctx, b.log, 0)
	results, err := b.flowRounds(ctx, f)
	if err = errors.Join(err, stop()); err != nil {
		return nil, err
	}
	one, err := b.oneByOne(ctx, f, results[0].Value)
	return append(results[:1:1], append([]Result{one}, results[1:]...)...), err
}

func (b *bench) flowRounds(ctx context.Context, f *flowRun) ([]Result, error) {
	n := b.size(4000, 200)
	before, err := f.count(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := f.pass(ctx, n); err != nil { // warms up
		return nil, err
	}
	after, err := f.count(ctx)
	if err != nil {
		return nil, err
	}
	c := after.less(before, n)
	raw, err := openRaw(ctx, f, int(c.size))
	if err != nil {
		return nil, err
	}
	var published, consumed []float64
	p, err := b.alternate(ctx, b.rounds, func(ctx context.Context) (float64, error) {
		took, err := f.pass(ctx, n)
		return rate(n, took), err
	}, func(ctx context.Context) (float64, error) {
		p, err := raw.publish(ctx, 8*n) // a shorter round is now twice as fast, now half
		if err != nil {
			return 0, err
		}
		d, err := raw.consume(ctx, 8*n)
		published, consumed = append(published, p), append(consumed, d)
		return 1 / (c.publishes/p + c.deliveries/max(d, 1)), err
	})
	if err != nil {
		return nil, err
	}
	cpu, err := b.stages(ctx, "flow", func(ctx context.Context) (int, error) {
		_, err := f.pass(ctx, n)
		return n, err
	})
	return append([]Result{
		p.result("flow", "events/s", "bare publishes and deliveries", ratioAtLeast(0.8)),
		{Name: "flow_event", Value: c.size, Unit: "bytes, headers with it"},
		{Name: "flow_publishes", Value: c.publishes, Unit: "an event, those to buckets among them"},
		{Name: "flow_deliveries", Value: c.deliveries, Unit: "an event"},
		{Name: "flow_bare_publishes", Value: median(published), Unit: "messages/s"},
		{Name: "flow_bare_deliveries", Value: median(consumed), Unit: "messages/s"},
	}, cpu...), err
}

// oneByOne measures the same stages with one event each at a time.
func (b *bench) oneByOne(ctx context.Context, f *flowRun, together float64) (Result, error) {
	stop := f.run(ctx, b.log, 1)
	n := b.size(500, 40)
	_, err := f.pass(ctx, n/5) // warms up
	var took time.Duration
	if err == nil {
		took, err = f.pass(ctx, n)
	}
	if err = errors.Join(err, stop()); err != nil {
		return Result{}, fmt.Errorf("one event at a time: %w", err)
	}
	alone := rate(n, took)
	return Result{
		Name: "flow_to_one_by_one", Value: together, Unit: "events/s",
		BaselineName: "each stage with one event at a time", Baseline: alone, Ratio: together / alone, goal: ratioAtLeast(4),
	}, nil
}

// counted is what the flow has cost so far; less makes it a cost per event.
type counted struct {
	publishes, deliveries, size float64
}

func (c counted) less(before counted, events int) counted {
	n := float64(events)
	return counted{(c.publishes - before.publishes) / n, (c.deliveries - before.deliveries) / n, (c.size - before.size) / (c.publishes - before.publishes)}
}

// count reads it from the streams, once the stages are idle.
func (f *flowRun) count(ctx context.Context) (c counted, err error) {
	attempts, onsite := kv.Attempts(f.net.Brand), kv.Onsite(f.net.Brand)
	for _, s := range subjects.Stages() {
		err := until(ctx, 20*time.Millisecond, "stage "+s.String()+" is idle", func() error {
			consumer, err := f.js.Consumer(ctx, f.net.FlowStream(), s.String())
			if err != nil {
				return err
			}
			i := consumer.CachedInfo()
			if i.NumPending > 0 || i.NumAckPending > 0 {
				return fmt.Errorf("%d wait, %d are under way", i.NumPending, i.NumAckPending)
			}
			c.deliveries += float64(i.Delivered.Consumer)
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	for _, name := range []string{f.net.FlowStream(), attempts.Stream(), onsite.Stream()} {
		s, err := f.js.Stream(ctx, name)
		if err != nil {
			return c, err
		}
		state := s.CachedInfo().State
		c.publishes, c.size = c.publishes+float64(state.LastSeq), c.size+float64(state.Bytes)
	}
	return c, nil
}

// raw is a stream like the flow's, on the same cluster, which nothing of ours reads.
type raw struct {
	subject string
	conn    *nats.Conn
	js      jetstream.JetStream
	name    string
	body    []byte
	config  jetstream.ConsumerConfig
	rounds  int
}

// openRaw makes it, for messages of so many bytes. It is led by the node that leads the flow's, if the cluster lets it.
func openRaw(ctx context.Context, f *flowRun, size int) (*raw, error) {
	want := streams.WantFlow(f.net, bareNodes)[0]
	want.Name, want.Subjects, want.Description = "rawflow", []string{"bench.raw"}, "what the flow is measured against"
	led, err := f.js.Stream(ctx, f.net.FlowStream())
	if err != nil {
		return nil, err
	}
	if _, err = f.js.CreateStream(ctx, want); err != nil {
		return nil, fmt.Errorf("make stream %s: %w", want.Name, err)
	}
	leader := led.CachedInfo().Cluster.Leader
	err = until(ctx, 200*time.Millisecond, leader+" leads the bare stream", func() error {
		s, err := f.js.Stream(ctx, want.Name)
		if err != nil || s.CachedInfo().Cluster.Leader == leader {
			return err
		}
		ask, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err = f.conn.RequestWithContext(ask, "$JS.API.STREAM.LEADER.STEPDOWN."+want.Name,
			fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, leader))
		return errors.Join(errors.New("another does"), err)
	})
	config := streams.Consumer(f.net, subjects.DEC)
	config.FilterSubjects = want.Subjects
	return &raw{subject: want.Subjects[0], conn: f.conn, js: f.js, name: want.Name, body: make([]byte, size), config: config}, err
}

// publish gives messages a second.
func (r *raw) publish(ctx context.Context, n int) (float64, error) {
	msgs := make([]*nats.Msg, n)
	for i := range msgs {
		msgs[i] = &nats.Msg{Subject: r.subject, Data: r.body}
	}
	return publish(ctx, r.conn, msgs)
}

// pullFor bounds a pull of the bare consumer. One that is asked while the consumer has no leader yet is lost, and the
// client notices by the heartbeats that are missing: with its own, of 15 s, too late.
const pullFor = 5 * time.Second

// consume reads the last n messages through a consumer like a stage's, acknowledges each, and gives messages a second.
func (r *raw) consume(ctx context.Context, n int) (float64, error) {
	s, err := r.js.Stream(ctx, r.name)
	if err != nil {
		return 0, err
	}
	r.rounds++
	config := r.config
	config.Durable = fmt.Sprintf("raw%d", r.rounds)
	config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, s.CachedInfo().State.LastSeq-uint64(n)+1
	consumer, err := s.CreateConsumer(ctx, config)
	if err != nil {
		return 0, fmt.Errorf("make a bare consumer: %w", err)
	}
	var got atomic.Int64
	done := make(chan struct{})
	began := time.Now()
	reads, err := consumer.Consume(func(m jetstream.Msg) {
		if m.Ack() == nil && int(got.Add(1)) == n {
			close(done)
		}
	}, jetstream.PullMaxMessages(window), jetstream.PullExpiry(pullFor), jetstream.PullHeartbeat(pullFor/5))
	if err != nil {
		return 0, fmt.Errorf("bare deliveries: %w", err)
	}
	defer reads.Stop()
	select {
	case <-done:
	case <-time.After(ackWithin):
		return 0, fmt.Errorf("bare deliveries: %d of %d", got.Load(), n)
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	if err := r.conn.Flush(); err != nil {
		return 0, fmt.Errorf("bare deliveries: %w", err)
	}
	took := time.Since(began)
	return rate(n, took), s.DeleteConsumer(ctx, config.Durable)
}
