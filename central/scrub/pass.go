package scrub

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/subjects"
)

// A pass asks for so many messages at once: what it holds in memory is so many, of 1 MiB at the most.
const (
	window      = 16
	answerWait  = 10 * time.Second // for one message; its block is read from the disk meanwhile
	catchUpLook = 20 * time.Millisecond
)

// ErrNotReady means that this node's copy cannot be read now: it is being filled, or the stream does not
// let copies be read.
var ErrNotReady = errors.New("this node's copy of the journal cannot be read now")

// Pass reads the copy through for whoever asks, one at a time, at most at rate bytes a second; zero is as fast as it goes.
func (s *Scrub) Pass(ctx context.Context, rate int64) (Verdict, error) {
	if !s.begin() {
		return Verdict{}, ErrBusy
	}
	defer s.finish()
	v, err := s.pass(ctx, func(int64) int64 { return rate }, s.report)
	if err != nil {
		return Verdict{}, fmt.Errorf("scrub: %w", err)
	}
	s.judge(v)
	return v, nil
}

// pass reads the copy through, at the rate that is right for its size.
func (s *Scrub) pass(ctx context.Context, rate func(size int64) int64, report func(Progress)) (Verdict, error) {
	number, hash := s.cfg.Folded()
	own, err := s.reach(ctx, number)
	if err != nil {
		return Verdict{}, err
	}
	inbox := s.cfg.Conn.NewInbox()
	sub, err := s.cfg.Conn.SubscribeSync(inbox + ".*")
	if err != nil {
		return Verdict{}, err
	}
	defer sub.Unsubscribe()       //nolint:errcheck // the connection may be gone, and the subscription with it
	own.First = max(own.First, 1) // of an empty copy it is 0
	v := Verdict{Node: s.cfg.Node.String(), First: own.First, Last: own.Last, Began: time.Now().UTC(), Damages: []Damage{}}
	c := chain{v: &v, folded: tip{number, hash}, next: own.First}
	pace := pace{began: time.Now(), rate: rate(int64(own.Bytes))}
	for from := own.First; from <= own.Last; from += window {
		messages, err := s.get(ctx, sub, inbox, from, min(own.Last, from+window-1))
		if err != nil {
			return Verdict{}, err
		}
		for i, m := range messages {
			if m != nil { // else it cannot be read, and the next that can tells so
				c.take(from+uint64(i), m)
			}
		}
		s.meters.read.Add(float64(v.Bytes - c.told))
		c.told = v.Bytes
		report(Progress{Message: min(own.Last, from+window-1), Last: own.Last, Bytes: v.Bytes, Damages: len(v.Damages) + v.Unlisted})
		if err := pace.wait(ctx, int64(v.Bytes)); err != nil {
			return Verdict{}, err
		}
	}
	c.end(own.Last)
	if s.cfg.Files != nil {
		if err := s.cfg.Files(ctx); err != nil && ctx.Err() == nil {
			v.Files = err.Error()
		}
	}
	v.Ended = time.Now().UTC()
	return v, nil
}

// reach gives the state of the copy once it holds what this node had folded: that comes from the stream's
// leader, and may be a moment ahead. It may also never come; then the verdict says so.
func (s *Scrub) reach(ctx context.Context, entry uint64) (Copy, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	for {
		own, err := s.cfg.Hub.Copy(s.cfg.Net)
		if err != nil {
			return own, fmt.Errorf("%w: %w", ErrNotReady, err)
		}
		if own.Last >= entry { // a message holds one entry, and may repeat one
			return own, nil
		}
		select {
		case <-time.After(catchUpLook):
		case <-ctx.Done():
			return own, nil
		}
	}
}

// get reads messages of the copy, nil for those that cannot be read. One question for each: a question for
// many is not answered at all when a block cannot be read.
func (s *Scrub) get(ctx context.Context, sub *nats.Subscription, inbox string, from, to uint64) ([][]byte, error) {
	for seq := from; seq <= to; seq++ {
		reply := inbox + "." + strconv.FormatUint(seq, 10)
		if err := s.cfg.Conn.PublishRequest(subjects.StreamCopy(s.cfg.Net.JournalStream()), reply, fmt.Appendf(nil, `{"seq":%d}`, seq)); err != nil {
			return nil, err
		}
	}
	out := make([][]byte, to-from+1)
	for left := len(out); left > 0; left-- {
		wait, cancel := context.WithTimeout(ctx, answerWait)
		m, err := sub.NextMsgWithContext(wait)
		cancel()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("%w: message %d and later: %w", ErrNotReady, from, err)
		}
		seq, err := strconv.ParseUint(m.Subject[len(inbox)+1:], 10, 64)
		if err != nil || seq < from || seq > to {
			return nil, fmt.Errorf("%w: message %d and later: an answer on %s", ErrNotReady, from, m.Subject)
		}
		switch status := m.Header.Get("Status"); status {
		case "":
			out[seq-from] = m.Data
		case "404":
		case "503":
			return nil, fmt.Errorf("%w: it is being filled, or its stream is not as it should be (ops streams plan)", ErrNotReady)
		default:
			return nil, fmt.Errorf("%w: message %d: %s %s", ErrNotReady, seq, status, m.Header.Get("Description"))
		}
	}
	return out, nil
}

// pace holds a pass to its rate.
type pace struct {
	began time.Time
	rate  int64 // bytes a second; zero: no limit
}

// wait waits until so many bytes may have been read.
func (p pace) wait(ctx context.Context, bytes int64) error {
	if p.rate <= 0 {
		return context.Cause(ctx)
	}
	due := time.Duration(float64(bytes) / float64(p.rate) * float64(time.Second))
	t := time.NewTimer(due - time.Since(p.began))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
