package cache_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"tillstream/edge/cache"
	"tillstream/edge/catalogue"
	"tillstream/kv/record"
)

// centre is what serves reference data in these tests: each record once, by the entry that changed it.
type centre struct {
	generation record.Generation
	entry      uint64
	records    map[string]record.Reference
	revisions  map[uint64]map[string]string // what there was at each entry at which a change was whole
}

func newCentre(g record.Generation) *centre {
	return &centre{g, 0, map[string]record.Reference{}, map[uint64]map[string]string{0: {}}}
}

// change changes some records at once; an empty value takes away.
func (s *centre) change(values map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s.entry++ // one entry for each: a page can be cut anywhere
		s.records[key] = record.Reference{Kind: record.RefSetting, Key: key, Entry: s.entry, At: 1, Value: []byte(values[key])}
	}
	now := map[string]string{}
	for key, r := range s.records {
		if !r.Removed() {
			now[key] = string(r.Value)
		}
	}
	s.revisions[s.entry] = now
}

func (s *centre) page(c record.Cursor, limit int) *record.References {
	p := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: s.generation, Entry: s.entry}}
	if c != (record.Cursor{}) && c.Generation != s.generation {
		return &record.References{Status: record.FeedReset, Cursor: record.Cursor{Generation: s.generation}}
	}
	all := slices.SortedFunc(maps.Values(s.records), func(a, b record.Reference) int { return int(a.Entry) - int(b.Entry) })
	for _, r := range all {
		if r.Entry <= c.Entry || c.Entry == 0 && r.Removed() {
			continue
		}
		if len(p.Records) == limit {
			p.More, p.Cursor.Entry = true, p.Records[limit-1].Entry
			return p
		}
		p.Records = append(p.Records, r)
	}
	return p
}

// wantRevision wants a catalogue to be exactly what there was at its revision.
func (s *centre) wantRevision(t rapid.TB, c *catalogue.Catalogue) {
	t.Helper()
	want, ok := s.revisions[c.Revision()]
	if !ok {
		t.Fatalf("revision %d was never whole", c.Revision())
	}
	got := map[string]string{}
	for _, d := range c.Documents(record.RefSetting) {
		got[d.ID] = string(d.JSON)
	}
	if !maps.Equal(got, want) {
		t.Fatalf("revision %d is %v, want %v", c.Revision(), got, want)
	}
}

// edge is a node's cache and the clock it goes by.
type edge struct {
	t    *testing.T
	path string
	now  time.Time
	c    *cache.Cache
	seen []revisionSeen
	kept uint64 // revision that readers went on with after a reset: it is not on the disk
}

type revisionSeen struct {
	entry uint64
	until time.Time // zero: it is the last
}

