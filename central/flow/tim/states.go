package tim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"tillstream/central/stage"
	"tillstream/kv"
	"tillstream/kv/progress"
)

const (
	stayAfter = 14 * 24 * time.Hour // the end of the attempt: two cycles
	// stayLeast is for attempts long past, and longer than the flow's stream keeps an event: whatever comes from there
	// again is known.
	stayLeast = 9 * 24 * time.Hour
	stayMost  = 10 * 7 * 24 * time.Hour // for attempts far ahead
)

// stay is how long the state of an event's attempt is kept.
func (t *TIM) stay(in *stage.Input, c *progress.Calendar) time.Duration {
	_, end, err := c.Attempt(in.Attempt.Attempt)
	if err != nil { // a producer outside has attempts that are no weeks
		return stayLeast + stayAfter
	}
	return min(max(end.Add(stayAfter).Sub(t.Now()), stayLeast), stayMost)
}

// inMemory bounds the states that an instance has in memory, of half a kilobyte each.
const inMemory = 1 << 16

// states are those of the attempts.
type states struct {
	bucket *kv.Store

	mu    sync.Mutex
	known *simplelru.LRU[string, known] // guarded by mu; by key, as they were when last seen
}

// known is a state and its revision; it is never changed.
type known struct {
	*state
	revision uint64
}

func newStates(bucket *kv.Store) *states {
	lru, _ := simplelru.NewLRU[string, known](inMemory, nil) // fails for a size of zero only
	return &states{bucket: bucket, known: lru}
}

func (s *states) guess(key string) known {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k, ok := s.known.Get(key); ok {
		return k
	}
	return known{state: &state{}}
}

func (s *states) learn(key string, k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Add(key, k)
}

func (s *states) forget(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Remove(key)
}

// maxGuesses bounds how often an event is judged anew because the state has changed meanwhile.
const maxGuesses = 10

// settle says what becomes of an event. If it passes, its attempt's state says so when settle returns.
func (s *states) settle(ctx context.Context, in *stage.Input, stay time.Duration, deletes bool) (verdict, bool, error) {
	key := kv.AttemptKey(in.Attempt)
	for range maxGuesses {
		was := s.guess(key)
		next := was.clone()
		v, del := next.judge(&in.Envelope, in.Sequence, deletes)
		if v != passes {
			return v, del, nil
		}
		value, err := json.Marshal(next)
		if err != nil {
			return v, false, fmt.Errorf("write the state of attempt %s: %w", in.Attempt, err)
		}
		revision, err := s.bucket.PutFor(ctx, key, value, was.revision, stay)
		if err == nil {
			s.learn(key, known{next, revision})
			return v, del, nil
		}
		s.forget(key) // it may have been put all the same: then it is found the next time, with this event in it
		if !errors.Is(err, kv.ErrConflict) {
			return v, false, err
		}
		if err := s.read(ctx, key); err != nil {
			return v, false, err
		}
	}
	return older, false, fmt.Errorf("attempt %s: %w, again and again", in.Attempt, kv.ErrConflict)
}

// read reads a state from the bucket into memory; one that has faded is none.
func (s *states) read(ctx context.Context, key string) error {
	r, err := s.bucket.Get(ctx, key)
	if errors.Is(err, kv.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	k := known{&state{}, r.Revision}
	if err := json.Unmarshal(r.Value, k.state); err != nil {
		return fmt.Errorf("read state %s: %w", key, err)
	}
	s.learn(key, k)
	return nil
}
