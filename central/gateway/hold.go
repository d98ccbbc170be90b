package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillstream/central/books"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// holdsAtOnce are the questions of one store under way on one node. Most of them stand in the journal: this
// and the round that each takes bound what a store can make it hold.
const holdsAtOnce = 8

// holdWait bounds a question: a till has gone on without points long before, and asks again under the same id.
const holdWait = 2 * time.Second

// holds answers questions about points and coupons set aside.
func (g *POS) holds() *service.Service {
	return service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceGateway, Endpoint: "hold", Subject: g.cfg.Net.AnyPOSHold(),
		Description: "holds for stores of brand " + g.cfg.Net.Brand.String(), Each: holdsAtOnce, Answer: g.hold, Log: g.cfg.Log,
	})
}

// hold proposes a question, for only the writer knows what is free; what has ended it tells by itself. Whatever
// keeps the centre from saying is HoldUnavailable: the till then sells on without points.
func (g *POS) hold(ctx context.Context, q service.Question) (a service.Answer, err error) {
	ask, err := record.ReadHoldQuestion(q.Data)
	store, ok := g.cfg.Net.StoreOf(q.Subject)
	switch {
	case err != nil:
		return a, &service.Refusal{Err: err}
	case !ok:
		return a, &service.Refusal{Err: fmt.Errorf("subject %q names no store", q.Subject)}
	}
	if err := checkHold(&ask); err != nil {
		return a, &service.Refusal{Err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, holdWait)
	defer cancel()
	said, settled, err := g.known(ctx, store, &ask)
	if err == nil && !settled {
		said, err = holdAnswer(g.cfg.Replica.Propose(ctx, books.HoldProposal(store, &ask)))
	}
	var refusal *service.Refusal
	if errors.As(err, &refusal) {
		return a, err
	}
	if err != nil {
		g.cfg.Log.Debug("a question about a hold is not answered", "store", store, "err", err)
		said = record.HoldAnswer{State: record.HoldUnavailable}
	}
	return service.Answer{Data: said.Append(nil)}, nil
}

// checkHold refuses what no till asks.
func checkHold(q *record.HoldQuestion) error {
	switch {
	case q.ID == (record.RID{}):
		return errors.New("a hold needs an id")
	case q.Verb != record.HoldPlace:
		return nil
	case q.RID == (record.RID{}):
		return errors.New("a hold needs the rid of its basket")
	case q.Points == 0 && len(q.Coupons) == 0:
		return errors.New("a hold needs points or a coupon")
	case q.Points > 0 && q.Account.IsZero():
		return errors.New("points need an account")
	case q.From.Chain.IsZero():
		return errors.New("a hold needs the till's newest record")
	}
	return nil
}

// known answers what needs no place in the journal: what became of a hold that has ended, and a hold for a chain
// that the books do not know yet, for which they could hold nothing.
func (g *POS) known(ctx context.Context, store subjects.StoreID, q *record.HoldQuestion) (said record.HoldAnswer, settled bool, err error) {
	foreign := false
	err = g.cfg.Replica.Read(ctx, 0, func(uint64) {
		if q.Verb != record.HoldPlace {
			said = g.cfg.Books.Hold(store, q.ID)
			settled = said.State != record.HoldPlaced && said.State != record.HoldUnknown
			return
		}
		its, awake := g.cfg.Books.MayHold(store.String(), q.From.Chain)
		foreign = !its
		settled = !awake // the till's start record is on its way, and the question comes again
	})
	if err == nil && foreign {
		err = &service.Refusal{Err: fmt.Errorf("store %s asks for a hold from chain %s, which is not its own", store, q.From.Chain)}
	}
	return said, settled, err
}

// holdAnswer reads what the writer said to a proposal.
func holdAnswer(_ uint64, b []byte, err error) (record.HoldAnswer, error) {
	if err != nil {
		return record.HoldAnswer{}, err
	}
	return record.ReadHoldAnswer(b)
}
