package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// Sources of a look-up's answer, as the POS is told.
const (
	sourceStore   = "store"
	sourceCentral = "central"
)

// sourceHeader tells a till whether its store knew, or had to ask.
const sourceHeader = "Tillstream-Source"

// lookupsAtOnce bounds a store's look-ups under way: many, as each may wait for a silent centre while
// the store could answer the next by itself.
const lookupsAtOnce = 1024

// askStore bounds a store's question to the centre on a till's behalf; the till's own limit is shorter.
const askStore = 2 * time.Second

// askBriefly bounds it where the store has something to tell by itself: within what a till waits unless
// its POS says otherwise.
const askBriefly = 100 * time.Millisecond

// ask asks the upstream for a shopper who is not known here.
func (n *Node) ask(ctx context.Context, id record.AccountID) (record.Shopper, string, bool, error) {
	subject, source := n.net.POSLookup(n.cfg.Store), sourceCentral
	if n.cfg.isTill() {
		subject, source = n.lane().Lookup(), sourceStore
	}
	a, err := service.Ask(ctx, n.conn, subject, id[:])
	if err != nil {
		return record.Shopper{}, "", false, fmt.Errorf("account %s: %w", id, err)
	}
	if s := a.Header.Get(sourceHeader); s != "" {
		source = s
	}
	if len(a.Data) == 0 {
		return record.Shopper{}, source, false, nil
	}
	s, err := record.ReadShopper(a.Data)
	return s, source, err == nil, err
}

// lookups answers a store's tills, from its own cache or by asking the centre.
func (n *Node) lookups() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "lookup", Subject: subjects.AnyLane{Store: n.cfg.Store}.Lookup(),
		Description: "look-ups for tills of store " + n.cfg.Store.String(),
		AtOnce:      lookupsAtOnce, Inbox: subjects.LaneInbox, Answer: n.lookup, Log: n.log,
	})
}

func (n *Node) lookup(ctx context.Context, q service.Question) (a service.Answer, err error) {
	var id record.AccountID
	if len(q.Data) != len(id) {
		return a, &service.Refusal{Err: errors.New("want the 16 bytes of an account")}
	}
	copy(id[:], q.Data)
	s, known, err := n.cache.Shopper(id)
	source := sourceStore
	switch {
	case err != nil:
	case !known:
		ctx, cancel := context.WithTimeout(ctx, askStore)
		defer cancel()
		s, source, known, err = n.ask(ctx, id)
	case s.AsOf == 0: // receipts of just now lie here, and no word on what they had before
		ctx, cancel := context.WithTimeout(ctx, askBriefly)
		defer cancel()
		if there, from, found, err := n.ask(ctx, id); err == nil && found {
			s, source = there, from
		}
	}
	a.Header = nats.Header{sourceHeader: {source}}
	if known {
		a.Data = s.Append(nil)
	}
	return a, err
}

// Shopper is what this node knows of an account.
func (n *Node) Shopper(a record.AccountID) (record.Shopper, bool, error) { return n.cache.Shopper(a) }
