package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"tillstream/kv/record"
)

// lockWait is how long Open waits for a process that is just letting go of the file.
const lockWait = time.Second

const (
	// life is how many change numbers an opening of the file may give out before a page has to raise
	// the ceiling. The next opening starts above it.
	life = 1 << 36
	// leap is the greatest distance between a ceiling and the life above it. 2 million openings fit.
	leap = 1 << 44
)

func (c *Cache) markPath() string { return c.cfg.Path + ".open" }

// boot names this start of the machine. Where there is no such name a file that was not closed counts
// as torn.
func boot() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (c *Cache) openFile() error {
	err := c.checkMark()
	if err == nil {
		err = c.load()
	}
	if !disposable(err) {
		return err
	}
	c.cfg.Log.Warn("cache is made anew", "path", c.cfg.Path, "err", err)
	c.damaged.Store(false)
	c.dirty = false
	clear(c.chains)
	clear(c.series)
	for _, path := range []string{c.cfg.Path, c.markPath()} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return c.load()
}

// disposable reports whether err says that the file itself is bad, and not that the machine refuses
// it: a file that cannot be read for want of rights, or that someone holds, is not deleted.
func disposable(err error) bool {
	var errno syscall.Errno
	if err == nil || errors.Is(err, ErrDamaged) {
		return err != nil
	}
	return !errors.As(err, &errno) && !errors.Is(err, bolterrors.ErrTimeout)
}

func (c *Cache) checkMark() error {
	b, err := os.ReadFile(c.markPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if id := boot(); id == "" || string(b) != id {
		return fmt.Errorf("%w: it was being written when the machine stopped", ErrDamaged)
	}
	c.dirty = true // the process died, but the kernel had every byte
	return nil
}

// slack is how many bytes of the disk a file has to grow into from its opening, so that the next opening
// finds space on a disk that has become full.
const slack = 256 << 10

// load opens the file, begins a new life of change numbers and reads what is kept in memory.
func (c *Cache) load() (err error) {
	defer func() {
		if err == nil {
			return
		}
		if errors.Is(err, ErrDamaged) {
			_ = c.abandon() // what it could not do, whoever removes the file meets again
		} else if c.db != nil {
			err = errors.Join(err, c.db.Close())
		}
		c.db, c.file = nil, nil
	}()
	return c.guard(func() error {
		db, err := bolt.Open(c.cfg.Path, 0o600, &bolt.Options{
			Timeout:      lockWait,
			FreelistType: bolt.FreelistMapType,
			NoStatistics: true, // their lock is shared by all readers
			OpenFile: func(path string, flag int, mode os.FileMode) (*os.File, error) {
				f, err := os.OpenFile(path, flag, mode)
				c.file = f
				return f, err
			},
		})
		if err != nil {
			return err
		}
		c.db = db
		hold(c.file)
		// This transaction is synced: a range of change numbers is never given out twice.
		if err := db.Update(c.begin); err != nil {
			return err
		}
		db.NoSync = true
		return db.View(func(tx *bolt.Tx) error {
			if err := c.loadChains(tx); err != nil {
				return err
			}
			return c.loadReference(tx)
		})
	})
}

// begin makes the buckets of a new file and starts a life. It lies a random way above the ceiling: two
// lives that start from one disk image do not share numbers either.
func (c *Cache) begin(tx *bolt.Tx) error {
	for _, b := range append(referenceBuckets(), bucketMeta, bucketItems, bucketIndex, bucketChains) {
		if _, err := tx.CreateBucketIfNotExists(b); err != nil {
			return err
		}
	}
	s, found, err := c.readState(tx)
	if err != nil {
		return err
	}
	if !found {
		s.own = record.NewGeneration(c.cfg.Now())
	}
	c.last = s.ceiling + rand.Uint64N(leap)
	s.ceiling = c.last + life
	c.state = s
	return c.putState(tx, &s)
}

func (c *Cache) loadChains(tx *bolt.Tx) error {
	return tx.Bucket(bucketChains).ForEach(func(k, v []byte) error {
		id, t, err := c.openChain(k, v)
		if err != nil {
			return err
		}
		c.chains[id] = &chain{told: t}
		if t.floor != t.counted {
			c.series[id] = struct{}{}
		}
		return nil
	})
}

// guard is around every transaction: bbolt panics, and a read of its memory map faults, when the file
// is damaged.
func (c *Cache) guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, r)
		}
		if errors.Is(err, ErrDamaged) {
			c.condemn()
		}
	}()
	if c.damaged.Load() {
		return ErrDamaged
	}
	return f()
}

