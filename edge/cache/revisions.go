package cache

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"tillstream/edge/catalogue"
	"tillstream/kv/record"
)

// AsOf gives what every store gets as it was at a revision that this node had in the last 24 hours: what a
// receipt is priced by that names it. ErrRevision says that the node did not have it then.
func (c *Cache) AsOf(entry uint64) (*catalogue.Catalogue, error) {
	now := c.catalogue.Load()
	if now.Revision() == entry {
		return now, nil
	}
	c.mu.RLock()
	known := slices.ContainsFunc(c.reference.revisions, func(r revision) bool { return r.entry == entry })
	for _, old := range c.recent {
		if old.Revision() == entry {
			c.mu.RUnlock()
			return old, nil
		}
	}
	c.mu.RUnlock()
	if !known {
		return nil, fmt.Errorf("revision %d: %w", entry, ErrRevision)
	}
	// The catalogue is not newer than the transaction: what changes between the two is put back as well.
	now = c.catalogue.Load()
	var old *catalogue.Catalogue
	err := c.view(func(tx *bolt.Tx) (err error) {
		old, err = c.back(tx, now, entry)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recent = append([]*catalogue.Catalogue{old}, c.recent[:min(len(c.recent), recentKept-1)]...)
	return old, nil
}

// Revisions gives those that AsOf may be asked for, oldest first.
func (c *Cache) Revisions() []uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	entries := make([]uint64, len(c.reference.revisions))
	for i, r := range c.reference.revisions {
		entries[i] = r.entry
	}
	return entries
}

// back makes the catalogue of an older revision from what lies on the disk: versions that were replaced
// after it count, records that came after it do not.
func (c *Cache) back(tx *bolt.Tx, now *catalogue.Catalogue, to uint64) (*catalogue.Catalogue, error) {
	then := map[string]record.Reference{}
	old := tx.Bucket(bucketRefOld).Cursor()
	for k, v := old.First(); k != nil; k, v = old.Next() {
		name, by, r, err := c.openVersion(k, v)
		if err != nil {
			return nil, err
		}
		if by > to && r.Entry <= to {
			then[name] = r
		}
	}
	index := tx.Bucket(bucketRefIndex).Cursor()
	for k, _ := index.Seek(be64(to + 1)); k != nil; k, _ = index.Next() {
		name := string(k[8:])
		if _, ok := then[name]; !ok {
			then[name] = record.Reference{Kind: record.RefKind(name[0]), Key: name[1:]} // not there yet
		}
	}
	return now.Next(to, func(yield func(record.Reference) bool) {
		for _, r := range then {
			if !yield(r) {
				return
			}
		}
	}), nil
}

// openVersion reads a version: whose it is, and by which entry it was replaced.
func (c *Cache) openVersion(k, v []byte) (name string, by uint64, r record.Reference, err error) {
	rd, err := c.unseal(bucketRefOld, k, v, oldVersion)
	if err != nil {
		return "", 0, r, err
	}
	if len(k) < 10 {
		return "", 0, r, fmt.Errorf("%w: key of a version of %d bytes", ErrDamaged, len(k))
	}
	name, by = string(k[:len(k)-8]), binary.BigEndian.Uint64(k[len(k)-8:])
	r = record.Reference{Kind: record.RefKind(name[0]), Key: name[1:], Entry: rd.U64(), Value: rd.Blob()}
	return name, by, r, ended(&rd, bucketRefOld)
}

// loadReference reads what is kept in memory of what every store gets. If a page was the last that came
// before the end, and not the last that there was, readers get the revision before it.
func (c *Cache) loadReference(tx *bolt.Tx) error {
	s, err := c.readReferenceState(tx)
	if err != nil {
		return err
	}
	c.reference = s
	if len(s.revisions) == 0 {
		c.renewed = true // a file without a revision; what memory has of another stays until one has come
		return nil
	}
	c.renewed = true
	all, err := c.forward(tx, catalogue.Empty(), s.cursor.Entry)
	if err != nil {
		return err
	}
	c.catalogue.Store(all)
	if s.now() == s.cursor.Entry {
		return nil
	}
	then, err := c.back(tx, all, s.now())
	if err != nil {
		return err
	}
	c.catalogue.Store(then)
	return nil
}

// References answers a pull of what every store gets: what has changed after the cursor, each record once,
// as it lies here. Entries are the centre's, so a follower may go on at any store.
func (c *Cache) References(after record.Cursor) (*record.References, error) {
	out := &record.References{Status: record.FeedItems}
	err := c.view(func(tx *bolt.Tx) error {
		s, err := c.readReferenceState(tx) // of the transaction's moment
		if err != nil {
			return err
		}
		from := after != record.Cursor{}
		switch {
		case s.cursor.Generation == (record.Generation{}) && (from || !s.complete):
			out.Status = record.FeedBehind
			return nil
		case from && after.Generation != s.cursor.Generation, after.Entry > 0 && after.Entry < s.floor:
			out.Status, out.Cursor = record.FeedReset, record.Cursor{Generation: s.cursor.Generation}
			return nil
		case after.Entry > s.cursor.Entry:
			out.Status = record.FeedBehind
			return nil
		}
		out.Cursor, out.More = s.cursor, !s.complete
		if err := c.fillReferences(tx, out, after.Entry); err != nil {
			return err
		}
		if len(out.Records) == 0 && out.More { // upstream has not said all of it yet
			*out = record.References{Status: record.FeedBehind}
		}
		return nil
	})
	return out, err
}

// Bounds of the reference data in one page, which finishes the entry in which one falls.
const (
	maxReferences     = 5000
	maxReferenceBytes = 256 << 10
)

func (c *Cache) fillReferences(tx *bolt.Tx, out *record.References, after uint64) error {
	index := tx.Bucket(bucketRefIndex).Cursor()
	size, last := 0, after
	for k, _ := index.Seek(be64(after + 1)); k != nil; k, _ = index.Next() {
		entry := number(k[:8])
		if (len(out.Records) >= maxReferences || size >= maxReferenceBytes) && entry != last {
			out.More, out.Cursor.Entry = true, last
			return nil
		}
		r, found, err := c.getReference(tx, k[8:])
		if err == nil && !found {
			err = fmt.Errorf("%w: index of reference data leads to nothing", ErrDamaged)
		}
		if err != nil {
			return err
		}
		last = entry
		if after == 0 && r.Removed() {
			continue
		}
		out.Records = append(out.Records, r)
		size += r.Size()
	}
	return nil
}

// SweepReference lets go of versions that no quote may name any more, and of removals that whoever has
// not heard of must start anew for.
func (c *Cache) SweepReference(now time.Time) error {
	c.w.Lock()
	defer c.w.Unlock()
	c.mu.RLock()
	next := c.reference
	c.mu.RUnlock()
	gone := now.Add(-keepRevisions).UnixMilli()
	keep := slices.Clone(next.revisions)
	for len(keep) > 1 && keep[1].since < gone {
		keep = keep[1:]
	}
	next.revisions = keep
	err := c.update(func(tx *bolt.Tx) error {
		if len(keep) > 0 {
			if err := c.sweepVersions(tx, keep[0].entry); err != nil {
				return err
			}
		}
		floor, err := c.sweepRemovals(tx, now.Add(-keepRemovals).UnixMilli(), next.now())
		if err != nil {
			return err
		}
		next.floor = max(next.floor, floor)
		return c.putReferenceState(tx, &next)
	})
	if err != nil {
		return fmt.Errorf("sweep reference data: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reference = next
	return nil
}

// sweepVersions lets go of what was replaced before the oldest revision that can be asked for.
func (c *Cache) sweepVersions(tx *bolt.Tx, oldest uint64) error {
	b := tx.Bucket(bucketRefOld)
	var gone [][]byte
	err := b.ForEach(func(k, v []byte) error {
		_, by, _, err := c.openVersion(k, v)
		if err == nil && by <= oldest {
			gone = append(gone, slices.Clone(k))
		}
		return err
	})
	for _, k := range gone {
		if err == nil {
			err = b.Delete(k)
		}
	}
	return err
}

// sweepRemovals gives the highest entry of those it let go of. It stops at the first that is to stay, or
// that readers do not know of yet.
func (c *Cache) sweepRemovals(tx *bolt.Tx, before int64, visible uint64) (floor uint64, err error) {
	b := tx.Bucket(bucketRefGone)
	var gone [][]byte
	cur := b.Cursor()
	for k, v := cur.First(); k != nil && len(v) == 8 && int64(number(v)) < before && number(k[:8]) <= visible; k, v = cur.Next() {
		gone = append(gone, slices.Clone(k))
	}
	for _, k := range gone {
		floor = max(floor, number(k[:8]))
		if err := b.Delete(k); err != nil {
			return 0, err
		}
		if err := tx.Bucket(bucketRefIndex).Delete(k); err != nil {
			return 0, err
		}
		if err := tx.Bucket(bucketRefs).Delete(k[8:]); err != nil {
			return 0, err
		}
	}
	return floor, nil
}
