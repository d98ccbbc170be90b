package fleet_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/central/books"
	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// A till gets a new disk while its store is cut off: the store has what the till had.
func TestTillWithANewDisk(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2})
	s := f.Store(0)
	all := generate(500, 15)
	sell(t, f, all[:200])
	settle(t, f, all[:200])
	s.Cut()
	sell(t, f, all[200:400])
	acknowledged(t, s)
	must(t, s.Till(0).Crash())
	must(t, s.Till(0).Wipe())
	must(t, s.Till(0).Start())
	sell(t, f, all[400:])
	s.Heal()
	settle(t, f, all)

	// The POS asks for receipts that the till has forgotten, and posts them again.
	n := 0
	for i := range all[:400] {
		if r := &all[i]; place(f, r) == s.Till(0) && n < 50 {
			give(t, s.Till(0), *r)
			n++
		}
	}
	settle(t, f, all)
	if got := repeats(t, f); got != uint64(n) {
		t.Errorf("%d repeats, want %d", got, n)
	}
	everybodySees(t, f, all)
}

// A store gets a new disk while it is cut off: its tills send again what the centre has not posted.
func TestStoreWithANewDisk(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	s := f.Store(0)
	all := generate(600, 16)
	sell(t, f, all[:200])
	settle(t, f, all[:200])
	s.Cut()
	sell(t, f, all[200:400])
	acknowledged(t, s)
	must(t, s.Crash())
	must(t, s.Wipe())
	must(t, s.Start())
	sell(t, f, all[400:])
	s.Heal()
	settle(t, f, all)
	if n := repeats(t, f); n != 0 {
		t.Errorf("%d records came a second time in another chain", n)
	}
	everybodySees(t, f, all)
}

// The image of yesterday's disk is put into a till. It goes on in a new chain, what it has forgotten is
// at the store and the centre, and somebody is told: also when the till was off while the image was made.
func TestOldImageOfATill(t *testing.T) {
	for _, image := range []struct {
		name string
		make func(*testing.T, *fleet.Till, string)
	}{
		{"made while it ran", func(t *testing.T, till *fleet.Till, image string) {
			must(t, os.Mkdir(image, 0o700)) // nothing is being written: all that was sold is posted
			for _, name := range []string{"journal.db", "keyring"} {
				b, err := os.ReadFile(filepath.Join(till.Config().Data, name))
				must(t, err)
				must(t, os.WriteFile(filepath.Join(image, name), b, 0o600))
			}
		}},
		{"made while it was off", func(t *testing.T, till *fleet.Till, image string) {
			must(t, till.Crash())
			must(t, os.CopyFS(image, os.DirFS(till.Config().Data)))
			must(t, till.Start())
		}},
	} {
		t.Run(image.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 2})
			till := f.Store(0).Till(0)
			all := generate(500, 17)
			path := filepath.Join(t.TempDir(), "image")
			sell(t, f, all[:200])
			settle(t, f, all[:200])
			image.make(t, till, path)
			sell(t, f, all[200:400])
			settle(t, f, all[:400])
			if found := incidents(t, f); len(found) != 0 {
				t.Errorf("incidents %q before anything happened", found)
			}

			must(t, till.Crash())
			must(t, till.Wipe())
			must(t, os.CopyFS(till.Config().Data, os.DirFS(path)))
			must(t, till.Start())
			sell(t, f, all[400:])
			settle(t, f, all)
			n := postForgotten(t, f, till, all[200:400])
			settle(t, f, all)
			if got := repeats(t, f); n == 0 || got != uint64(n) {
				t.Errorf("%d repeats, want %d", got, n)
			}
			everybodySees(t, f, all)
			if found := incidents(t, f); len(found) != 1 || !strings.Contains(found[0], "store 0001 till 01") ||
				!strings.Contains(found[0], "old disk image") {
				t.Errorf("incidents %q, want one of till 01 of store 0001 about an old disk image", found)
			}
		})
	}
}

// postForgotten gives a till what it has kept and does not know of any more.
func postForgotten(t *testing.T, f *fleet.Fleet, till *fleet.Till, forgotten []sales.Receipt) (n int) {
	t.Helper()
	for i := range forgotten {
		if place(f, &forgotten[i]) == till {
			give(t, till, forgotten[i])
			n++
		}
	}
	return n
}

// incidents reads what the books note for ops, the same on every node.
func incidents(t *testing.T, f *fleet.Fleet) (texts []string) {
	t.Helper()
	for i, c := range f.Centre() {
		var here []string
		must(t, books.Tell(c.Node().Replica(), func(told *books.Told) error {
			if told.Fate == 0 {
				here = append(here, told.Incident)
			}
			return nil
		}))
		if got, want := strings.Join(here, "\n"), strings.Join(texts, "\n"); i > 0 && got != want {
			t.Errorf("incidents at node %s:\n%s\nat another:\n%s", c.Name(), got, want)
		}
		texts = here
	}
	return texts
}
