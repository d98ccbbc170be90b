package replica

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

const (
	// snapshotEvery is how often a node puts its state on disk, if it has moved.
	snapshotEvery = 5 * time.Minute
	// snapshotRest is how many times as long as the writing of a snapshot the rest after it is at least:
	// that of ten million accounts is a gigabyte.
	snapshotRest = 20
	// mayWait is how much of history may wait for the disk, in bytes: with more the fold stands still.
	mayWait = 32 << 20
)

// flush writes the lines of the entries that were applied. What cannot be written is said once, and tried
// again with the next entry and every beat.
func (r *Replica) flush() {
	err := r.history.flush()
	switch {
	case err != nil && r.unwritten == nil:
		r.log.Error("history waits for the disk", "entry", r.tip.number, "err", err)
	case err == nil && r.unwritten != nil:
		r.log.Info("history is written again", "entry", r.tip.number)
	}
	if err == nil != (r.unwritten == nil) {
		r.mu.Lock()
		r.unwritten = err
		r.mu.Unlock()
	}
}

// Err gives what keeps history from being written, an ErrHistory, or nil.
func (r *Replica) Err() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.unwritten
}

// stuck reports whether so much waits for the disk that this node folds and writes no more.
func (r *Replica) stuck() bool {
	if r.unwritten == nil || r.history.waiting() < r.mayWait {
		return false
	}
	r.standDown(fmt.Errorf("%d bytes of history wait for the disk: %w", r.history.waiting(), r.unwritten))
	return true
}

// frozen is what a snapshot is made of, while the fold goes on.
type frozen struct {
	snapshot Snapshot
	next     func(b []byte) ([]byte, bool) // nil: there is nothing to save
	err      error
}

// freeze takes the state at this moment. It is called by the fold's goroutine, or when that has ended, and
// then save must be.
func (r *Replica) freeze() frozen {
	t := r.tip
	if t.number == 0 {
		return frozen{}
	}
	size, sum, err := r.history.settled()
	if err != nil {
		return frozen{err: err}
	}
	start := time.Now()
	r.mu.Lock()
	next := r.machine.Freeze()
	r.mu.Unlock()
	r.metrics.pause.Observe(time.Since(start).Seconds())
	return frozen{next: next, snapshot: Snapshot{
		Generation: t.generation, Entry: t.number, Term: t.term, At: t.at, Hash: t.hash, Stream: t.stream,
		History: size, Sum: sum,
	}}
}

// save writes a snapshot of what freeze gave.
func (r *Replica) save(f frozen) error {
	if f.err != nil || f.next == nil {
		return f.err
	}
	defer func() {
		r.mu.Lock()
		r.machine.Thaw()
		r.mu.Unlock()
	}()
	// The lines first: a snapshot must not name what a power cut may take.
	err := r.history.sync()
	if err == nil {
		err = WriteSnapshot(filepath.Join(r.cfg.Dir, SnapshotName), &f.snapshot, func(b []byte) ([]byte, bool) {
			r.mu.RLock()
			defer r.mu.RUnlock()
			return f.next(b)
		})
	}
	if err != nil {
		return fmt.Errorf("snapshot at entry %d: %w", f.snapshot.Entry, err)
	}
	// From here on a start folds from this entry.
	r.saved.Store(true)
	return nil
}

// Save writes a snapshot now, while Run lasts.
func (r *Replica) Save(ctx context.Context) error {
	r.saving.Lock()
	defer r.saving.Unlock()
	reply := make(chan frozen, 1)
	select {
	case r.freezes <- reply:
	case <-ctx.Done():
		return fmt.Errorf("snapshot: %w", context.Cause(ctx))
	}
	return r.save(<-reply)
}

// keep writes a snapshot now and then, on the node that writes the journal as on the others.
func (r *Replica) keep(ctx context.Context) error {
	saved := r.folded.Load()
	rest := r.saveEvery
	for wait(ctx, rest) {
		at := r.folded.Load()
		if at == saved {
			continue
		}
		start := time.Now()
		if err := r.Save(ctx); err != nil {
			if ctx.Err() != nil {
				break
			}
			r.log.Warn("snapshot", "err", err)
		} else {
			saved = at
		}
		rest = max(r.saveEvery, snapshotRest*time.Since(start))
	}
	return nil
}
