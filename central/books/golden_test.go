package books

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

var update = flag.Bool("update", false, "write the golden files that are missing; never one that is there")

// golden gives the bytes of a golden file, which made writes if it is missing and -update is given.
func golden(t *testing.T, name string, made func() []byte) []byte {
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
func goldenLedger(t *testing.T) *ledger {
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

// A snapshot of an older program is read, or each update would fold the journal from its beginning.
func TestGoldenSnapshot(t *testing.T) {
	want := goldenLedger(t)
	b := golden(t, "snapshot", func() []byte {
		var b bytes.Buffer
		if err := want.Snapshot(&b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	})
	got := *want
	got.Books = New()
	if err := got.Restore(bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	if got.Digest() != want.Digest() {
		t.Fatal("the digest has changed: nodes of two versions would not agree")
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
	for _, l := range []*ledger{&got, want} { // the same future
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

func TestADamagedSnapshotIsRefused(t *testing.T) {
	b := golden(t, "snapshot", nil)
	for cut := range len(b) {
		if err := New().Restore(bytes.NewReader(b[:cut])); err == nil {
			t.Fatalf("%d of %d bytes were read", cut, len(b))
		}
	}
	if err := New().Restore(bytes.NewReader(append(bytes.Clone(b), 0))); !errors.Is(err, record.ErrFormat) {
		t.Fatalf("one byte more: got %v", err)
	}
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
