package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// history is what the fold leaves behind in bbolt: rows and the feed index, one transaction and one
// fsync per flush, with the entry number in it. Lost or damaged, it is folded again from the
// journal.
type history struct {
	db *bolt.DB

	mu      sync.Mutex
	at      tip // guarded by mu, like all below: position on disk
	upTo    tip // position with what waits
	rows    []fold.Row
	moves   map[feedKey]move
	flushed chan struct{} // closed at each flush
	some    chan struct{} // buffer 1: something waits
}

type feedKey struct {
	store subjects.StoreID
	kind  record.ItemKind
	key   [16]byte
}

type move struct{ was, now uint64 }

const (
	flushEvery = 20 * time.Millisecond
	flushMost  = 200 * time.Millisecond
	// A pause is this many times as long as the flush before it. At a fixed pace, history was half of the
	// centre's CPU under load: the same pages, written again and again. The feed lags flushMost at most.
	calm       = 6
	maxWaiting = 1 << 16 // rows; more than these and the fold waits for the disk
)

var (
	bucketMeta = []byte("meta")
	bucketFeed = []byte("feed")
	keyAt      = []byte("at")
)

func bucketOf(t fold.Table) []byte { return []byte{'t', byte(t)} }

func openHistory(path string) (*history, error) {
	open := func() (*bolt.DB, error) {
		return bolt.Open(path, 0o600, &bolt.Options{
			Timeout: time.Second, FreelistType: bolt.FreelistMapType, NoFreelistSync: true,
		})
	}
	db, err := open()
	if errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch) {
		// It is made from the journal, so it is set aside and made again.
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, fmt.Errorf("set damaged history aside: %w", err)
		}
		db, err = open()
	}
	if err != nil {
		return nil, fmt.Errorf("open history %s: %w", path, err)
	}
	h := &history{db: db, moves: map[feedKey]move{}, flushed: make(chan struct{}), some: make(chan struct{}, 1)}
	err = db.Update(func(tx *bolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists(bucketMeta)
		if err != nil {
			return err
		}
		if _, err := tx.CreateBucketIfNotExists(bucketFeed); err != nil {
			return err
		}
		if v := meta.Get(keyAt); v != nil {
			h.at, err = readTip(v)
		}
		return err
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open history %s: %w", path, err), db.Close())
	}
	h.upTo = h.at
	return h, nil
}

func (h *history) close() error { return h.db.Close() }

// empty drops what is left of a journal of another generation.
func empty(tx *bolt.Tx) error {
	var names [][]byte
	if err := tx.ForEach(func(name []byte, _ *bolt.Bucket) error {
		names = append(names, bytes.Clone(name))
		return nil
	}); err != nil {
		return err
	}
	for _, name := range names {
		if err := tx.DeleteBucket(name); err != nil {
			return err
		}
	}
	_, err := tx.CreateBucket(bucketMeta)
	if err == nil {
		_, err = tx.CreateBucket(bucketFeed)
	}
	return err
}

// add takes what an entry made. It waits for the disk when too much is waiting for it.
func (h *history) add(ctx context.Context, e *fold.Entry, fx *fold.Effects) {
	h.mu.Lock()
	if e.Number <= h.upTo.number && e.Generation == h.upTo.generation { // folded again after a restart: the rows are there
		h.mu.Unlock()
		return
	}
	h.rows = append(h.rows, fx.Rows...)
	for _, c := range fx.Changes {
		k := feedKey{c.Store, c.Kind, c.Key}
		if m, ok := h.moves[k]; ok {
			h.moves[k] = move{m.was, c.Now}
		} else {
			h.moves[k] = move{c.Was, c.Now}
		}
	}
	h.upTo = tip{e.Generation, e.Number, e.Term, e.At, e.Hash(), e.Stream}
	full, flushed := len(h.rows) > maxWaiting, h.flushed
	h.mu.Unlock()
	select {
	case h.some <- struct{}{}:
	default:
	}
	if full {
		select {
		case <-flushed:
		case <-ctx.Done():
		}
	}
}

// flush writes what waits, and gives the stores for which something has changed.
func (h *history) flush() ([]subjects.StoreID, error) {
	h.mu.Lock()
	rows, moves, upTo := h.rows, h.moves, h.upTo
	h.rows, h.moves = nil, map[feedKey]move{}
	h.mu.Unlock()
	if upTo == h.at {
		return nil, nil
	}
	// Neighbours in the file are written together: sorted keys cost about half.
	slices.SortFunc(rows, func(a, b fold.Row) int {
		if a.Table != b.Table {
			return int(a.Table) - int(b.Table)
		}
		return bytes.Compare(a.Key, b.Key)
	})
	err := h.db.Update(func(tx *bolt.Tx) error {
		if h.at.generation != upTo.generation {
			if err := empty(tx); err != nil {
				return err
			}
		}
		if err := putRows(tx, rows); err != nil {
			return err
		}
		if err := putMoves(tx.Bucket(bucketFeed), moves); err != nil {
			return err
		}
		return tx.Bucket(bucketMeta).Put(keyAt, upTo.append(nil))
	})
	if err != nil {
		h.putBack(rows, moves)
		return nil, fmt.Errorf("write history up to entry %d: %w", upTo.number, err)
	}
	// From here on history has come to upTo; rows written twice after a crash are the same rows.
	h.mu.Lock()
	h.at = upTo
	close(h.flushed)
	h.flushed = make(chan struct{})
	h.mu.Unlock()
	seen := map[subjects.StoreID]bool{}
	var stores []subjects.StoreID
	for k := range moves {
		if !seen[k.store] {
			seen[k.store] = true
			stores = append(stores, k.store)
		}
	}
	return stores, nil
}

