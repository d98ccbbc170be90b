package cache_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/edge/cache"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	store, till := open(t, path), openNew(t)
	apply(t, store, counted(page(7, item(alice, record.Shopper{Balance: 100}), item(bob, record.Shopper{Balance: 2})), here, 4))
	hs := []record.Header{sale(here, 5, alice, 10)}
	store.Overlay(hs)
	follow(t, store, till)
	before := till.Cursor()

	store = reopen(t, store, path)
	if got, w := store.Cursor(), page(7).Cursor; got != w {
		t.Fatalf("cursor: got %v, want %v", got, w)
	}
	if got := store.Counted(here); got != 4 {
		t.Fatalf("counted: got %d, want 4", got)
	}
	store.Overlay(hs) // the owner, from its journal
	p := take(t, store, before, 0)
	if p.Status != record.FeedItems || len(p.Items) != 1 || !bytes.Equal(p.Items[0].Key, alice[:]) {
		t.Fatalf("after a restart: got %+v, want alice alone, because of her overlay", p)
	}
	if p.Cursor.Generation != before.Generation || p.Cursor.Entry <= before.Entry {
		t.Fatalf("cursor: got %v, want one after %v", p.Cursor, before)
	}
	apply(t, till, &p)
	want(t, till, alice, 100, 10)
	want(t, till, bob, 2, 0)
}

// A store's disk image is put back twice: its tills must not take the numbers of one life for those
// of another.
func TestOldImage(t *testing.T) {
	dir := t.TempDir()
	path, image := filepath.Join(dir, "cache.db"), filepath.Join(dir, "image")
	store, till := open(t, path), openNew(t)
	apply(t, store, page(1, item(alice, record.Shopper{Balance: 1})))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	copyFile(t, image, path)
	for i := range int64(8) {
		store = open(t, path)
		apply(t, store, page(2, item(bob, record.Shopper{Balance: i})))
		for range i { // each life is longer than the one before
			apply(t, store, page(2, item(bob, record.Shopper{Balance: i})))
		}
		apply(t, store, page(3, item(alice, record.Shopper{Balance: 1 + i})))
		follow(t, store, till)
		want(t, till, alice, 1+i, 0)
		want(t, till, bob, i, 0)
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		copyFile(t, path, image)
	}
}

func TestDeletedFileRefills(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	store, till := openNew(t), open(t, path)
	apply(t, store, page(1, item(alice, record.Shopper{Balance: 1})))
	follow(t, store, till)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	want(t, till, alice, 1, 0) // it goes on
	till = reopen(t, till, path)
	wantUnknown(t, till, alice)
	if got := till.Cursor(); got != (record.Cursor{}) {
		t.Fatalf("cursor of a new file: got %v", got)
	}
	follow(t, store, till)
	want(t, till, alice, 1, 0)
}

// wantAnew opens the file, which must be made anew with one line in the log.
func wantAnew(t *testing.T, path string, r *seal.Ring) {
	t.Helper()
	var log bytes.Buffer
	c, err := cache.Open(cache.Config{Path: path, Ring: r, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got := strings.Count(log.String(), "\n"); got != 1 {
		t.Fatalf("log: got %d lines, want one:\n%s", got, &log)
	}
	if got := c.Len(); got.Items != 0 || c.Cursor() != (record.Cursor{}) {
		t.Fatalf("got %+v at %v, want an empty cache", got, c.Cursor())
	}
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1})))
	want(t, c, alice, 1, 0)
}

func fill(t *testing.T, c *cache.Cache, n int) {
	t.Helper()
	var items []record.Item
	for i := range n {
		items = append(items, item(record.AccountID{1, byte(i), byte(i >> 8)}, record.Shopper{Balance: int64(i)}))
	}
	apply(t, c, page(c.Cursor().Entry+1, items...))
}

func TestDamagedAtOpen(t *testing.T) {
	damage := map[string]func(b []byte) []byte{
		"cut short":       func(b []byte) []byte { return b[:100] },
		"not a database":  func(b []byte) []byte { return []byte(strings.Repeat("receipt ", 4096)) },
		"pages zeroed":    func(b []byte) []byte { clear(b[2*4096:]); return b },
		"pages scrambled": func(b []byte) []byte { return append(b[:2*4096], bytes.Repeat([]byte{0xa5}, len(b)-2*4096)...) },
	}
	for what, f := range damage {
		t.Run(what, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache.db")
			c := open(t, path)
			fill(t, c, 1000)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f(b), 0o600); err != nil {
				t.Fatal(err)
			}
			wantAnew(t, path, ring)
		})
	}
	t.Run("other keys", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "cache.db")
		if err := open(t, path).Close(); err != nil {
			t.Fatal(err)
		}
		wantAnew(t, path, mustRing("1 "+strings.Repeat("00", seal.KeySize)))
	})
}

