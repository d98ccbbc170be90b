package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// ErrNotEmpty means that there is a journal where one was to be restored.
var ErrNotEmpty = errors.New("there is a journal already")

// RestoreConfig says where a lost journal is put back.
type RestoreConfig struct {
	Node subjects.NodeID
	Net  subjects.Net
	Conn *nats.Conn
	Last fold.Tip // the last entry of the backup
	// Entries gives the backup's entries behind a number, byte for byte, in order.
	Entries func(after uint64) iter.Seq2[[]byte, error]
	Log     *slog.Logger
}

// Restore puts the entries of a backup into the empty journal stream, byte for byte, and then the entry
// that begins another generation: from there on the journal grows as always. Meanwhile a fence at the
// stream keeps every node from writing.
//
// A restore that was broken off is taken up again where it was. One that is complete is left as it is, so
// a node may be started again with the same command. Any other journal is ErrNotEmpty.
func Restore(ctx context.Context, cfg RestoreConfig) error {
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	s := &restorer{cfg: cfg, js: js}
	for {
		done, err := s.step(ctx)
		if done && err == nil {
			done, err = s.fence(ctx, false) // from here on a node may write
		}
		if done || err != nil {
			return err
		}
		// Another node with the same backup was first, or the stream has no leader. Jitter, or two would
		// refuse each other in step.
		if !wait(ctx, 100*time.Millisecond+rand.N(200*time.Millisecond)) {
			return context.Cause(ctx)
		}
	}
}

type restorer struct {
	cfg RestoreConfig
	js  jetstream.JetStream
}

// Herald says that this node writes, in no term, until ctx ends: a node that is about to restore a journal
// says so from its start, so that no other begins one beside it. It says it on beats, which its replica
// does later.
func Herald(ctx context.Context, conn *nats.Conn, net subjects.Net, node subjects.NodeID) error {
	b := heartbeat{node: node, writing: true}
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		b.clock = time.Now().UnixMilli()
		if err := conn.Publish(net.Heartbeat(node), b.append(nil)); err != nil && ctx.Err() == nil {
			return fmt.Errorf("say that this node restores the journal: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// fenceKey is in the journal stream's metadata from before the first restored entry until after the last.
// Heartbeats may be late; while it is there nobody writes, whatever he hears.
const fenceKey = "tillstream-restoring"

// fence puts the fence up, or takes it away.
func (s *restorer) fence(ctx context.Context, up bool) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, fenceWait)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.cfg.Net.JournalStream())
	if err == nil && fenced(stream.CachedInfo()) != up {
		cfg := stream.CachedInfo().Config
		if cfg.Metadata == nil {
			cfg.Metadata = map[string]string{}
		}
		if delete(cfg.Metadata, fenceKey); up {
			cfg.Metadata[fenceKey] = fmt.Sprint(s.cfg.Last.Number)
		}
		_, err = s.js.UpdateStream(ctx, cfg)
	}
	if err != nil {
		s.cfg.Log.Debug("restore waits for the stream", "err", err)
		return false, nil
	}
	return true, nil
}

const fenceWait = 5 * time.Second

func fenced(info *jetstream.StreamInfo) bool {
	_, ok := info.Config.Metadata[fenceKey]
	return ok
}

