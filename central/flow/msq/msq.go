package msq

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// MSQ is one instance.
type MSQ struct {
	flow.Base
	bucket   *kv.Store // opened by Run, before anything answers
	messages *prometheus.CounterVec
	took     prometheus.Histogram

	mu     sync.Mutex
	drains map[record.AccountID]*drain // guarded by mu: under way
	slots  chan struct{}
}

// drainsAtOnce bounds the shoppers whose messages are given to OSG at a time; more wait.
const drainsAtOnce = 256

// New makes an MSQ. Its metrics are registered: one instance a registry.
func New(b flow.Base) *MSQ {
	m := &MSQ{
		Base: b, drains: map[record.AccountID]*drain{}, slots: make(chan struct{}, drainsAtOnce),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "tillstream_msq_messages_total",
			Help: "Messages of MSQ: queued, delivered, deleted (its reward was spent), late (expired when put), refused (OSG cannot show it).",
		}, []string{"what"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "tillstream_msq_drain_seconds",
			Help:    "From the word that a shopper is there until all that waited for them is on their screen. Shoppers for whom nothing waits are not counted.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 16),
		}),
	}
	m.Log = b.Log.With("stage", subjects.MSQ.String())
	b.Registry.MustRegister(m.messages, m.took)
	return m
}

// Run answers, drains and deletes until ctx ends.
func (m *MSQ) Run(ctx context.Context) error {
	var there bool
	if m.bucket, there = m.Open(ctx, kv.Onsite(m.Net.Brand)); !there {
		return nil
	}
	return flow.Together(ctx,
		m.hear,
		service.New(service.Config{
			Conn: m.Conn, Name: subjects.ServiceMSQ, Endpoint: "put", Subject: m.Net.MSQPut(),
			Description: "messages of shoppers who are not on site", AtOnce: 1024, Answer: m.put, Near: m.Near, Log: m.Log,
		}).Run,
		stage.New(stage.Config{
			Stage: subjects.MSQ, Point: event.MSQ, Net: m.Net, JS: m.JS, Handle: m.delete, AtOnce: m.AtOnce, Now: m.Now, Metrics: m.Stages, Log: m.Base.Log,
		}).Run,
	)
}

// hear begins a drain with each word that a shopper is there, on one instance.
func (m *MSQ) hear(ctx context.Context) error {
	words := make(chan *nats.Msg, 4096)
	sub, err := m.Conn.ChanQueueSubscribe(m.Net.OSGArrived(), subjects.ServiceMSQ, words)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer func() { _ = sub.Unsubscribe() }() // fails only if the connection is gone, and it with it
	for {
		select {
		case w := <-words:
			var account record.AccountID
			if copy(account[:], w.Data) != len(account) || len(w.Data) != len(account) {
				m.Log.Warn("a word that somebody is there names no account", "bytes", len(w.Data))
				continue
			}
			since, err := time.Parse(time.RFC3339Nano, w.Header.Get(event.ArrivedSince))
			if err != nil {
				since = time.Time{} // what waits for the next coming goes on waiting
			}
			m.begin(ctx, &wg, account, since)
		case <-ctx.Done():
			return nil
		}
	}
}
