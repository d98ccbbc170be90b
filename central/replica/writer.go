package replica

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Times of the journal's writer.
const (
	beatEvery     = 50 * time.Millisecond
	silence       = 200 * time.Millisecond // of the writer, after which another node tries
	publishWait   = 500 * time.Millisecond // for the stream's acknowledgement; doubled up to waitMost
	tipWait       = 250 * time.Millisecond // for the stream leader to say what the last message is; the same
	waitMost      = 2 * time.Second        // a busy centre must not be kept busy with what is asked again
	hung          = 10 * time.Second       // of the fold: five times the longest that it waits without a word
	clockMayDrift = 2 * time.Second        // from the median of the nodes' clocks
)

// errLost means that another node's entry is where this one should have been.
var errLost = errors.New("another node wrote the journal")

// turn is called every beat: it tries to become the writer when the writer has been silent.
func (r *Replica) turn(ctx context.Context) {
	now := time.Now() // how long it was silent; r.now is for what is written
	if r.clockIsOff() || r.stuck() || r.unfit() {
		return
	}
	writer, term, alive := r.peers.writer(now)
	if r.writing {
		if alive && term > r.tip.term && writer != r.cfg.Node {
			r.standDown(fmt.Errorf("node %s writes in term %d", writer, term))
		}
		return
	}
	if alive || r.broken.Load() || r.peers.alone(now) || now.Before(r.peers.patience(now)) {
		return
	}
	if r.tip.number == 0 && !r.peers.assembled(r.cfg.Nodes, now) {
		return
	}
	if err := r.candidate(ctx); err != nil && ctx.Err() == nil {
		// Spread the next tries, or three nodes refuse each other in step.
		r.peers.hold(now.Add(time.Duration(rand.Int64N(int64(silence)))))
		r.log.Debug("not the writer", "err", err)
	}
}

// clockIsOff reports whether this node's clock is too far from the others', or too few of those are heard to
// tell, and then stands down.
func (r *Replica) clockIsOff() bool {
	off, known := r.peers.drift(r.now(), time.Now(), r.cfg.Nodes)
	switch {
	case known && off <= clockMayDrift:
		return false
	case !r.writing:
	case !known:
		r.standDown(errors.New("too few of the centre's nodes are heard to know the time"))
	default:
		r.standDown(fmt.Errorf("this node's clock is %s off the median of the centre", off))
	}
	return true
}

// unfit reports whether this node is about to lose its server, and then stands down.
func (r *Replica) unfit() bool {
	if r.cfg.Fit == nil {
		return false
	}
	err := r.cfg.Fit()
	if err == nil {
		return false
	}
	r.standDown(err)
	return true
}

// candidate appends the empty entry that makes this node the writer, if it has folded all there is.
func (r *Replica) candidate(ctx context.Context) error {
	if err := r.mayWrite(ctx); err != nil {
		return err
	}
	last, err := r.last(ctx)
	if err != nil {
		return err
	}
	if last.hash != r.tip.hash {
		if err := r.catchUp(ctx, last); err != nil {
			return err
		}
	}
	e := r.next(nil)
	e.Term = e.Number
	if e.Number == 1 {
		e.Generation = record.NewGeneration(r.now())
	}
	if err := r.append(ctx, e); err != nil {
		return err
	}
	r.writing = true
	r.peers.setSelf(e.Term, true)
	r.log.Info("writes the journal", "term", e.Term)
	r.settle(e, nil)
	r.metrics.terms.Inc()
	return nil
}

// errFenced means that nobody may write now.
var errFenced = errors.New("the journal is being restored; if nobody does that any more, start a node with --restore again")

// mayWrite refuses while the journal is being restored.
func (r *Replica) mayWrite(ctx context.Context) error {
	return r.patiently(ctx, func(ctx context.Context) error {
		s, err := r.js.Stream(ctx, r.cfg.Net.JournalStream())
		if err != nil {
			return fmt.Errorf("open journal stream: %w", err)
		}
		up := fenced(s.CachedInfo())
		if up && !r.fenced {
			r.log.Warn("does not write", "err", errFenced)
		}
		if r.fenced = up; up {
			return errFenced
		}
		return nil
	})
}

// next makes the entry that follows the tip.
func (r *Replica) next(ps []fold.Proposal) *fold.Entry {
	return &fold.Entry{
		Generation: r.tip.generation, Number: r.tip.number + 1, Term: r.tip.term,
		Writer: r.self, At: max(r.peers.tick(r.now(), time.Now()), r.tip.at), Prev: r.tip.hash, Proposals: ps,
	}
}

