package books

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

var update = flag.Bool("update", false, "write the golden files that are missing; never one that is there")

// golden gives the bytes of a golden file, which made writes if it is missing and -update is given.
func golden(t testing.TB, name string, made func() []byte) []byte {
	t.Helper()
	path := filepath.Join("testdata", name+".hex")
	if *update {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(made())+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldenChain() *chainOf {
	c := newChain(1, "0001", "t1", record.Tip{Chain: id("chain", 7), Seq: 3, Hash: record.Hash{5}})
	c.sale(1, 1, 100)
	c.returns(2, 1, 130)
	c.receipt(record.KindVoid, 3, 2, 1)
	c.sale(4, 0, 9)
	return c
}

// Proposals lie in the journal for ever: the head, which the books read, and the rest, which announces.
func TestGoldenProposal(t *testing.T) {
	c := goldenChain()
	want := pack("0001", c.run(1, 2), c.run(3, 5))
	head := golden(t, "proposal-head", func() []byte { return want.Head })
	rest := golden(t, "proposal-rest", func() []byte { return want.Rest })
	if !bytes.Equal(head, want.Head) || !bytes.Equal(rest, want.Rest) {
		t.Fatal("a pack is written otherwise than before: its entry would have another hash")
	}
	p, err := ReadPack(head)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.ReadBodies(rest); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, run := range p.Runs {
		for _, r := range run {
			if w := c.recs[n]; r.Header != w.Header || !bytes.Equal(r.Data, w.Data) {
				t.Fatalf("record %d is %+v, want %+v", n, r, w)
			}
			n++
		}
	}
	if n != len(c.recs) || p.Store != storeID("0001") {
		t.Fatalf("%d records of store %s", n, p.Store)
	}
	l := newLedger(t)
	marks := l.entry(fold.Proposal{Head: head, Rest: rest})[0]
	l.expect(marks[0], record.StatusHeld, 5)
	l.balance(1, 0, 30)
	l.balance(2, 0, 1)
}

// goldenLedger is what the golden snapshot holds.
func goldenLedger(t testing.TB) *ledger {
	l := newLedger(t)
	l.send("0001", goldenChain().all())
	s := shops(6)[1:]
	for i, c := range s {
		c.sale(10+i, 3, 1)
		l.send(shop(i+1), c.all())
	}
	fork := s[0].branch()
	s[0].sale(20, 3, 1)
	l.send(shop(1), s[0].run(3, 3))
	fork.sale(21, 3, 1)
	l.send(shop(1), fork.run(3, 3))
	return l
}

// A snapshot and a history of an older program are read, or each update would fold the journal from its
// beginning. They are also what every node makes: of the same journal, the same bytes.
func TestGoldenSnapshot(t *testing.T) {
	want := goldenLedger(t)
	var frames []byte
	for _, p := range want.snapshot() {
		frames = record.AppendBlob(frames, p)
	}
	lines := golden(t, "history-1", func() []byte { return want.history })
	if !bytes.Equal(lines, want.history) {
		t.Fatal("history is written otherwise than before: positions in snapshots would not fit")
	}
	if b := golden(t, "snapshot-3", func() []byte { return frames }); !bytes.Equal(b, frames) {
		t.Fatal("a snapshot is written otherwise than before")
	}
	got := want.restored(goldenParts(t))
	got.history = lines
	if got.Digest() != want.Digest() {
		t.Fatal("the digest has changed: nodes of two versions would not agree")
	}
	if g, w := got.Digest().String(), "34b8b4e8f05e0c97c7b926dcda1c0f7bb31e875ee88bf42ca612eed57506615b"; g != w {
		t.Fatalf("digest %s, want %s: checkpoints of archives hold the old one", g, w)
	}
	got.verify()
	if g, w := got.falls(6, 3), "[1 2 3 4 5]"; g != w {
		t.Fatalf("falls to %s, want %s", g, w)
	}
	got.expect(got.Mark(id("chain", 2), storeID("0002")), record.StatusFork, 3)
	for _, r := range []int{1, 2, 3, 4, 10, 14, 20} {
		if !got.Posted(rid(r)) {
			t.Fatalf("receipt %d is not known as posted", r)
		}
	}
	for _, l := range []*ledger{got, want} { // the same future
		c := newChain(50, "0001", "t2", record.Tip{})
		c.sale(1, 1, 7)
		c.sale(51, 1, 40)
		l.expect(l.send("0001", c.all()), record.StatusHeld, 3)
		l.balance(1, 10, 0)
	}
	if got.Digest() != want.Digest() {
		t.Fatal("what follows a snapshot differs")
	}
}

// goldenParts are the parts of the golden snapshot.
func goldenParts(t testing.TB) (parts [][]byte) {
	r := record.Reader{B: golden(t, "snapshot-3", nil)}
	for len(r.B) > 0 && r.Err == nil {
		parts = append(parts, r.Blob())
	}
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return parts
}

// What is not a whole snapshot leaves the books empty.
func TestADamagedSnapshotIsRefused(t *testing.T) {
	whole := goldenParts(t)
	refused := func(what string, parts [][]byte) {
		t.Helper()
		b := New()
		if err := b.Restore(giving(parts)); err == nil {
			t.Errorf("%s: it was read", what)
		}
		if b.Accounts() != 0 || b.Digest() != New().Digest() {
			t.Errorf("%s: the books are not empty", what)
		}
	}
	refused("nothing", nil)
	for i, p := range whole {
		refused(fmt.Sprintf("without part %d", i), slices.Concat(whole[:i], whole[i+1:]))
		refused(fmt.Sprintf("part %d twice", i), slices.Concat(whole[:i+1], whole[i:]))
		for cut := range len(p) {
			refused(fmt.Sprintf("part %d cut to %d bytes", i, cut), slices.Concat(whole[:i], [][]byte{p[:cut]}, whole[i+1:]))
		}
		refused(fmt.Sprintf("a byte more in part %d", i), slices.Concat(whole[:i], [][]byte{append(bytes.Clone(p), 0)}, whole[i+1:]))
	}
}

// A snapshot from before lots and holds says nothing of what sales earned: it is refused, and the journal folded.
func TestASnapshotWithoutSalesIsRefused(t *testing.T) {
	r := record.Reader{B: golden(t, "snapshot-2", nil)}
	var parts [][]byte
	for len(r.B) > 0 && r.Err == nil {
		parts = append(parts, r.Blob())
	}
	if err := New().Restore(giving(parts)); !errors.Is(err, record.ErrFormat) || !strings.Contains(err.Error(), "unknown version 2") {
		t.Fatalf("got %v, want that the version is not known", err)
	}
}

// FuzzRestore holds Restore to: no panic, memory in proportion to the bytes, whatever lies in a snapshot.
func FuzzRestore(f *testing.F) {
	f.Add(golden(f, "snapshot-3", nil))
	f.Add(golden(f, "snapshot-3-money", nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var parts [][]byte
		for r := (record.Reader{B: b}); len(r.B) > 0 && r.Err == nil; {
			parts = append(parts, r.Blob())
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		bk := New()
		err := bk.Restore(giving(parts))
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20+uint64(1000*len(b)) {
			t.Fatalf("%d bytes were allocated for %d", got, len(b))
		}
		if err == nil {
			bk.Digest()
		}
	})
}

// FuzzLine holds readLine to: no panic, and what it reads is written as it was.
func FuzzLine(f *testing.F) {
	for _, name := range []string{"history-1", "history-2"} {
		if err := fold.Lines(golden(f, name, nil)).Lines(func(_ uint64, p []byte) error { f.Add(p); return nil }); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := readLine(b)
		if err != nil {
			return
		}
		if again := l.append(nil); !bytes.Equal(again, b) {
			t.Fatalf("read %x, written again %x", b, again)
		}
	})
}

// FuzzPack holds ReadPack and Apply to: no panic, whatever lies in the journal.
func FuzzPack(f *testing.F) {
	c := goldenChain()
	p := pack("0001", c.run(1, 2), c.run(3, 5))
	f.Add(p.Head, p.Rest)
	f.Add([]byte{opReceipts}, []byte{})
	f.Fuzz(func(t *testing.T, head, rest []byte) {
		if p, err := ReadPack(head); err == nil {
			_ = p.ReadBodies(rest) // only: no panic
		}
		newLedger(t).entry(fold.Proposal{Head: head, Rest: rest})
	})
}
