package cache

import (
	"fmt"

	bolt "go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// Limits of a page that is served.
const (
	DefaultLimit = 1000 // items, if a pull names no limit
	MaxLimit     = 5000 // items, whatever a pull names

	maxPageBytes = 512 << 10 // of keys and values; a NATS message takes 1 MiB
)

// Page answers a pull from downstream: each item and each chain that changed after the cursor, once,
// as of now. Items carry the overlay in their Pending, and Counted says how far they contain each
// chain. A cursor of another generation, or ahead of what was given out, gets FeedReset.
func (c *Cache) Page(p record.Pull) (record.Page, error) {
	c.w.Lock() // no page is halfway to the disk
	defer c.w.Unlock()
	c.mu.RLock() // items and counts are of one moment
	defer c.mu.RUnlock()

	after := p.Cursor.Entry
	switch {
	case p.Cursor.Generation == record.Generation{}:
		after = 0
	case p.Cursor.Generation != c.state.own || after > c.last:
		return record.Page{Status: record.FeedReset, Cursor: record.Cursor{Generation: c.state.own}}, nil
	}
	limit := min(int(p.Limit), MaxLimit)
	if limit == 0 {
		limit = DefaultLimit
	}
	out := record.Page{
		Status: record.FeedItems,
		Cursor: record.Cursor{Generation: c.state.own, Entry: c.last},
	}
	err := c.view(func(tx *bolt.Tx) error { return c.fill(tx, &out, after, limit) })
	if err != nil {
		return record.Page{}, err
	}
	for id, ch := range c.chains {
		// Chains have no limit: a count that stayed behind its items would leave a till's overlay
		// on top of a record that contains it.
		if ch.changed() > after {
			out.Counted = append(out.Counted, record.Counted{Chain: id, Counted: ch.reach(), Posted: ch.posted})
		}
	}
	return out, nil
}

// fill merges what pages changed, from the index, with what the overlay changed, in the order of the
// change numbers.
func (c *Cache) fill(tx *bolt.Tx, out *record.Page, after uint64, limit int) error {
	items := tx.Bucket(bucketItems)
	index := tx.Bucket(bucketIndex).Cursor()
	k, v := index.Seek(be64(after + 1))
	log := c.log.after(after)
	last, size := after, 0
	for {
		for len(log) > 0 && !c.current(log[0]) {
			log = log[1:]
		}
		if k == nil && len(log) == 0 {
			return nil
		}
		if len(out.Items) >= limit || size >= maxPageBytes {
			out.More, out.Cursor.Entry = true, last
			return nil
		}
		var it record.Item
		var ok bool
		var err error
		if k != nil && (len(log) == 0 || number(k) < log[0].number) {
			it, ok, err = c.fromIndex(items, number(k), v)
			last = number(k)
			k, v = index.Next()
		} else {
			it, ok, err = c.fromOverlay(items, log[0].account)
			last = log[0].number
			log = log[1:]
		}
		if err != nil {
			return err
		}
		if ok {
			out.Items = append(out.Items, it)
			size += len(it.Key) + len(it.Value)
		}
	}
}

// fromIndex serves the item of an index entry; ok is false if the overlay changed it later, because
// it is served there.
func (c *Cache) fromIndex(items *bolt.Bucket, change uint64, v []byte) (out record.Item, ok bool, err error) {
	if len(v) != len(name{}) {
		return out, false, fmt.Errorf("%w: index entry of %d bytes", ErrDamaged, len(v))
	}
	it, found, err := c.getItem(items, name(v))
	if err != nil {
		return out, false, err
	}
	if !found || it.change != change {
		return out, false, fmt.Errorf("%w: index entry %d leads to no item", ErrDamaged, change)
	}
	if it.kind != record.ItemShopper {
		return record.Item{Kind: it.kind, Key: it.key, Value: it.value}, true, nil
	}
	a := c.overlay[record.AccountID(it.key)]
	if a != nil && a.moved > change {
		return out, false, nil
	}
	out, err = serve(&it, a)
	return out, true, err
}

func (c *Cache) fromOverlay(items *bolt.Bucket, id record.AccountID) (out record.Item, ok bool, err error) {
	it, found, err := c.getItem(items, c.cfg.Ring.Name(byte(record.ItemShopper), id[:]))
	if err != nil {
		return out, false, err
	}
	if !found {
		it = item{kind: record.ItemShopper, key: id[:]}
	}
	out, err = serve(&it, c.overlay[id])
	return out, true, err
}

// serve is the item of a shopper as downstream gets it.
func serve(it *item, a *account) (record.Item, error) {
	out := record.Item{Kind: it.kind, Key: it.key, Value: it.value}
	if a == nil {
		return out, nil
	}
	var s record.Shopper
	if len(it.value) > 0 {
		var err error
		if s, err = record.ReadShopper(it.value); err != nil {
			return out, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	s.Pending += a.sum
	out.Value = s.Append(nil)
	return out, nil
}
