package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// lineage drops what this node has made from a journal that is no more: another one has begun, or this
// one was put back to a backup that does not reach so far. Without it the node would take what it folded
// before for what the journal says. It waits until the stream answers.
//
// While the journal ends before what this node has folded, it waits: it is being restored, or has lost its
// end, which is for an operator to see.
func (r *Replica) lineage(ctx context.Context) error {
	said := ""
	for {
		err := r.look(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		if (errors.Is(err, ErrEmpty) || errors.Is(err, errShort)) && err.Error() != said {
			r.log.Error("waits for the journal: it is being restored, or is lost. If it is lost, restore it from its archive "+
				"(tillstream central --restore DIR), or let this node forget it by removing its replica directory",
				"err", err, "replica", r.cfg.Dir)
			said = err.Error()
		}
		if !wait(ctx, 100*time.Millisecond) {
			return nil
		}
	}
}

// errShort means that the journal ends before what this node has folded of it.
var errShort = errors.New("the journal is shorter than what this node has folded")

// look compares what is folded with the journal, once.
func (r *Replica) look(ctx context.Context) error {
	if r.tip.number == 0 {
		return nil
	}
	last, err := lastEntry(ctx, r.js, r.cfg.Net)
	if err != nil {
		return err
	}
	there, err := holds(ctx, r.js, r.cfg.Net, &r.tip)
	switch {
	case err != nil || there:
		return err
	case last.Generation != r.tip.generation:
		r.log.Warn("the journal is another one than this node has folded: what was made from that is dropped",
			"entry", r.tip.number, "generation", r.tip.generation, "journal", last.Generation)
		return r.forget()
	case last.Stream < r.tip.stream:
		return fmt.Errorf("%w: it has folded entry %d", errShort, r.tip.number)
	}
	return nil // the fold will say BROKEN
}

// forget makes state and history empty. If it dies behind the first line, the next start folds anew.
func (r *Replica) forget() error {
	if err := os.Remove(filepath.Join(r.cfg.Dir, SnapshotName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("drop snapshot: %w", err)
	}
	r.saved.Store(false)
	if err := r.history.begin(); err != nil {
		return fmt.Errorf("drop history: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	none := r.machine.Empty()
	parts := none.Freeze()
	defer none.Thaw()
	if err := r.machine.Restore(func() ([]byte, error) {
		part, more := parts(nil)
		if !more {
			return nil, io.EOF
		}
		return part, nil
	}); err != nil {
		return fmt.Errorf("empty the state: %w", err)
	}
	r.tip = tip{}
	r.folded.Store(0)
	r.term.Store(0)
	return nil
}

// Level waits until this node has folded all that the journal had when it was asked: before that, what it
// says of tills' chains is old, and stores would send again what is held.
func (r *Replica) Level(ctx context.Context) error {
	for {
		last, err := lastEntry(ctx, r.js, r.cfg.Net)
		switch {
		case errors.Is(err, ErrEmpty):
			return nil
		case err == nil:
			return r.Read(ctx, last.Number, func(uint64) {})
		}
		if !wait(ctx, 100*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// Behind reports whether another node is known to write in a term that is not folded here yet: whose
// cursors may then name a generation that this node has not heard of.
func (r *Replica) Behind() bool {
	_, term, _ := r.peers.writer(time.Now())
	return term > r.term.Load()
}
