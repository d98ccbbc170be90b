package fleet_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"tillstream/deploy/fleet"
)

var spoils = flag.Int("spoils", 12, "random damages to files of edge nodes, one after the other")

// ruin damages a file of a node that is down, in one of five ways.
func ruin(t *testing.T, r *rand.Rand, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	page := os.Getpagesize()
	used := b[:max(len(bytes.TrimRight(b, "\x00")), 4*page)] // the rest is no page yet
	at := func() []byte { return used[r.IntN(len(used)/page)*page:][:page] }
	what := []string{"a bit", "a hundred bytes", "cut", "a zero page", "swapped pages"}[r.IntN(5)]
	switch what {
	case "a bit":
		used[r.IntN(len(used))] ^= 1 << r.IntN(8)
	case "a hundred bytes":
		for range 100 {
			used[r.IntN(len(used))] = byte(r.Uint32())
		}
	case "cut":
		b = used[:r.IntN(len(used))]
	case "a zero page":
		clear(at())
	case "swapped pages":
		p, q := at(), at()
		first := bytes.Clone(p)
		copy(p, q)
		copy(q, first)
	}
	must(t, os.WriteFile(path, b, 0o600))
	return what
}

// Files of tills and stores are damaged again and again. What a store has lost, its tills send again; what
// a till has lost, its store has; caches are filled again. In the end the books are as if nothing had been.
func TestDamagedFiles(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	r := rand.New(rand.NewPCG(9, 10))
	const each = 40
	all := generate(100+each**spoils, 91)
	sell(t, f, all[:100])
	settle(t, f, all[:100])
	sold := 100
	for n := range *spoils {
		s := f.Store(r.IntN(len(f.Stores())))
		e, file := &s.Edge, "journal.db"
		if r.IntN(2) == 0 {
			e = &s.Till(r.IntN(len(s.Tills()))).Edge
		}
		if r.IntN(4) == 0 {
			file = "cache.db"
		}
		cut := e == &s.Edge && r.IntN(2) == 0
		if cut { // then the store has what nobody above it has
			s.Cut()
		}
		sell(t, f, all[sold:sold+each/2])
		acknowledged(t, s)
		must(t, e.Crash())
		what := ruin(t, r, filepath.Join(e.Config().Data, file))
		t.Logf("%d: %s in %s of %s, cut off %v", n, what, file, e.Name(), cut)
		must(t, e.Start())
		sell(t, f, all[sold+each/2:sold+each])
		sold += each
		if cut {
			s.Heal()
		}
		settle(t, f, all[:sold])
	}
	everybodySees(t, f, all)
}
