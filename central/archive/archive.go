package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/fold"
	"tillstream/central/replica"
	"tillstream/subjects"
)

// Config says what an Archiver copies, and where to.
type Config struct {
	Dir     string // made if it is not there
	Net     subjects.Net
	JS      jetstream.JetStream
	Replica *replica.Replica // for the digests, and to be woken
	Key     nkeys.KeyPair    // signs the checkpoints
	Segment int64            // bytes at which a segment is closed; zero: 64 MiB
	Now     func() time.Time // nil: time.Now
	Metrics prometheus.Registerer
	Log     *slog.Logger
}

// Times and sizes.
const (
	segmentDefault = 64 << 20
	segmentLasts   = 24 * time.Hour         // after its first entry
	lookEvery      = 200 * time.Millisecond // at what ops ask for, while no entry comes
	foldWait       = 10 * time.Second       // for the fold to come as far as the archive
	pauseFirst     = 100 * time.Millisecond // after an error, doubling up to pauseMost
	pauseMost      = 5 * time.Second
	farAhead       = 4096 // entries: of a fold so far ahead the digest at an entry is not waited for
)

// Archiver copies the journal on one node.
type Archiver struct {
	cfg    Config
	asked  chan *ask
	signed prometheus.Gauge
	paused prometheus.Gauge

	mu     sync.Mutex
	status Status // guarded by mu

	// These belong to Run.
	seg  *segment
	tip  fold.Tip // the last entry copied
	last Checkpoint
	asks []*ask
	goal *replica.Status // the entry at which the segment is closed, with its digest
}

// Status says how far an archive has come.
type Status struct {
	Entry  uint64    `json:"entry"`            // last copied
	Signed uint64    `json:"signed"`           // last under a checkpoint: what a backup has
	Time   time.Time `json:"time,omitzero"`    // of that checkpoint
	Paused string    `json:"paused,omitempty"` // why nothing is copied now
}

// ask is someone who waits for a checkpoint at an entry or later.
type ask struct {
	entry uint64
	done  chan Checkpoint
}