func (e *edge) open() {
	var err error
	e.c, err = cache.Open(cache.Config{Path: e.path, Ring: ring, Now: func() time.Time { return e.now }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		e.t.Fatal(err)
	}
}

// apply takes a page in, and notes which revisions readers have had.
func (e *edge) apply(t rapid.TB, p *record.References) {
	if err := e.c.ApplyReference(p); err != nil {
		t.Fatal(err)
	}
	if p.Status == record.FeedReset {
		e.seen, e.kept = nil, e.c.Catalogue().Revision()
		return
	}
	now := e.c.Catalogue().Revision()
	if n := len(e.seen); now == 0 || now == e.kept || n > 0 && e.seen[n-1].entry == now {
		return
	} else if n > 0 {
		e.seen[n-1].until = e.now
	}
	e.seen = append(e.seen, revisionSeen{entry: now})
}

// Whatever is changed, cut, lost and asked for in whatever order: readers of a store and of its till see
// whole revisions and nothing else, and every revision of the last 24 hours can be had again.
func TestReadersSeeWholeRevisions(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newCentre(record.Generation{1})
		dir := t.TempDir()
		edges := []*edge{{t: t, path: filepath.Join(dir, "store.db")}, {t: t, path: filepath.Join(dir, "till.db")}}
		for _, e := range edges {
			e.now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
			e.open()
			defer func() { _ = e.c.Close() }() // it may have been closed
		}
		pull := func(i, limit int) {
			var p *record.References
			at := edges[i].c.ReferenceCursor()
			if i == 0 {
				p = s.page(at, limit)
			} else {
				var err error
				if p, err = edges[0].c.References(at); err != nil {
					rt.Fatal(err)
				}
			}
			edges[i].apply(rt, p)
		}
		check := func() {
			for _, e := range edges {
				s.wantRevision(rt, e.c.Catalogue())
				for _, seen := range e.seen {
					got, err := e.c.AsOf(seen.entry)
					if !seen.until.IsZero() && e.now.Sub(seen.until) > 24*time.Hour {
						continue // it may be gone, and need not
					}
					if err != nil {
						rt.Fatalf("revision %d: %v", seen.entry, err)
					}
					s.wantRevision(rt, got)
				}
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": func(rt *rapid.T) {
				s.change(rapid.MapOfN(rapid.StringMatching(`[a-h]`), rapid.StringMatching(`[x-z]{0,2}`), 1, 6).Draw(rt, "values"))
			},
			"store pulls": func(rt *rapid.T) { pull(0, rapid.IntRange(1, 4).Draw(rt, "limit")) },
			"till pulls":  func(*rapid.T) { pull(1, 0) },
			"all pull": func(*rapid.T) {
				for range 20 {
					pull(0, 3)
					pull(1, 0)
				}
				for _, e := range edges {
					if got := e.c.Catalogue().Revision(); got != s.entry {
						rt.Fatalf("revision %d after all has come, want %d", got, s.entry)
					}
				}
			},
			"restart": func(rt *rapid.T) {
				e := rapid.SampledFrom(edges).Draw(rt, "edge")
				before := e.c.Catalogue().Revision()
				if err := e.c.Close(); err != nil {
					rt.Fatal(err)
				}
				e.open()
				if got := e.c.Catalogue().Revision(); len(e.seen) > 0 && got != before {
					rt.Fatalf("revision %d after a restart, %d before", got, before)
				}
			},
			"later": func(rt *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 20).Draw(rt, "hours")) * time.Hour
				for _, e := range edges {
					e.now = e.now.Add(d)
					if err := e.c.SweepReference(e.now); err != nil {
						rt.Fatal(err)
					}
				}
			},
			"": func(*rapid.T) { check() },
		})
	})
}

// Of a bucket that was made anew all is taken anew; until it has come, readers have what they had.
func TestAnotherGeneration(t *testing.T) {
	old, s := newCentre(record.Generation{1}), newCentre(record.Generation{2})
	s.entry = 1000
	store, till := openNew(t), openNew(t)
	fall := func(from *centre) {
		t.Helper()
		for range 10 {
			if err := store.ApplyReference(from.page(store.ReferenceCursor(), 2)); err != nil {
				t.Fatal(err)
			}
			p, err := store.References(till.ReferenceCursor())
			if err != nil {
				t.Fatal(err)
			}
			if err := till.ApplyReference(p); err != nil {
				t.Fatal(err)
			}
			if store.Catalogue().Revision() < 1000 {
				old.wantRevision(t, store.Catalogue())
			} else {
				s.wantRevision(t, store.Catalogue())
			}
		}
	}
	old.change(map[string]string{"a": "1", "b": "2", "gone": "3", "c": "4"})
	fall(old)
	s.change(map[string]string{"a": "5", "b": "2", "d": "6", "e": "7"})
	fall(s)
	for _, c := range []*cache.Cache{store, till} {
		if c.Catalogue().Revision() != s.entry {
			t.Errorf("revision %d, want %d", c.Catalogue().Revision(), s.entry)
		}
		s.wantRevision(t, c.Catalogue())
		if got, err := c.AsOf(4); err != nil || len(got.Documents(record.RefSetting)) != 4 {
			t.Errorf("what was quoted by a moment ago, of the old life: %v", err)
		}
		if _, err := c.AsOf(3); !errors.Is(err, cache.ErrRevision) {
			t.Errorf("a revision that was never here: %v", err)
		}
	}
}

