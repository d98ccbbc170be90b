package fold_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"pgregory.net/rapid"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

var update = flag.Bool("update", false, "write the golden files that are missing; never one that is there")

func sample() *fold.Entry {
	return &fold.Entry{
		Generation: record.Generation{1, 2, 15: 3}, Number: 4711, Term: 4700, Writer: 1 << 60, At: 1291192560000,
		Prev: record.Hash{7, 31: 9},
		Proposals: []fold.Proposal{
			{Head: []byte("\x01first head"), Rest: []byte(strings.Repeat(`{"item":"85123A"}`, 8))},
			{Head: []byte("\x01second"), Rest: nil},
			{Head: nil, Rest: []byte{0}},
		},
	}
}

// reopened decodes and opens bytes.
func reopened(t testing.TB, b []byte, rests bool) *fold.Entry {
	t.Helper()
	e, err := fold.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Open(rests); err != nil {
		t.Fatal(err)
	}
	return e
}

func same(t testing.TB, got, want *fold.Entry, rests bool) {
	t.Helper()
	fixed := func(e *fold.Entry) string {
		return fmt.Sprint(e.Generation, e.Ends, e.Number, e.Term, e.Writer, e.At, e.Prev, len(e.Proposals))
	}
	if g, w := fixed(got), fixed(want); g != w {
		t.Fatalf("entry %s, want %s", g, w)
	}
	for i := range want.Proposals {
		g, w := got.Proposals[i], want.Proposals[i]
		if !bytes.Equal(g.Head, w.Head) {
			t.Fatalf("head %d is %q, want %q", i, g.Head, w.Head)
		}
		if rests && !bytes.Equal(g.Rest, w.Rest) {
			t.Fatalf("rest %d is %q, want %q", i, g.Rest, w.Rest)
		}
		if !rests && g.Rest != nil {
			t.Fatalf("rest %d was opened", i)
		}
	}
}

// Old entries must be read for ever: the golden's bytes, not today's, are decoded.
func TestGoldenEntryDecodes(t *testing.T) {
	path := filepath.Join("testdata", "entry.hex")
	want := sample()
	if *update {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(want.Encode())+"\n"), 0o644); err != nil {
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
	got := reopened(t, b, true)
	if got.Hash() != record.Hash(sha256.Sum256(b)) {
		t.Fatal("an entry's hash is not the SHA-256 of its bytes")
	}
	same(t, got, want, true)
}

func TestEntriesComeBackAsTheyWere(t *testing.T) {
	blob := rapid.SliceOfN(rapid.Byte(), 0, 300)
	rapid.Check(t, func(t *rapid.T) {
		e := &fold.Entry{
			Number: rapid.Uint64().Draw(t, "number"), Term: rapid.Uint64().Draw(t, "term"),
			Writer: rapid.Uint64().Draw(t, "writer"), At: rapid.Int64().Draw(t, "at"),
		}
		copy(e.Generation[:], blob.Draw(t, "generation"))
		copy(e.Prev[:], blob.Draw(t, "prev"))
		for range rapid.IntRange(0, 5).Draw(t, "proposals") {
			e.Proposals = append(e.Proposals, fold.Proposal{Head: blob.Draw(t, "head"), Rest: blob.Draw(t, "rest")})
		}
		b := e.Encode()
		for _, rests := range []bool{true, false} {
			got, err := fold.Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if err := got.Open(rests); err != nil {
				t.Fatal(err)
			}
			if got.Hash() != e.Hash() || got.Number != e.Number || got.Term != e.Term || got.Writer != e.Writer || got.At != e.At ||
				got.Prev != e.Prev || got.Generation != e.Generation || len(got.Proposals) != len(e.Proposals) {
				t.Fatalf("got %+v, want %+v", got, e)
			}
			for i := range e.Proposals {
				if !bytes.Equal(got.Proposals[i].Head, e.Proposals[i].Head) ||
					rests && !bytes.Equal(got.Proposals[i].Rest, e.Proposals[i].Rest) {
					t.Fatalf("proposal %d: got %q, want %q", i, got.Proposals[i], e.Proposals[i])
				}
			}
		}
	})
}

