package seal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/kv/record"
	"tillstream/kv/seal"
)

var ringText = "1 " + key1 + "\n"

func copier(t *testing.T, secret, owner string) *seal.Copier {
	t.Helper()
	c, err := seal.NewCopier(secret, owner)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Only the node itself opens a copy of its ring: not its upstream, nor another node that is given it.
func TestCopyIsTheNodesOwn(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("s", seal.KeySize)
	own := copier(t, secret, "acme/0001/01")
	copied, err := own.Copy(ringText)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := own.Open(copied); err != nil || got != ringText {
		t.Errorf("got %q, %v", got, err)
	}
	if bytes.Contains(copied.Sealed, []byte(key1[:16])) {
		t.Error("the key can be read")
	}
	again, err := copier(t, secret, "acme/0001/01").Copy(ringText)
	if err != nil || again.ID != copied.ID || bytes.Equal(again.Sealed, copied.Sealed) {
		t.Errorf("the same ring is %s and %s, %v", copied.ID, again.ID, err)
	}
	for name, other := range map[string]*seal.Copier{
		"another seed": copier(t, strings.Repeat("t", seal.KeySize), "acme/0001/01"),
		"another till": copier(t, secret, "acme/0001/02"),
	} {
		if _, err := other.Open(copied); err == nil {
			t.Errorf("%s opens it", name)
		}
	}
	for i := range copied.Sealed {
		torn := record.RingCopy{ID: copied.ID, Sealed: bytes.Clone(copied.Sealed)}
		torn.Sealed[i] ^= 1
		if _, err := own.Open(torn); err == nil {
			t.Fatalf("opens with byte %d changed", i)
		}
	}
	if _, err := seal.NewCopier("short", "acme"); err == nil {
		t.Error("a short secret is taken")
	}
}

// Rings of one node that were made apart, with keys of one id, are one ring: it opens what any sealed.
func TestMergedRing(t *testing.T) {
	t.Parallel()
	other := "1 " + key2 + "\n"
	text := seal.MergeRings(other, ringText, "", other)
	if want := other + ringText; text != want {
		t.Fatalf("got %q, want %q", text, want)
	}
	merged := mustParse(t, text)
	for _, text := range []string{ringText, other} {
		sealed := mustParse(t, text).Seal(nil, []byte("place"), []byte("value"))
		if v, err := merged.Open([]byte("place"), sealed); err != nil || string(v) != "value" {
			t.Errorf("under %q: %q, %v", text, v, err)
		}
	}
	if merged.Name(1, []byte("id")) != mustParse(t, other).Name(1, []byte("id")) {
		t.Error("the names of the cache have changed")
	}
	sealed := merged.Seal(nil, []byte("place"), []byte("value"))
	if v, err := merged.Open([]byte("place"), sealed); err != nil || string(v) != "value" {
		t.Errorf("its own: %q, %v", v, err)
	}
}

func TestWriteRingLosesNoKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keyring")
	other := "1 " + key2 + "\n"
	if err := seal.WriteRing(path, ringText); err != nil {
		t.Fatal(err)
	}
	if err := seal.WriteRing(path, other); err == nil {
		t.Error("a key was lost")
	}
	if err := seal.WriteRing(path, seal.MergeRings(ringText, other)); err != nil {
		t.Error(err)
	}
	if text, err := seal.ReadRing(path); err != nil || text != ringText+other {
		t.Errorf("got %q, %v", text, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if all, err := os.ReadDir(filepath.Dir(path)); err != nil || len(all) != 1 {
		t.Errorf("left behind: %v, %v", all, err)
	}
}

func mustParse(t *testing.T, text string) *seal.Ring {
	t.Helper()
	r, err := seal.ParseRing(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
