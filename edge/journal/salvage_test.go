package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// noise is a body that does not compress.
func noise(n int, seed uint64) string {
	r := rand.New(rand.NewPCG(seed, 7))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// flipIn changes a byte in the middle of the value of a run.
func flipIn(t *testing.T, cfg Config, a at) {
	t.Helper()
	f, err := openFile(cfg.Path, cfg.Log)
	if err != nil {
		t.Fatal(err)
	}
	var v []byte
	err = f.view(func(tx *bbolt.Tx) error {
		_, got := seek(tx.Bucket(bucketRuns).Cursor(), a)
		v = bytes.Clone(got)
		return nil
	})
	if err = errors.Join(err, f.close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	hits := 0
	for i := 0; ; hits++ { // copies in free pages too
		n := bytes.Index(b[i:], v)
		if n < 0 {
			break
		}
		b[i+n+len(v)/2] ^= 0x10
		i += n + len(v)
	}
	if hits == 0 {
		t.Fatal("the value is not in the file")
	}
	if err := os.WriteFile(cfg.Path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFlippedByteInAValue(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	recs := commitT(t, j, "a", "b", "c", "lost", "e", "f")
	closeT(t, j)
	flipIn(t, cfg, at{recs[3].Chain, recs[3].Seq})

	j = openT(t, cfg)
	got := j.Salvaged()
	if got == nil || got.Records != 4 || got.Rehomed != 2 || got.Missing != 1 {
		t.Fatalf("salvage: %+v", got)
	}
	if _, err := os.Stat(got.Aside); err != nil {
		t.Errorf("the damaged file is not set aside: %v", err)
	}
	sold := commitT(t, j, "the till sells on")
	kept := append(append(recs[:3:3], recs[4:]...), sold...)
	wantBodies(t, j, kept)
	for _, rec := range kept {
		if again, repeated, err := j.Commit(t.Context(), rec); err != nil || !repeated || again.RID != rec.RID {
			t.Errorf("%q is not known any more: %v, %v", rec.Data, repeated, err)
		}
	}
	s := openT(t, storeConfig(t))
	rise(t, j, s)
	wantBodies(t, s, kept)
	closeT(t, j)
	j = openT(t, cfg)
	if j.Salvaged() != nil {
		t.Error("the new file is damaged as well")
	}
	wantBodies(t, j, kept)
}

// A damaged run that upstream had is met when upstream lost its disk; until then nobody looks.
func TestReaderMeetsDamage(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j, s := openT(t, cfg), openT(t, storeConfig(t))
	recs := commitT(t, j, "a", "lost", "c")
	rise(t, j, s)
	commitT(t, j, "d")
	if _, err := j.Sweep(start); err != nil { // writes what is confirmed, and the rids: else a start looks
		t.Fatal(err)
	}
	id := recs[0].Chain
	closeT(t, j)
	flipIn(t, cfg, at{id, recs[1].Seq})
	j = openT(t, cfg)
	if j.Salvaged() != nil || j.Err() != nil {
		t.Fatalf("%+v, %v", j.Salvaged(), j.Err())
	}
	if err := j.Confirm([]record.Mark{{Chain: id, Status: record.StatusUnknown}}); err != nil {
		t.Fatal(err)
	}
	if runs := j.Next(1 << 20); len(runs) != 1 || !errors.Is(j.Err(), ErrDamaged) {
		t.Errorf("%d runs, %v", len(runs), j.Err())
	}
	if _, err := j.Sweep(start); err != nil { // writes what is confirmed now
		t.Fatal(err)
	}
	commitT(t, j, "the till sells on")
	closeT(t, j)
	j = openT(t, cfg)
	if got := j.Salvaged(); got == nil || got.Missing != 1 {
		t.Fatalf("salvage: %+v", got)
	}
	if j.Err() != nil {
		t.Error(j.Err())
	}
}

// Damage in what upstream has, met by whoever reads it and not by a start, is gone after one start. A store reads
// its tills' sales at each: it started again and again, thirty times a second.
func TestDamageThatAReaderMetIsMendedByTheNextStart(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j, s := openT(t, cfg), openT(t, storeConfig(t))
	recs := commitT(t, j, "a", "lost", "c")
	rise(t, j, s)
	commitT(t, j, "d")
	if _, err := j.Sweep(start); err != nil { // as above
		t.Fatal(err)
	}
	id := recs[0].Chain
	closeT(t, j)
	flipIn(t, cfg, at{id, recs[1].Seq})
	read := func() (n int, err error) {
		for _, c := range j.Chains() {
			for _, err := range j.After(c.ID, 0) {
				if err != nil {
					return n, err
				}
				n++
			}
		}
		return n, nil
	}
	j = openT(t, cfg)
	if n, err := read(); !errors.Is(err, ErrDamaged) {
		t.Fatalf("%d records, %v", n, err)
	}
	closeT(t, j)
	if err := Read(cfg, func(*Journal) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("whoever looks is told %v", err)
	}
	j = openT(t, cfg)
	if n, err := read(); err != nil || j.Salvaged() == nil {
		t.Fatalf("%d records, %v; salvaged: %+v", n, err, j.Salvaged())
	}
	closeT(t, j)
	if j = openT(t, cfg); j.Salvaged() != nil {
		t.Error("it is salvaged again")
	}
}

func TestStoreSalvagesUpToTheHole(t *testing.T) {
	t.Parallel()
	till, cfg := openT(t, tillConfig(t)), storeConfig(t)
	recs := sell(t, till, 8)
	s := openT(t, cfg)
	rise(t, till, s)
	closeT(t, s)
	flipIn(t, cfg, at{recs[3].Chain, recs[3].Seq})
	s = openT(t, cfg)
	if got := s.Salvaged(); got == nil || got.Records != 4 || got.Rehomed != 0 {
		t.Fatalf("salvage: %+v", got)
	}
	if err := till.Confirm(s.Marks([]record.ChainID{recs[0].Chain})); err != nil {
		t.Fatal(err)
	}
	rise(t, till, s)
	wantBodies(t, s, recs)
}

// Whatever happens to the file's pages, Open gives a journal that sells, what is in it is true, and
// nothing is there twice.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	base := tillConfig(t)
	j := openT(t, base)
	recs := sell(t, j, 60)
	closeT(t, j)
	j = openT(t, base)
	for i := range 60 {
		recs = append(recs, commitT(t, j, fmt.Sprintf("sold again %d", i))...)
	}
	closeT(t, j)
	sound, err := os.ReadFile(base.Path)
	if err != nil {
		t.Fatal(err)
	}
	page := os.Getpagesize()
	pages := len(sound) / page
	damage := func(name string, atLeast int, change func(b []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := base
			cfg.Path = fmt.Sprintf("%s/journal.db", t.TempDir())
			if err := os.WriteFile(cfg.Path, change(bytes.Clone(sound)), 0o600); err != nil {
				t.Fatal(err)
			}
			j := openT(t, cfg)
			commitT(t, j, "the till sells on")
			found := bodies(t, j)
			n := 0
			for _, rec := range recs {
				if found[string(rec.Data)] > 1 {
					t.Errorf("%q is there twice", rec.Data)
				}
				n += found[string(rec.Data)]
			}
			if n < atLeast {
				t.Errorf("%d of %d receipts are left", n, len(recs))
			}
			rise(t, j, openT(t, storeConfig(t)))
			if err := j.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	damage("cut to half", 1, func(b []byte) []byte { return b[:len(b)/2] })
	damage("cut to three pages", 0, func(b []byte) []byte { return b[:3*page] })
	damage("cut in a page", 1, func(b []byte) []byte { return b[:len(b)/2+100] })
	damage("both metas gone", len(recs), func(b []byte) []byte { clear(b[:2*page]); return b })
	damage("not a database", 0, func(b []byte) []byte { return []byte("hello") })
	r := rand.New(rand.NewPCG(3, 4))
	for p := 2; p < pages; p++ {
		if binary.NativeEndian.Uint64(sound[p*page:]) != uint64(p) {
			continue // the rest of a long page, or never used
		}
		damage(fmt.Sprintf("page %d zeroed", p), 0, func(b []byte) []byte { clear(b[p*page : (p+1)*page]); return b })
		for range 4 {
			off, bit := p*page+r.IntN(80), byte(1)<<r.IntN(8)
			damage(fmt.Sprintf("bit %02x flipped at %d of page %d", bit, off%page, p), 0, func(b []byte) []byte {
				b[off] ^= bit
				return b
			})
		}
	}
}

// A scan also finds what was swept long ago in free pages. That is not sent anew.
func TestSalvageLeavesTheSweptAlone(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	j := openT(t, cfg)
	old := sell(t, j, 50)
	closeT(t, j)
	j = openT(t, cfg)
	clk.Add(40 * 24 * time.Hour)
	recs := commitT(t, j, "new 1", "new 2", "new 3")
	if err := j.SetPosted([]record.Counted{{Chain: old[0].Chain, Posted: 51}}); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Sweep(clk.Now()); n != 51 || err != nil {
		t.Fatalf("swept %d: %v", n, err)
	}
	closeT(t, j)
	b, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	clear(b[:2*os.Getpagesize()])
	if err := os.WriteFile(cfg.Path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	j = openT(t, cfg)
	if j.Salvaged() == nil {
		t.Fatal("not salvaged")
	}
	wantBodies(t, j, recs)
}

// A salvage that was cut short leaves a file that the next one replaces.
func TestSalvageAgain(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	recs := commitT(t, j, "a", "lost", "c")
	closeT(t, j)
	flipIn(t, cfg, at{recs[1].Chain, recs[1].Seq})
	copyFile(t, cfg.Path, cfg.Path+".salvage")
	j = openT(t, cfg)
	wantBodies(t, j, []record.Receipt{recs[0], recs[2]})
	if _, err := os.Stat(cfg.Path + ".salvage"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left behind: %v", err)
	}
}

// A file that is cut while it is open faults in the middle of a read. The process lives, says so, and a
// new start goes on with what is left.
func TestFileCutWhileOpen(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	recs := sell(t, j, 200)
	if err := os.Truncate(cfg.Path, int64(4*os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Find(recs[150].RID); !errors.Is(err, ErrDamaged) {
		t.Fatalf("got %v", err)
	}
	if _, _, err := j.Commit(t.Context(), draft("no")); !errors.Is(err, ErrDamaged) || !errors.Is(j.Err(), ErrDamaged) {
		t.Errorf("commit: %v; Err: %v", err, j.Err())
	}
	closeT(t, j)
	j = openT(t, cfg)
	commitT(t, j, "the till sells on")
	if j.Salvaged() == nil {
		t.Error("not salvaged")
	}
}
