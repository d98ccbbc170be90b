package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// KeepDefault is how long a record stays when Config.Keep is zero (DESIGN §3).
const KeepDefault = 35 * 24 * time.Hour

// rotate is the age at which a chain of this process is followed by another.
const rotate = 7 * 24 * time.Hour

// maxRecent bounds the runs kept in memory for Next, in packed bytes over all chains.
const maxRecent = 8 << 20

// Config is what a Journal needs.
type Config struct {
	Path  string           // the file, journal.db
	Ring  *seal.Ring       // seals what lies in the file
	Store subjects.StoreID // the store this node belongs to; chains of another are refused
	Till  subjects.TillID  // zero: a store server, which begins no chain of its own
	Keep  time.Duration    // a record stays at least so long after it was kept, and until it is posted; zero: KeepDefault

	// Reserve is how many bytes of the disk TopUp holds for the file to grow into; zero: none.
	Reserve int64

	// Kept is called with the headers of records that are new here, starts included, after the fsync
	// and before the answers: in chain order, never concurrently, and not by Open. It must not call
	// Commit, Accept, Sweep or Close. Nil: nothing is called.
	Kept func([]record.Header)

	Now func() time.Time // the clock; nil: time.Now
	Log *slog.Logger     // nil: nothing is logged
}

// Journal is an open journal. It is safe for many goroutines.
type Journal struct {
	cfg      Config
	file     *file
	salvaged *Salvage
	changed  chan struct{}

	// turn has one slot. Whoever fills it is the only writer, to the file and to the states.
	turn     chan struct{}
	own      record.ChainID           // chain of this process; zero until its first receipt; written under mu too
	ownSince int64                    // Unix milliseconds
	swept    []record.ChainID         // chains whose removal is not finished
	graves   map[record.ChainID]int64 // swept chains whose entry is still there, and when their last record was kept
	unsure   []record.ChainID         // chains of transactions that failed and may not be on the disk
	warned   map[string]bool          // refusals that were logged
	owned    int64                    // bytes of the disk that the file has, as far as TopUp saw to it
	doubt    atomic.Bool              // len(unsure) > 0, for those who have no turn
	crowd    bool                     // the last turn had more than one caller
	failed   atomic.Pointer[error]    // first damaged value that a reader met
	life     atomic.Uint64            // of upstream, counted from the start of this process

	queue struct {
		sync.Mutex
		waiting []*entry
		closed  bool
	}

	mu     sync.Mutex // guards all below, and the chains' fields
	chains map[record.ChainID]*chain
	fresh  map[record.RID]at // of records committed here whose rid is not in the file's index yet
	order  uint64            // of the newest chain
	recent int               // packed bytes in memory
	stamp  uint64            // of the newest run in memory
	first  int               // chain that Next begins with

	reserve Reserve // as TopUp has found it
}

// Open opens the journal at cfg.Path, or makes it. It gives ErrLocked if another process has it,
// ErrVersion if it is of another version (the error names both), and ErrDamaged only if a damaged file
// could not be set aside: otherwise such a file is salvaged, and Salvaged says so.
func Open(cfg Config) (*Journal, error) {
	if cfg.Keep == 0 {
		cfg.Keep = KeepDefault
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	j, err := open(cfg, cfg.Path)
	if err == nil && suspect(cfg.Path) {
		err = errors.Join(errSuspect, j.file.close())
	}
	if errors.Is(err, ErrDamaged) {
		cfg.Log.Error("journal is damaged; salvaging it", "path", cfg.Path, "err", err)
		j, err = salvage(cfg)
	}
	if err != nil {
		return nil, fmt.Errorf("open journal %s: %w", cfg.Path, err)
	}
	if err := acquit(cfg.Path); err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", cfg.Path, err), j.file.close())
	}
	j.cfg.Kept = cfg.Kept
	return j, nil
}

