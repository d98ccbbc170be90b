package cache

import (
	"errors"
	"math/rand/v2"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// readers are read transactions that lie ready for look-ups. To begin and to end one takes bbolt's own locks,
// where the readers of all cores meet, and was a third of a look-up even alone: 1.0 of 2.7 µs.
//
// One that lies here keeps the writer from the file's memory map and from pages that were freed, and shows what
// was: so all of them end before anything is written, and while something is, none is put here. All of it happens
// under mu: held by a reader for reading, and for writing by whoever lets them go.
type readers struct {
	slots [16]struct {
		tx atomic.Pointer[bolt.Tx]
		_  [56]byte // a cache line each
	}
	writing bool // guarded by mu
}

// read runs f in a read transaction that may have been used before. mu is held, for reading.
func (c *Cache) read(f func(*bolt.Tx) error) error {
	return c.guard(func() error {
		slot := &c.readers.slots[rand.Uint32N(uint32(len(c.readers.slots)))].tx // whichever: they only have to be many
		tx := slot.Swap(nil)
		if tx == nil {
			var err error
			if tx, err = c.db.Begin(false); err != nil {
				return err
			}
		}
		whole := false // after a panic, which is damage, it is not used again
		defer func() {
			if !whole || c.readers.writing || !slot.CompareAndSwap(nil, tx) {
				_ = tx.Rollback() // it fails only if it has ended
			}
		}()
		err := f(tx)
		whole = err == nil
		return err
	})
}

// end ends those that lie ready; mu is held, for writing.
func (r *readers) end() error {
	var errs []error
	for i := range r.slots {
		if tx := r.slots[i].tx.Swap(nil); tx != nil {
			errs = append(errs, tx.Rollback())
		}
	}
	return errors.Join(errs...)
}

// alone runs a write without readers from before it; w is held.
func (c *Cache) alone(write func() error) error {
	c.mu.Lock()
	c.readers.writing = true
	err := c.readers.end()
	c.mu.Unlock()
	if err == nil {
		err = write()
	}
	c.mu.Lock()
	c.readers.writing = false
	c.mu.Unlock()
	return err
}