// Whatever is changed in an entry, the next one's Prev does not fit any more.
func TestEveryByteIsInTheHash(t *testing.T) {
	b := sample().Encode()
	whole := sample()
	whole.Encode()
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1
		if e, err := fold.Decode(bad); err == nil && e.Hash() == whole.Hash() {
			t.Fatalf("byte %d of %d is not in the hash", i, len(b))
		}
	}
}

func TestMalformedEntriesAreRefused(t *testing.T) {
	good := sample().Encode()
	section := func(heads, rests []byte) []byte {
		b := bytes.Clone(good[:fixed])
		b = record.AppendBlob(b, s2.Encode(nil, heads))
		return record.AppendBlob(b, s2.Encode(nil, rests))
	}
	for name, b := range map[string][]byte{
		"nothing":                    {},
		"another version":            append([]byte{3}, good[1:]...),
		"the fixed part cut":         good[:fixed-1],
		"no sections":                good[:fixed],
		"one byte short":             good[:len(good)-1],
		"one byte more":              append(bytes.Clone(good), 0),
		"not compressed":             append(bytes.Clone(good[:fixed]), 3, 0xff, 0xff, 0xff, 1, 0),
		"more heads than there are":  section([]byte{2, 1, 'x'}, []byte{0, 0}),
		"fewer heads than there are": section([]byte{1, 1, 'x', 1, 'y'}, []byte{0}),
		"more rests than heads":      section([]byte{1, 1, 'x'}, []byte{0, 0}),
		"fewer rests than heads":     section([]byte{2, 1, 'x', 1, 'y'}, []byte{0}),
		"a section of gigabytes":     append(bytes.Clone(good[:fixed]), 6, 0x80, 0x80, 0x80, 0x80, 0x0f, 0, 1, 0),
	} {
		t.Run(name, func(t *testing.T) {
			e, err := fold.Decode(b)
			if err == nil {
				err = e.Open(true)
			}
			if !errors.Is(err, record.ErrFormat) && !errors.Is(err, s2.ErrCorrupt) {
				t.Fatalf("got %v, want a malformed record", err)
			}
		})
	}
}

// fixed is the length of what lies before the two sections.
const fixed = 1 + 16 + 8 + 8 + 8 + 8 + 32

// What a fold needs must not depend on the bodies: those may be damaged or unknown.
func TestHeadsOpenWithoutTheRests(t *testing.T) {
	b := (&fold.Entry{Number: 1}).Encode()
	b = append(b[:fixed], record.AppendBlob(nil, s2.Encode(nil, []byte{1, 1, 'x'}))...)
	b = record.AppendBlob(b, []byte{0xff, 0xff})
	e := reopened(t, b, false)
	if got, want := string(e.Proposals[0].Head), "x"; got != want {
		t.Fatalf("head %q, want %q", got, want)
	}
	if err := e.Open(true); err == nil {
		t.Fatal("damaged bodies were opened")
	}
}

// The next entry names the one before it, and nothing else fits in between.
func TestEntriesChain(t *testing.T) {
	var prev record.Hash
	seen := map[record.Hash]bool{}
	for n := uint64(1); n <= 50; n++ {
		e := &fold.Entry{Number: n, Term: 1, Prev: prev}
		got := reopened(t, e.Encode(), false)
		if got.Prev != prev {
			t.Fatalf("entry %d names %s, want %s", n, got.Prev, prev)
		}
		if seen[got.Hash()] {
			t.Fatalf("entry %d has the hash of another", n)
		}
		prev, seen[got.Hash()] = got.Hash(), true
	}
}

// FuzzEntry holds Decode and Open to: no panic, memory in proportion to what a section may hold, and
// what they accept encodes again to an entry that says the same.
func FuzzEntry(f *testing.F) {
	f.Add(sample().Encode())
	f.Add((&fold.Entry{}).Encode())
	f.Add([]byte{1})
	f.Add(sample().Tip().Boundary(record.Generation{9}, 7, 8).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		e, err := fold.Decode(b)
		if err == nil {
			err = e.Open(true)
		}
		runtime.ReadMemStats(&after)
		// Two sections of 4 MiB, and a Proposal of 48 bytes for each of their bytes.
		if used := after.TotalAlloc - before.TotalAlloc; used > 256<<20 {
			t.Fatalf("%d bytes allocated for an entry of %d", used, len(b))
		}
		if err != nil {
			return
		}
		same(t, reopened(t, e.Encode(), true), e, true)
	})
}
