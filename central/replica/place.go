package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Place is how far somebody has read what was folded: an entry, and where in history the lines of those after it begin.
// It is the same on every node, for as long as the generation is: history is the same bytes everywhere.
type Place struct {
	Generation record.Generation
	Entry      uint64
	Line       uint64 // zero: the beginning of history
	At         int64  // of the entry, Unix milliseconds
}

// Beyond waits until an entry after n is folded here, and gives the place behind the newest one: with entry and line
// seen at one moment. It wakes with the fold. ErrBehind: ctx has ended before.
func (r *Replica) Beyond(ctx context.Context, n uint64) (p Place, err error) {
	err = r.Read(ctx, n+1, func(entry uint64) {
		p = Place{Generation: r.tip.generation, Entry: entry, Line: r.history.end(), At: r.tip.at}
	})
	return p, err
}

// LinesFrom calls fn for every line of history from a place on, in order, until it gives an error. More may have come
// since the place at which the caller wants to stop.
func (r *Replica) LinesFrom(line uint64, fn func(at uint64, payload []byte) error) error {
	return r.suspect(r.history.lines(line, fn))
}

// FirstSince gives the number of the journal's first entry that is not older than a moment, in Unix milliseconds: one
// more than the last entry's if all are, and 1 of an empty journal.
func FirstSince(ctx context.Context, js jetstream.JetStream, net subjects.Net, at int64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*sourceWait)
	defer cancel()
	stream, err := js.Stream(ctx, net.JournalStream())
	if err != nil {
		return 0, fmt.Errorf("open journal stream: %w", err)
	}
	s := &Source{js: js, net: net, stream: stream}
	state := stream.CachedInfo().State
	if state.Msgs == 0 {
		return 1, nil
	}
	low, high := state.FirstSeq, state.LastSeq+1
	var last *fold.Entry
	for low < high {
		middle := low + (high-low)/2
		_, e, err := s.get(ctx, middle)
		if err != nil {
			return 0, fmt.Errorf("find the first entry since %v: %w", time.UnixMilli(at).UTC(), err)
		}
		if e.At < at {
			low, last = middle+1, e
		} else {
			high = middle
		}
	}
	if last != nil {
		return last.Number + 1, nil
	}
	_, e, err := s.get(ctx, low)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	return e.Number, nil
}