// condemn sees to it that the file is deleted by the next Open, whether or not Close is called.
func (c *Cache) condemn() {
	if c.damaged.Swap(true) {
		return
	}
	// If this fails the next life meets the damage itself.
	_ = os.WriteFile(c.markPath(), []byte("damaged"), 0o600)
}

func (c *Cache) view(f func(*bolt.Tx) error) error {
	err := c.guard(func() error { return c.db.View(f) })
	if err != nil {
		return fmt.Errorf("read cache %s: %w", c.cfg.Path, err)
	}
	return nil
}

// update runs a transaction without fsync; w is held.
func (c *Cache) update(f func(*bolt.Tx) error) error {
	err := c.soil()
	if err == nil {
		err = c.alone(func() error { return c.guard(func() error { return c.db.Update(f) }) })
	}
	if err != nil {
		return fmt.Errorf("write cache %s: %w", c.cfg.Path, err)
	}
	return nil
}

// soil puts the mark beside the file. It must be on the disk before the first commit without fsync:
// else a power cut could leave a torn file that looks whole.
func (c *Cache) soil() error {
	if c.dirty {
		return nil
	}
	f, err := os.OpenFile(c.markPath(), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(boot())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(c.cfg.Path))
	if err != nil {
		return err
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return err
	}
	c.dirty = true
	return nil
}

// sync brings the file to the disk and takes the mark away; w is held.
func (c *Cache) sync() error {
	if !c.dirty || c.closed || c.damaged.Load() {
		return nil
	}
	if err := c.db.Sync(); err != nil {
		return err
	}
	// The file is whole on the disk. If we die here the mark stays: a power cut then costs a refill.
	if err := os.Remove(c.markPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	c.dirty = false
	return nil
}

// Yield gives the file's space back to the disk: all records go, and are pulled again when there is
// space. The overlay stays. It reports whether there was anything to give.
func (c *Cache) Yield() (gave bool, err error) {
	c.w.Lock()
	defer c.w.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := c.file.Stat()
	if c.closed || c.damaged.Load() || err != nil || info.Size() <= 4*slack {
		return false, err
	}
	if err := c.renew(); err != nil {
		c.condemn() // there is no file: whoever asks hears that, and the owner opens it again
		return true, fmt.Errorf("give the space of cache %s: %w", c.cfg.Path, err)
	}
	c.restart()
	c.cfg.Log.Warn("cache gives its space to the disk: all records are pulled again", "path", c.cfg.Path, "bytes", info.Size())
	c.poke()
	return true, nil
}

// renew makes the file a new one in its place. w and mu are held.
func (c *Cache) renew() error {
	err := errors.Join(c.readers.end(), c.db.Close())
	c.db, c.file, c.dirty = nil, nil, false
	if err != nil {
		return err
	}
	if err := os.Truncate(c.cfg.Path, 0); err != nil {
		return err
	}
	if err := os.Remove(c.markPath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.load()
}

func (c *Cache) closeFile() error {
	if c.damaged.Load() {
		return c.abandon()
	}
	return errors.Join(c.readers.end(), c.db.Close())
}

// abandon lets go of a damaged file. Its db may hold its own locks for ever, after a panic inside a
// rollback, and cannot be closed; its memory map stays until the process ends, and with it the lock
// and the bytes of the file. So the file is emptied and its name freed for the next one.
func (c *Cache) abandon() error {
	if c.file == nil {
		return nil
	}
	err := errors.Join(c.file.Truncate(0), c.file.Close())
	if e := os.Remove(c.cfg.Path); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}
