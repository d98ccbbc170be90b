package kv

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// ErrFull means that as many copies as may be are kept already. None is forgotten for another: it might
// be the one that opens a journal.
var ErrFull = errors.New("no more key rings of this node are kept")

// KeyRings is the bucket of key ring copies of the brand's stores.
type KeyRings struct {
	js     jetstream.JetStream
	bucket string
}

// NewKeyRings names the bucket; it must be there before it is used.
func NewKeyRings(js jetstream.JetStream, brand subjects.BrandID) *KeyRings {
	return &KeyRings{js, RingCopies(brand).Name}
}

// Add keeps a copy, unless it is there.
func (k *KeyRings) Add(ctx context.Context, s subjects.StoreID, c record.RingCopy) error {
	kv, err := k.js.KeyValue(ctx, k.bucket)
	if err != nil {
		return fmt.Errorf("keep key ring of store %s: %w", s, err)
	}
	have, err := k.ids(ctx, kv, s)
	if err != nil {
		return fmt.Errorf("keep key ring of store %s: %w", s, err)
	}
	if slices.Contains(have, c.ID) {
		return nil
	}
	if len(have) >= record.MaxRingCopies {
		return fmt.Errorf("keep key ring of store %s: %w", s, ErrFull)
	}
	if _, err := kv.Create(ctx, KeyRing(s.String(), c.ID.String()), c.Sealed); err != nil && !errors.Is(err, jetstream.ErrKeyExists) {
		return fmt.Errorf("keep key ring of store %s: %w", s, err)
	}
	return nil
}

// Of gives the copies of a store's rings.
func (k *KeyRings) Of(ctx context.Context, s subjects.StoreID) (copies []record.RingCopy, err error) {
	kv, err := k.js.KeyValue(ctx, k.bucket)
	if err != nil {
		return nil, fmt.Errorf("read key rings of store %s: %w", s, err)
	}
	ids, err := k.ids(ctx, kv, s)
	if err != nil {
		return nil, fmt.Errorf("read key rings of store %s: %w", s, err)
	}
	for _, id := range ids {
		e, err := kv.Get(ctx, KeyRing(s.String(), id.String()))
		if err != nil {
			return nil, fmt.Errorf("read key ring %s of store %s: %w", id, s, err)
		}
		copies = append(copies, record.RingCopy{ID: id, Sealed: e.Value()})
	}
	return copies, nil
}

func (k *KeyRings) ids(ctx context.Context, kv jetstream.KeyValue, s subjects.StoreID) (ids []record.RingID, err error) {
	keys, err := kv.ListKeysFiltered(ctx, KeyRing(s.String(), "*"))
	if err != nil {
		return nil, err
	}
	prefix := len(KeyRing(s.String(), ""))
	for name := range keys.Keys() {
		var id record.RingID
		if b, err := hex.DecodeString(name[prefix:]); err != nil || copy(id[:], b) != len(id) {
			continue // not one of ours
		}
		ids = append(ids, id)
	}
	return ids, context.Cause(ctx) // else a list cut short would look whole
}
