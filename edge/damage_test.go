package edge_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Whatever byte of a till's journal has changed, and whether or not its cache is there: the node starts,
// and sells. What upstream has is no reason not to.
func TestStartsOnADamagedJournal(t *testing.T) {
	t.Parallel()
	store, tills := storeWith(t, "01")
	_, at := startStore(t, store, tills)
	n, till := at[0], tills[0]
	n.sell(270) // past a step of the index: a start has no reason to look at what is confirmed and indexed
	await(t, "the store's word", func() bool { w, _ := n.Waiting(); return w == 0 })
	n.end()
	path := filepath.Join(till.Data, "journal.db")
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(sound, "\x00"))
	r := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		b := bytes.Clone(sound)
		at := 2*os.Getpagesize() + r.IntN(used-2*os.Getpagesize())
		b[at] ^= 0x20
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(till.Data, "cache.db")); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		n := start(t, till)
		n.sell(1)
		n.end()
	}
}