// write makes one entry of the batch, publishes it, applies it and answers. An error means that this
// node is not the writer any more; then what was not stored has been refused and will be proposed to
// the next one.
func (r *Replica) write(ctx context.Context, b *batch) error {
	e := r.next(b.proposals)
	if err := r.append(ctx, e); err != nil {
		b.refuse(ErrNotWriter)
		return err
	}
	// From here on the entry is kept by a majority of the centre. If we die here, it is folded from the
	// stream, and the proposers, who heard nothing, propose again what will then be a repeat.
	r.settle(e, b)
	return nil
}

// settle applies an entry that this node wrote, and answers its proposers.
func (r *Replica) settle(e *fold.Entry, b *batch) {
	fx := fold.Effects{Asked: true}
	r.advance(e, &fx)
	if b != nil {
		b.answer(e.Number, fx.Outcomes)
	}
	if r.cfg.Applied != nil {
		r.cfg.Applied(e, &fx)
	}
	r.flush()
}

// append publishes the entry after the tip and makes sure of its fate. One message is in flight at a
// time: on an R3 stream a pipeline with this header is refused, and with the stream-wide one a writer
// that slept gets later messages in behind a foreign one.
func (r *Replica) append(ctx context.Context, e *fold.Entry) error {
	msg := &nats.Msg{Subject: r.cfg.Net.Journal(), Data: r.encoder.Encode(e)}
	start := time.Now()
	after, ackWait := r.tip.stream, publishWait
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		r.live()
		pctx, cancel := context.WithTimeout(ctx, ackWait)
		ackWait = min(2*ackWait, waitMost)
		ack, err := r.js.PublishMsg(pctx, msg,
			jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			e.Stream = ack.Sequence
			r.metrics.append.Observe(time.Since(start).Seconds())
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		// Refused, nobody there, or no answer: only the last message at the stream leader tells.
		last, stored, lerr := r.fate(ctx, e)
		switch {
		case lerr != nil:
			return errors.Join(err, lerr)
		case stored:
			e.Stream = last.stream
			return nil
		}
		after = last.stream // later than the tip's if that is stored twice
		r.log.Debug("sends the entry again", "entry", e.Number, "err", err)
		if !wait(ctx, pause) {
			return context.Cause(ctx)
		}
	}
}

// fate reads what became of an entry whose publish was not acknowledged: stored, or not yet (the last
// message is still the one before it). errLost means that something else lies there.
func (r *Replica) fate(ctx context.Context, e *fold.Entry) (last tip, stored bool, err error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		r.live()
		if last, err = r.last(ctx); err == nil {
			break
		}
		if !wait(ctx, pause) {
			return tip{}, false, context.Cause(ctx)
		}
	}
	switch last.hash {
	case e.Hash():
		return last, true, nil
	case r.tip.hash:
		return last, false, nil
	}
	return last, false, fmt.Errorf("%w: message %d is not ours", errLost, last.stream)
}

// last reads the last message of the journal at the stream leader; an empty journal is the zero tip.
func (r *Replica) last(ctx context.Context) (tip, error) {
	var t tip
	err := r.patiently(ctx, func(ctx context.Context) (err error) {
		t, err = r.readLast(ctx)
		return err
	})
	return t, err
}

// patiently asks the stream leader with a wait that grows while it does not answer in time.
func (r *Replica) patiently(ctx context.Context, ask func(context.Context) error) error {
	wait := max(r.lastWait, tipWait)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	r.ask(cancel)
	defer r.ask(nil)
	err := ask(ctx)
	switch {
	case err == nil || errors.Is(ctx.Err(), context.Canceled): // there is another leader
		r.lastWait = tipWait
	case ctx.Err() != nil:
		r.lastWait = min(2*wait, waitMost)
	}
	return err
}

// readLast reads the journal's last message at the stream's leader; an empty journal is the zero tip.
func (r *Replica) readLast(ctx context.Context) (tip, error) {
	data, seq, err := atLeader(ctx, r.js, r.cfg.Net, newest(r.cfg.Net))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return tip{}, nil
	}
	if err != nil {
		return tip{}, fmt.Errorf("read the journal's last message: %w", err)
	}
	return tip{hash: sha256.Sum256(data), stream: seq}, nil
}
