package cache

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"tillstream/edge/catalogue"
	"tillstream/kv/record"
)

// Buckets of what every store gets. Values are sealed; keys are not: none of it is anybody's secret, and it
// has to be found by its kind.
var (
	bucketRefs     = []byte("refs")     // kind and key -> record
	bucketRefIndex = []byte("refindex") // entry, kind and key -> nothing; one for each record
	bucketRefGone  = []byte("refgone")  // the same of removals only -> when it was removed
	bucketRefOld   = []byte("refold")   // kind, key and entry that replaced it -> a version that quotes may name

	keyReference = []byte("reference")
)

func referenceBuckets() [][]byte {
	return [][]byte{bucketRefs, bucketRefIndex, bucketRefGone, bucketRefOld}
}

const (
	referenceVersion = 1
	refVersion       = 1
	oldVersion       = 1
)

// ErrRevision means that a revision of the reference data is not one that this node had in the last 24
// hours.
var ErrRevision = errors.New("that revision is not here")

// How long a revision can be asked for after it was replaced, and how long a removal is told.
const (
	keepRevisions = 24 * time.Hour
	keepRemovals  = 45 * 24 * time.Hour
)

// reference is what holds for all records of what every store gets.
type reference struct {
	cursor    record.Cursor // of upstream's feed, and of the feed that is served: entries are the centre's
	complete  bool          // at cursor, everything that there is lies here
	floor     uint64        // removals up to this entry may be gone
	revisions []revision    // that were complete here, oldest first; the last is what the catalogue has
}

// revision is the entry at which everything was here, and since when: Unix milliseconds.
type revision struct {
	entry uint64
	since int64
}

// now is the revision that readers have.
func (r *reference) now() uint64 {
	if n := len(r.revisions); n > 0 {
		return r.revisions[n-1].entry
	}
	return 0
}

// Catalogue is what every store gets, as of the last revision that has come whole.
func (c *Cache) Catalogue() *catalogue.Catalogue { return c.catalogue.Load() }

// CatalogueChanged is sent to when Catalogue gives another one; for one reader.
func (c *Cache) CatalogueChanged() <-chan struct{} { return c.turned }

// ReferenceCursor is where the next pull of what every store gets goes on.
func (c *Cache) ReferenceCursor() record.Cursor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.reference.cursor
}

// ApplyReference takes in what a page of upstream's feed says of what every store gets: records, the
// versions they replace, and the cursor, in one transaction. Readers see it when the page has come after
// which there is no more, and then all of it at once. A page that is older than the cursor is ignored.
// FeedReset drops everything on the disk; readers keep what they have until all has come again.
func (c *Cache) ApplyReference(p *record.References) error {
	c.w.Lock()
	defer c.w.Unlock()
	c.mu.RLock()
	next := c.reference // only holders of w change it
	c.mu.RUnlock()
	switch p.Status {
	case record.FeedBehind:
		return nil
	case record.FeedReset:
		return c.resetReference(reference{cursor: record.Cursor{Generation: p.Cursor.Generation}})
	case record.FeedItems:
	default:
		return fmt.Errorf("%w: status %d", ErrPage, p.Status)
	}
	if held := next.cursor; held.Generation != (record.Generation{}) && held.Generation != p.Cursor.Generation {
		return fmt.Errorf("%w: reference data of generation %s, want %s", ErrPage, p.Cursor.Generation, held.Generation)
	}
	if p.Cursor.Entry < next.cursor.Entry || p.Cursor == next.cursor && next.complete && len(p.Records) == 0 {
		return nil
	}
	at := c.cfg.Now().UnixMilli()
	visible := next.now()
	next.cursor, next.complete = p.Cursor, !p.More
	if next.complete && p.Cursor.Entry != visible {
		next.revisions = append(slices.Clone(next.revisions), revision{p.Cursor.Entry, at})
	}
	err := c.update(func(tx *bolt.Tx) error {
		for i := range p.Records {
			if err := c.putReference(tx, &p.Records[i], visible); err != nil {
				return err
			}
		}
		return c.putReferenceState(tx, &next)
	})
	if err != nil {
		return err
	}
	// From here on the page lies here. If we die before readers have it, the next start gives it to them.
	return c.turn(&next)
}

