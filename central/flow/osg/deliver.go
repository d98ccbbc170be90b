package osg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// askWithin bounds a question for a screen: a store gives its till less.
const askWithin = 1500 * time.Millisecond

// claim is the value of a kv.ClaimKey. What it says changes by compare-and-set only, so however many deliver a
// message, they go the same way: a screen is asked only while the claim names it, and another is named only when it
// has said no. The revision at which it was named is the try.
type claim struct {
	Asked    *spot           `json:"asked,omitempty"` // a screen that was asked and has not said no
	Instance subjects.NodeID `json:"instance,omitzero"`
	Shown    bool            `json:"shown,omitempty"` // that screen has it
	At       time.Time       `json:"at"`
}

// errSilent means that a screen was asked and nobody knows what it has done.
var errSilent = errors.New("the screen does not answer: ask again, with the same message")

// answer is OSG's service.
func (o *OSG) answer(ctx context.Context, q service.Question) (a service.Answer, err error) {
	e, data, err := event.Receive(q.Header, q.Data)
	if err == nil && e.Brand != o.Net.Brand {
		err = fmt.Errorf("%w: header ce-brand is %s, this is brand %s", event.ErrEvent, e.Brand, o.Net.Brand)
	}
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	m, err := event.Read[event.OnsiteMessage](&e, event.TypeOnsiteMessage, data)
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	s := screenOf(&e, &m)
	if err := s.Check(); err != nil {
		return a, &service.Refusal{Err: err}
	}
	delivered, err := o.deliver(ctx, &e, &m, s)
	if err != nil {
		o.outcomes.WithLabelValues("again").Inc()
		return a, err
	}
	status := event.OSGNotOnSite
	if delivered {
		status = event.OSGDelivered
	}
	o.outcomes.WithLabelValues(status).Inc()
	return service.Answer{Header: nats.Header{event.OSGStatus: {status}}}, nil
}

// screenOf is a message as a screen takes it. Its try is not known yet.
func screenOf(e *event.Envelope, m *event.OnsiteMessage) record.Screen {
	return record.Screen{
		Account: m.AccountID, Try: 1, Full: m.Delivery == event.FullScreen, ID: e.ID, Title: m.Title, Text: m.Text,
		Code: m.Code, Language: m.Language, Expires: m.ExpiresAt.UnixMilli(),
	}
}

// worth reports whether there is a screen to ask: the shopper is somewhere, and may still see the message.
func (o *OSG) worth(ctx context.Context, e *event.Envelope, m *event.OnsiteMessage) (bool, error) {
	there, whole := o.site.seek(m.AccountID, o.Now())
	if !whole {
		return false, errors.New("who is on site is not known here yet")
	}
	if !there || !m.ExpiresAt.After(o.Now()) {
		return false, nil // what a claim says waits until they are there
	}
	gone, err := o.deleted(ctx, e, m)
	return !gone && err == nil, err
}

// deliver shows a message on one screen, whoever else is at it.
func (o *OSG) deliver(ctx context.Context, e *event.Envelope, m *event.OnsiteMessage, s record.Screen) (delivered bool, err error) {
	if worth, err := o.worth(ctx, e, m); !worth || err != nil {
		return false, err
	}
	// As if nobody had delivered it before: for most messages that is so, and to look costs as much as to put.
	var r uint64
	var c claim
	var no []spot // screens that have said no to us
	for range maxTurns {
		if c.Shown {
			return true, nil
		}
		next, err := o.turn(ctx, c, r, s, &no)
		if err != nil {
			return false, err
		}
		now, err := o.put(ctx, e.ID, next, r, m.ExpiresAt)
		switch {
		case errors.Is(err, kv.ErrConflict):
			if r, c, err = o.claimed(ctx, e.ID); err != nil {
				return false, err
			}
		case err != nil:
			return false, err
		case next.Shown:
			o.shown(e)
			return true, nil
		case next.Asked == nil:
			return false, nil
		default:
			r, c = now, next
		}
	}
	return false, errors.New("others deliver the same message: ask again")
}

