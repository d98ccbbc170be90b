package replica

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Sentinels of this package.
var (
	// ErrNotWriter means that this node does not write the journal (any more): propose again.
	ErrNotWriter = errors.New("this node does not write the journal")
	// ErrBehind means that this node has not folded as far as the caller asked for.
	ErrBehind = errors.New("this node has not come so far")
	// ErrTooLarge means that a proposal would not fit a message of the journal.
	ErrTooLarge = errors.New("proposal is too large")
	// ErrBroken means that an entry of the journal does not follow the one before it.
	ErrBroken = errors.New("the journal's chain is broken")
	// ErrHistory means that history cannot be written, as on a full disk. What waits is kept and is written
	// when that is possible again.
	ErrHistory = errors.New("history cannot be written")
	// ErrDamaged means that a file of this node is not as it was written.
	ErrDamaged = errors.New("damaged")
)

// Config says what a replica folds and where it keeps what it made.
type Config struct {
	Node    subjects.NodeID
	Net     subjects.Net
	Machine fold.Machine
	Nodes   int        // of the centre: more than half of them must be heard for one to write. Zero: none need be
	Dir     string     // for history and the snapshot; made if it is not there
	Conn    *nats.Conn // journal, proposals
	Beats   *nats.Conn // heartbeats, on a connection of their own: a full pipe must not look like a death

	// Applied is called after each entry this node wrote, in order, from the fold; it must not block
	// for long. Nil: nothing.
	Applied func(e *fold.Entry, fx *fold.Effects)
	// Fit gives why this node must not write now; it must not block. Nil: it always may.
	Fit func() error

	Now     func() time.Time      // nil: time.Now
	Metrics prometheus.Registerer // nil: none
	Log     *slog.Logger
}

// Replica is one node's state and its part in writing the journal.
type Replica struct {
	cfg Config
	js  jetstream.JetStream
	now func() time.Time
	log *slog.Logger

	saveEvery time.Duration // snapshotEvery, except in tests
	mayWait   int           // mayWait, except in tests
	worth     uint64        // worthFetching, except in tests
	saving    sync.Mutex    // one snapshot at a time
	freezes   chan chan<- frozen
	meetings  chan meeting
	harmed    chan struct{} // buffer 1: a file may be damaged
	saved     atomic.Bool   // there is a snapshot
	hungAfter time.Duration // hung, except in tests

	self    uint64 // drawn at each start: this process's mark in what it writes
	history *history
	peers   *peers
	metrics *metrics

	mu      sync.RWMutex
	machine fold.Machine // guarded by mu
	tip     tip          // guarded by mu; written by the fold's goroutine only, which may read it without
	moved   chan struct{}
	// unwritten is what keeps history from being written; guarded by mu like tip.
	unwritten error

	queue   *queue       // proposals
	entered chan entered // entries from the stream, opened
	spare   chan []byte  // memory for their heads
	term    atomic.Uint64
	folded  atomic.Uint64 // tip.number, for whoever needs no lock
	broken  atomic.Bool
	life    atomic.Pointer[time.Time] // when the fold last showed that it goes on

	// Owned by the fold's goroutine.
	writing bool
	encoder fold.Encoder

	lastWait time.Duration // for the stream leader, the next time
	fenced   bool          // the journal was being restored, the last time it was looked at

	leader struct {
		sync.Mutex
		asked context.CancelFunc // guarded by the mutex: ends the wait of a question under way; else nil
	}
}

// tip is the last entry folded.
type tip struct {
	generation record.Generation
	number     uint64
	term       uint64
	at         int64
	hash       record.Hash
	stream     uint64 // its sequence in the stream
}

