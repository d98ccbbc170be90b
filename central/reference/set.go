package reference

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Config says whose reference data a Set is.
type Config struct {
	Brand   subjects.BrandID
	JS      jetstream.JetStream
	Changed func()                // called when Page would bring something new; nil: nobody
	Now     func() time.Time      // nil: time.Now
	Metrics prometheus.Registerer // nil: none
	Log     *slog.Logger
}

// Set is a node's reference data. It is safe for many goroutines.
type Set struct {
	cfg Config

	changing sync.Mutex // one change at a time on this node; others are the head's to refuse

	mu      sync.RWMutex
	bucket  *kv.Store            // guarded by mu, like all below; nil until it was opened
	looked  bool                 // whether there is a head is known
	at      uint64               // the head's revision in the bucket; 0: there is none
	head    record.ReferenceHead // folded
	records map[name]*record.Reference
	live    int           // records that were not removed
	log     []change      // ascending; those whose record has changed again are dead
	moved   chan struct{} // closed when something of this changes
}

// name is what a record is known by.
type name struct {
	kind record.RefKind
	key  string
}

type change struct {
	entry  uint64
	record *record.Reference
}

// New makes a Set; Run fills it.
func New(cfg Config) *Set {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Set{cfg: cfg, records: map[name]*record.Reference{}, moved: make(chan struct{})}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "tillstream_reference_entry", Help: "Last entry of the reference data that this node has."},
				func() float64 { return float64(s.Status().Entry) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{
				Name: "tillstream_reference_records", Help: "Records of reference data, without removals."},
				func() float64 { return float64(s.Status().Records) }))
	}
	return s
}

// Waits after an error of the bucket, and for a part that the head names and no node gives yet.
const (
	againAfter = 200 * time.Millisecond
	partTries  = 25
)