// A store never says that what it has is all while it is not, nor gives what is older than a till has.
func TestAStoreThatIsBehindSaysSo(t *testing.T) {
	s, store := newCentre(record.Generation{1}), openNew(t)
	status := func(c record.Cursor) record.FeedStatus {
		t.Helper()
		p, err := store.References(c)
		if err != nil {
			t.Fatal(err)
		}
		return p.Status
	}
	if got := status(record.Cursor{}); got != record.FeedBehind {
		t.Errorf("nothing has come: %d", got)
	}
	if err := store.ApplyReference(&record.References{Status: record.FeedItems}); err != nil { // the centre has nothing
		t.Fatal(err)
	}
	if got := status(record.Cursor{}); got != record.FeedItems {
		t.Errorf("there is nothing, and that is all: %d", got)
	}
	s.change(map[string]string{"a": "1", "b": "2", "c": "3"})
	if err := store.ApplyReference(s.page(record.Cursor{}, 2)); err != nil {
		t.Fatal(err)
	}
	p, err := store.References(record.Cursor{})
	if err != nil || !p.More || len(p.Records) != 2 {
		t.Errorf("half of it has come: %+v, %v", p, err)
	}
	if got := status(p.Cursor); got != record.FeedBehind {
		t.Errorf("a till that has that half: %d", got)
	}
	if got := status(record.Cursor{Generation: s.generation, Entry: 9}); got != record.FeedBehind {
		t.Errorf("a till that is ahead: %d", got)
	}
	if store.Catalogue().Revision() != 0 {
		t.Error("readers see half of it")
	}
}

// A removal is told for 45 days; a till that has not heard of one that is gone starts anew.
func TestRemovalsAreToldFor45Days(t *testing.T) {
	s, store := newCentre(record.Generation{1}), openNew(t)
	apply := func() {
		t.Helper()
		if err := store.ApplyReference(s.page(store.ReferenceCursor(), 100)); err != nil {
			t.Fatal(err)
		}
	}
	s.change(map[string]string{"a": "1", "b": "2"})
	apply()
	before := store.ReferenceCursor()
	s.change(map[string]string{"a": ""})
	s.change(map[string]string{"b": "3"})
	apply()
	told := func() *record.References {
		p, err := store.References(before)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	removed := time.UnixMilli(1)
	if err := store.SweepReference(removed.Add(44 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if p := told(); len(p.Records) != 2 || !p.Records[0].Removed() {
		t.Errorf("within 45 days: %+v", p)
	}
	if err := store.SweepReference(removed.Add(46 * 24 * time.Hour)); err != nil {
		t.Fatal(err)
	}
	if p := told(); p.Status != record.FeedReset {
		t.Errorf("after 45 days: %+v", p)
	}
	s.wantRevision(t, store.Catalogue())
	if p, err := store.References(record.Cursor{}); err != nil || len(p.Records) != 1 {
		t.Errorf("for a new till: %+v, %v", p, err)
	}
}

// Pages that do not fit are refused and change nothing.
func TestReferencePagesThatDoNotFit(t *testing.T) {
	s, c := newCentre(record.Generation{1}), openNew(t)
	s.change(map[string]string{"a": "1"})
	if err := c.ApplyReference(s.page(record.Cursor{}, 10)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*record.References{
		{Status: 9}, {Status: record.FeedItems, Cursor: record.Cursor{Generation: record.Generation{2}, Entry: 9}},
	} {
		if err := c.ApplyReference(p); !errors.Is(err, cache.ErrPage) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	late := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: s.generation},
		Records: []record.Reference{{Kind: record.RefSetting, Key: "a", Entry: 1, Value: []byte("old")}}}
	if err := c.ApplyReference(late); err != nil {
		t.Error(err)
	}
	s.wantRevision(t, c.Catalogue())
}

// BenchmarkReferenceFill is a new node that takes 50,000 items in.
func BenchmarkReferenceFill(b *testing.B) {
	var pages []*record.References
	const size = 2500
	for from := 0; from < 50_000; from += size {
		p := &record.References{Status: record.FeedItems, More: from+size < 50_000,
			Cursor: record.Cursor{Generation: life1, Entry: uint64(from + size)}}
		for i := range size {
			product := record.Product{Name: fmt.Sprintf("Name of the item %d, 500 g", from+i), Category: "department/group/kind"}
			p.Records = append(p.Records, record.Reference{Kind: record.RefItem, Key: fmt.Sprintf("%014d", from+i),
				Entry: uint64(from + i + 1), Value: product.Append(nil)})
		}
		pages = append(pages, p)
	}
	for b.Loop() {
		c := openNew(b)
		for _, p := range pages {
			if err := c.ApplyReference(p); err != nil {
				b.Fatal(err)
			}
		}
		if c.Catalogue().Items() != 50_000 {
			b.Fatal(c.Catalogue().Items())
		}
	}
}
