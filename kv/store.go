package kv

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

var (
	// ErrConflict means that the record is not as it was read: read again.
	ErrConflict = errors.New("the record has changed meanwhile")
	// ErrNone means that there is no record under the key.
	ErrNone = errors.New("no such record")
)

// answerWithin bounds one question to a bucket's stream, whatever time the caller has; the client does so only
// for callers without a deadline. See Failure.
const answerWithin = 5 * time.Second

// Store is one bucket, open. It is safe for many goroutines.
type Store struct {
	name   string
	bucket Bucket
	js     jetstream.JetStream
	kv     jetstream.KeyValue
	stream jetstream.Stream // under the bucket
}

// Record is a value and its revision, which compare-and-set wants. Revision zero is no record.
type Record struct {
	Value    []byte
	Revision uint64
	Key      string // set by Watch and Scan
}

// Open opens a bucket that central/streams has made.
func Open(ctx context.Context, js jetstream.JetStream, b Bucket) (*Store, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	kv, err := js.KeyValue(ctx, b.Name)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", b.Name, err)
	}
	stream, err := js.Stream(ctx, b.Stream())
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", b.Name, err)
	}
	return &Store{b.Name, b, js, kv, stream}, nil
}

// Get reads a record. It may be an older one: see Failure.
func (s *Store) Get(ctx context.Context, key string) (Record, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	e, err := s.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return Record{}, fmt.Errorf("get %s of bucket %s: %w", key, s.name, ErrNone)
	}
	if err != nil {
		return Record{}, fmt.Errorf("get %s of bucket %s: %w", key, s.name, err)
	}
	return Record{Value: e.Value(), Revision: e.Revision()}, nil
}

// Put changes a record from revision was, zero for one that must not be there, and gives its new
// revision. ErrConflict says that nothing was changed; any other error does not say.
func (s *Store) Put(ctx context.Context, key string, value []byte, was uint64) (revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	if was == 0 {
		revision, err = s.kv.Create(ctx, key, value)
	} else {
		revision, err = s.kv.Update(ctx, key, value, was)
	}
	if conflict(err) {
		err = ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("put %s of bucket %s: %w", key, s.name, err)
	}
	return revision, nil
}

// PutFor is Put for a time only, whole seconds of it: then the record is gone, as if it had been removed. For
// buckets whose records may fade. A time of zero is for good.
func (s *Store) PutFor(ctx context.Context, key string, value []byte, was uint64, stay time.Duration) (revision uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	opts := []jetstream.PublishOpt{jetstream.WithExpectLastSequencePerSubject(was)}
	if stay > 0 {
		opts = append(opts, jetstream.WithMsgTTL(max(stay.Truncate(time.Second), time.Second)))
	}
	ack, err := s.js.Publish(ctx, s.bucket.subject(key), value, opts...)
	if conflict(err) {
		err = ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("put %s of bucket %s: %w", key, s.name, err)
	}
	return ack.Sequence, nil
}

// Remove takes away a record as it was read; one that was put since stays. Nothing of it is left, no
// marker either, so a watch does not hear of it: the client's own way leaves a subject for every record that
// there has ever been.
func (s *Store) Remove(ctx context.Context, key string, was uint64) error {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	err := s.stream.Purge(ctx, jetstream.WithPurgeSubject(s.bucket.subject(key)), jetstream.WithPurgeSequence(was+1))
	if err != nil {
		return fmt.Errorf("remove %s of bucket %s: %w", key, s.name, err)
	}
	return nil
}

func conflict(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, jetstream.ErrKeyExists) ||
		errors.As(err, &api) && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// Watch calls fn with the record under a key as it is now, if there is one, and then with each change,
// until ctx ends; then it gives nil. The key may hold wildcards. It may be called twice with one revision, and does
// not hear of records that were removed or have faded. An error of fn ends it.
func (s *Store) Watch(ctx context.Context, key string, fn func(Record) error) error {
	return s.WatchFrom(ctx, key, func() {}, fn)
}

// WatchFrom is Watch, and calls whole when all that was there has been given.
func (s *Store) WatchFrom(ctx context.Context, key string, whole func(), fn func(Record) error) error {
	w, err := s.kv.Watch(ctx, key)
	if err != nil {
		return fmt.Errorf("watch %s of bucket %s: %w", key, s.name, err)
	}
	defer func() { _ = w.Stop() }() // fails only if the connection is gone, and it with it
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				if ctx.Err() != nil {
					return nil
				}
				return fmt.Errorf("watch %s of bucket %s: %w", key, s.name, errEnded)
			case e == nil:
				whole()
			default:
				if e.Operation() != jetstream.KeyValuePut {
					continue
				}
				if err := fn(Record{e.Value(), e.Revision(), e.Key()}); err != nil {
					return err
				}
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Scan calls fn with each record whose key matches a pattern, as they are now, the one that was changed longest ago
// first, and returns after the last. It may lack what was put just now, and give a record twice that is put meanwhile. An
// error of fn ends it.
func (s *Store) Scan(ctx context.Context, pattern string, fn func(Record) error) error {
	w, err := s.kv.Watch(ctx, pattern, jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("scan %s of bucket %s: %w", pattern, s.name, err)
	}
	defer func() { _ = w.Stop() }() // fails only if the connection is gone, and it with it
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return fmt.Errorf("scan %s of bucket %s: %w", pattern, s.name, errEnded)
			}
			if e == nil { // all that was there has come
				return nil
			}
			if err := fn(Record{e.Value(), e.Revision(), e.Key()}); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("scan %s of bucket %s: %w", pattern, s.name, context.Cause(ctx))
		}
	}
}

var errEnded = errors.New("the watch has ended")

// Keys lists the keys that match a pattern, in no order, as the stream's leader has them: what was put before is
// among them. It costs one question, however many other keys there are. (The client's own list reads the records by a
// consumer of its own: among 1,000,000 keys it did not find one in 5 s.)
func (s *Store) Keys(ctx context.Context, pattern string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	info, err := s.stream.Info(ctx, jetstream.WithSubjectFilter(s.bucket.subject(pattern)))
	if err != nil {
		return nil, fmt.Errorf("list %s of bucket %s: %w", pattern, s.name, err)
	}
	keys := make([]string, 0, len(info.State.Subjects))
	for subject := range info.State.Subjects {
		keys = append(keys, strings.TrimPrefix(subject, s.bucket.subject("")))
	}
	return keys, nil
}
