package central

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/bcg"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/dec"
	"tillstream/central/flow/des"
	"tillstream/central/flow/fred"
	"tillstream/central/flow/pph"
	"tillstream/central/flow/tim"
	"tillstream/central/stage"
	"tillstream/central/streams"
)

// openFlow makes the components of the event flow, where this centre runs it. Each runs on every node: instances of
// a stage share its consumer, those of a service its questions.
func (n *Node) openFlow(registry *prometheus.Registry) {
	if !n.cfg.Flow {
		return
	}
	net := n.cfg.Net()
	n.docs = flow.NewDocuments(net, n.js, n.log)
	b := flow.Base{
		Net: net, Conn: n.conn, JS: n.js, Docs: n.docs, Stages: stage.NewMetrics(registry), Registry: registry,
		Now: time.Now, Log: n.log,
	}
	n.serve = append(n.serve, n.docs.Run,
		dec.New(b).Run, pph.New(b).Run, tim.New(b).Run, fred.New(b).Run, des.New(b).Run, bcg.New(b).Run, csl.New(b).Run)
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
