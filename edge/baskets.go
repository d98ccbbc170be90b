package edge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// basketWait bounds a till's question to its store about suspended baskets. It is asked twice, so that an answer
// that was lost takes no basket with it; a POS gives up after a second.
const basketWait = 400 * time.Millisecond

// askBaskets gives what asks the till's store; nil: there is none.
func (n *Node) askBaskets() func(context.Context, record.BasketQuestion) (record.BasketAnswer, error) {
	if !n.cfg.isTill() || len(n.cfg.Upstream) == 0 {
		return nil
	}
	return n.askStoreBaskets
}

func (n *Node) askStoreBaskets(ctx context.Context, q record.BasketQuestion) (record.BasketAnswer, error) {
	data := q.Append(nil)
	a, err := n.askBasketsOnce(ctx, data)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		a, err = n.askBasketsOnce(ctx, data)
	}
	if err != nil {
		return record.BasketAnswer{}, fmt.Errorf("ask the store about baskets: %w", err)
	}
	return record.ReadBasketAnswer(a.Data)
}

func (n *Node) askBasketsOnce(ctx context.Context, data []byte) (service.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, basketWait)
	defer cancel()
	return service.Ask(ctx, n.conn, n.lane().Baskets(), data)
}

// basketsOfTills keeps the suspended baskets of a store's tills.
func (n *Node) basketsOfTills() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "baskets", Subject: subjects.AnyLane{Store: n.cfg.Store}.Baskets(),
		Description: "suspended baskets of tills of store " + n.cfg.Store.String(),
		AtOnce:      16, Inbox: subjects.LaneInbox, Log: n.log,
		Answer: func(_ context.Context, q service.Question) (a service.Answer, err error) {
			lane, ok := subjects.LaneOf(q.Subject)
			if !ok || lane.Store != n.cfg.Store {
				return a, &service.Refusal{Err: errors.New("the subject names no till of this store")}
			}
			ask, err := record.ReadBasketQuestion(q.Data)
			if err != nil {
				return a, &service.Refusal{Err: err}
			}
			said, err := n.baskets.Answer(&ask, lane.Till.String())
			if err == nil {
				a.Data = said.Append(nil)
			}
			return a, err
		},
	})
}
