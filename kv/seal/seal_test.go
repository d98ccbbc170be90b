package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

var (
	key1 = strings.Repeat("11", seal.KeySize)
	key2 = strings.Repeat("22", seal.KeySize)
	key3 = strings.Repeat("33", seal.KeySize)
)

func ring(t interface {
	Helper()
	Fatal(...any)
}, text string) *seal.Ring {
	t.Helper()
	r, err := seal.ParseRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSealOpen(t *testing.T) {
	r := ring(t, "1 "+key1)
	rapid.Check(t, func(t *rapid.T) {
		place, value := rapid.SliceOf(rapid.Byte()).Draw(t, "place"), rapid.SliceOf(rapid.Byte()).Draw(t, "value")
		sealed := r.Seal([]byte("before"), place, value)
		if !bytes.HasPrefix(sealed, []byte("before")) {
			t.Fatalf("Seal does not append: %x", sealed)
		}
		got, err := r.Open(place, sealed[len("before"):])
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("got %x, error %v, want %x", got, err, value)
		}
	})
}

// A value that was moved to another file, bucket or key is not what lay there.
func TestOpenOnlyInItsPlace(t *testing.T) {
	r := ring(t, "1 "+key1)
	place := []byte("journal/runs/key-1")
	sealed := r.Seal(nil, place, []byte("139 points"))
	for _, other := range []string{"cache/runs/key-1", "journal/tips/key-1", "journal/runs/key-2", "journal/runs/key-", ""} {
		if v, err := r.Open([]byte(other), sealed); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("opened in %q: %q, error %v", other, v, err)
		}
	}
	if _, err := r.Open(place, sealed); err != nil {
		t.Error(err)
	}
}

// bbolt has no checksums: this is how one flipped bit is noticed.
func TestNoFlippedBitOpens(t *testing.T) {
	r := ring(t, "1 "+key1+"\n3 "+key3) // ids one bit apart
	place := []byte("place")
	sealed := r.Seal(nil, place, []byte("139 points"))
	for i := range sealed {
		for bit := range 8 {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << bit
			if v, err := r.Open(place, damaged); !errors.Is(err, seal.ErrOpen) {
				t.Errorf("bit %d of byte %d flipped: opened as %q, error %v", bit, i, v, err)
			}
		}
	}
	for n := range sealed {
		if _, err := r.Open(place, sealed[:n]); !errors.Is(err, seal.ErrOpen) {
			t.Errorf("cut to %d bytes: error %v", n, err)
		}
	}
	if _, err := r.Open(place, append(bytes.Clone(sealed), 0)); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("one byte more: error %v", err)
	}
}

func TestValuesOfOldKeysOpen(t *testing.T) {
	place := []byte("place")
	old := ring(t, "1 "+key1)
	sealed := old.Seal(nil, place, []byte("old"))
	now := ring(t, "1 "+key1+"\n2 "+key2)
	if v, err := now.Open(place, sealed); err != nil || string(v) != "old" {
		t.Errorf("old value: got %q, error %v", v, err)
	}
	if got, want := now.Name(1, []byte("id")), old.Name(1, []byte("id")); got != want {
		t.Error("names of the cache change with a new key: everything in it would be lost")
	}
	newer := now.Seal(nil, place, []byte("new"))
	if _, err := old.Open(place, newer); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("the newest key does not seal: the old ring opens its value, error %v", err)
	}
	only2 := ring(t, "2 "+key2)
	if _, err := only2.Open(place, sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opened without its key: error %v", err)
	}
	other := ring(t, "1 "+key3)
	if _, err := other.Open(place, sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("opened with another key of that id: error %v", err)
	}
}

func TestNamesTellNothingApartFromTheirKind(t *testing.T) {
	r, other := ring(t, "1 "+key1), ring(t, "1 "+key2)
	id := []byte("17850")
	name := r.Name(1, id)
	if r.Name(1, id) != name {
		t.Error("a name changes")
	}
	if r.Name(2, id) == name || r.Name(1, []byte("17851")) == name || other.Name(1, id) == name {
		t.Error("another kind, id or key gives the same name")
	}
}

func TestOpenRingMakesAFileAndKeepsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	first, err := seal.OpenRing(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("ring has mode %o, want 600", got)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files are left, want the ring alone; error %v", len(files), err)
	}
	sealed := first.Seal(nil, []byte("place"), []byte("value"))
	again, err := seal.OpenRing(path)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := again.Open([]byte("place"), sealed); err != nil || string(v) != "value" {
		t.Errorf("after reopening: got %q, error %v", v, err)
	}
	other, err := seal.OpenRing(filepath.Join(t.TempDir(), "ring"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open([]byte("place"), sealed); !errors.Is(err, seal.ErrOpen) {
		t.Errorf("another node's ring opens it: error %v", err)
	}
}

// Two processes that start at once must not each seal with a key of their own.
func TestOpenRingAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ring")
	rings := make([]*seal.Ring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			r, err := seal.OpenRing(path)
			if err != nil {
				t.Error(err)
			}
			rings[i] = r
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	sealed := rings[0].Seal(nil, nil, []byte("value"))
	for i, r := range rings {
		if _, err := r.Open(nil, sealed); err != nil {
			t.Errorf("ring %d: %v", i, err)
		}
	}
}

func TestMalformedRingNamesTheLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "no key",
		"\n\n":                             "no key",
		"1":                                "line 1: want \"id hex-key\"",
		"1 " + key1 + " junk":              "line 1: want \"id hex-key\"",
		"0 " + key1:                        "line 1: want an id of 1 to 255",
		"256 " + key1:                      "line 1: want an id of 1 to 255",
		"x " + key1:                        "line 1: want an id of 1 to 255",
		"1 " + key1[2:]:                    "line 1: want a key of 64 hexadecimal digits",
		"1 " + strings.Repeat("x", 64):     "line 1: want a key of 64 hexadecimal digits",
		"1 " + key1 + "\n\n2 oops":         "line 3: want a key",
		"1 " + key1 + "\n2 " + key1 + "00": "line 2: want a key",
	} {
		_, err := seal.ParseRing(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got error %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), key1[2:]) {
			t.Errorf("%q: the error tells the key: %v", text, err)
		}
	}
	path := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(path, []byte("1 "+key1+"\r\n2 x\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := seal.OpenRing(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got error %v, want the file and the line", err)
	}
}

// Two stores that are cut off from each other must open one account for one card.
func TestCards(t *testing.T) {
	secret := []byte(strings.Repeat("s", seal.KeySize))
	cards := func(secret []byte) *seal.Cards {
		c, err := seal.NewCards(secret)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b, other := cards(secret), cards(secret), cards([]byte(strings.Repeat("t", seal.KeySize)))
	if a.Account("17850") != b.Account("17850") {
		t.Error("one card has two accounts")
	}
	if a.Account("17850") == other.Account("17850") || a.Account("17850") == a.Account("17851") {
		t.Error("another secret or another card gives the same account")
	}
	if a.Account("17850") == (record.AccountID{}) || a.Account("") == (record.AccountID{}) {
		t.Error("a card gives no account")
	}
	if string(a.Rewards()) != string(b.Rewards()) || string(a.Rewards()) == string(other.Rewards()) || len(a.Rewards()) < 16 {
		t.Error("nodes of one brand must give rewards the same codes, and other brands others")
	}
	if _, err := seal.NewCards(secret[1:]); err == nil {
		t.Error("a short secret is taken")
	}
}

func TestOpenCards(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := strings.Repeat("s", seal.KeySize)
	a, err := seal.OpenCards(write("a", secret))
	if err != nil {
		t.Fatal(err)
	}
	b, err := seal.OpenCards(write("b", secret+"\n")) // as an editor leaves it
	if err != nil {
		t.Fatal(err)
	}
	if a.Account("17850") != b.Account("17850") {
		t.Error("a line end at the end of the file gives other accounts")
	}
	if _, err := seal.OpenCards(write("c", "short\n")); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "c")) {
		t.Errorf("short secret: got error %v, want the file's name", err)
	}
	if _, err := seal.OpenCards(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got error %v", err)
	}
}

// Derivations are on disks and in the books: were one to change, every account would be another one.
func TestDerivationsNeverChange(t *testing.T) {
	c, err := seal.NewCards([]byte(strings.Repeat("s", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.Account("17850").String(), "91933539200db9b0bc68cc620054d568"; got != want {
		t.Errorf("account %s, want %s", got, want)
	}
	r := ring(t, "1 "+key1)
	name := r.Name(1, []byte("17850"))
	if got, want := hex.EncodeToString(name[:]), "0e0ba94472c26d893929e0c52dc1b698"; got != want {
		t.Errorf("name %s, want %s", got, want)
	}
	sealed, err := hex.DecodeString("018ae35f7857ab315d09842a3c66b208bd8682943e5342a26c7fe91c471398ab6bdf04a9e60a92")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := r.Open([]byte("place"), sealed); err != nil || string(v) != "139 points" {
		t.Errorf("a value sealed by the first version: got %q, error %v", v, err)
	}
}
