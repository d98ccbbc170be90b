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

// How a node tells its upstream who is at its till.
const (
	presenceEvery = 30 * time.Second // said again while the shopper is there: the centre forgets in some 2 minutes
	presenceLook  = time.Second      // how often it is looked whether there is something to say
	presenceWait  = time.Second      // for the upstream to hear it
	presenceAbove = 800 * time.Millisecond
)

// told is what this node's upstream was told last. Only the goroutine of tellPresence has it.
type told struct {
	account record.AccountID
	at      time.Time
	heard   bool
}

// tellPresence says who is at this node's till, as long as somebody is. Nothing is queued: what the upstream did not
// hear is said again as it is by then, when the line is up, or not at all. No answer of the till waits for it.
func (n *Node) tellPresence(ctx context.Context) error {
	tick := time.NewTicker(presenceLook)
	defer tick.Stop()
	var last told
	for {
		select {
		case <-n.api.Moved():
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		n.present(ctx, &last)
	}
}

func (n *Node) present(ctx context.Context, last *told) {
	here := n.api.Shopper()
	linked := n.centre().Linked
	if here != last.account {
		if !last.account.IsZero() && last.heard && linked {
			n.sayPresence(ctx, record.Presence{Account: last.account, At: time.Now().UnixMilli()})
		}
		*last = told{account: here}
	}
	last.heard = last.heard && linked
	if here.IsZero() || !linked || last.heard && time.Since(last.at) < presenceEvery {
		return
	}
	last.at = time.Now()
	last.heard = n.sayPresence(ctx, record.Presence{Account: here, Here: true, At: last.at.UnixMilli()})
}

// sayPresence reports whether the upstream has heard it.
func (n *Node) sayPresence(ctx context.Context, p record.Presence) bool {
	subject := n.net.POSPresence(n.cfg.Store)
	if p.Till = n.cfg.Till; n.cfg.isTill() {
		subject = n.lane().Presence()
	} else {
		p.Till = subjects.Desk
	}
	ctx, cancel := context.WithTimeout(ctx, presenceWait)
	defer cancel()
	if _, err := service.Ask(ctx, n.conn, subject, p.Append(nil)); err != nil {
		n.log.Debug("nobody hears who is at the till", "err", err)
		return false
	}
	return true
}

// presences passes the words of a store's tills to the centre, each under the name of the till that said it.
func (n *Node) presences() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "presence", Subject: subjects.AnyLane{Store: n.cfg.Store}.Presence(),
		Description: "who is at the tills of store " + n.cfg.Store.String(),
		AtOnce:      256, Each: 4, Inbox: subjects.LaneInbox, Log: n.log,
		Answer: func(ctx context.Context, q service.Question) (a service.Answer, err error) {
			lane, ok := subjects.LaneOf(q.Subject)
			if !ok || lane.Store != n.cfg.Store {
				return a, &service.Refusal{Err: errors.New("the subject names no till of this store")}
			}
			p, err := record.ReadPresence(q.Data)
			if err != nil {
				return a, &service.Refusal{Err: err}
			}
			if !n.Linked() {
				return a, errNoLine
			}
			p.Till = lane.Till
			ctx, cancel := context.WithTimeout(ctx, presenceAbove)
			defer cancel()
			if _, err := service.Ask(ctx, n.conn, n.net.POSPresence(n.cfg.Store), p.Append(nil)); err != nil {
				return a, fmt.Errorf("tell the centre who is at till %s: %w", lane.Till, err)
			}
			return a, nil
		},
	})
}
