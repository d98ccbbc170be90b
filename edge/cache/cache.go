package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"tillstream/edge/catalogue"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// ErrDamaged means that the file is not what was written to it. The cache answers nothing more:
// close it and open it again, and it is made anew.
var ErrDamaged = errors.New("cache is damaged")

// Config says where a cache lies and with what it works.
type Config struct {
	Path string           // of cache.db; its folder must exist
	Ring *seal.Ring       // the node's keys
	Now  func() time.Time // the clock; nil: time.Now
	Log  *slog.Logger     // nil: nothing is logged
}

// Cache is an open cache.db and the overlay. It is safe for many goroutines.
type Cache struct {
	cfg     Config
	changed chan struct{}
	turned  chan struct{}
	damaged atomic.Bool

	// w is held by whoever writes the file, and by Page, which must not see half a page. It is taken
	// before mu. dirty and closed belong to it.
	w      sync.Mutex
	db     *bolt.DB
	file   *os.File // db's own, to let go of a file whose db is stuck
	dirty  bool     // the mark lies beside the file
	closed bool
	// renewed says that what lies in the file is not what the catalogue was made from.
	renewed bool

	// catalogue is what every store gets; whoever holds w stores another.
	catalogue atomic.Pointer[catalogue.Catalogue]

	// mu guards what follows. It is never held during a commit.
	mu       sync.RWMutex
	readers  readers
	state    state // as on the disk, but for a cursor that moved without news
	last     uint64
	chains   map[record.ChainID]*chain
	series   map[record.ChainID]struct{} // chains counted further than the items are known to reach
	overlay  map[record.AccountID]*account
	kept     int // receipts in overlay
	log      changes
	applying *plan // the page whose transaction is being written; nil: none

	reference reference              // as on the disk; written by holders of w
	recent    []*catalogue.Catalogue // of old revisions, the last that were asked for first
}

// Open opens the cache at cfg.Path and makes it if there is none. A file that is damaged, of another
// key ring or of another version is deleted and made anew. A file that another process holds is an
// error.
func Open(cfg Config) (*Cache, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cache{
		cfg:     cfg,
		changed: make(chan struct{}, 1),
		turned:  make(chan struct{}, 1),
		chains:  map[record.ChainID]*chain{},
		series:  map[record.ChainID]struct{}{},
		overlay: map[record.AccountID]*account{},
	}
	c.catalogue.Store(catalogue.Empty())
	if err := c.openFile(); err != nil {
		return nil, fmt.Errorf("open cache %s: %w", cfg.Path, err)
	}
	return c, nil
}

// Close brings what was applied to the disk and closes the file. A damaged file is let go of as it
// is; the next Open deletes it.
func (c *Cache) Close() error {
	c.w.Lock()
	defer c.w.Unlock()
	if c.closed {
		return nil
	}
	err := c.sync()
	c.mu.Lock() // no reader is in a transaction from here on
	defer c.mu.Unlock()
	c.closed = true
	if err := errors.Join(err, c.closeFile()); err != nil {
		return fmt.Errorf("close cache %s: %w", c.cfg.Path, err)
	}
	return nil
}

// Sync makes what was applied outlive a power cut. The feed calls it when it is quiet; it costs
// nothing if nothing was applied since.
func (c *Cache) Sync() error {
	c.w.Lock()
	defer c.w.Unlock()
	if err := c.sync(); err != nil {
		return fmt.Errorf("sync cache %s: %w", c.cfg.Path, err)
	}
	return nil
}

// Cursor is where the next pull from upstream goes on.
func (c *Cache) Cursor() record.Cursor {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.cursor
}

// Counted is the seq up to which every receipt of a chain is contained in the items that lie here:
// what upstream counted when the last page without More came. It outlives a restart. The owner puts
// the overlay together from its journal's records after it.
func (c *Cache) Counted(id record.ChainID) uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if ch := c.chains[id]; ch != nil {
		return ch.floor
	}
	return 0
}

// Changed fires when Page would bring something new. It has one reader.
func (c *Cache) Changed() <-chan struct{} { return c.changed }

func (c *Cache) poke() {
	select {
	case c.changed <- struct{}{}:
	default: // the reader has not come for the last one yet
	}
}

// Size is how much a cache holds.
type Size struct {
	Items   int   // records with a value
	Overlay int   // receipts that upstream has not counted yet
	Bytes   int64 // length of the file
}

// Len says how much lies here, for metrics.
func (c *Cache) Len() Size {
	var s Size
	if fi, err := os.Stat(c.cfg.Path); err == nil { // a file that someone deleted has no length
		s.Bytes = fi.Size()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	s.Items, s.Overlay = int(c.state.items), c.kept
	return s
}

// next gives the next change number; mu is held.
func (c *Cache) next() uint64 {
	c.last++
	return c.last
}

func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
