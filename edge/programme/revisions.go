package programme

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"tillstream/edge/cache"
	"tillstream/edge/catalogue"
	"tillstream/edge/scan"
	"tillstream/kv/setting"
	"tillstream/subjects"
)

// Config is what Revisions are made of.
type Config struct {
	Cache *cache.Cache     // required
	Store subjects.StoreID // required
	// CardPrefixes begin the numbers of the chain's cards while no setting says how those look. None: no number
	// is taken for a card.
	CardPrefixes []string
	Log          *slog.Logger // nil: silent
}

// Revisions are what is priced by now, and what was in the last 24 hours. Its methods are safe for many
// goroutines.
type Revisions struct {
	cfg  Config
	of   store
	none *Revision // of an empty catalogue: the base programme
	now  atomic.Pointer[adopted]

	mu  sync.Mutex  // also held while an old revision is compiled: who asks for it next finds it
	old []*Revision // the last that were asked for first
}

// adopted is the revision that is gone by, and what became of the newest.
type adopted struct {
	revision *Revision
	seen     *catalogue.Catalogue // the newest
	faults   []Fault              // of the newest: why it is not gone by, or what is left out
}

// oldKept bounds the compiled revisions in memory beside that of now: most receipts that name an old one name the
// one of a moment ago.
const oldKept = 2

// Open compiles what the cache has. Run follows it.
func Open(cfg Config) (*Revisions, error) {
	if cfg.Cache == nil || cfg.Store.IsZero() {
		return nil, errors.New("open programme: cache and store are required")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	k := &Revisions{cfg: cfg, of: store{cfg.Store, cfg.CardPrefixes}}
	var cards scan.Config
	for _, p := range cfg.CardPrefixes {
		cards.Cards = append(cards.Cards, setting.Cards{Prefix: p, Check: setting.CheckNone})
	}
	if _, err := scan.New(cards); err != nil {
		return nil, fmt.Errorf("open programme: %w", err)
	}
	k.none = revise(catalogue.Empty(), k.of, nil)
	k.now.Store(&adopted{revision: k.none, seen: k.none.catalogue})
	k.follow()
	return k, nil
}

// Run compiles each catalogue that comes, until ctx ends.
func (k *Revisions) Run(ctx context.Context) error {
	for {
		k.follow()
		select {
		case <-k.cfg.Cache.CatalogueChanged():
		case <-ctx.Done():
			return nil
		}
	}
}

// follow adopts the cache's catalogue, if it is another. Open calls it, and then only Run.
func (k *Revisions) follow() {
	c := k.cfg.Cache.Catalogue()
	was := k.now.Load()
	if c == was.seen || c.Revision() == was.seen.Revision() {
		return
	}
	next := &adopted{revision: revise(c, k.of, was.revision), seen: c}
	next.faults = next.revision.faults
	for i := range next.faults {
		f := &next.faults[i]
		k.cfg.Log.Error("a document cannot be gone by: put another revision of it", "kind", f.Kind, "id", f.ID, "entry", f.Entry, "err", f.Err)
	}
	if len(next.faults) > 0 {
		if before := k.before(was.revision); before != nil {
			next.revision = before
		}
		k.cfg.Log.Error("baskets are not priced by the newest revision as it is", "newest", c.Revision(), "by", next.revision.number)
	}
	k.now.Store(next)
	if was.revision != k.none && was.revision != next.revision {
		k.mu.Lock()
		k.remember(was.revision)
		k.mu.Unlock()
	}
}

// before gives the revision to go on with when the newest has faults: what is gone by now or, after a restart,
// the last that this node had without a fault; nil: there is none.
func (k *Revisions) before(now *Revision) *Revision {
	if now != k.none {
		if len(now.faults) > 0 {
			return nil // there was none before that either: the newer of two halves
		}
		return now
	}
	for _, entry := range slices.Backward(k.cfg.Cache.Revisions()) {
		if entry > math.MaxUint32 {
			continue
		}
		if r := k.At(uint32(entry)); r != nil && len(r.faults) == 0 {
			return r
		}
	}
	return nil
}

// remember makes a revision the last that was asked for. The caller holds mu.
func (k *Revisions) remember(r *Revision) {
	k.old = slices.DeleteFunc(k.old, func(o *Revision) bool { return o.number == r.number })
	k.old = slices.Insert(k.old, 0, r)
	k.old = k.old[:min(len(k.old), oldKept)]
}

// Now gives the revision that quotes are made under.
func (k *Revisions) Now() *Revision { return k.now.Load().revision }

// At gives the revision of a number, nil if this node has not had it in the last 24 hours.
func (k *Revisions) At(number uint32) *Revision {
	now := k.Now()
	switch number {
	case now.number:
		return now
	case k.none.number:
		return k.none
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.old {
		if r.number == number {
			k.remember(r)
			return r
		}
	}
	c, err := k.cfg.Cache.AsOf(uint64(number))
	if err != nil {
		if !errors.Is(err, cache.ErrRevision) {
			k.cfg.Log.Warn("the cache does not give an old revision", "revision", number, "err", err)
		}
		return nil
	}
	r := revise(c, k.of, now)
	k.remember(r)
	return r
}

// State says how things stand.
type State struct {
	Revision uint32  // that is gone by
	Newest   uint64  // that has come
	Faults   []Fault // of the newest; with any, either the two differ or these documents are left out
}

// State says by which revision baskets are priced, and what is wrong with the newest.
func (k *Revisions) State() State {
	now := k.now.Load()
	return State{now.revision.number, now.seen.Revision(), now.faults}
}