// turn asks the screen that a claim names, and gives what the claim must say next.
func (o *OSG) turn(ctx context.Context, c claim, try uint64, s record.Screen, no *[]spot) (next claim, err error) {
	if c.Asked == nil {
		return o.next(s.Account, *no), nil
	}
	s.Try = try
	shown, err := o.ask(ctx, *c.Asked, c.Instance, s)
	if err != nil {
		return c, err
	}
	if shown {
		// From here on the screen has it. If the claim is not settled, it is asked again, and says so again.
		return claim{Asked: c.Asked, Instance: c.Instance, Shown: true}, nil
	}
	*no = append(*no, *c.Asked)
	return o.next(s.Account, *no), nil
}

// maxTurns bounds how often one question follows a claim.
const maxTurns = 32

// next names the next screen in a claim, or none.
func (o *OSG) next(account record.AccountID, no []spot) claim {
	for _, p := range o.site.of(account, o.Now()) {
		if !slices.Contains(no, p.spot) {
			return claim{Asked: &p.spot, Instance: p.Instance}
		}
	}
	return claim{}
}

// claimed reads a message's claim; revision zero: there is none.
func (o *OSG) claimed(ctx context.Context, id string) (revision uint64, c claim, err error) {
	r, err := o.bucket.Get(ctx, kv.ClaimKey(id))
	if errors.Is(err, kv.ErrNone) {
		return 0, c, nil
	}
	if err == nil {
		err = json.Unmarshal(r.Value, &c)
	}
	if err != nil {
		return 0, c, fmt.Errorf("read claim of message %s: %w", id, err)
	}
	return r.Revision, c, nil
}

// claimStays is how long a claim stands after its message has expired: clocks differ, and questions are late.
const claimStays = time.Minute

func (o *OSG) put(ctx context.Context, id string, c claim, was uint64, expires time.Time) (uint64, error) {
	c.At = o.Now().UTC()
	value, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("write claim of message %s: %w", id, err)
	}
	return o.bucket.PutFor(ctx, kv.ClaimKey(id), value, was, expires.Sub(o.Now())+claimStays)
}

// deleted reports whether MSQ was told to show a message no more. Such a message is not on site for anybody.
func (o *OSG) deleted(ctx context.Context, e *event.Envelope, m *event.OnsiteMessage) (bool, error) {
	r, err := o.bucket.Get(ctx, kv.TombstoneKey(e.Attempt))
	if errors.Is(err, kv.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	t, err := progress.ReadTombstone(r.Value)
	return err == nil && t.Names(m.MessageType, e.Rewards), err
}

// ask asks one screen.
func (o *OSG) ask(ctx context.Context, at spot, instance subjects.NodeID, s record.Screen) (shown bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	s.Till = at.Till
	subject := o.Net.StoreScreen(at.Store)
	if at.Store == subjects.Headquarters {
		if instance == o.instance {
			return o.sessions.show(ctx, &s)
		}
		subject = o.Net.OSGScreen(instance)
	}
	a, err := service.Ask(ctx, o.Conn, subject, s.Append(nil))
	if errors.Is(err, nats.ErrNoResponders) && at.Store == subjects.Headquarters {
		return false, nil // the instance has ended, and its devices with it
	}
	if err != nil {
		return false, fmt.Errorf("message %s: %w: %w", s.ID, errSilent, err)
	}
	switch status := a.Header.Get(event.OSGStatus); status {
	case event.OSGDelivered:
		return true, nil
	case event.OSGNotOnSite:
		return false, nil
	default:
		return false, fmt.Errorf("message %s: %w: status %q", s.ID, errSilent, status)
	}
}

// shown counts how long the way to the screen was.
func (o *OSG) shown(e *event.Envelope) {
	for _, from := range [...]event.Point{event.Sold, event.Posted, event.CPP, event.EPPM} {
		if at := e.Stamps[from]; !at.IsZero() {
			o.took.WithLabelValues(from.String()).Observe(o.Now().Sub(at).Seconds())
			return
		}
	}
}
