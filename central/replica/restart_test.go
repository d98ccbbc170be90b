package replica

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

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

// told gives the lines of history: heads, and the entries that took them.
func (m *member) told() map[string]uint64 {
	m.c.t.Helper()
	out := map[string]uint64{}
	err := m.Read(m.c.t.Context(), 0, func(uint64) {
		err := m.Lines(func(at uint64, line []byte) error {
			again, err := m.Line(at)
			if err != nil || !bytes.Equal(again, line) {
				m.c.t.Errorf("the line at %d is %q, read alone %q: %v", at, line, again, err)
			}
			r := record.Reader{B: line}
			n := r.U64()
			out[string(r.B)] = n
			return r.Err
		})
		if err != nil {
			m.c.t.Error(err)
		}
		if len(out) != len(m.machine.Order) {
			m.c.t.Errorf("%d lines of history for a state of %d", len(out), len(m.machine.Order))
		}
	})
	if err != nil {
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
	if got, want := len(m.told()), 21; got != want {
		t.Fatalf("%d lines, want %d", got, want)
	}
}

// One that crashes has no snapshot and folds the journal from its beginning.
func TestACrashLeavesNoSnapshot(t *testing.T) {
	_, m := lived(t, (*member).crash)
	if got, want := m.again(), 23; got != want {
		t.Fatalf("%d entries applied after the restart, want %d", got, want)
	}
	if got, want := len(m.told()), 21; got != want {
		t.Fatalf("%d lines, want %d", got, want)
	}
}

// What is lost, old or damaged of a node's own files is made again: the same state, the same history.
func TestFilesAreMadeAgain(t *testing.T) {
	const history, snapshot = HistoryName, SnapshotName
	harmed := func(name string, do func(b []byte) []byte) func(*testing.T, string, string) {
		return func(t *testing.T, dir, _ string) { harm(t, filepath.Join(dir, name), do) }
	}
	flipped := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	for name, c := range map[string]struct {
		do      func(t *testing.T, dir string, old string)
		applied int // entries
	}{
		"history is gone":         {func(t *testing.T, dir, _ string) { remove(t, dir, history) }, 25},
		"snapshot is gone":        {func(t *testing.T, dir, _ string) { remove(t, dir, snapshot) }, 25},
		"the snapshot is damaged": {harmed(snapshot, flipped), 25},
		"history is damaged":      {harmed(history, flipped), 25},
		"history's last byte":     {harmed(history, func(b []byte) []byte { b[len(b)-1] ^= 0x80; return b }), 25},
		"history is of another journal": {harmed(history, func(b []byte) []byte {
			l := fold.Lines(fold.LinesHead)
			if err := fold.Lines(b).Lines(func(at uint64, p []byte) error {
				l = fold.AppendLine(l, at, append(p[:len(p)-1:len(p)-1], 'x'))
				return nil
			}); err != nil {
				panic(err)
			}
			return l
		}), 25},
		"history is no history": {harmed(history, func(b []byte) []byte { return make([]byte, len(b)) }), 25},
		"the snapshot is of another form": {harmed(snapshot, func(b []byte) []byte {
			b[7]++
			return b
		}), 25},
		"the snapshot is cut short":        {harmed(snapshot, func(b []byte) []byte { return b[:len(b)-1] }), 25},
		"the snapshot goes on":             {harmed(snapshot, func(b []byte) []byte { return append(b, 0) }), 25},
		"history is cut short":             {harmed(history, func(b []byte) []byte { return b[:len(b)-1] }), 25},
		"history goes on":                  {harmed(history, func(b []byte) []byte { return append(b, "what a crash left"...) }), 2},
		"the snapshot is ahead of history": {func(t *testing.T, dir, old string) { put(t, dir, history, old) }, 25},
		"the snapshot is old":              {func(t *testing.T, dir, old string) { put(t, dir, snapshot, old) }, 4},
		"both are old":                     {func(t *testing.T, dir, old string) { put(t, dir, history, old); put(t, dir, snapshot, old) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			chain, m := lived(t, (*member).stop)
			old := t.TempDir()
			for _, f := range []string{history, snapshot} {
				put(t, old, f, m.dir)
			}
			m.start()
			m.propose("later")
			m.stop()
			whole := read(t, filepath.Join(m.dir, history))
			c.do(t, m.dir, old)
			if got := m.again(); got != c.applied {
				t.Errorf("%d entries applied after the restart, want %d", got, c.applied)
			}
			want := map[string]uint64{}
			for _, e := range chain.journal() {
				for _, p := range e.Proposals {
					want[string(p.Head)] = e.Number
				}
			}
			if got := m.told(); !maps.Equal(got, want) {
				t.Errorf("history %v, want %v", got, want)
			}
			if err := m.Check(t.Context()); err != nil {
				t.Error(err)
			}
			m.stop()
			if got := read(t, filepath.Join(m.dir, history)); !bytes.HasPrefix(got, whole) {
				t.Error("history was made again otherwise than it was")
			}
		})
	}
}

// Every byte of the two files counts: with any of them changed, the node folds the journal again and comes
// to what it was.
func TestEveryByteOfTheFilesIsChecked(t *testing.T) {
	_, m := lived(t, (*member).stop)
	for _, name := range []string{HistoryName, SnapshotName} {
		path := filepath.Join(m.dir, name)
		whole := read(t, path)
		for i := range whole {
			harm(t, path, func(b []byte) []byte { b[i] ^= 1 << (i % 8); return b })
			got := newTally()
			if _, err := Load(m.dir, got); !errors.Is(err, ErrDamaged) || len(got.Order) > 0 {
				t.Fatalf("byte %d of %s is another: %d heads and %v, want ErrDamaged", i, name, len(got.Order), err)
			}
			harm(t, path, func([]byte) []byte { return bytes.Clone(whole) })
		}
		for cut := range whole {
			harm(t, path, func([]byte) []byte { return bytes.Clone(whole[:cut]) })
			if _, err := Load(m.dir, newTally()); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s is cut to %d bytes: %v, want ErrDamaged", name, cut, err)
			}
		}
		harm(t, path, func([]byte) []byte { return bytes.Clone(whole) })
	}
	if s, err := Load(m.dir, newTally()); err != nil || s.Entry != 21 {
		t.Fatalf("entry %d of files that are whole: %v", s.Entry, err)
	}
}

