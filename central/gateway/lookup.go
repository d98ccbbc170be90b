package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// POSConfig says what a POS gateway answers from.
type POSConfig struct {
	Net     subjects.Net
	Conn    *nats.Conn
	Replica *replica.Replica
	Books   *books.Books // read under the replica's lock
	JS      jetstream.JetStream
	Log     *slog.Logger
}

// POS is the POS gateway on one node.
type POS struct{ cfg POSConfig }

// NewPOS makes a POS.
func NewPOS(cfg POSConfig) *POS { return &POS{cfg} }

// lookupsAtOnce are those of one store under way on one node, of 64: many tills ask at once, and it may be
// that nobody else gets an answer.
const lookupsAtOnce = 32

// Run serves until ctx ends.
func (g *POS) Run(ctx context.Context) error {
	lookups := service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceGateway, Endpoint: "lookup", Subject: g.cfg.Net.AnyPOSLookup(),
		Description: "look-ups for stores of brand " + g.cfg.Net.Brand.String(), Each: lookupsAtOnce, Answer: g.lookup, Log: g.cfg.Log,
	})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	services := []*service.Service{lookups, g.holds(), g.sales()}
	errs := make([]error, len(services))
	for i, s := range services {
		wg.Go(func() {
			errs[i] = s.Run(ctx)
			cancel()
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// lookup answers an account's 16 bytes with its Shopper; an empty answer is: unknown.
func (g *POS) lookup(ctx context.Context, q service.Question) (a service.Answer, err error) {
	var id record.AccountID
	if len(q.Data) != len(id) {
		return a, &service.Refusal{Err: errors.New("want the 16 bytes of an account")}
	}
	copy(id[:], q.Data)
	err = g.cfg.Replica.Read(ctx, 0, func(uint64) {
		if s, known := g.cfg.Books.Shopper(id); known {
			a.Data = s.Append(nil)
		}
	})
	return a, err
}
