package msq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillstream/central/stage"
	"tillstream/kv"
	"tillstream/kv/progress"
	"tillstream/kv/record"
	"tillstream/subjects/event"
)

// tombstoneCycles is how long after its attempt's end a tombstone stands: what may still come of the attempt comes
// within that time.
const tombstoneCycles = 2 * 7 * 24 * time.Hour

// delete handles a DeleteMessageInstruction (document 004 §2; R102).
func (m *MSQ) delete(ctx context.Context, in *stage.Input) ([]stage.Output, error) {
	d, err := event.Read[event.DeleteMessageInstruction](&in.Envelope, event.TypeDeleteMessage, in.Data)
	if err == nil && d.Brand != m.Net.Brand {
		err = fmt.Errorf("%w: data is of brand %q, this is brand %s", event.ErrEvent, d.Brand, m.Net.Brand)
	}
	if err != nil {
		return nil, stage.Reject(err)
	}
	if err := m.bury(ctx, &in.Envelope, &d); err != nil {
		return nil, err
	}
	var named progress.Tombstone
	named.Bury(d.MessageType, in.Rewards, d.At)
	// From here on nothing that it names is put or shown. What waits is taken out.
	all, err := m.of(ctx, d.AccountID)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.envelope.Attempt != in.Attempt || !named.Names(w.message.MessageType, w.envelope.Rewards) {
			continue
		}
		if err := m.bucket.Remove(ctx, w.key, w.revision); err != nil {
			return nil, err
		}
		m.messages.WithLabelValues("deleted").Inc()
	}
	return nil, nil
}

// bury leaves the tombstone.
func (m *MSQ) bury(ctx context.Context, e *event.Envelope, d *event.DeleteMessageInstruction) error {
	of := e.Attempt
	for range 5 {
		t, was, err := m.tombstone(ctx, of)
		if err != nil || !t.Bury(d.MessageType, e.Rewards, d.At) {
			return err
		}
		value, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("write the tombstone of %s: %w", of, err)
		}
		_, err = m.bucket.PutFor(ctx, kv.TombstoneKey(of), value, was, m.buriedFor(of.Attempt))
		if !errors.Is(err, kv.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("leave the tombstone of %s: %w", of, kv.ErrConflict)
}

// buriedFor is how long a tombstone stands from now.
func (m *MSQ) buriedFor(attempt record.AttemptID) time.Duration {
	now, stay := m.Now(), tombstoneCycles
	s := m.Docs.Settings()
	if _, end, err := s.Calendar().Attempt(attempt); err == nil && end.After(now) {
		stay += end.Sub(now)
	}
	return stay
}