// harm changes a file.
func harm(t *testing.T, path string, do func([]byte) []byte) {
	t.Helper()
	if err := os.WriteFile(path, do(read(t, path)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
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

// Nodes write snapshots while the fold goes on, the one that writes the journal among them: what such a
// snapshot holds, history holds too.
func TestASnapshotUnderLoad(t *testing.T) {
	c := newChain(t, three)
	for _, m := range c.nodes {
		m.saveEvery = time.Millisecond
		m.start()
	}
	w := c.writer()
	l := c.load(4, w)
	l.wait(20)
	eventually(t, "snapshots of all", func() bool {
		l.wait(10)
		for _, m := range c.nodes {
			if _, err := os.Stat(filepath.Join(m.dir, SnapshotName)); err != nil {
				return false
			}
		}
		return true
	})
	l.wait(20)
	answered := l.end()
	for _, m := range c.nodes {
		m.crash()
		m.start()
	}
	c.check(answered)
	for _, m := range c.nodes {
		if got, all := m.machine.applied, int(m.Status().Entry); got == all {
			t.Errorf("node %d: all of %d entries were folded again, in spite of a snapshot", m.i, all)
		}
		if got := m.told(); len(got) < len(answered) {
			t.Errorf("node %d: %d lines of history, %d answered", m.i, len(got), len(answered))
		}
	}
}

// All nodes make the same history, byte for byte, and the same snapshot of the same entry.
func TestFilesAreTheSameOnEveryNode(t *testing.T) {
	c := started(t, three)
	l := c.load(4, c.nodes...)
	l.wait(100)
	c.check(l.end())
	entry := c.nodes[0].Status().Entry
	var first [][]byte
	for _, m := range c.nodes {
		m.halt()
	}
	for i, m := range c.nodes {
		if got := m.Status().Entry; got != entry {
			t.Skipf("node %d is at entry %d, another at %d: the writer changed meanwhile", i, got, entry)
		}
		m.stop()
		files := [][]byte{read(t, filepath.Join(m.dir, HistoryName)), read(t, filepath.Join(m.dir, SnapshotName))}
		if i == 0 {
			first = files
		}
		for k := range files {
			if !bytes.Equal(files[k], first[k]) {
				t.Errorf("file %d of node %d is not that of node 0", k, i)
			}
		}
	}
}

// A node that works and finds its files damaged makes them again beside what it does, and is the same as if
// nothing had been.
func TestDamageIsMendedWhileTheNodeWorks(t *testing.T) {
	for name, found := range map[string]func(m *member){
		"by a check": func(m *member) {
			if err := m.Check(m.c.t.Context()); !errors.Is(err, ErrDamaged) {
				m.c.t.Errorf("the check gives %v, want ErrDamaged", err)
			}
		},
		"by a reader": func(m *member) {
			if err := m.Lines(func(uint64, []byte) error { return nil }); !errors.Is(err, ErrDamaged) {
				m.c.t.Errorf("the lines give %v, want ErrDamaged", err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, three)
			for _, m := range c.nodes {
				m.start()
			}
			w := c.writer()
			l := c.load(4, c.nodes...)
			l.wait(40)
			for _, m := range c.nodes { // the one that writes among them
				eventually(t, fmt.Sprintf("node %d has something to save", m.i), func() bool { return m.folded.Load() > 0 })
				if err := m.Save(t.Context()); err != nil {
					t.Fatal(err)
				}
				for _, name := range []string{HistoryName, SnapshotName} {
					overwrite(t, filepath.Join(m.dir, name))
				}
				found(m)
			}
			l.wait(20)
			for _, m := range c.nodes {
				eventually(t, fmt.Sprintf("node %d is whole", m.i), func() bool { return m.Check(t.Context()) == nil })
			}
			if got := c.writer(); got != w {
				t.Logf("the writer was node %d and is node %d", w.i, got.i)
			}
			l.wait(20)
			answered := l.end()
			c.check(answered)
			for _, m := range c.nodes {
				if got := m.told(); len(got) < len(answered) {
					t.Errorf("node %d: %d lines of history, %d answered", m.i, len(got), len(answered))
				}
				m.stop()
				if _, err := Load(m.dir, newTally()); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// overwrite changes bytes in the middle of a file that a node has open.
func overwrite(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(make([]byte, 16), info.Size()/2); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
