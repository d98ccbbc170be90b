package journal

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tillstream/kv/record"
)

// damages is how many times each kind of damage is done. A hundred take a minute.
var damages = flag.Int("damages", 6, "random damages of each kind to a journal")

// kindsOfDamage is what disks and those who copy them do to a file. early is the file as it was some
// commits before.
func kindsOfDamage() map[string]func(r *rand.Rand, b, early []byte) []byte {
	page := os.Getpagesize()
	at := func(r *rand.Rand, b []byte) int { return r.IntN(len(b)/page) * page }
	return map[string]func(r *rand.Rand, b, early []byte) []byte{
		"a bit flips": func(r *rand.Rand, b, _ []byte) []byte {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			return b
		},
		"a hundred bytes change": func(r *rand.Rand, b, _ []byte) []byte {
			for range 100 {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
			return b
		},
		"the file is cut": func(r *rand.Rand, b, _ []byte) []byte { return b[:r.IntN(len(b))] },
		"pages are zero": func(r *rand.Rand, b, _ []byte) []byte {
			for range 1 + r.IntN(3) {
				p := at(r, b)
				clear(b[p : p+page])
			}
			return b
		},
		"two pages are swapped": func(r *rand.Rand, b, _ []byte) []byte {
			p, q := at(r, b), at(r, b)
			first := bytes.Clone(b[p : p+page])
			copy(b[p:p+page], b[q:q+page])
			copy(b[q:q+page], first)
			return b
		},
		"a write was lost": func(r *rand.Rand, b, early []byte) []byte {
			for range 20 { // one that changed the page
				if p := at(r, early); !bytes.Equal(b[p:p+page], early[p:p+page]) {
					copy(b[p:p+page], early[p:p+page])
					return b
				}
			}
			return b
		},
		"a page is of another place": func(r *rand.Rand, b, _ []byte) []byte {
			p := at(r, b)
			copy(b[p:p+page], b[at(r, b):][:page])
			return b
		},
	}
}

// Whatever becomes of the file at rest: what is read from it is true and there once, and when a receipt is
// missing somebody is told. The till sells on, and what it has rises.
func TestRandomDamage(t *testing.T) {
	t.Parallel()
	base := tillConfig(t)
	j := openT(t, base)
	up := openT(t, storeConfig(t))
	recs := sell(t, j, 150)
	rise(t, j, up)
	closeT(t, j)
	j = openT(t, base)
	recs = append(recs, sell(t, j, 300)...) // past a step of the index
	early, err := os.ReadFile(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	recs = append(recs, sell(t, j, 40)...)
	closeT(t, j)
	sound, err := os.ReadFile(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	end := len(bytes.TrimRight(sound, "\x00")) // what bbolt has not used yet is no page
	for name, change := range kindsOfDamage() {
		for seed := range *damages {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()
				cfg := base
				cfg.Path = filepath.Join(t.TempDir(), "journal.db")
				r := rand.New(rand.NewPCG(uint64(seed), 5))
				used := change(r, bytes.Clone(sound[:end]), early[:min(end, len(early))])
				if err := os.WriteFile(cfg.Path, append(used, sound[min(end, len(sound)):]...), 0o600); err != nil {
					t.Fatal(err)
				}
				survives(t, cfg, recs)
			})
		}
	}
}

// survives opens a damaged journal and holds it to what was answered.
func survives(t *testing.T, cfg Config, recs []record.Receipt) {
	t.Helper()
	j := openT(t, cfg)
	told := j.Salvaged() != nil
	sold := commitT(t, j, "the till sells on")
	found := map[record.RID]int{}
	for _, c := range j.Chains() {
		for rec, err := range j.After(c.ID, 0) {
			if err != nil {
				if !errors.Is(err, ErrDamaged) {
					t.Fatal(err)
				}
				told = true // it is met when it is read
				break
			}
			if !rec.CheckBody() {
				t.Errorf("receipt %s has another body", rec.RID)
			}
			found[rec.RID]++
		}
	}
	missing := 0
	for _, rec := range slices.Concat(recs, sold) {
		switch found[rec.RID] {
		case 0:
			missing++
		case 1:
		default:
			t.Errorf("receipt %s is here %d times", rec.RID, found[rec.RID])
		}
	}
	if missing > 0 && !told {
		t.Errorf("%d of %d receipts are missing, and nobody is told", missing, len(recs))
	}
	s := openT(t, storeConfig(t))
	for runs := j.Next(1 << 20); len(runs) > 0 && j.Err() == nil; runs = j.Next(1 << 20) {
		if err := j.Confirm(acceptT(t, s, runs...)); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
	}
	if n, _ := j.Unconfirmed(); n > 0 && j.Err() == nil {
		t.Errorf("%d records do not rise", n)
	}
}

// The same while the journal is open: it may go on, or say that it is damaged. What it has answered for
// after that is held to the same after a start.
func TestRandomDamageWhileOpen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a bit flips", "a hundred bytes change", "pages are zero", "two pages are swapped"} {
		change := kindsOfDamage()[name]
		for seed := range *damages {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				t.Parallel()
				cfg := tillConfig(t)
				j := openT(t, cfg)
				recs := sell(t, j, 120)
				b, err := os.ReadFile(cfg.Path)
				if err != nil {
					t.Fatal(err)
				}
				end := len(bytes.TrimRight(b, "\x00"))
				f, err := os.OpenFile(cfg.Path, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteAt(change(rand.New(rand.NewPCG(uint64(seed), 6)), b[:end], nil), 0); err != nil {
					t.Fatal(err)
				}
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				for i := range 20 {
					rec, _, err := j.Commit(t.Context(), draft(fmt.Sprintf("sold on %d", i)))
					if err == nil {
						recs = append(recs, rec)
					} else if !errors.Is(err, ErrDamaged) {
						t.Fatalf("commit: %v", err)
					}
				}
				closeT(t, j)
				survives(t, cfg, recs)
			})
		}
	}
}