// step goes on from what the journal holds, as far as it gets.
func (s *restorer) step(ctx context.Context) (done bool, err error) {
	// The fence before the entry: it goes only after a restore is complete.
	begun, err := s.begun(ctx)
	if err != nil {
		s.cfg.Log.Debug("restore waits for the stream", "err", err)
		return false, nil
	}
	held, err := lastEntry(ctx, s.js, s.cfg.Net)
	switch {
	case errors.Is(err, ErrEmpty):
		held = &fold.Entry{}
		if up, err := s.fence(ctx, true); !up || err != nil {
			return false, err
		}
	case errors.Is(err, ErrBroken):
		return false, err
	case err != nil:
		s.cfg.Log.Debug("restore waits for the stream", "err", err)
		return false, nil
	}
	if held.Number > s.cfg.Last.Number {
		return true, s.complete(ctx, held)
	}
	if held.Number > 0 && !begun { // a journal that lives, be it the one of the backup
		return false, s.refusal(held)
	}
	after := held.Number
	if after > 0 {
		after-- // read once more: it has to be the one of the backup
	}
	at, n := held.Stream, after
	for data, err := range s.cfg.Entries(after) {
		if err != nil {
			return false, fmt.Errorf("restore entry %d: %w", n+1, err)
		}
		n++
		if n == held.Number {
			if fold.Sum(data) != held.Hash() {
				return false, fmt.Errorf("restore: %w: its entry %d is not that of the backup", ErrNotEmpty, n)
			}
			continue
		}
		if at, err = s.publish(ctx, data, at); err != nil {
			s.cfg.Log.Debug("restore looks again", "entry", n, "err", err)
			return false, nil
		}
		// From here on the entry is kept. If we die, the next start goes on behind it.
		if n%1000 == 0 {
			s.cfg.Log.Info("restoring", "entry", n, "of", s.cfg.Last.Number)
		}
	}
	if n != s.cfg.Last.Number {
		return false, fmt.Errorf("restore: the backup ends at entry %d, want %d", n, s.cfg.Last.Number)
	}
	return s.begin(ctx, at)
}

// begin appends the entry that begins the new generation.
func (s *restorer) begin(ctx context.Context, at uint64) (bool, error) {
	last, err := lastEntry(ctx, s.js, s.cfg.Net)
	if err != nil {
		s.cfg.Log.Debug("restore waits for the stream", "err", err)
		return false, nil
	}
	if last.Tip() != s.cfg.Last {
		return false, nil // another node was first: the next step looks
	}
	now := time.Now()
	e := s.cfg.Last.Boundary(record.NewGeneration(now), rand.Uint64(), max(now.UnixMilli(), last.At))
	if _, err := s.publish(ctx, e.Encode(), at); err != nil {
		s.cfg.Log.Debug("restore looks again", "entry", e.Number, "err", err)
		return false, nil
	}
	s.cfg.Log.Info("the journal is restored", "entry", s.cfg.Last.Number, "ended", e.Ends, "generation", e.Generation)
	return true, nil
}

// publish appends bytes behind a message. After an error nobody knows whether they are stored: the next
// step reads what is there.
func (s *restorer) publish(ctx context.Context, data []byte, after uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, waitMost)
	defer cancel()
	ack, err := s.js.PublishMsg(ctx, &nats.Msg{Subject: s.cfg.Net.Journal(), Data: data},
		jetstream.WithExpectLastSequencePerSubject(after), jetstream.WithRetryAttempts(0))
	if err != nil {
		return after, err
	}
	return ack.Sequence, nil
}

// complete is nil if the journal that is there is this backup, restored.
func (s *restorer) complete(ctx context.Context, held *fold.Entry) error {
	src, err := OpenSource(ctx, s.js, s.cfg.Net, s.cfg.Last)
	if err == nil {
		var next *fold.Entry
		if _, next, err = src.Next(ctx); err == nil && next.Begins() {
			s.cfg.Log.Info("this backup is restored already: start the node without --restore from now on",
				"entry", s.cfg.Last.Number, "journal", held.Number)
			return nil
		}
	}
	if err != nil && !errors.Is(err, ErrBroken) {
		return fmt.Errorf("restore: %w", err)
	}
	return s.refusal(held)
}

func (s *restorer) refusal(held *fold.Entry) error {
	return fmt.Errorf("restore: %w: it goes up to entry %d of generation %s. A backup is only restored into an empty centre; nothing was changed",
		ErrNotEmpty, held.Number, held.Generation)
}

// begun reports whether a restore was begun and is not complete.
func (s *restorer) begun(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	stream, err := s.js.Stream(ctx, s.cfg.Net.JournalStream())
	if err != nil {
		return false, err
	}
	return fenced(stream.CachedInfo()), nil
}