// open opens the file at path, checks it, and loads what it says of its chains. Kept is not called
// yet.
func open(cfg Config, path string) (*Journal, error) {
	f, err := openFile(path, cfg.Log)
	if err != nil {
		return nil, err
	}
	j := newJournal(cfg, f)
	j.cfg.Kept = nil
	fresh, old := false, false
	err = f.view(func(tx *bbolt.Tx) (err error) {
		if fresh = f.fresh(tx); fresh {
			return nil
		}
		if err := checkPages(f.raw); err != nil {
			return err
		}
		old, err = j.load(tx)
		return err
	})
	switch {
	case err == nil && fresh:
		err = create(f, path)
	case err == nil && old: // before anything is written that the version before could not read
		err = f.update(putVersion)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	if len(j.swept) > 0 { // the process died in a Sweep
		if _, err := j.finish(cfg.Now()); err != nil {
			cfg.Log.Warn("a sweep cannot be finished", "path", path, "err", err)
		}
	}
	j.signal()
	return j, nil
}

// Read opens the journal at cfg.Path to look at it: nothing is written, also not to mend it. It gives
// ErrLocked if a process has it open, and ErrDamaged if Open would have to salvage it. What upstream
// refuses is not known to look; all else that a stopped node knew is.
func Read(cfg Config, look func(*Journal)) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read journal %s: %w", cfg.Path, err)
		}
	}()
	cfg.Log = slog.New(slog.DiscardHandler)
	f, err := openFileTo(cfg.Path, cfg.Log, true)
	if err != nil {
		return err
	}
	j := newJournal(cfg, f)
	j.queue.closed = true
	err = f.view(func(tx *bbolt.Tx) error {
		if f.fresh(tx) {
			return nil
		}
		if err := checkPages(f.raw); err != nil {
			return err
		}
		_, err := j.load(tx)
		return err
	})
	if err == nil && suspect(cfg.Path) {
		err = errSuspect
	}
	if err == nil {
		look(j)
	}
	return errors.Join(err, f.close())
}

func newJournal(cfg Config, f *file) *Journal {
	return &Journal{
		cfg: cfg, file: f,
		changed: make(chan struct{}, 1),
		turn:    make(chan struct{}, 1),
		warned:  map[string]bool{},
		graves:  map[record.ChainID]int64{},
		chains:  map[record.ChainID]*chain{},
		fresh:   map[record.RID]at{},
	}
}

// create makes the buckets of a new file.
func create(f *file, path string) error {
	err := f.update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketMeta, bucketChains, bucketRuns, bucketRIDs, bucketAside} {
			if _, err := tx.CreateBucket(name); err != nil {
				return err
			}
		}
		return putVersion(tx)
	})
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path)) // else a power cut may take the file's name, receipts and all
}

func putVersion(tx *bbolt.Tx) error {
	return tx.Bucket(bucketMeta).Put(keyVersion, []byte(versionText+version))
}

// Close waits for the transaction that is under way and lets go of the file. What comes later gets
// ErrClosed.
func (j *Journal) Close() error {
	j.queue.Lock()
	closed := j.queue.closed
	j.queue.closed = true
	j.queue.Unlock()
	if closed {
		return nil
	}
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	j.work() // those who came before
	if j.Err() != nil {
		accuse(j.cfg.Path, j.cfg.Log)
	} else {
		// What upstream has said of chains is learned again after a start, so this need not be. It lets
		// whoever looks at the files of a stopped node see what is on this disk only.
		if err := j.settle(); err != nil {
			j.cfg.Log.Warn("what upstream confirmed last is not written", "path", j.cfg.Path, "err", err)
		}
	}
	if err := j.file.close(); err != nil {
		return fmt.Errorf("close journal %s: %w", j.cfg.Path, err)
	}
	return nil
}

// Err is ErrDamaged, with where, once a transaction or a reader has met damage; otherwise nil. To get
// on, close the journal and open it again: Open salvages what can be read.
func (j *Journal) Err() error {
	if e := j.file.broken.Load(); e != nil {
		return *e
	}
	if e := j.failed.Load(); e != nil {
		return *e
	}
	return nil
}

// Changed receives when there may be something new to send. It has room for one.
func (j *Journal) Changed() <-chan struct{} { return j.changed }

func (j *Journal) signal() {
	select {
	case j.changed <- struct{}{}:
	default:
	}
}

func (j *Journal) now() int64 { return j.cfg.Now().UnixMilli() }
