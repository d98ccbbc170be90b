package fold_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// One entry may begin a generation in exactly one way; whatever is changed in it breaks the fold.
func TestWhatFollows(t *testing.T) {
	old, other, third := record.Generation{1}, record.Generation{2}, record.Generation{3}
	tip := fold.Tip{Generation: old, Number: 9, Hash: record.Hash{9}}
	plain := func() *fold.Entry {
		return &fold.Entry{Generation: old, Number: 10, Term: 4, Prev: tip.Hash, Proposals: []fold.Proposal{{Head: []byte("x")}}}
	}
	boundary := func() *fold.Entry { return tip.Boundary(other, 5, 6) }
	for name, c := range map[string]struct {
		after  fold.Tip
		entry  func() *fold.Entry
		change func(*fold.Entry)
		want   error
	}{
		"the next entry":         {tip, plain, func(*fold.Entry) {}, nil},
		"a hole":                 {tip, plain, func(e *fold.Entry) { e.Number++ }, fold.ErrFollow},
		"the same number":        {tip, plain, func(e *fold.Entry) { e.Number-- }, fold.ErrFollow},
		"another past":           {tip, plain, func(e *fold.Entry) { e.Prev = record.Hash{8} }, fold.ErrFollow},
		"a generation unsaid":    {tip, plain, func(e *fold.Entry) { e.Generation = other }, fold.ErrFollow},
		"the first entry":        {fold.Tip{}, plain, func(e *fold.Entry) { e.Number, e.Prev = 1, record.Hash{} }, nil},
		"a boundary":             {tip, boundary, func(*fold.Entry) {}, nil},
		"it ends another":        {tip, boundary, func(e *fold.Entry) { e.Ends = third }, fold.ErrFollow},
		"it begins what it ends": {tip, boundary, func(e *fold.Entry) { e.Generation = old }, fold.ErrFollow},
		"within a term":          {tip, boundary, func(e *fold.Entry) { e.Term = 4 }, fold.ErrFollow},
		"behind a hole":          {tip, boundary, func(e *fold.Entry) { e.Number, e.Term = 11, 11 }, fold.ErrFollow},
		"behind another past":    {tip, boundary, func(e *fold.Entry) { e.Prev = record.Hash{8} }, fold.ErrFollow},
		"it ends nothing":        {fold.Tip{}, boundary, func(e *fold.Entry) { e.Number, e.Term, e.Prev = 1, 1, record.Hash{} }, fold.ErrFollow},
		"it carries proposals":   {tip, boundary, func(e *fold.Entry) { e.Proposals = []fold.Proposal{{Head: []byte("x")}} }, record.ErrFormat},
	} {
		t.Run(name, func(t *testing.T) {
			e := c.entry()
			c.change(e)
			got, err := fold.Decode(e.Encode())
			if err == nil {
				err = got.Open(false)
			}
			if err == nil {
				err = c.after.Check(got)
			}
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestGoldenBoundaryDecodes(t *testing.T) {
	want := sample().Tip().Boundary(record.Generation{9, 15: 8}, 7, 1291192560001)
	want.Prev = record.Hash{6, 31: 5}
	path := filepath.Join("testdata", "boundary.hex")
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
	same(t, reopened(t, b, true), want, true)
	if !bytes.Equal(want.Encode(), b) {
		t.Fatal("a boundary is written in another form than before")
	}
}
