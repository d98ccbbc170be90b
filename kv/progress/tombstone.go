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
	Messages []Buried  `json:"messages"`
	At       time.Time `json:"at"` // of the last instruction
}

// Buried is one type of message, of one reward of the attempt, since a promotion may give several, and the same again.
type Buried struct {
	Type   event.MessageType `json:"messageType"`
	Scheme string            `json:"rewardSchemeId,omitempty"` // empty: of every reward
	Times  int64             `json:"times,omitempty"`
}

// Bury names the messages of a type about rewards; none: about all. It reports whether they were not named before.
func (t *Tombstone) Bury(m event.MessageType, rewards []event.Reward, at time.Time) (news bool) {
	if len(rewards) == 0 {
		rewards = []event.Reward{{}}
	}
	for _, r := range rewards {
		if b := (Buried{m, r.SchemeID, r.Times}); !slices.Contains(t.Messages, b) {
			t.Messages, t.At, news = append(t.Messages, b), at, true
		}
	}
	return news
}

// Names reports whether a message of a type, about rewards, is not to be shown. One that does not say what it is about
// may be about any.
func (t *Tombstone) Names(m event.MessageType, rewards []event.Reward) bool {
	return slices.ContainsFunc(t.Messages, func(b Buried) bool {
		return b.Type == m && (b.Scheme == "" || len(rewards) == 0 || slices.Contains(rewards, event.Reward{SchemeID: b.Scheme, Times: b.Times}))
	})
}

// ReadTombstone reads one.
func ReadTombstone(b []byte) (t Tombstone, err error) {
	if err := json.Unmarshal(b, &t); err != nil {
		return t, fmt.Errorf("read a tombstone: %w", err)
	}
	return t, nil
}
