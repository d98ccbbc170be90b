package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Sources of a look-up's answer, as the POS is told.
const (
	sourceStore   = "store"
	sourceCentral = "central"
)

// sourceHeader tells a till whether its store knew, or had to ask.
const sourceHeader = "Tillstream-Source"

// askStore bounds a store's question to the centre on a till's behalf; the till's own limit is shorter.
const askStore = 2 * time.Second

// ask asks the upstream for a shopper who is not known here.
func (n *Node) ask(ctx context.Context, id record.AccountID) (record.Shopper, string, bool, error) {
	subject, source := n.net.POSLookup(n.cfg.Store), sourceCentral
	if n.cfg.isTill() {
		subject, source = n.lane().Lookup(), sourceStore
	}
	m, err := n.conn.RequestWithContext(ctx, subject, id[:])
	if err != nil {
		return record.Shopper{}, "", false, fmt.Errorf("ask upstream for account %s: %w", id, err)
	}
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		return record.Shopper{}, "", false, fmt.Errorf("ask upstream for account %s: it answers %s: %s", id, code, m.Header.Get(micro.ErrorHeader))
	}
	if s := m.Header.Get(sourceHeader); s != "" {
		source = s
	}
	if len(m.Data) == 0 {
		return record.Shopper{}, source, false, nil
	}
	s, err := record.ReadShopper(m.Data)
	return s, source, err == nil, err
}

// serveLookups answers a store's tills, from its own cache or by asking the centre.
func (n *Node) serveLookups(ctx context.Context) error {
	svc, err := micro.AddService(n.conn, micro.Config{
		Name: subjects.ServiceStore, Version: "1.0.0", Description: "look-ups for tills of store " + n.cfg.Store.String(),
	})
	if err != nil {
		return fmt.Errorf("serve look-ups: %w", err)
	}
	var wg sync.WaitGroup
	err = svc.AddEndpoint("lookup", micro.HandlerFunc(func(req micro.Request) {
		// One till's question to a slow centre must not hold up another's.
		wg.Go(func() {
			if err := n.answerLookup(ctx, req); err != nil {
				n.log.Debug("answer a look-up", "subject", req.Subject(), "err", err)
			}
		})
	}), micro.WithEndpointSubject(subjects.AnyLane{Store: n.cfg.Store}.Lookup()))
	if err != nil {
		return fmt.Errorf("serve look-ups: %w", err)
	}
	<-ctx.Done()
	err = svc.Stop()
	wg.Wait()
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = nil
	}
	return err
}

func (n *Node) answerLookup(ctx context.Context, req micro.Request) error {
	var id record.AccountID
	if len(req.Data()) != len(id) {
		return req.Error("400", "want the 16 bytes of an account", nil)
	}
	copy(id[:], req.Data())
	s, known, err := n.cache.Shopper(id)
	source := sourceStore
	if err == nil && !known {
		ctx, cancel := context.WithTimeout(ctx, askStore)
		defer cancel()
		s, source, known, err = n.ask(ctx, id)
	}
	if err != nil {
		return req.Error("503", "neither this store nor the centre can tell now", nil)
	}
	if !known {
		return req.Respond(nil, micro.WithHeaders(micro.Headers{sourceHeader: {source}}))
	}
	return req.Respond(s.Append(nil), micro.WithHeaders(micro.Headers{sourceHeader: {source}}))
}