// Bytes change under a running node: whatever part of the file it was, no wrong balance is shown, and
// after the owner has opened the cache again it works.
func TestDamagedWhileRunning(t *testing.T) {
	for _, mode := range []string{"flip", "zero"} {
		t.Run(mode, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "cache.db")
			c := open(t, path)
			fill(t, c, 2000)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for i := 2 * 4096; i < len(b); i++ {
				if mode == "zero" {
					b[i] = 0
				} else {
					b[i] ^= 0x10
				}
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(b[2*4096:], 2*4096); err != nil {
				t.Fatal(err)
			}
			f.Close()
			_, _, err = c.Shopper(record.AccountID{1, 5})
			if !errors.Is(err, cache.ErrDamaged) {
				t.Fatalf("shopper: got %v, want damage", err)
			}
			if err := c.Apply(page(9, item(alice, record.Shopper{}))); !errors.Is(err, cache.ErrDamaged) {
				t.Fatalf("apply: got %v, want damage", err)
			}
			if _, err := c.Page(record.Pull{}); !errors.Is(err, cache.ErrDamaged) {
				t.Fatalf("page: got %v, want damage", err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			wantAnew(t, path, ring)
		})
	}
}

// One flipped byte at a time, all over a small file, met by a write: it is noticed or does no harm.
func TestFlippedBytes(t *testing.T) {
	dir := t.TempDir()
	image := filepath.Join(dir, "image")
	c := open(t, image)
	fill(t, c, 60)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	noticed := 0
	quiet := slog.New(slog.DiscardHandler)
	for at := 0; at < len(whole); at += 397 {
		b := bytes.Clone(whole)
		b[at] ^= 0x41
		path := filepath.Join(dir, "cache.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(path + ".open") // of the flip before; usually there is none
		c, err := cache.Open(cache.Config{Path: path, Ring: ring, Log: quiet})
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		for i := range 60 {
			s, ok, err := c.Shopper(record.AccountID{1, byte(i)})
			if err != nil || !ok {
				noticed++
			} else if s.Balance != int64(i) {
				t.Fatalf("byte %d: account %d has balance %d", at, i, s.Balance)
			}
		}
		_, err = c.Page(record.Pull{})
		err = errors.Join(err, c.Apply(page(5, item(record.AccountID{1, 7}, record.Shopper{Balance: 1}))))
		if err != nil && !errors.Is(err, cache.ErrDamaged) {
			t.Fatalf("byte %d: %v", at, err)
		}
		if err := c.Close(); err != nil {
			t.Fatalf("byte %d: close: %v", at, err)
		}
	}
	if noticed == 0 {
		t.Fatal("no flipped byte was noticed")
	}
}

// The mark beside the file: what was left open by this boot is whole, what another boot left open is
// not trusted, and what was synced outlives a power cut.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "cache.db")
	c := open(t, path)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1})))
	mark := path + ".open"

	killed := filepath.Join(dir, "killed.db") // as a killed process leaves it
	copyFile(t, killed, path)
	copyFile(t, killed+".open", mark)
	want(t, open(t, killed), alice, 1, 0)

	cut := filepath.Join(dir, "cut.db")
	copyFile(t, cut, path)
	if err := os.WriteFile(cut+".open", []byte("another boot"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantAnew(t, cut, ring)

	if err := c.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mark); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("mark after sync: got %v, want none", err)
	}
	quiet := filepath.Join(dir, "quiet.db")
	copyFile(t, quiet, path)
	want(t, open(t, quiet), alice, 1, 0)

	apply(t, c, page(2, item(alice, record.Shopper{Balance: 2})))
	if _, err := os.Stat(mark); err != nil {
		t.Fatalf("mark after the next page: %v", err)
	}
}

func TestHeldFileIsNotDeleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cache.db")
	c := open(t, path)
	apply(t, c, page(1, item(alice, record.Shopper{Balance: 1})))
	if _, err := cache.Open(cache.Config{Path: path, Ring: ring}); err == nil || errors.Is(err, cache.ErrDamaged) {
		t.Fatalf("second open: got %v, want an error about the lock", err)
	}
	c = reopen(t, c, path)
	want(t, c, alice, 1, 0)
	if _, err := cache.Open(cache.Config{Path: filepath.Join(path, "below"), Ring: ring}); err == nil {
		t.Fatal("open below a file: want an error")
	}
}

func TestClosed(t *testing.T) {
	c := openNew(t)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Shopper(alice); err == nil {
		t.Error("shopper of a closed cache: want an error")
	}
	if err := c.Apply(page(1, item(alice, record.Shopper{}))); err == nil {
		t.Error("apply to a closed cache: want an error")
	}
	if _, err := c.Page(record.Pull{}); err == nil {
		t.Error("page of a closed cache: want an error")
	}
}
