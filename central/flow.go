package central

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/flow"
	"tillstream/central/flow/bcg"
	"tillstream/central/flow/cpp"
	"tillstream/central/flow/csl"
	"tillstream/central/flow/dec"
	"tillstream/central/flow/des"
	"tillstream/central/flow/eppm"
	"tillstream/central/flow/fred"
	"tillstream/central/flow/msq"
	"tillstream/central/flow/osg"
	"tillstream/central/flow/pph"
	"tillstream/central/flow/tim"
	"tillstream/central/gateway"
	"tillstream/central/ingest"
	"tillstream/central/stage"
	"tillstream/central/streams"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects/service"
)

// openFlow makes the components of the event flow, where this centre runs it, and gives the admin API what it tells
// of them; nil: it runs none. Each runs on every node: instances of a stage share its consumer, those of a service
// its questions; of CPP and EPPM the one works whose node writes the journal.
func (n *Node) openFlow(registry *prometheus.Registry, cards *seal.Cards) *gateway.FlowConfig {
	if !n.cfg.Flow {
		return nil
	}
	net, rewards := n.cfg.Net(), cards.Rewards()
	docs := flow.NewDocuments(net, n.js, n.log)
	b := flow.Base{
		Net: net, Conn: n.conn, JS: n.js, Near: new(service.Near), Docs: docs, Stages: stage.NewMetrics(registry), Registry: registry,
		Now: time.Now, Log: n.log,
	}
	c := cpp.New(b, cpp.Config{Replica: n.replica, Books: n.books, Items: n.reference, Key: rewards})
	o := osg.New(b)
	n.serve = append(n.serve, docs.Run,
		c.Run, eppm.New(b, n.replica, rewards).Run, dec.New(b).Run, pph.New(b).Run, tim.New(b).Run, fred.New(b).Run, des.New(b).Run,
		bcg.New(b).Run, csl.New(b).Run, o.Run, msq.New(b).Run,
		ingest.NewIntake(ingest.IntakeConfig{Net: net, Conn: n.conn, JS: n.js, Now: time.Now, Log: n.log}).Run)
	return &gateway.FlowConfig{
		Node: n.cfg.Node, Docs: docs, Metrics: registry, CheckTemplate: csl.Check, Sessions: o.Sessions(),
		OptIn: func(ctx context.Context, a record.AccountID, p record.PromoCode) error {
			err := c.OptIn(ctx, a, p)
			if errors.Is(err, cpp.ErrPromotion) {
				err = &service.Refusal{Err: err}
			}
			return err
		},
		Progress: func(ctx context.Context, a record.AccountID) (any, error) { return c.Shopper(ctx, a) },
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
