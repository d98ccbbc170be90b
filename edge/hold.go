package edge

import (
	"context"
	"fmt"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// hold asks the centre about points and coupons set aside; a till asks it through its store.
func (n *Node) hold(ctx context.Context, q record.HoldQuestion) (record.HoldAnswer, error) {
	data, err := n.askHold(ctx, q.Append(nil))
	if err != nil {
		return record.HoldAnswer{}, err
	}
	return record.ReadHoldAnswer(data)
}

func (n *Node) askHold(ctx context.Context, q []byte) ([]byte, error) {
	subject := n.net.POSHold(n.cfg.Store)
	if n.cfg.isTill() {
		subject = n.lane().Hold()
	}
	a, err := service.Ask(ctx, n.conn, subject, q)
	if err != nil {
		return nil, fmt.Errorf("ask about a hold: %w", err)
	}
	return a.Data, nil
}

// holdForTill bounds a store's question to the centre: a till that waits for 150 ms has gone by then, and a hold
// that comes too late for it is given back.
const holdForTill = 500 * time.Millisecond

// holds passes the questions of a store's tills to the centre, as they came: a store has no say in them.
func (n *Node) holds() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "hold", Subject: subjects.AnyLane{Store: n.cfg.Store}.Hold(),
		Description: "holds for tills of store " + n.cfg.Store.String(),
		AtOnce:      lookupsAtOnce, Inbox: subjects.LaneInbox, Log: n.log,
		Answer: func(ctx context.Context, q service.Question) (a service.Answer, err error) {
			if _, err := record.ReadHoldQuestion(q.Data); err != nil {
				return a, &service.Refusal{Err: err}
			}
			if !n.Linked() {
				return a, errNoLine // the till hears it at once
			}
			ctx, cancel := context.WithTimeout(ctx, holdForTill)
			defer cancel()
			a.Data, err = n.askHold(ctx, q.Data)
			return a, err
		},
	})
}
