package msq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
	"tillstream/subjects/service"
)

// waiting is the value of a kv.WaitKey.
type waiting struct {
	Queued    time.Time           `json:"queued"`
	NextVisit bool                `json:"nextVisit,omitempty"` // only if the shopper came after it was queued
	Header    map[string][]string `json:"header"`              // of the event
	Data      json.RawMessage     `json:"data"`

	key      string
	revision uint64
	envelope event.Envelope
	message  event.OnsiteMessage
}

// put is MSQ's service.
func (m *MSQ) put(ctx context.Context, q service.Question) (a service.Answer, err error) {
	w, err := m.read(q.Header, q.Data)
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	stay := w.message.ExpiresAt.Sub(m.Now())
	if stay <= 0 {
		m.messages.WithLabelValues("late").Inc()
		return a, nil
	}
	value, err := json.Marshal(w)
	if err != nil {
		return a, fmt.Errorf("write message %s: %w", w.envelope.ID, err)
	}
	w.revision, err = m.bucket.PutFor(ctx, w.key, value, 0, stay)
	switch {
	case errors.Is(err, kv.ErrConflict): // it was put before
	case err != nil:
		return a, err
	default: // from here on the message is kept
		m.messages.WithLabelValues("queued").Inc()
	}
	return a, nil
}

// read checks a message.
func (m *MSQ) read(header map[string][]string, data []byte) (*waiting, error) {
	e, data, err := event.Receive(header, data)
	if err != nil {
		return nil, err
	}
	if e.Brand != m.Net.Brand {
		return nil, fmt.Errorf("%w: header ce-brand is %s, this is brand %s", event.ErrEvent, e.Brand, m.Net.Brand)
	}
	if !record.IsMessageID(e.ID) {
		return nil, fmt.Errorf("%w: header ce-id: want 1 to 64 hexadecimal digits", event.ErrEvent)
	}
	msg, err := event.Read[event.OnsiteMessage](&e, event.TypeOnsiteMessage, data)
	if err != nil {
		return nil, err
	}
	now := m.Now()
	return &waiting{
		Queued: now.UTC(), NextVisit: m.monday(&msg, now), Header: e.Headers(), Data: data,
		key: kv.WaitKey(msg.AccountID, e.ID), envelope: e, message: msg,
	}, nil
}

// monday is the Monday rule: the message must not interrupt the visit in which it comes (document 004 §1; R100).
func (m *MSQ) monday(msg *event.OnsiteMessage, now time.Time) bool {
	s := m.Docs.Settings()
	if !s.MondayRule || msg.MessageType != event.MessageRewardAwarded {
		return false
	}
	cal := s.Calendar()
	weeks, err := cal.Weeks(msg.AttemptID, cal.AttemptAt(now))
	return err == nil && weeks > 0
}

// of lists what waits for a shopper, in the order of its creation.
func (m *MSQ) of(ctx context.Context, account record.AccountID) ([]*waiting, error) {
	keys, err := m.bucket.Keys(ctx, kv.WaitKey(account, "*"))
	if err != nil {
		return nil, err
	}
	var all []*waiting
	for _, key := range keys {
		r, err := m.bucket.Get(ctx, key)
		if errors.Is(err, kv.ErrNone) {
			continue // another instance has brought it, or it has expired
		}
		if err != nil {
			return nil, err
		}
		w := &waiting{key: key, revision: r.Revision}
		if err := m.restore(w, r.Value); err != nil {
			m.Log.Error("a message that waits cannot be read: it stays until it expires", "key", key, "err", err)
			continue
		}
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b *waiting) int {
		return cmp.Or(a.message.CreatedAt.Compare(b.message.CreatedAt), cmp.Compare(a.revision, b.revision), strings.Compare(a.key, b.key))
	})
	return all, nil
}

func (m *MSQ) restore(w *waiting, value []byte) (err error) {
	if err := json.Unmarshal(value, w); err != nil {
		return err
	}
	if w.envelope, err = event.ReadEnvelope(w.Header); err != nil {
		return err
	}
	w.message, err = event.Read[event.OnsiteMessage](&w.envelope, event.TypeOnsiteMessage, w.Data)
	return err
}

// deliverWithin bounds a question to OSG, which asks stores.
const deliverWithin = 3 * time.Second

// deliver asks OSG to show a message.
func (m *MSQ) deliver(ctx context.Context, w *waiting) (shown bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, deliverWithin)
	defer cancel()
	a, err := m.Ask(ctx, service.Question{Subject: m.Net.OSGDeliver(), Header: nats.Header(w.envelope.Headers()), Data: w.Data})
	if err != nil {
		return false, err
	}
	switch status := a.Header.Get(event.OSGStatus); status {
	case event.OSGDelivered:
		return true, nil
	case event.OSGNotOnSite:
		return false, nil
	default:
		return false, fmt.Errorf("answer of OSG: status %q, want %s or %s", status, event.OSGDelivered, event.OSGNotOnSite)
	}
}

// deleted reports whether a tombstone names a message.
func (m *MSQ) deleted(ctx context.Context, w *waiting) (bool, error) {
	t, _, err := m.tombstone(ctx, w.envelope.Attempt)
	if err != nil || !t.Names(w.message.MessageType, w.envelope.Rewards) {
		return false, err
	}
	m.messages.WithLabelValues("deleted").Inc()
	return true, nil
}

func (m *MSQ) tombstone(ctx context.Context, of record.Attempt) (t progress.Tombstone, revision uint64, err error) {
	r, err := m.bucket.Get(ctx, kv.TombstoneKey(of))
	if errors.Is(err, kv.ErrNone) {
		return t, 0, nil
	}
	if err != nil {
		return t, 0, err
	}
	t, err = progress.ReadTombstone(r.Value)
	return t, r.Revision, err
}
