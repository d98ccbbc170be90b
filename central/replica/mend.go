package replica

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Check reads all of this node's history and the snapshot beside it, as a scrub does on a node that works.
// ErrDamaged means that they are not as they were written; Run then makes them again, beside what goes on.
func (r *Replica) Check(ctx context.Context) error {
	return r.suspect(errors.Join(r.checkLines(ctx), r.checkSnapshot()))
}

func (r *Replica) checkLines(ctx context.Context) error {
	size, want, err := r.history.settled()
	if err != nil {
		return err
	}
	got, err := CheckHistory(ctx, filepath.Join(r.cfg.Dir, HistoryName), size)
	if err == nil && got != want {
		err = fmt.Errorf("check history: %w: its SHA-256 is not that of what was written", ErrDamaged)
	}
	return err
}

func (r *Replica) checkSnapshot() error {
	if !r.saved.Load() { // there need be none
		return nil
	}
	_, err := ReadSnapshot(filepath.Join(r.cfg.Dir, SnapshotName), nil)
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// suspect lets Run look at the files when an error says that one of them is damaged.
func (r *Replica) suspect(err error) error {
	if errors.Is(err, ErrDamaged) {
		select {
		case r.harmed <- struct{}{}:
		default:
		}
	}
	return err
}

// mend makes again what is found damaged: a snapshot of what the node has in memory, history by folding the
// journal from its first entry into a second state, which takes as much memory as the first meanwhile.
func (r *Replica) mend(ctx context.Context) error {
	for {
		select {
		case <-r.harmed:
		case <-ctx.Done():
			return nil
		}
		err := errors.Join(r.mendLines(ctx), r.mendSnapshot(ctx))
		if err == nil || ctx.Err() != nil {
			continue
		}
		r.log.Error("a damaged file cannot be made again yet", "err", err)
		if wait(ctx, mendPause) {
			_ = r.suspect(ErrDamaged) // try again
		}
	}
}

func (r *Replica) mendSnapshot(ctx context.Context) error {
	err := r.checkSnapshot()
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	r.log.Error("the snapshot is damaged; it is written again", "err", err)
	r.metrics.damaged.Inc()
	return r.Save(ctx)
}

func (r *Replica) mendLines(ctx context.Context) error {
	err := r.checkLines(ctx)
	if !errors.Is(err, ErrDamaged) {
		return err
	}
	r.log.Error("history is damaged; it is made again from the journal", "err", err)
	r.metrics.damaged.Inc()
	path := filepath.Join(r.cfg.Dir, HistoryName)
	file, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("make history again: %w", err)
	}
	a := &again{r: r, machine: r.machine.Empty(), fresh: &history{file: file, sum: sha256.New()}}
	a.out = bufio.NewWriterSize(file, 1<<20)
	if err = a.lines([]byte(fold.LinesHead)); err == nil {
		err = r.follow(ctx, 1, func(e *fold.Entry) error { return a.take(ctx, e) })
	}
	if a.held != nil { // the fold stands still
		a.held.swap <- nil
	}
	if errors.Is(err, errMet) {
		r.log.Info("history is made again", "entry", a.number)
		return nil
	}
	return errors.Join(fmt.Errorf("make history again: %w", err), file.Close(), os.Remove(file.Name()))
}

const (
	mendPause = 5 * time.Second // until it is tried again
	// near is how many entries the fold may be ahead to be asked to wait for them.
	near = 16
)

// errMet ends the reading of the journal: the new history has taken the old one's place.
var errMet = errors.New("history is whole")

// again is a history that is made a second time.
type again struct {
	r       *Replica
	machine fold.Machine
	fresh   *history
	out     *bufio.Writer

	number uint64 // last entry in it
	hash   record.Hash
	held   *meeting // the fold stands still for this one
	until  uint64   // at that entry
}

// meeting lets the fold stand still until another has come as far.
type meeting struct {
	at   chan uint64   // the fold's entry
	swap chan *history // what takes the place of its history; nil: nothing
	done chan error
}

func (a *again) lines(framed []byte) error {
	a.fresh.sum.Write(framed)
	a.fresh.disk += uint64(len(framed))
	_, err := a.out.Write(framed)
	return err
}

// take folds one more entry. Near the fold it lets that wait, and at the same entry the new history takes
// the place of the old.
func (a *again) take(ctx context.Context, e *fold.Entry) error {
	if e.Number == a.number && e.Hash() == a.hash {
		return nil // stored twice
	}
	if e.Number != a.number+1 || e.Prev != a.hash {
		return fmt.Errorf("%w: entry %d in message %d after entry %d", ErrBroken, e.Number, e.Stream, a.number)
	}
	if err := e.Open(false); err != nil {
		return fmt.Errorf("message %d: %w: %w", e.Stream, ErrBroken, err)
	}
	fx := fold.Effects{From: a.fresh.disk}
	a.machine.Apply(e, &fx)
	a.number, a.hash = e.Number, e.Hash()
	if err := a.lines(fx.Framed); err != nil {
		return err
	}
	if a.held == nil && a.number+near >= a.r.folded.Load() {
		if err := a.meet(ctx); err != nil {
			return err
		}
	}
	if a.held == nil || a.number < a.until {
		return nil
	}
	if err := a.out.Flush(); err != nil {
		return err
	}
	m := a.held
	a.held = nil
	m.swap <- a.fresh
	if err := <-m.done; err != nil {
		return err
	}
	return errMet
}

// meet asks the fold to stand still.
func (a *again) meet(ctx context.Context) error {
	m := meeting{make(chan uint64, 1), make(chan *history, 1), make(chan error, 1)}
	select {
	case a.r.meetings <- m:
		a.held, a.until = &m, <-m.at
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// meet stands still until the other has said what to do.
func (r *Replica) meet(m meeting) {
	m.at <- r.tip.number
	var err error
	if fresh := <-m.swap; fresh != nil {
		err = r.history.replace(fresh, filepath.Join(r.cfg.Dir, HistoryName))
	}
	m.done <- err
}
