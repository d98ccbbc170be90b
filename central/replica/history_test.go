package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"tillstream/central/fold"
)

// kept is a history in a folder of its own, and all its bytes as they should be.
type kept struct {
	*history
	t    *testing.T
	want []byte
	at   []uint64 // where its lines lie
}

func newKept(t *testing.T) *kept {
	h, err := openHistory(filepath.Join(t.TempDir(), HistoryName), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.close() }) // some tests have closed it
	return &kept{history: h, t: t, want: []byte(fold.LinesHead)}
}

// entry adds the lines of one entry.
func (k *kept) entry(lines ...string) {
	fx := fold.Effects{From: k.end()}
	for _, l := range lines {
		k.at = append(k.at, fx.Line([]byte(l)))
	}
	k.want = append(k.want, fx.Framed...)
	k.add(fx.Framed)
}

// check reads all lines, one after the other and alone.
func (k *kept) check() {
	k.t.Helper()
	n := 0
	err := k.lines(0, func(at uint64, p []byte) error {
		if alone, err := k.line(at); err != nil || !bytes.Equal(alone, p) {
			k.t.Errorf("the line at %d is %q, alone %q: %v", at, p, alone, err)
		}
		if at != k.at[n] {
			k.t.Errorf("line %d lies at %d, want %d", n, at, k.at[n])
		}
		n++
		return nil
	})
	if err != nil || n != len(k.at) {
		k.t.Errorf("%d lines of %d: %v", n, len(k.at), err)
	}
}

func TestHistoryIsReadWhereverItIs(t *testing.T) {
	k := newKept(t)
	k.check()
	k.entry("one", "two")
	k.check() // in memory
	if err := k.flush(); err != nil {
		t.Fatal(err)
	}
	k.check() // in the file
	k.entry()
	k.entry("three", string(make([]byte, fold.MaxLine)), "")
	k.check() // in both
	if _, _, err := k.settled(); err != nil {
		t.Fatal(err)
	}
	k.check()
	if got := read(t, k.file.Name()); !bytes.Equal(got, k.want) {
		t.Fatalf("the file has %d bytes, want %d", len(got), len(k.want))
	}
	for _, at := range []uint64{k.at[0] + 1, k.at[2] - 1, k.end(), k.end() + 100} {
		if _, err := k.line(at); !errors.Is(err, ErrDamaged) {
			t.Errorf("a line at %d: %v, want ErrDamaged", at, err)
		}
	}
}

// What could not be written waits, is read, and is written where it belongs when there is room: also when a
// part of it had been.
func TestHistoryKeepsWhatCouldNotBeWritten(t *testing.T) {
	k := newKept(t)
	k.entry("one")
	if err := k.flush(); err != nil {
		t.Fatal(err)
	}
	path := k.file.Name()
	whole := k.file
	closed, err := os.Open(path) // which cannot be written
	if err != nil {
		t.Fatal(err)
	}
	k.history.file = closed
	for n := range 3 {
		k.entry(fmt.Sprint("waits ", n))
		if err := k.flush(); !errors.Is(err, ErrHistory) || !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EBADF) {
			t.Fatalf("got %v, want ErrHistory and why", err)
		}
		k.check()
	}
	if _, _, err := k.settled(); !errors.Is(err, ErrHistory) {
		t.Fatalf("a snapshot may be made of a history that is not written: %v", err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	// A part of what waits, and what is not it, as a write leaves it that was cut short.
	if _, err := whole.WriteAt(append(bytes.Clone(k.want[k.disk:k.disk+9]), "torn"...), int64(k.disk)); err != nil {
		t.Fatal(err)
	}
	k.file = whole
	k.entry("later")
	size, sum, err := k.settled()
	if err != nil || size != uint64(len(k.want)) {
		t.Fatalf("%d bytes, want %d: %v", size, len(k.want), err)
	}
	k.check()
	if got := read(t, path); !bytes.Equal(got, k.want) {
		t.Fatalf("the file is\n%q\nwant\n%q", got, k.want)
	}
	if got, err := CheckHistory(t.Context(), path, size); err != nil || got != sum {
		t.Fatalf("SHA-256 %s, the history says %s: %v", got, sum, err)
	}
}

// Harm to the file of a node that works is found by a check, and a line that is harmed is not answered.
func TestDamageIsFound(t *testing.T) {
	page := func(b []byte, n int) []byte { return b[4096*n : 4096*(n+1)] }
	for name, harm := range map[string]func(b []byte) []byte{
		"a byte":         func(b []byte) []byte { b[len(b)/3] ^= 4; return b },
		"the head":       func(b []byte) []byte { b[0] ^= 1; return b },
		"the last byte":  func(b []byte) []byte { b[len(b)-1]++; return b },
		"a page of zero": func(b []byte) []byte { clear(page(b, 1)); return b },
		"pages that are swapped": func(b []byte) []byte {
			one := bytes.Clone(page(b, 1))
			copy(page(b, 1), page(b, 2))
			copy(page(b, 2), one)
			return b
		},
		"a page of another time": func(b []byte) []byte { copy(page(b, 2), page(b, 1)); return b },
		"its end is gone":        func(b []byte) []byte { return b[:len(b)-5000] },
		"all of it is gone":      func(b []byte) []byte { return b[:0] },
	} {
		t.Run(name, func(t *testing.T) {
			k := newKept(t)
			for n := range 300 { // lines of 64 bytes: a swapped page holds whole ones
				k.entry(fmt.Sprintf("%059d", n))
			}
			size, sum, err := k.settled()
			if err != nil {
				t.Fatal(err)
			}
			b := harm(read(t, k.file.Name()))
			if err := k.file.Truncate(int64(len(b))); err != nil {
				t.Fatal(err)
			}
			if _, err := k.file.WriteAt(b, 0); err != nil {
				t.Fatal(err)
			}
			if got, err := CheckHistory(t.Context(), k.file.Name(), size); err == nil && got == sum || err != nil && !errors.Is(err, ErrDamaged) {
				t.Errorf("the check gives %v", err)
			}
			bad := 0
			for n, at := range k.at {
				p, err := k.line(at)
				switch {
				case err == nil && string(p) != fmt.Sprintf("%059d", n):
					t.Errorf("line %d is answered as %q", n, p)
				case err != nil && !errors.Is(err, ErrDamaged):
					t.Errorf("line %d: %v, want ErrDamaged", n, err)
				case err != nil:
					bad++
				}
			}
			if bad == 0 && name != "the head" {
				t.Error("no line was harmed: nothing is shown here")
			}
		})
	}
}

func TestACheckCanBeStopped(t *testing.T) {
	k := newKept(t)
	k.entry("one")
	size, _, err := k.settled()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := CheckHistory(ctx, k.file.Name(), size); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
}
