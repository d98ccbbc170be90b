package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
)

// read brings the journal's entries, opened, to the fold, from the first that is not folded yet. When
// the stream or the consumer fails it starts again from where the fold is.
func (r *Replica) read(ctx context.Context) error {
	for pause := 50 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 500*time.Millisecond) {
		start := time.Now()
		err := r.readOn(ctx)
		if time.Since(start) > 10*time.Second {
			pause = 50 * time.Millisecond
		}
		if err != nil && ctx.Err() == nil {
			r.log.Debug("journal reader starts again", "err", err)
		}
		if !wait(ctx, pause) {
			break
		}
	}
	return nil
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// entered is an entry from the stream whose heads lie in memory that is used again.
type entered struct {
	*fold.Entry
	heads []byte
}

// readAhead is how many entries may wait for the fold.
const readAhead = 64

// readOn reads until something fails.
func (r *Replica) readOn(ctx context.Context) error {
	r.mu.RLock()
	next := r.tip.stream + 1
	r.mu.RUnlock()
	err := r.follow(ctx, next, func(e *fold.Entry) error {
		in := entered{Entry: e}
		if e.Number > r.folded.Load() { // else the writer has applied it before it came back
			var err error
			select {
			case in.heads = <-r.spare:
			default:
			}
			if in.heads, err = e.OpenIn(in.heads, false); err != nil {
				return fmt.Errorf("read journal at message %d: %w: %w", e.Stream, ErrBroken, err)
			}
		}
		select {
		case r.entered <- in:
		case <-ctx.Done():
			return ctx.Err()
		}
		if r.broken.Load() {
			return ErrBroken // the fold refused an entry: read again from its last good one
		}
		return nil
	})
	if errors.Is(err, ErrBroken) {
		return r.breaks(err)
	}
	return err
}

// follow reads the journal from a message on, without a gap, and gives its entries, which are not opened,
// to fn until that or something else fails.
func (r *Replica) follow(ctx context.Context, next uint64, fn func(*fold.Entry) error) error {
	cons, next, err := r.consumer(ctx, next, fn)
	if err != nil {
		return err
	}
	// Pulls are bounded by bytes: a message may be close to 1 MiB.
	msgs, err := cons.Messages(jetstream.PullMaxBytes(8<<20), jetstream.PullHeartbeat(time.Second))
	if err != nil {
		return fmt.Errorf("read journal from %d: %w", next, err)
	}
	stop := context.AfterFunc(ctx, msgs.Stop)
	defer stop()
	defer msgs.Stop()
	for {
		m, err := msgs.Next(jetstream.NextMaxWait(quiet))
		if errors.Is(err, nats.ErrTimeout) {
			if err := r.missed(ctx, next); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read journal: %w", err)
		}
		if meta.Sequence.Stream < next {
			continue
		}
		if meta.Sequence.Stream > next {
			return fmt.Errorf("read journal: %w: want message %d, got %d", ErrBroken, next, meta.Sequence.Stream)
		}
		next++
		if err := bring(meta.Sequence.Stream, m.Data(), fn); err != nil {
			return err
		}
	}
}

// bring gives a message of the journal to fn as an entry.
func bring(seq uint64, data []byte, fn func(*fold.Entry) error) error {
	e, err := fold.Decode(data)
	if err != nil {
		return fmt.Errorf("read journal at message %d: %w: %w", seq, ErrBroken, err)
	}
	e.Stream = seq
	return fn(e)
}

// quiet is how long a consumer may bring nothing before the stream is asked whether there is something.
const quiet = 3 * time.Second

// missed is nil if the journal has no message next. A consumer that was made on a node whose copy is just
// being filled is not woken by what fills it.
func (r *Replica) missed(ctx context.Context, next uint64) error {
	ctx, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	s, err := r.js.Stream(ctx, r.cfg.Net.JournalStream())
	if err != nil {
		return fmt.Errorf("read journal: is there message %d: %w", next, err)
	}
	if last := s.CachedInfo().State.LastSeq; last >= next {
		return fmt.Errorf("read journal: nothing came, and there are messages %d to %d", next, last)
	}
	return nil
}

// fold owns the state: it applies what the stream brings, writes proposals when it is this node's
// turn, and tries to become the writer when nobody is.
func (r *Replica) fold(ctx context.Context) error {
	defer r.refuseAll()
	turn := time.NewTicker(beatEvery)
	defer turn.Stop()
	for {
		r.live()
		arrived := r.entered
		if r.stuck() {
			arrived = nil // until there is room
		}
		select {
		case <-ctx.Done():
			return nil
		case in := <-arrived:
			r.enter(in.Entry)
			r.reuse(in.heads)
		case <-r.queue.some:
			if b := r.queue.take(); b != nil {
				r.propose(ctx, b)
			}
		case reply := <-r.freezes:
			reply <- r.freeze()
		case m := <-r.meetings:
			r.meet(m)
		case <-turn.C:
			r.flush()
			r.turn(ctx)
		}
	}
}

// propose writes a batch, if this node is the writer.
func (r *Replica) propose(ctx context.Context, b *batch) {
	// The clock is looked at for each entry: one that has leapt would take the journal's time with it.
	if !r.writing || r.clockIsOff() || r.stuck() || r.unfit() {
		b.refuse(ErrNotWriter)
		return
	}
	if err := r.write(ctx, b); err != nil {
		r.standDown(err)
	}
}

// reuse keeps memory for the heads of an entry that comes: a machine keeps none of those that were.
func (r *Replica) reuse(heads []byte) {
	if heads == nil {
		return
	}
	select {
	case r.spare <- heads:
	default:
	}
}

// enter folds one entry that came from the stream.
func (r *Replica) enter(e *fold.Entry) {
	t := &r.tip
	if e.Number < t.number || e.Number == t.number && (e.Stream == t.stream || e.Hash() == t.hash) {
		return // folded before
	}
	if err := (fold.Tip{Generation: t.generation, Number: t.number, Hash: t.hash}).Check(e); err != nil {
		_ = r.breaks(fmt.Errorf("message %d: %w: %w", e.Stream, ErrBroken, err)) // read again by the reader
		return
	}
	if e.Begins() {
		r.log.Warn("the journal was restored from a backup and goes on in another generation", "entry", e.Number,
			"generation", e.Generation, "ended", e.Ends)
	}
	if r.writing { // somebody else wrote: the stream has a new writer
		r.standDown(errors.New("another node's entry is in the journal"))
	}
	if r.broken.Swap(false) {
		r.log.Info("the journal follows again", "entry", e.Number)
	}
	if e.Term != r.tip.term {
		// Somebody has just become the writer, and may not have said so yet: do not snatch it away.
		r.peers.hold(time.Now().Add(silence))
	}
	var fx fold.Effects
	r.advance(e, &fx)
	r.flush()
}

// breaks says, once, that the journal does not follow what is folded here. The reader begins again after
// the last good entry.
func (r *Replica) breaks(err error) error {
	if !r.broken.Swap(true) {
		r.log.Error("the fold stops; reading the journal again", "err", err)
		r.metrics.broken.Inc()
	}
	return err
}

func (r *Replica) standDown(err error) {
	if r.writing {
		r.writing = false
		r.log.Warn("stands down as writer", "entry", r.tip.number, "err", err)
	}
	r.peers.setSelf(r.tip.term, false)
}

// refuseAll answers whoever still waits when the fold ends.
func (r *Replica) refuseAll() {
	r.writing = false
	r.peers.setSelf(r.tip.term, false)
	r.queue.end(ErrNotWriter)
}
