package cache

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// Buckets of cache.db. Values of meta, items and chains are sealed to file, bucket and key.
var (
	bucketMeta   = []byte("meta")   // "state" -> state
	bucketItems  = []byte("items")  // keyed hash of kind and key -> item
	bucketIndex  = []byte("index")  // change number -> key in items; one for each item
	bucketChains = []byte("chains") // chain -> told

	keyState = []byte("state")
)

const (
	stateVersion = 1
	itemVersion  = 1
	chainVersion = 1
)

// state is what holds for the whole file.
type state struct {
	own     record.Generation // of the feed that this cache serves
	ceiling uint64            // no change number above it has been given out
	cursor  record.Cursor     // of upstream's feed; never ahead of the items
	page    uint64            // number of the last page applied
	items   uint64            // items with a value
}

// item is a record as it lies here.
type item struct {
	change uint64 // number of its last change by a page
	page   uint64 // number of the page it came in; 0: it was learned
	kind   record.ItemKind
	key    []byte
	value  []byte // empty: a removal, which downstream has to hear of too
}

type name = [16]byte

func place(bucket, key []byte) []byte {
	b := append(make([]byte, 0, 7+len(bucket)+len(key)), "cache/"...)
	return append(append(append(b, bucket...), '/'), key...)
}

func (c *Cache) seal(bucket, key, value []byte) []byte {
	return c.cfg.Ring.Seal(nil, place(bucket, key), value)
}

// unseal gives a reader of what was sealed there. What does not open is damage.
func (c *Cache) unseal(bucket, key, sealed []byte, version byte) (record.Reader, error) {
	b, err := c.cfg.Ring.Open(place(bucket, key), sealed)
	if err != nil {
		return record.Reader{}, fmt.Errorf("%w: %s: %w", ErrDamaged, bucket, err)
	}
	r := record.Reader{B: b}
	if v := r.U8(); v != version {
		return r, fmt.Errorf("%w: %s of version %d, want %d", ErrDamaged, bucket, v, version)
	}
	return r, nil
}

func ended(r *record.Reader, bucket []byte) error {
	if err := r.End(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, bucket, err)
	}
	return nil
}

func (c *Cache) putState(tx *bolt.Tx, s *state) error {
	b := append([]byte{stateVersion}, s.own[:]...)
	b = binary.BigEndian.AppendUint64(b, s.ceiling)
	b = s.cursor.Append(b)
	b = binary.BigEndian.AppendUint64(b, s.page)
	b = binary.BigEndian.AppendUint64(b, s.items)
	return tx.Bucket(bucketMeta).Put(keyState, c.seal(bucketMeta, keyState, b))
}

func (c *Cache) readState(tx *bolt.Tx) (s state, found bool, err error) {
	v := tx.Bucket(bucketMeta).Get(keyState)
	if v == nil {
		return s, false, nil
	}
	r, err := c.unseal(bucketMeta, keyState, v, stateVersion)
	if err != nil {
		return s, false, err
	}
	r.Fill(s.own[:])
	s.ceiling = r.U64()
	r.Fill(s.cursor.Generation[:])
	s.cursor.Entry = r.U64()
	s.page, s.items = r.U64(), r.U64()
	return s, true, ended(&r, bucketMeta)
}

func (c *Cache) putItem(items *bolt.Bucket, n name, it *item) error {
	b := make([]byte, 0, 64+len(it.key)+len(it.value))
	b = append(b, itemVersion, byte(it.kind))
	b = binary.BigEndian.AppendUint64(b, it.change)
	b = binary.BigEndian.AppendUint64(b, it.page)
	b = record.AppendBlob(b, it.key)
	b = record.AppendBlob(b, it.value)
	return items.Put(n[:], c.seal(bucketItems, n[:], b))
}

// getItem reads an item; its slices are its own. found is false if there is none.
func (c *Cache) getItem(items *bolt.Bucket, n name) (it item, found bool, err error) {
	v := items.Get(n[:])
	if v == nil {
		return it, false, nil
	}
	r, err := c.unseal(bucketItems, n[:], v, itemVersion)
	if err != nil {
		return it, false, err
	}
	it.kind = record.ItemKind(r.U8())
	it.change, it.page = r.U64(), r.U64()
	it.key, it.value = r.Blob(), r.Blob()
	return it, true, ended(&r, bucketItems)
}

func (c *Cache) putChain(chains *bolt.Bucket, id record.ChainID, t *told) error {
	b := make([]byte, 0, 40+16*len(t.steps))
	b = append(b, chainVersion)
	for _, n := range []uint64{t.counted, t.posted, t.floor, t.change} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = binary.AppendUvarint(b, uint64(len(t.steps)))
	for _, s := range t.steps {
		b = binary.BigEndian.AppendUint64(b, s.page)
		b = binary.BigEndian.AppendUint64(b, s.counted)
	}
	return chains.Put(id[:], c.seal(bucketChains, id[:], b))
}

func (c *Cache) openChain(k, v []byte) (id record.ChainID, t told, err error) {
	r, err := c.unseal(bucketChains, k, v, chainVersion)
	if err != nil {
		return id, t, err
	}
	t.counted, t.posted, t.floor, t.change = r.U64(), r.U64(), r.U64(), r.U64()
	if n := r.Count(16); n > 0 {
		t.steps = make([]step, n)
	}
	for i := range t.steps {
		t.steps[i] = step{page: r.U64(), counted: r.U64()}
	}
	if copy(id[:], k) != len(k) || len(k) != len(id) {
		r.Err = record.ErrFormat
	}
	return id, t, ended(&r, bucketChains)
}