// New makes an Archiver.
func New(cfg Config) *Archiver {
	if cfg.Segment == 0 {
		cfg.Segment = segmentDefault
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &Archiver{
		cfg: cfg, asked: make(chan *ask),
		signed: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_archive_signed_entry", Help: "Last journal entry under a checkpoint."}),
		paused: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tillstream_archive_paused", Help: "1 while the archive cannot copy. Page someone when it stays."}),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(a.signed, a.paused)
	}
	return a
}

// Status tells how far the archive has come.
func (a *Archiver) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

// ErrPaused means that the archive cannot copy now; Status says why.
var ErrPaused = errors.New("the archive is paused")

// Close closes the open segment with what this node has folded by now, and gives the checkpoint that
// covers it. It waits for the archive to come so far, but not for one that is paused.
func (a *Archiver) Close(ctx context.Context) (Checkpoint, error) {
	w := &ask{entry: max(1, a.cfg.Replica.Status().Entry), done: make(chan Checkpoint, 1)}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for sent, paused := false, false; ; {
		asked := a.asked
		if sent {
			asked = nil
		}
		select {
		case asked <- w:
			sent = true
		case c := <-w.done:
			return c, nil
		case <-look.C:
			why := a.Status().Paused
			if why != "" && paused {
				return Checkpoint{}, fmt.Errorf("close the archive's segment at entry %d: %w: %s", w.entry, ErrPaused, why)
			}
			paused = why != ""
		case <-ctx.Done():
			return Checkpoint{}, fmt.Errorf("close the archive's segment at entry %d: %w", w.entry, context.Cause(ctx))
		}
	}
}

// Run copies until ctx ends.
func (a *Archiver) Run(ctx context.Context) error {
	for pause := pauseFirst; ctx.Err() == nil; pause = min(2*pause, pauseMost) {
		began := a.tip.Number
		err := a.work(ctx)
		if a.seg != nil {
			err = errors.Join(err, a.seg.close())
			a.seg = nil
		}
		if ctx.Err() != nil {
			return nil
		}
		if a.tip.Number != began {
			pause = pauseFirst
		}
		a.pause(err)
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return nil
}

// pause says once why nothing is copied.
func (a *Archiver) pause(err error) {
	a.mu.Lock()
	before := a.status.Paused
	a.status.Paused = err.Error()
	a.mu.Unlock()
	a.paused.Set(1)
	if before == "" {
		a.cfg.Log.Error("the archive pauses", "dir", a.cfg.Dir, "err", err)
	}
}

// note publishes how far the archive has come.
func (a *Archiver) note() {
	a.mu.Lock()
	before := a.status.Paused
	a.status = Status{Entry: a.tip.Number, Signed: a.last.Last, Time: a.last.Time}
	a.mu.Unlock()
	a.paused.Set(0)
	a.signed.Set(float64(a.last.Last))
	if before != "" {
		a.cfg.Log.Info("the archive goes on", "entry", a.tip.Number)
	}
}

// work opens the archive and copies until something fails.
func (a *Archiver) work(ctx context.Context) error {
	if err := a.open(); err != nil {
		return err
	}
	src, err := replica.OpenSource(ctx, a.cfg.JS, a.cfg.Net, a.tip)
	if (errors.Is(err, replica.ErrBroken) || errors.Is(err, replica.ErrBehind)) && a.tip.Number > a.last.Last {
		src, err = a.disown(ctx, err)
	}
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		data, e, err := src.Next(ctx)
		switch {
		case errors.Is(err, replica.ErrBehind):
			a.note()
			if err := a.idle(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		if err := a.copy(data, e); err != nil {
			return err
		}
		if err := a.maybeClose(ctx, e.At); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// disown sets the open segment aside: the journal was restored from this archive's last checkpoint, and
// what it had after that is not part of it any more.
func (a *Archiver) disown(ctx context.Context, why error) (*replica.Source, error) {
	at := a.last.Tip()
	src, err := replica.OpenSource(ctx, a.cfg.JS, a.cfg.Net, at)
	if err != nil {
		return nil, why
	}
	if _, e, err := src.Next(ctx); err != nil || !e.Begins() {
		return nil, why // another journal, or one that has lost its end: for an operator to see
	}
	if src, err = replica.OpenSource(ctx, a.cfg.JS, a.cfg.Net, at); err != nil {
		return nil, err
	}
	aside := a.seg.path + ".ended"
	if err := errors.Join(a.seg.close(), os.Rename(a.seg.path, aside)); err != nil {
		return nil, fmt.Errorf("set segment aside: %w", err)
	}
	a.cfg.Log.Warn("the journal was restored from this archive; what it had after the last checkpoint is set aside",
		"entries", a.tip.Number-a.last.Last, "file", aside)
	a.seg, a.tip = nil, at
	return src, nil
}

// copy appends an entry to the open segment, making one if there is none.
func (a *Archiver) copy(data []byte, e *fold.Entry) (err error) {
	if a.seg == nil {
		if a.seg, err = create(filepath.Join(a.cfg.Dir, name(e.Number, segmentExt)), e.Number); err != nil {
			return err
		}
	}
	if err := a.seg.add(data, e); err != nil {
		return err
	}
	a.tip = e.Tip()
	return nil
}

// idle waits for an entry, and does what ops ask for.
func (a *Archiver) idle(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	// An error is the end of the wait. Woken by the fold, or not: the stream is asked.
	_ = a.cfg.Replica.Read(once, a.tip.Number+1, func(uint64) {})
	return a.maybeClose(ctx, a.cfg.Now().UnixMilli())
}

// maybeClose closes the segment if it is time and the place is right. now is the time of the last entry,
// or the wall's while there is none.
func (a *Archiver) maybeClose(ctx context.Context, now int64) error {
	for more := true; more; {
		select {
		case w := <-a.asked:
			a.asks = append(a.asks, w)
		default:
			more = false
		}
	}
	a.answer()
	full := a.seg != nil && (a.seg.size >= a.cfg.Segment || now-a.seg.since >= segmentLasts.Milliseconds())
	if !full && len(a.asks) == 0 || a.seg == nil {
		return nil
	}
	if a.goal == nil {
		if err := a.aim(ctx); err != nil {
			return err
		}
	}
	if a.goal.Entry > a.tip.Number {
		return nil // it goes on up to the entry of which the digest is known
	}
	if a.goal.Entry == a.tip.Number && a.goal.Hash != a.tip.Hash {
		return fmt.Errorf("entry %d of the stream is not the one that this node has folded: %w", a.tip.Number, replica.ErrBroken)
	}
	return a.seal()
}

// aim chooses the entry at which the segment is closed: the first at which this node's books, which are
// as far as the archive or further, can be seen. The archive waits for the fold, never the other way.
func (a *Archiver) aim(ctx context.Context) error {
	once, cancel := context.WithTimeout(ctx, foldWait)
	defer cancel()
	if err := a.cfg.Replica.Read(once, a.tip.Number, func(uint64) {}); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	s := a.cfg.Replica.Status()
	if len(a.asks) == 0 && s.Entry > a.tip.Number+farAhead {
		s = replica.Status{Entry: a.tip.Number, Hash: a.tip.Hash} // an archive that begins late: no digest
	}
	a.goal = &s
	return nil
}

// answer tells those who asked for a checkpoint that there is.
func (a *Archiver) answer() {
	left := a.asks[:0]
	for _, w := range a.asks {
		if w.entry > a.last.Last {
			left = append(left, w)
			continue
		}
		w.done <- a.last
	}
	a.asks = left
}

// seal closes the segment with its checkpoint.
func (a *Archiver) seal() error {
	s := a.seg
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("close segment: %w", err)
	}
	hash, size, err := sum(s.path)
	if err != nil || size != s.size {
		return fmt.Errorf("close segment %s: %d bytes, want %d: %w", s.path, size, s.size, errors.Join(errFrame, err))
	}
	c := Checkpoint{
		Brand: a.cfg.Net.Brand, First: s.first, Last: a.tip.Number, Life: a.tip.Generation, Hash: a.tip.Hash,
		Segment: hash, Bytes: size, Digest: a.goal.Digest, Time: a.cfg.Now().UTC().Truncate(time.Second),
	}
	b, err := c.sign(a.cfg.Key)
	if err != nil {
		return err
	}
	// If we die here, the segment is whole and open: the next start goes on with it.
	if err := keep(filepath.Join(a.cfg.Dir, name(s.first, checkpointExt)), b); err != nil {
		return fmt.Errorf("write checkpoint: %w", err)
	}
	// From here on the segment is closed for good, and may be copied away.
	a.last, a.goal, a.seg = c, nil, nil
	a.cfg.Log.Info("archives a segment", "first", c.First, "last", c.Last, "bytes", c.Bytes)
	a.answer()
	a.note()
	return s.close()
}

// open finds where the archive ends, and mends the segment that was growing.
func (a *Archiver) open() error {
	if err := os.MkdirAll(a.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("make archive: %w", err)
	}
	a.seg, a.goal, a.tip, a.last = nil, nil, fold.Tip{}, Checkpoint{}
	l, err := list(a.cfg.Dir)
	if err != nil {
		return err
	}
	for _, first := range l.checkpoints {
		path := filepath.Join(a.cfg.Dir, name(first, checkpointExt))
		b, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("open archive: %w", err)
		}
		c, err := readCheckpoint(b, a.cfg.Key)
		if err != nil {
			return fmt.Errorf("open archive: %s: %w: tillstream ops archive verify tells what is wrong", path, err)
		}
		if c.Brand != a.cfg.Net.Brand || c.First != first || c.First != a.last.Last+1 {
			return fmt.Errorf("open archive: %s: it does not follow entry %d of brand %s: tillstream ops archive verify tells what is wrong",
				path, a.last.Last, a.cfg.Net.Brand)
		}
		a.last = c
	}
	a.tip = a.last.Tip()
	for _, first := range l.segments {
		if first <= a.last.Last {
			continue
		}
		if first != a.last.Last+1 {
			return fmt.Errorf("open archive: segment %s does not follow entry %d", name(first, segmentExt), a.last.Last)
		}
		var dropped int64
		a.seg, a.tip, dropped, err = mend(filepath.Join(a.cfg.Dir, name(first, segmentExt)), a.last.Tip())
		if err != nil {
			return err
		}
		if dropped > 0 {
			a.cfg.Log.Warn("cuts a half-written end off the archive's open segment; it is copied again", "bytes", dropped)
		}
	}
	return nil
}