// Open loads the snapshot and the history that belongs to it.
func Open(cfg Config) (*Replica, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make replica directory: %w", err)
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, fmt.Errorf("replica of %s: %w", cfg.Net.Brand, err)
	}
	r := &Replica{
		cfg: cfg, js: js, now: cfg.Now, log: cfg.Log,
		machine:   cfg.Machine,
		self:      rand.Uint64(),
		saveEvery: snapshotEvery,
		mayWait:   mayWait,
		worth:     worthFetching,
		hungAfter: hung,
		moved:     make(chan struct{}),
		queue:     newQueue(),
		entered:   make(chan entered, readAhead),
		spare:     make(chan []byte, readAhead),
		freezes:   make(chan chan<- frozen),
		meetings:  make(chan meeting),
		harmed:    make(chan struct{}, 1),
		metrics:   newMetrics(cfg.Metrics),
	}
	r.peers = newPeers(cfg.Node)
	if err := r.load(); err != nil {
		return nil, err
	}
	return r, nil
}

// Close writes a snapshot and closes history. Call it after Run has returned.
func (r *Replica) Close() error {
	return errors.Join(r.save(r.freeze()), r.history.close())
}

// Abandon closes the files without the manners of Close, as a crash would leave them.
func (r *Replica) Abandon() error { return r.history.close() }

// Run folds the journal, and writes it when it is this node's turn, until ctx ends.
func (r *Replica) Run(ctx context.Context) error {
	if err := r.lineage(ctx); err != nil {
		return err
	}
	r.fetch(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	for _, part := range []func(context.Context) error{r.read, r.beat, r.hear, r.serve, r.lend, r.keep, r.mend, r.fold} {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	cancel(nil)
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Status is what a node knows of itself.
type Status struct {
	Node       subjects.NodeID
	Generation record.Generation
	Entry      uint64 // last entry folded
	Hash       record.Hash
	Digest     record.Hash
	Term       uint64
	At         time.Time // of that entry
	Writer     string    // node that writes, as far as is known; empty: nobody
	Broken     bool      // the fold has met an entry that does not follow
	Waiting    int       // bytes of history that could not be written yet
}

// Status tells how far this node has come and who writes.
func (r *Replica) Status() Status {
	writer, _, _ := r.peers.writer(time.Now())
	r.mu.RLock()
	defer r.mu.RUnlock()
	return Status{
		Node: r.cfg.Node, Generation: r.tip.generation, Entry: r.tip.number, Hash: r.tip.hash,
		Digest: r.machine.Digest(), Term: r.tip.term, At: time.UnixMilli(r.tip.at),
		Writer: writer.String(), Broken: r.broken.Load(),
		Waiting: r.history.waiting(),
	}
}

// Read calls fn with the state locked against the fold, once this node has folded entry n or a later
// one. It waits for that until ctx ends, and then gives ErrBehind.
func (r *Replica) Read(ctx context.Context, n uint64, fn func(entry uint64)) error {
	for {
		r.mu.RLock()
		if r.tip.number >= n {
			fn(r.tip.number)
			r.mu.RUnlock()
			return nil
		}
		moved := r.moved
		r.mu.RUnlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("read at entry %d: %w: %w", n, ErrBehind, context.Cause(ctx))
		}
	}
}

// Line gives the payload of the line of history at a position. ErrDamaged means that the file is not as
// it was written; the node then makes it again.
func (r *Replica) Line(at uint64) ([]byte, error) {
	p, err := r.history.line(at)
	return p, r.suspect(err)
}

// Lines calls fn for every line of history, in order, until it gives an error. Within Read they are those
// of all entries up to the one that is read.
func (r *Replica) Lines(fn func(at uint64, payload []byte) error) error {
	return r.suspect(r.history.lines(0, fn))
}

// Generation gives the journal's, or zero while nothing is folded.
func (r *Replica) Generation() record.Generation {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.tip.generation
}

// advance moves the tip and applies the entry. Only the fold's goroutine calls it.
func (r *Replica) advance(e *fold.Entry, fx *fold.Effects) {
	fx.From = r.history.end()
	r.mu.Lock()
	r.machine.Apply(e, fx)
	r.history.add(fx.Framed)
	r.tip = tip{e.Generation, e.Number, e.Term, e.At, e.Hash(), e.Stream}
	close(r.moved)
	r.moved = make(chan struct{})
	r.mu.Unlock()
	r.folded.Store(e.Number)
	r.term.Store(e.Term)
	r.metrics.entries.Inc()
}