// putBack keeps what could not be written for the next flush: without it that one would say that history
// has come to an entry whose rows it never had.
func (h *history) putBack(rows []fold.Row, moves map[feedKey]move) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rows = append(rows, h.rows...)
	for k, m := range h.moves {
		if old, ok := moves[k]; ok {
			m.was = old.was
		}
		moves[k] = m
	}
	h.moves = moves
}

func putRows(tx *bolt.Tx, rows []fold.Row) error {
	var b *bolt.Bucket
	for i := range rows {
		if b == nil || rows[i].Table != rows[i-1].Table {
			var err error
			if b, err = tx.CreateBucketIfNotExists(bucketOf(rows[i].Table)); err != nil {
				return err
			}
		}
		if err := b.Put(rows[i].Key, rows[i].Value); err != nil {
			return err
		}
	}
	return nil
}

func putMoves(b *bolt.Bucket, moves map[feedKey]move) error {
	gone, keys := make([][]byte, 0, len(moves)), make([][]byte, 0, len(moves))
	for k, m := range moves {
		if m.was != 0 && m.was != m.now {
			gone = append(gone, feedRow(k, m.was))
		}
		keys = append(keys, feedRow(k, m.now))
	}
	slices.SortFunc(gone, bytes.Compare)
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	for _, k := range keys {
		if err := b.Put(k, nil); err != nil {
			return err
		}
	}
	return nil
}

func feedRow(k feedKey, entry uint64) []byte {
	b := append(feedPrefix(k.store), record.AppendU64(nil, entry)...)
	b = append(b, byte(k.kind))
	return append(b, k.key[:]...)
}

// feedPrefix ends in a byte that no token holds, so that store 1 does not read store 11's rows.
func feedPrefix(s subjects.StoreID) []byte { return append([]byte(s.String()), 0) }

// scribe flushes history while ctx lasts, and then once more.
func (r *Replica) scribe(ctx context.Context) error {
	saved := r.now()
	for {
		select {
		case <-r.history.some:
		case <-ctx.Done():
			return r.flush()
		}
		start := time.Now()
		if err := r.flush(); err != nil {
			return err
		}
		took := time.Since(start)
		if now := r.now(); now.Sub(saved) > r.saveEvery && !r.peers.self(now).writing {
			done, err := r.save()
			if err != nil {
				r.log.Warn("snapshot", "err", err)
			}
			if done || err != nil {
				saved = now
			}
		}
		wait(ctx, min(max(flushEvery, calm*took), flushMost))
	}
}

func (r *Replica) flush() error {
	start := time.Now()
	stores, err := r.history.flush()
	if err != nil {
		return err
	}
	r.metrics.flush.Observe(time.Since(start).Seconds())
	if r.cfg.Changed != nil && len(stores) > 0 {
		r.cfg.Changed(stores)
	}
	return nil
}

// FeedKey is one item of a store's part of the feed, and the entry that last changed it.
type FeedKey struct {
	Kind  record.ItemKind
	Key   [16]byte
	Entry uint64
}

// Feed lists what has changed for a store after an entry, oldest change first, at least until limit
// and to the end of the entry in which the limit falls. upTo is the cursor to go on from.
func (r *Replica) Feed(store subjects.StoreID, after uint64, limit int) (keys []FeedKey, upTo uint64, more bool, err error) {
	err = r.history.db.View(func(tx *bolt.Tx) error {
		at, err := readTip(tx.Bucket(bucketMeta).Get(keyAt))
		if err != nil {
			return err
		}
		upTo = at.number
		prefix := feedPrefix(store)
		c := tx.Bucket(bucketFeed).Cursor()
		for k, _ := c.Seek(append(prefix, record.AppendU64(nil, after+1)...)); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
			rd := record.Reader{B: k[len(prefix):]}
			f := FeedKey{Entry: rd.U64(), Kind: record.ItemKind(rd.U8())}
			rd.Fill(f.Key[:])
			if rd.Err != nil {
				return rd.Err
			}
			if len(keys) >= limit && f.Entry != keys[len(keys)-1].Entry {
				upTo, more = keys[len(keys)-1].Entry, true
				return nil
			}
			keys = append(keys, f)
		}
		return nil
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("feed of store %s: %w", store, err)
	}
	return keys, upTo, more, nil
}

// HistoryAt gives the entry that history on disk has come to, and its journal's generation.
func (r *Replica) HistoryAt() (record.Generation, uint64) {
	r.history.mu.Lock()
	defer r.history.mu.Unlock()
	return r.history.at.generation, r.history.at.number
}

// Rows calls fn for the rows of a table whose keys begin with prefix, in order, until it gives false.
// Key and value are valid only during the call.
func (r *Replica) Rows(t fold.Table, prefix []byte, fn func(key, value []byte) bool) error {
	return r.history.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket(bucketOf(t))
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && k != nil; k, v = c.Next() {
			if !fn(k, v) {
				return nil
			}
		}
		return nil
	})
}
