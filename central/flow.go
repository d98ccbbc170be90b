package central

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/stage"
	"tillstream/central/streams"
)

// openFlow makes the components of the event flow, where this centre runs it. Each stage runs on every node; their
// instances share its consumer, and services share their questions.
func (n *Node) openFlow(registry *prometheus.Registry) error {
	if !n.cfg.Flow {
		return nil
	}
	net := n.cfg.Net()
	n.docs = flow.NewDocuments(net, n.js, n.log)
	b := flow.Base{
		Net: net, Conn: n.conn, JS: n.js, Docs: n.docs, Stages: stage.NewMetrics(registry), Registry: registry,
		Now: time.Now, Log: n.log,
	}
	_ = b
	n.serve = append(n.serve, n.docs.Run)
	return nil
}

// flowing runs a component once this node has the flow's documents: by the default settings it would do what the
// brand does not want.
func (n *Node) flowing(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := n.docs.Wait(ctx); err != nil {
			return nil //nolint:nilerr // the node stops
		}
		return run(ctx)
	}
}

// ensureConsumers makes the stages' consumers.
func (n *Node) ensureConsumers(ctx context.Context) error {
	if !n.cfg.Flow {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := streams.ApplyConsumers(ctx, n.js, n.cfg.Net()); err != nil {
		return fmt.Errorf("prepare the flow: %w", err)
	}
	return nil
}
