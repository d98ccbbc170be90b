package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// POSConfig says what a POS gateway answers from.
type POSConfig struct {
	Net     subjects.Net
	Conn    *nats.Conn
	Replica *replica.Replica
	Books   *books.Books // read under the replica's lock
	Log     *slog.Logger
}

// POS is the POS gateway on one node.
type POS struct{ cfg POSConfig }

// NewPOS makes a POS.
func NewPOS(cfg POSConfig) *POS { return &POS{cfg} }

// Run serves until ctx ends.
func (g *POS) Run(ctx context.Context) error {
	svc, err := micro.AddService(g.cfg.Conn, micro.Config{
		Name: subjects.ServiceGateway, Version: "1.0.0",
		Description: "look-ups for stores of brand " + g.cfg.Net.Brand.String(),
	})
	if err != nil {
		return fmt.Errorf("serve gateway: %w", err)
	}
	err = svc.AddEndpoint("lookup", micro.HandlerFunc(func(req micro.Request) {
		if err := g.lookup(ctx, req); err != nil {
			g.cfg.Log.Debug("answer a look-up", "subject", req.Subject(), "err", err)
		}
	}), micro.WithEndpointSubject(g.cfg.Net.AnyPOSLookup()))
	if err != nil {
		return fmt.Errorf("serve gateway: %w", err)
	}
	<-ctx.Done()
	if err := svc.Stop(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
		return err
	}
	return nil
}

// lookup answers an account's 16 bytes with its Shopper; an empty answer is: unknown.
func (g *POS) lookup(ctx context.Context, req micro.Request) error {
	var id record.AccountID
	if len(req.Data()) != len(id) {
		return req.Error("400", "want the 16 bytes of an account", nil)
	}
	copy(id[:], req.Data())
	var s record.Shopper
	var known bool
	if err := g.cfg.Replica.Read(ctx, 0, func(uint64) { s, known = g.cfg.Books.Shopper(id) }); err != nil {
		return req.Error("503", "this node stops", nil)
	}
	if !known {
		return req.Respond(nil)
	}
	return req.Respond(s.Append(nil))
}
