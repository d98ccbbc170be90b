package progress

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tillstream/subjects/event"
)

// Tombstone is the value of a kv.TombstoneKey: messages of one attempt that must not be shown any more. MSQ leaves it,
// OSG heeds it.
type Tombstone struct {
	Types []event.MessageType `json:"messageTypes"`
	At    time.Time           `json:"at"` // of the last instruction
}

// Names reports whether messages of a type are not to be shown.
func (t *Tombstone) Names(m event.MessageType) bool { return slices.Contains(t.Types, m) }

// ReadTombstone reads one.
func ReadTombstone(b []byte) (t Tombstone, err error) {
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("read a tombstone: %w", err)
	}
	return t, nil
}
