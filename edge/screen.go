package edge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// screenWait bounds a store's question to its till: longer than a till waits for its POS to take a message.
const screenWait = 900 * time.Millisecond

// said makes the answer about a message.
func said(delivered bool) service.Answer {
	status := event.OSGNotOnSite
	if delivered {
		status = event.OSGDelivered
	}
	return service.Answer{Header: nats.Header{event.OSGStatus: {status}}}
}

// screen answers a till's store: it shows a message to the shopper who is at this till.
func (n *Node) screen() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServicePOS, Endpoint: "screen", Subject: n.lane().Screen(),
		Description: "the screen of till " + n.cfg.Till.String(),
		AtOnce:      16, Inbox: func(string) string { return n.lane().Answer() }, Log: n.log,
		Answer: func(ctx context.Context, q service.Question) (a service.Answer, err error) {
			m, err := record.ReadScreen(q.Data)
			if err != nil {
				return a, &service.Refusal{Err: err}
			}
			return n.show(ctx, &m)
		},
	})
}

func (n *Node) show(ctx context.Context, m *record.Screen) (a service.Answer, err error) {
	delivered, err := n.api.Screen(ctx, m)
	if err != nil {
		return a, err
	}
	return said(delivered), nil
}

// screens answers the centre for all screens of a store: those of its tills, which it asks, and its own.
func (n *Node) screens() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceStore, Endpoint: "screen", Subject: n.net.StoreScreen(n.cfg.Store),
		Description: "the screens of store " + n.cfg.Store.String(),
		AtOnce:      256, Log: n.log,
		Answer: func(ctx context.Context, q service.Question) (a service.Answer, err error) {
			m, err := record.ReadScreen(q.Data)
			if err != nil {
				return a, &service.Refusal{Err: err}
			}
			switch {
			case m.Till == subjects.Desk:
				return n.show(ctx, &m)
			case !slices.ContainsFunc(n.cfg.Tills, func(t Till) bool { return t.Till == m.Till }):
				return said(false), nil
			}
			return n.askScreen(ctx, &m)
		},
	})
}

// askScreen asks a till. A till that says nothing may show the message or not.
func (n *Node) askScreen(ctx context.Context, m *record.Screen) (a service.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, screenWait)
	defer cancel()
	lane := subjects.Lane{Store: n.cfg.Store, Till: m.Till}
	reply := lane.Answer() + "." + nats.NewInbox()[len(nats.InboxPrefix):]
	sub, err := n.conn.SubscribeSync(reply)
	if err != nil {
		return a, fmt.Errorf("ask till %s to show a message: %w", m.Till, err)
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only if the connection is gone, and it with it
	if err = n.conn.PublishMsg(&nats.Msg{Subject: lane.Screen(), Reply: reply, Data: m.Append(nil)}); err != nil {
		return a, fmt.Errorf("ask till %s to show a message: %w", m.Till, err)
	}
	told, err := sub.NextMsgWithContext(ctx)
	if err != nil {
		return a, fmt.Errorf("ask till %s to show a message: %w", m.Till, err)
	}
	switch told.Header.Get(event.OSGStatus) {
	case event.OSGDelivered:
		return said(true), nil
	case event.OSGNotOnSite:
		return said(false), nil
	}
	return a, fmt.Errorf("ask till %s to show a message: %w: %v", m.Till, errScreen, told.Header)
}

// errScreen means that a till does not say whether it shows a message.
var errScreen = errors.New("neither delivered nor not on site")
