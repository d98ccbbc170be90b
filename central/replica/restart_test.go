package replica

import (
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

func storeID(s string) subjects.StoreID { return subjects.StoreID{Token: subjects.MustToken(s)} }

// lived is a member alone that has folded some entries and was stopped, by close or by crash.
func lived(t *testing.T, end func(*member)) (*chain, *member) {
	t.Helper()
	c := started(t, single)
	m := c.nodes[0]
	for i := range 20 {
		m.propose(fmt.Sprint("head ", i))
	}
	end(m)
	return c, m
}

// again starts the member and waits until it writes; it gives how many entries it has applied.
func (m *member) again() int {
	m.c.t.Helper()
	m.start()
	m.propose("after")
	m.c.check(nil)
	var n int
	if err := m.Read(m.c.t.Context(), 0, func(uint64) { n = m.machine.applied }); err != nil {
		m.c.t.Fatal(err)
	}
	return n
}

// rows gives table 1 of history once that has come to the state.
func (m *member) rows() map[string]string {
	m.c.t.Helper()
	eventually(m.c.t, "history at the state's entry", func() bool {
		_, at := m.HistoryAt()
		return at == m.Status().Entry
	})
	out := map[string]string{}
	if err := m.Rows(1, nil, func(k, v []byte) bool { out[string(k)] = hex.EncodeToString(v); return true }); err != nil {
		m.c.t.Fatal(err)
	}
	return out
}

// A node that stops in order comes back from its snapshot and folds only what is new.
func TestAStopLeavesASnapshot(t *testing.T) {
	_, m := lived(t, (*member).stop)
	if got, want := m.again(), 2; got != want { // its term, and what was proposed
		t.Fatalf("%d entries applied after the restart, want %d", got, want)
	}
	if got, want := len(m.rows()), 21; got != want {
		t.Fatalf("%d rows, want %d", got, want)
	}
}

// One that crashes has no snapshot and folds the journal from its beginning.
func TestACrashLeavesNoSnapshot(t *testing.T) {
	_, m := lived(t, (*member).crash)
	if got, want := m.again(), 23; got != want {
		t.Fatalf("%d entries applied after the restart, want %d", got, want)
	}
	if got, want := len(m.rows()), 21; got != want {
		t.Fatalf("%d rows, want %d", got, want)
	}
}

// What is lost, old or damaged of a node's own files is made again: the same state, the same history.
func TestFilesAreMadeAgain(t *testing.T) {
	history, snapshot := "history.db", "state.snapshot"
	for name, harm := range map[string]struct {
		do      func(t *testing.T, dir string, old string)
		applied int
	}{
		"history is gone":  {func(t *testing.T, dir, _ string) { remove(t, dir, history) }, 25},
		"snapshot is gone": {func(t *testing.T, dir, _ string) { remove(t, dir, snapshot) }, 25},
		"the snapshot is damaged": {func(t *testing.T, dir, _ string) {
			path := filepath.Join(dir, snapshot)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 25},
		"history is no database": {func(t *testing.T, dir, _ string) {
			if err := os.WriteFile(filepath.Join(dir, history), make([]byte, 1<<16), 0o600); err != nil {
				t.Fatal(err)
			}
		}, 25},
		"the snapshot is ahead of history": {func(t *testing.T, dir, old string) { put(t, dir, history, old) }, 25},
		"the snapshot is old":              {func(t *testing.T, dir, old string) { put(t, dir, snapshot, old) }, 4},
		"both are old":                     {func(t *testing.T, dir, old string) { put(t, dir, history, old); put(t, dir, snapshot, old) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			c, m := lived(t, (*member).stop)
			old := t.TempDir()
			for _, f := range []string{history, snapshot} {
				put(t, old, f, m.dir)
			}
			m.start()
			m.propose("later")
			m.stop()
			harm.do(t, m.dir, old)
			if got := m.again(); got != harm.applied {
				t.Errorf("%d entries applied after the restart, want %d", got, harm.applied)
			}
			want := map[string]string{}
			for _, e := range c.journal() {
				for _, p := range e.Proposals {
					want[string(p.Head)] = hex.EncodeToString(record.AppendU64(nil, e.Number))
				}
			}
			if got := m.rows(); !maps.Equal(got, want) {
				t.Errorf("history %v, want %v", got, want)
			}
			keys, upTo, more, err := m.Feed(shop, 0, 100)
			if err != nil || len(keys) != len(want) || more || upTo != m.Status().Entry {
				t.Errorf("feed of %d items up to %d, more %v: %v; want %d", len(keys), upTo, more, err, len(want))
			}
		})
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// put copies a file from another folder over the one of its name.
func put(t *testing.T, dir, name, from string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(from, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A follower writes snapshots while the fold goes on: what such a snapshot holds, history holds too.
func TestASnapshotUnderLoad(t *testing.T) {
	c := newChain(t, three)
	for _, m := range c.nodes {
		m.saveEvery = time.Millisecond
		m.start()
	}
	w := c.writer()
	m := c.other(w)
	l := c.load(4, w)
	l.wait(20)
	eventually(t, "a snapshot", func() bool {
		l.wait(10)
		_, err := os.Stat(m.snapshotPath())
		return err == nil
	})
	l.wait(20)
	answered := l.end()
	m.crash()
	m.start()
	c.check(answered)
	if got, all := m.machine.applied, int(m.Status().Entry); got == all {
		t.Fatalf("all of %d entries were folded again, in spite of a snapshot", all)
	}
	if got := m.rows(); len(got) < len(answered) {
		t.Fatalf("%d rows in history, %d answered", len(got), len(answered))
	}
}

// What could not be written is written by the next flush, or history would say that it has come to an
// entry whose rows it never had.
func TestHistoryKeepsWhatCouldNotBeWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	h, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	add := func(n, was uint64, key string) {
		h.add(t.Context(), &fold.Entry{Number: n}, &fold.Effects{
			Rows:    []fold.Row{{Table: 1, Key: []byte(key), Value: []byte{byte(n)}}},
			Changes: []fold.Change{{Store: shop, Kind: record.ItemShopper, Key: keyOf("same"), Was: was, Now: n}},
		})
	}
	add(1, 0, "a")
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	if err := h.close(); err != nil {
		t.Fatal(err)
	}
	add(2, 1, "b")
	if _, err := h.flush(); err == nil {
		t.Fatal("a flush into a closed file succeeds")
	}
	add(3, 2, "c")
	again, err := openHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.close() }() // nothing more is written
	h.db = again.db
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	r := &Replica{history: h}
	var got string
	if err := r.Rows(1, nil, func(k, v []byte) bool { got += fmt.Sprint(string(k), v); return true }); err != nil {
		t.Fatal(err)
	}
	if want := "a[1]b[2]c[3]"; got != want {
		t.Fatalf("rows %s, want %s", got, want)
	}
	keys, upTo, _, err := r.Feed(shop, 0, 10)
	if err != nil || len(keys) != 1 || keys[0].Entry != 3 || upTo != 3 {
		t.Fatalf("feed %+v up to %d, want one item, of entry 3: %v", keys, upTo, err)
	}
}

// The same when the fold went on while the flush failed: the item's row is where it was on disk.
func TestHistoryPutsBackUnderWhatCameMeanwhile(t *testing.T) {
	h, err := openHistory(filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.close() }() // nothing more is written
	add := func(n, was uint64) {
		h.add(t.Context(), &fold.Entry{Number: n}, &fold.Effects{
			Rows:    []fold.Row{{Table: 1, Key: []byte{byte(n)}}},
			Changes: []fold.Change{{Store: shop, Kind: record.ItemShopper, Key: keyOf("same"), Was: was, Now: n}},
		})
	}
	add(1, 0)
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	add(2, 1)
	rows, moves := h.rows, h.moves
	h.rows, h.moves = nil, map[feedKey]move{}
	add(3, 2)
	h.putBack(rows, moves)
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	r := &Replica{history: h}
	keys, _, _, err := r.Feed(shop, 0, 10)
	if err != nil || len(keys) != 1 || keys[0].Entry != 3 {
		t.Fatalf("feed %+v, want one item, of entry 3: %v", keys, err)
	}
	var got []byte
	if err := r.Rows(1, nil, func(k, _ []byte) bool { got = append(got, k...); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []byte{1, 2, 3}; !slices.Equal(got, want) {
		t.Fatalf("rows %v, want %v", got, want)
	}
}

// Between applying an entry and handing over its rows there is no good moment for a snapshot.
func TestNoSnapshotOfAnEntryWithoutItsRows(t *testing.T) {
	c := newChain(t, single)
	m := c.nodes[0]
	m.open()
	e := m.next([]fold.Proposal{{Head: []byte("one")}})
	var fx fold.Effects
	m.advance(e, &fx)
	if done, err := m.save(); done || err != nil {
		t.Fatalf("saved: %v, %v", done, err)
	}
	if _, err := os.Stat(m.snapshotPath()); err == nil {
		t.Fatal("a snapshot says that it holds an entry whose rows history has not")
	}
	m.history.add(t.Context(), e, &fx)
	if done, err := m.save(); !done || err != nil {
		t.Fatalf("saved: %v, %v", done, err)
	}
}

// History of another journal's life is dropped with the first entry of this one.
func TestHistoryOfAnotherGenerationIsDropped(t *testing.T) {
	h, err := openHistory(filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.close() }() // nothing more is written
	add := func(g byte, n uint64, key string) {
		h.add(t.Context(), &fold.Entry{Generation: record.Generation{g}, Number: n}, &fold.Effects{
			Rows:    []fold.Row{{Table: 1, Key: []byte(key)}},
			Changes: []fold.Change{{Store: shop, Kind: record.ItemShopper, Key: keyOf(key), Now: n}},
		})
	}
	for n := range uint64(5) {
		add(1, n+1, fmt.Sprint("old", n))
	}
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	add(2, 1, "new")
	if _, err := h.flush(); err != nil {
		t.Fatal(err)
	}
	r := &Replica{history: h}
	var got string
	if err := r.Rows(1, nil, func(k, _ []byte) bool { got += string(k); return true }); err != nil {
		t.Fatal(err)
	}
	keys, _, _, err := r.Feed(shop, 0, 10)
	if g, at := r.HistoryAt(); err != nil || got != "new" || len(keys) != 1 || at != 1 || g != (record.Generation{2}) {
		t.Fatalf("rows %q, %d keys, at entry %d of %s: %v", got, len(keys), at, g, err)
	}
}

// The feed's pages end with an entry, and go on where they ended; one store does not see another's.
func TestFeedPages(t *testing.T) {
	h, err := openHistory(filepath.Join(t.TempDir(), "history.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.close() }() // nothing more is written
	r := &Replica{history: h}
	for n := uint64(1); n <= 4; n++ {
		var fx fold.Effects
		for k := range 3 {
			for _, s := range []string{"1", "11"} {
				fx.Changes = append(fx.Changes, fold.Change{
					Store: storeID(s), Kind: record.ItemShopper, Key: keyOf(fmt.Sprint(n, k)), Now: n,
				})
			}
		}
		h.add(t.Context(), &fold.Entry{Number: n}, &fx)
	}
	if stores, err := h.flush(); err != nil || len(stores) != 2 {
		t.Fatalf("stores %v: %v", stores, err)
	}
	for _, page := range []struct {
		after uint64
		limit int
		items int
		upTo  uint64
		more  bool
	}{
		{0, 1, 3, 1, true}, {0, 3, 3, 1, true}, {0, 4, 6, 2, true}, {1, 6, 6, 3, true},
		{3, 1, 3, 4, false}, {2, 6, 6, 4, false}, {0, 100, 12, 4, false}, {4, 1, 0, 4, false}, {9, 1, 0, 4, false},
	} {
		keys, upTo, more, err := r.Feed(storeID("1"), page.after, page.limit)
		if err != nil || len(keys) != page.items || upTo != page.upTo || more != page.more {
			t.Errorf("after %d limit %d: %d items up to %d, more %v (%v); want %d up to %d, more %v",
				page.after, page.limit, len(keys), upTo, more, err, page.items, page.upTo, page.more)
		}
	}
	if err := r.Rows(9, nil, func(_, _ []byte) bool { return true }); err != nil {
		t.Fatal(err)
	}
}
