package fold_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// history makes lines of payloads, and says where they lie.
func history(payloads ...[]byte) (l fold.Lines, at []uint64) {
	var fx fold.Effects
	for _, p := range payloads {
		at = append(at, fx.Line(p))
	}
	return append(fold.Lines(fold.LinesHead), fx.Framed...), at
}

// A history on disk is read for ever, and every node writes the same one.
func TestGoldenLines(t *testing.T) {
	l, _ := history([]byte("first"), nil, bytes.Repeat([]byte{7}, 200))
	path := filepath.Join("testdata", "lines.hex")
	if *update {
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := os.WriteFile(path, []byte(hex.EncodeToString(l)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(l); got != strings.TrimSpace(string(text)) {
		t.Fatalf("lines are written as\n%s\nbefore they were\n%s", got, text)
	}
}

func TestLinesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 20).Draw(t, "payloads")
		l, at := history(want...)
		n := 0
		err := l.Lines(func(pos uint64, p []byte) error {
			alone, err := l.Line(pos)
			if pos != at[n] || !bytes.Equal(p, want[n]) || err != nil || !bytes.Equal(alone, want[n]) {
				t.Fatalf("line %d at %d: %q, alone %q, %v; want %q at %d", n, pos, p, alone, err, want[n], at[n])
			}
			n++
			return nil
		})
		if err != nil || n != len(want) {
			t.Fatalf("%d lines of %d: %v", n, len(want), err)
		}
	})
}

// Entries in a row make one history: positions go on, and none is zero.
func TestPositionsGoOn(t *testing.T) {
	whole, at := history([]byte("a"), []byte("b"), []byte("c"))
	l := fold.Lines(fold.LinesHead)
	for i, p := range []string{"a", "b", "c"} {
		fx := fold.Effects{From: uint64(len(l))}
		if got := fx.Line([]byte(p)); got != at[i] || got == 0 {
			t.Fatalf("line %d lies at %d, want %d", i, got, at[i])
		}
		l = append(l, fx.Framed...)
	}
	if !bytes.Equal(l, whole) {
		t.Fatal("the same lines by three entries are other bytes")
	}
}

// Whatever byte is changed, and wherever a line is put, it is not taken for what was written there.
func TestADamagedLineIsRefused(t *testing.T) {
	l, at := history([]byte("first"), []byte("second"), []byte("third!"))
	for i := range l {
		bad := bytes.Clone(l)
		bad[i] ^= 0x20
		if err := fold.Lines(bad).Lines(func(uint64, []byte) error { return nil }); !errors.Is(err, record.ErrFormat) {
			t.Errorf("byte %d is another: %v", i, err)
		}
	}
	for cut := range l {
		whole := cut == len(fold.LinesHead) || cut == int(at[1]) || cut == int(at[2])
		if err := fold.Lines(l[:cut]).Lines(func(uint64, []byte) error { return nil }); (err == nil) != whole {
			t.Errorf("cut to %d bytes: %v", cut, err)
		}
	}
	swapped := bytes.Clone(l) // the second and the third are as long
	copy(swapped[at[1]:], l[at[2]:])
	copy(swapped[at[2]:], l[at[1]:at[2]])
	for _, pos := range at[1:] {
		if p, err := fold.Lines(swapped).Line(pos); err == nil {
			t.Errorf("at %d lies %q, of another place", pos, p)
		}
	}
}

// FuzzLines holds the reader to: no panic, and what it accepts is written as it was.
func FuzzLines(f *testing.F) {
	l, _ := history([]byte("first"), nil, bytes.Repeat([]byte{7}, 200))
	f.Add([]byte(l))
	f.Fuzz(func(t *testing.T, b []byte) {
		var payloads [][]byte
		if err := fold.Lines(b).Lines(func(_ uint64, p []byte) error { payloads = append(payloads, p); return nil }); err != nil {
			return
		}
		if again, _ := history(payloads...); !bytes.Equal(again, b) {
			t.Fatalf("read %x, written again %x", b, again)
		}
	})
}