// Run folds the bucket until ctx ends.
func (s *Set) Run(ctx context.Context) error {
	complains := false
	for ctx.Err() == nil {
		err := s.follow(ctx)
		if err == nil || ctx.Err() != nil {
			break
		}
		if !complains {
			s.cfg.Log.Warn("reference data waits", "err", err)
			complains = true
		}
		wait(ctx, againAfter)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (s *Set) follow(ctx context.Context) error {
	bucket, err := kv.Open(ctx, s.cfg.JS, kv.Reference(s.cfg.Brand))
	if err != nil {
		return err
	}
	if _, err := bucket.Get(ctx, kv.ReferenceHead); err != nil && !errors.Is(err, kv.ErrNone) {
		return err
	} else if err != nil {
		s.empty(bucket)
	}
	return bucket.Watch(ctx, kv.ReferenceHead, func(r kv.Record) error { return s.fold(ctx, bucket, r) })
}

// empty notes that there is no head, as far as one node of the stream knows.
func (s *Set) empty(bucket *kv.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bucket, s.looked = bucket, true
	s.signal()
}

// signal wakes whoever waits; mu is held.
func (s *Set) signal() {
	close(s.moved)
	s.moved = make(chan struct{})
}

// fold takes in a head and the parts of it that are new here.
func (s *Set) fold(ctx context.Context, bucket *kv.Store, r kv.Record) error {
	if len(r.Value) == 0 {
		s.cfg.Log.Error("the head of the reference data was removed: this node goes on with what it has")
		return nil
	}
	head, err := record.ReadReferenceHead(r.Value)
	if err != nil {
		return err
	}
	s.mu.RLock()
	same, at := head.Generation == s.head.Generation, s.at
	had := map[record.PartID]bool{}
	if same {
		for _, p := range s.head.Parts {
			had[p.ID] = true
		}
	}
	s.mu.RUnlock()
	if same && r.Revision <= at {
		return nil
	}
	var fresh []record.Reference
	for _, p := range head.Parts {
		if had[p.ID] {
			continue
		}
		part, err := readPart(ctx, bucket, p.ID)
		if err != nil {
			return err
		}
		fresh = append(fresh, part...)
	}
	s.mu.Lock()
	if !same {
		s.records, s.log, s.live = map[name]*record.Reference{}, nil, 0
	}
	s.apply(fresh, head.Floor)
	s.bucket, s.looked, s.at, s.head = bucket, true, r.Revision, head
	s.signal()
	s.mu.Unlock()
	if s.cfg.Changed != nil {
		s.cfg.Changed()
	}
	return nil
}

// readPart reads a part that a head names. A node of the stream that is behind may not have it yet; one
// that is gone was let go of, and another head is on its way.
func readPart(ctx context.Context, bucket *kv.Store, id record.PartID) ([]record.Reference, error) {
	for try := 1; ; try++ {
		r, err := bucket.Get(ctx, kv.ReferencePart(id.String()))
		if errors.Is(err, kv.ErrNone) && try < partTries && ctx.Err() == nil {
			wait(ctx, againAfter)
			continue
		}
		if err != nil {
			return nil, err
		}
		if record.PartOf(r.Value) != id {
			return nil, fmt.Errorf("part %s of the reference data: its bytes have changed", id)
		}
		return record.UnpackReferences(r.Value)
	}
}

// apply takes records in, and lets go of removals up to floor; mu is held.
func (s *Set) apply(fresh []record.Reference, floor uint64) {
	slices.SortStableFunc(fresh, func(a, b record.Reference) int { return cmp.Compare(a.Entry, b.Entry) })
	for i := range fresh {
		n := name{fresh[i].Kind, fresh[i].Key}
		old := s.records[n]
		if old != nil && old.Entry >= fresh[i].Entry {
			continue // compacted
		}
		r := fresh[i]
		r.Value = bytes.Clone(r.Value) // the part's bytes are let go of
		s.records[n] = &r
		s.log = append(s.log, change{r.Entry, &r})
		s.live += count(&r) - count(old)
	}
	if floor > s.head.Floor {
		for n, r := range s.records {
			if r.Removed() && r.Entry <= floor {
				delete(s.records, n)
			}
		}
	}
	if len(s.log) > 2*len(s.records)+1024 {
		s.log = slices.DeleteFunc(s.log, func(c change) bool { return !s.current(c) })
	}
}

func count(r *record.Reference) int {
	if r == nil || r.Removed() {
		return 0
	}
	return 1
}

// current reports whether a change is its record's last; mu is held.
func (s *Set) current(c change) bool { return s.records[name{c.record.Kind, c.record.Key}] == c.record }

// Limits of one answer to a pull. It finishes the entry in which a limit falls.
const (
	pageRecords = 5000
	pageBytes   = 256 << 10 // of a message of 1 MiB, in which the shoppers' page lies too
)

// Page answers a pull: what has changed after the cursor, each record once, as it is now.
func (s *Set) Page(c record.Cursor) *record.References {
	s.mu.RLock()
	defer s.mu.RUnlock()
	page := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: s.head.Generation, Entry: s.head.Entry}}
	from := c != record.Cursor{}
	switch {
	case !s.looked, s.at == 0 && from:
		// This node has not seen the bucket, or not its head: others have.
		page.Status, page.Cursor = record.FeedBehind, record.Cursor{}
		return page
	case from && c.Generation != s.head.Generation, c.Entry > 0 && c.Entry < s.head.Floor:
		page.Status, page.Cursor.Entry = record.FeedReset, 0
		return page
	case c.Entry > s.head.Entry:
		page.Status, page.Cursor = record.FeedBehind, record.Cursor{}
		return page
	}
	size, last := 0, uint64(0)
	at := sort.Search(len(s.log), func(i int) bool { return s.log[i].entry > c.Entry })
	for _, ch := range s.log[at:] {
		if !s.current(ch) || c.Entry == 0 && ch.record.Removed() {
			continue
		}
		if (len(page.Records) >= pageRecords || size >= pageBytes) && ch.entry != last {
			page.More, page.Cursor.Entry = true, last
			break
		}
		page.Records = append(page.Records, *ch.record)
		size, last = size+ch.record.Size(), ch.entry
	}
	return page
}

// Get gives a record, also one that was removed.
func (s *Set) Get(kind record.RefKind, key string) (record.Reference, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if r := s.records[name{kind, key}]; r != nil {
		return *r, true
	}
	return record.Reference{}, false
}

// List gives the records of a kind whose keys follow after, by key, at most limit of them; removals are
// left out.
func (s *Set) List(kind record.RefKind, after string, limit int) []record.Reference {
	s.mu.RLock()
	var out []record.Reference
	for n, r := range s.records {
		if n.kind == kind && n.key > after && !r.Removed() {
			out = append(out, *r)
		}
	}
	s.mu.RUnlock()
	slices.SortFunc(out, func(a, b record.Reference) int { return strings.Compare(a.Key, b.Key) })
	return out[:min(len(out), limit)]
}

// Status is what a node has of the reference data.
type Status struct {
	Generation record.Generation
	Entry      uint64
	Records    int // without removals
	Parts      int
}

// Status tells what this node has.
func (s *Set) Status() Status {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return Status{s.head.Generation, s.head.Entry, s.live, len(s.head.Parts)}
}
