package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	bolt "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for a file that another process has.
const lockWait = 100 * time.Millisecond

// fill is how full bbolt leaves a page when it splits one. Within a chain keys only grow.
const fill = 0.9

// file is the bbolt file behind the guard: all transactions go through view and update.
type file struct {
	db     *bbolt.DB
	raw    *os.File // bbolt's own handle, to let go of the lock when bbolt cannot close any more
	broken atomic.Pointer[error]
	log    *slog.Logger
	fault  func(at string) error // only tests set it: called at "write" and at "kept"
}

func openFile(path string, log *slog.Logger) (*file, error) { return openFileTo(path, log, false) }

func openFileTo(path string, log *slog.Logger, readOnly bool) (*file, error) {
	f := &file{log: log}
	opts := &bbolt.Options{
		Timeout:      lockWait,
		ReadOnly:     readOnly,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile: func(name string, flag int, perm os.FileMode) (*os.File, error) {
			raw, err := os.OpenFile(name, flag, perm)
			f.raw = raw
			return raw, err
		},
	}
	err := f.guard(func() (err error) {
		f.db, err = bbolt.Open(path, 0o600, opts)
		return err
	})
	if err == nil {
		return f, nil
	}
	if f.broken.Load() != nil && f.raw != nil {
		err = errors.Join(err, f.close())
	} // else bbolt has closed it
	var errno syscall.Errno
	switch {
	case errors.Is(err, bolt.ErrTimeout):
		return nil, ErrLocked
	case errors.Is(err, ErrDamaged), errors.As(err, &errno):
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
}

// close lets go of the file. After damage bbolt may hold its own locks for ever: then only the handle
// is let go, with the file's lock; the mapping stays until the process ends.
func (f *file) close() error {
	if f.broken.Load() != nil {
		return errors.Join(unlock(f.raw), f.raw.Close())
	}
	return f.guard(f.db.Close)
}

// fresh reports whether nothing was ever committed to the file. One that has grown and yet has no
// bucket is not fresh: it has lost its root.
func (f *file) fresh(tx *bbolt.Tx) bool {
	if k, _ := tx.Cursor().First(); k != nil {
		return false
	}
	info, err := f.raw.Stat()
	return err == nil && info.Size() <= int64(4*f.db.Info().PageSize)
}

func (f *file) view(fn func(*bbolt.Tx) error) error {
	return f.guard(func() error { return f.db.View(fn) })
}

// update commits what fn changes. After an error it is not known whether it was kept.
func (f *file) update(fn func(*bbolt.Tx) error) error {
	err := f.guard(func() error {
		return f.db.Update(func(tx *bbolt.Tx) error {
			if err := f.fail("write"); err != nil {
				return err
			}
			return fn(tx)
		})
	})
	if err == nil {
		err = f.fail("kept")
	}
	if err != nil {
		return asFull(err)
	}
	return nil
}

func (f *file) fail(at string) error {
	if f.fault == nil {
		return nil
	}
	return f.fault(at)
}

// guard runs one transaction. A damaged file makes bbolt panic or read where nothing is mapped; from
// then on nothing else is asked of bbolt, which may have died with its locks held.
func (f *file) guard(fn func() error) (err error) {
	if b := f.broken.Load(); b != nil {
		return *b
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
			f.broken.Store(&err)
			f.log.Error("journal file is damaged: open it again to salvage it", "err", err, "stack", string(debug.Stack()))
		}
	}()
	if err = fn(); errors.Is(err, bolt.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	return err
}

// syncDir makes what happened to names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