// turn makes memory follow the disk; w is held.
func (c *Cache) turn(next *reference) error {
	old := c.catalogue.Load()
	if next.complete && next.now() != old.Revision() {
		var fresh *catalogue.Catalogue
		err := c.view(func(tx *bolt.Tx) (err error) {
			fresh, err = c.forward(tx, old, next.now())
			return err
		})
		if err != nil {
			return err
		}
		c.catalogue.Store(fresh)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.catalogue.Load() != old && old.Revision() > 0 {
		// Most receipts that name an old revision name the one of a moment ago, also one of another life.
		c.recent = append([]*catalogue.Catalogue{old}, c.recent[:min(len(c.recent), recentKept-1)]...)
	}
	c.reference = *next
	c.poke()
	if c.catalogue.Load() != old {
		select {
		case c.turned <- struct{}{}:
		default: // the reader has not come for the last one yet
		}
	}
	return nil
}

// recentKept bounds the catalogues that are kept in memory although they are old.
const recentKept = 2

func (c *Cache) resetReference(next reference) error {
	err := c.update(func(tx *bolt.Tx) error {
		for _, b := range referenceBuckets() {
			if err := tx.DeleteBucket(b); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return c.putReferenceState(tx, &next)
	})
	if err != nil {
		return fmt.Errorf("reset reference data: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reference, c.renewed = next, true
	c.cfg.Log.Warn("reference data begins another life: all of it is pulled again", "generation", next.cursor.Generation)
	c.poke()
	return nil
}

// forward gives the catalogue of a revision from an older one, or from nothing.
func (c *Cache) forward(tx *bolt.Tx, old *catalogue.Catalogue, to uint64) (*catalogue.Catalogue, error) {
	from := old.Revision()
	if c.renewed || from > to { // of another life
		old, from = catalogue.Empty(), 0
	}
	var bad error
	fresh := old.Next(to, func(yield func(record.Reference) bool) {
		index := tx.Bucket(bucketRefIndex).Cursor()
		for k, _ := index.Seek(be64(from + 1)); k != nil; k, _ = index.Next() {
			r, found, err := c.getReference(tx, k[8:])
			if err == nil && !found {
				err = fmt.Errorf("%w: index of reference data leads to nothing", ErrDamaged)
			}
			if err != nil {
				bad = err
				return
			}
			if !yield(r) {
				return
			}
		}
	})
	if bad != nil {
		return nil, bad
	}
	c.renewed = false
	return fresh, nil
}

// putReference puts a record in the place of the one of its name. The one that readers may have seen is kept
// aside for a while.
func (c *Cache) putReference(tx *bolt.Tx, r *record.Reference, visible uint64) error {
	name := refName(r.Kind, r.Key)
	old, found, err := c.getReference(tx, name)
	if err != nil {
		return err
	}
	if found {
		if old.Entry >= r.Entry {
			return nil
		}
		if err := c.replaceReference(tx, name, &old, r.Entry, visible); err != nil {
			return err
		}
	}
	index := tx.Bucket(bucketRefIndex)
	index.FillPercent = 0.9 // its keys only ascend
	if err := index.Put(refEntry(r.Entry, name), nil); err != nil {
		return err
	}
	if r.Removed() {
		if err := tx.Bucket(bucketRefGone).Put(refEntry(r.Entry, name), be64(uint64(r.At))); err != nil {
			return err
		}
	}
	b := binary.BigEndian.AppendUint64([]byte{refVersion}, r.Entry)
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	b = record.AppendBlob(b, r.Value)
	return tx.Bucket(bucketRefs).Put(name, c.seal(bucketRefs, name, b))
}

func (c *Cache) replaceReference(tx *bolt.Tx, name []byte, old *record.Reference, by, visible uint64) error {
	if err := tx.Bucket(bucketRefIndex).Delete(refEntry(old.Entry, name)); err != nil {
		return err
	}
	if old.Removed() {
		return tx.Bucket(bucketRefGone).Delete(refEntry(old.Entry, name))
	}
	if old.Entry > visible {
		return nil // nobody has read it
	}
	k := binary.BigEndian.AppendUint64(bytes.Clone(name), by)
	b := binary.BigEndian.AppendUint64([]byte{oldVersion}, old.Entry)
	b = record.AppendBlob(b, old.Value)
	return tx.Bucket(bucketRefOld).Put(k, c.seal(bucketRefOld, k, b))
}

// refName is a record's key in its bucket.
func refName(kind record.RefKind, key string) []byte { return append([]byte{byte(kind)}, key...) }

func refEntry(entry uint64, name []byte) []byte { return append(be64(entry), name...) }

// getReference reads a record by its name.
func (c *Cache) getReference(tx *bolt.Tx, name []byte) (r record.Reference, found bool, err error) {
	v := tx.Bucket(bucketRefs).Get(name)
	if v == nil {
		return r, false, nil
	}
	rd, err := c.unseal(bucketRefs, name, v, refVersion)
	if err != nil {
		return r, false, err
	}
	r = record.Reference{Kind: record.RefKind(name[0]), Key: string(name[1:]), Entry: rd.U64(), At: rd.I64(), Value: rd.Blob()}
	return r, true, ended(&rd, bucketRefs)
}

func (c *Cache) putReferenceState(tx *bolt.Tx, r *reference) error {
	b := r.cursor.Append([]byte{referenceVersion})
	complete := byte(0)
	if r.complete {
		complete = 1
	}
	b = binary.BigEndian.AppendUint64(append(b, complete), r.floor)
	b = binary.AppendUvarint(b, uint64(len(r.revisions)))
	for _, v := range r.revisions {
		b = binary.BigEndian.AppendUint64(b, v.entry)
		b = binary.BigEndian.AppendUint64(b, uint64(v.since))
	}
	return tx.Bucket(bucketMeta).Put(keyReference, c.seal(bucketMeta, keyReference, b))
}

func (c *Cache) readReferenceState(tx *bolt.Tx) (s reference, err error) {
	v := tx.Bucket(bucketMeta).Get(keyReference)
	if v == nil {
		return s, nil
	}
	r, err := c.unseal(bucketMeta, keyReference, v, referenceVersion)
	if err != nil {
		return s, err
	}
	r.Fill(s.cursor.Generation[:])
	s.cursor.Entry = r.U64()
	s.complete, s.floor = r.U8() == 1, r.U64()
	s.revisions = make([]revision, r.Count(16))
	for i := range s.revisions {
		s.revisions[i] = revision{r.U64(), r.I64()}
	}
	return s, ended(&r, bucketMeta)
}
