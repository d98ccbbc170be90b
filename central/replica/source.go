package replica

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/subjects"
)

// ErrEmpty means that the journal's stream has no message.
var ErrEmpty = errors.New("the journal is empty")

// Source reads the journal's messages byte for byte, each by its place, at the stream's leader. It is for
// whoever copies the journal: there is no consumer, so nothing that a store's acknowledgement could move.
// One goroutine uses it.
type Source struct {
	js     jetstream.JetStream
	net    subjects.Net
	stream jetstream.Stream
	seq    uint64 // of the last message read
	tip    fold.Tip
}

// sourceWait bounds one question to the stream's leader.
const sourceWait = 2 * time.Second

// OpenSource finds the place behind an entry. ErrBroken: the journal has another entry there, or does not
// begin so early; ErrBehind: it does not reach so far.
func OpenSource(ctx context.Context, js jetstream.JetStream, net subjects.Net, after fold.Tip) (*Source, error) {
	s, err := OpenSourceAt(ctx, js, net, after.Number)
	if err == nil && s.tip != after {
		err = fmt.Errorf("open journal: %w: entry %d is another one than was read before", ErrBroken, after.Number)
	}
	return s, err
}

// OpenSourceAt finds the place behind an entry, whichever lies there.
func OpenSourceAt(ctx context.Context, js jetstream.JetStream, net subjects.Net, after uint64) (*Source, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*sourceWait)
	defer cancel()
	stream, err := js.Stream(ctx, net.JournalStream())
	if err != nil {
		return nil, fmt.Errorf("open journal stream: %w", err)
	}
	s := &Source{js: js, net: net, stream: stream}
	if after == 0 {
		if first := stream.CachedInfo().State.FirstSeq; first > 1 {
			return nil, fmt.Errorf("open journal: %w: its first entries are gone", ErrBroken)
		}
		return s, nil
	}
	if s.seq, err = s.find(ctx, after); err != nil {
		return nil, err
	}
	_, e, err := s.get(ctx, s.seq)
	if err == nil {
		s.tip = e.Tip()
	}
	return s, err
}

// find gives the place of the message that holds an entry. Numbers only grow from message to message; an
// entry may lie there twice, when its writer did not hear that it was stored.
func (s *Source) find(ctx context.Context, number uint64) (uint64, error) {
	info, err := s.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("find entry %d: %w", number, err)
	}
	low, high := info.State.FirstSeq, info.State.LastSeq
	for low < high {
		middle := low + (high-low)/2
		_, e, err := s.get(ctx, middle)
		if err != nil {
			return 0, err
		}
		if e.Number < number {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if info.State.Msgs == 0 {
		return 0, fmt.Errorf("find entry %d: %w", number, ErrEmpty)
	}
	_, e, err := s.get(ctx, low)
	switch {
	case err != nil:
		return 0, err
	case e.Number < number:
		return 0, fmt.Errorf("find entry %d: %w: the journal ends at %d", number, ErrBehind, e.Number)
	case e.Number > number:
		return 0, fmt.Errorf("find entry %d: %w: the journal begins at %d", number, ErrBroken, e.Number)
	}
	return low, nil
}

func (s *Source) get(ctx context.Context, seq uint64) ([]byte, *fold.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	data, _, err := atLeader(ctx, s.js, s.net, bySequence(seq))
	if err != nil {
		return nil, nil, fmt.Errorf("read message %d of the journal: %w", seq, err)
	}
	e, err := fold.Decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("read message %d of the journal: %w: %w", seq, ErrBroken, err)
	}
	e.Stream = seq
	return data, e, nil
}

// Tip is the last entry that Next gave.
func (s *Source) Tip() fold.Tip { return s.tip }

// Next gives the next entry and its bytes; ErrBehind: there is none yet. An entry that does not follow is
// ErrBroken; asked again it is read again, and another replica may then be the stream's leader.
func (s *Source) Next(ctx context.Context) ([]byte, *fold.Entry, error) {
	for {
		data, e, err := s.get(ctx, s.seq+1)
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil, nil, fmt.Errorf("%w: entry %d is the last", ErrBehind, s.tip.Number)
		}
		if err != nil {
			return nil, nil, err
		}
		if s.tip.Number > 0 && e.Tip() == s.tip { // stored twice
			s.seq++
			continue
		}
		if err := s.tip.Check(e); err != nil {
			return nil, nil, fmt.Errorf("read message %d of the journal: %w: %w", s.seq+1, ErrBroken, err)
		}
		s.seq, s.tip = s.seq+1, e.Tip()
		return data, e, nil
	}
}

// lastEntry reads the journal's last message at the stream's leader: ErrEmpty if there is none.
func lastEntry(ctx context.Context, js jetstream.JetStream, net subjects.Net) (*fold.Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	data, seq, err := atLeader(ctx, js, net, newest(net))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, ErrEmpty
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal's last message: %w", err)
	}
	e, err := fold.Decode(data)
	if err != nil {
		return nil, fmt.Errorf("read the journal's last message: %w: %w", ErrBroken, err)
	}
	e.Stream = seq
	return e, nil
}

// Empty reports whether the journal has no entry. It waits until the stream's leader answers.
func Empty(ctx context.Context, js jetstream.JetStream, net subjects.Net) (bool, error) {
	_, err := answered(ctx, js, net)
	if errors.Is(err, ErrEmpty) || errors.Is(err, ErrBroken) {
		return errors.Is(err, ErrEmpty), nil
	}
	return false, err
}

// answered is lastEntry, again until the stream's leader answers.
func answered(ctx context.Context, js jetstream.JetStream, net subjects.Net) (*fold.Entry, error) {
	for {
		e, err := lastEntry(ctx, js, net)
		if err == nil || errors.Is(err, ErrEmpty) || errors.Is(err, ErrBroken) {
			return e, err
		}
		if !wait(ctx, 100*time.Millisecond) {
			return nil, context.Cause(ctx)
		}
	}
}

// holds reports whether the journal has an entry, known by its hash, at a place.
func holds(ctx context.Context, js jetstream.JetStream, net subjects.Net, t *tip) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	data, _, err := atLeader(ctx, js, net, bySequence(t.stream))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read message %d of the journal: %w", t.stream, err)
	}
	return sha256.Sum256(data) == t.hash, nil
}
