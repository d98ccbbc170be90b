package flow

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/stage"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// Base is what every component is given.
type Base struct {
	Net      subjects.Net
	Conn     *nats.Conn // of the brand's account at the centre
	JS       jetstream.JetStream
	Near     *service.Near // components of this process; nil: all are asked over the network
	Docs     *Documents
	Stages   *stage.Metrics
	Registry prometheus.Registerer // for a component's own metrics
	AtOnce   int                   // events that each stage holds; zero: the stage's own number
	Now      func() time.Time
	Log      *slog.Logger
}

// Ask asks a component: the one here, if it runs here.
func (b *Base) Ask(ctx context.Context, q service.Question) (service.Answer, error) {
	return b.Near.Ask(ctx, b.Conn, q)
}
