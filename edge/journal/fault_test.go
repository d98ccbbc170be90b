package journal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tillstream/kv/record"
)

var errDisk = errors.New("the disk said no")

// Every durable write fails in two ways: it failed; it failed but was kept. Either way the caller gets
// the error, asks or sends again, and in the end everything is there once, now and after a restart.
func TestFaults(t *testing.T) {
	t.Parallel()
	sent := chainOf(store1, 4)
	fork := link(sent[0].Chain, append(sent[:2:2], chainOf(store1, 1)[1:]...))
	d := draft("sold")
	commit := func(t *testing.T, j *Journal) error { _, _, err := j.Commit(t.Context(), d); return err }
	accept := func(recs []record.Receipt) func(*testing.T, *Journal) error {
		return func(t *testing.T, j *Journal) error {
			_, err := j.Accept(t.Context(), []record.Run{run(recs...)})
			return err
		}
	}
	sweep := func(t *testing.T, j *Journal) error {
		_, err := j.Sweep(start.Add(40 * 24 * time.Hour))
		return err
	}
	for name, tc := range map[string]struct {
		before func(*testing.T, *Journal)
		act    func(*testing.T, *Journal) error
		tips   string // of the chains, in the end
	}{
		"first commit": {nil, commit, "[2]"},
		"later commit": {func(t *testing.T, j *Journal) { commitT(t, j, "before") }, commit, "[3]"},
		"first accept": {nil, accept(sent), "[5]"},
		"later accept": {func(t *testing.T, j *Journal) { acceptT(t, j, run(sent[:2]...)) }, accept(sent), "[5]"},
		"fork":         {func(t *testing.T, j *Journal) { acceptT(t, j, run(sent...)) }, accept(fork[2:]), "[5]"},
		"sweep": {func(t *testing.T, j *Journal) {
			acceptT(t, j, run(sent...))
			if err := j.SetPosted([]record.Counted{{Chain: sent[0].Chain, Posted: 5}}); err != nil {
				t.Fatal(err)
			}
		}, sweep, "[]"},
	} {
		for _, at := range []string{"write", "kept"} {
			t.Run(name+" failed, "+at, func(t *testing.T) {
				t.Parallel()
				cfg := tillConfig(t)
				kept := map[record.ChainID]uint64{}
				cfg.Kept = func(hs []record.Header) {
					for _, h := range hs {
						if kept[h.Chain]++; kept[h.Chain] != h.Seq {
							t.Errorf("Kept was told of seq %d after %d", h.Seq, kept[h.Chain]-1)
						}
					}
				}
				j := openT(t, cfg)
				if tc.before != nil {
					tc.before(t, j)
				}
				before := tips(j)
				fail(j, at)
				if err := tc.act(t, j); !errors.Is(err, errDisk) {
					t.Fatalf("the caller was told %v", err)
				}
				if at == "write" && tips(j) != before {
					t.Errorf("tips were %s and are %s though nothing was kept", before, tips(j))
				}
				if err := tc.act(t, j); err != nil {
					t.Fatalf("again: %v", err)
				}
				for range 2 {
					if got := tips(j); got != tc.tips {
						t.Errorf("tips are %s, want %s", got, tc.tips)
					}
					for _, c := range j.Chains() {
						checkChain(t, j, c.ID)
						if n := kept[c.ID]; n != c.Tip.Seq {
							t.Errorf("Kept was told of %d of %d records", n, c.Tip.Seq)
						}
					}
					closeT(t, j)
					j = openT(t, cfg)
				}
				if j.Salvaged() != nil {
					t.Error("what the fault left is taken for damage")
				}
			})
		}
	}
}

func fail(j *Journal, at string) {
	j.file.fault = func(where string) error {
		if where != at {
			return nil
		}
		j.file.fault = nil
		return errDisk
	}
}

func tips(j *Journal) string {
	all := []uint64{}
	for _, c := range j.Chains() {
		all = append(all, c.Tip.Seq)
	}
	return fmt.Sprint(all)
}

// After a write of which nobody knows whether it reached the disk, a repeat is answered only when a
// transaction has gone through.
func TestRepeatAfterDoubtCostsAnFsync(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	d := draft("in doubt")
	fail(j, "kept")
	if _, _, err := j.Commit(t.Context(), d); !errors.Is(err, errDisk) {
		t.Fatal(err)
	}
	fail(j, "kept")
	if _, err := j.Find(d.RID); !errors.Is(err, errDisk) {
		t.Errorf("found without an fsync: %v", err)
	}
	fail(j, "kept")
	if _, _, err := j.Commit(t.Context(), d); !errors.Is(err, errDisk) {
		t.Errorf("repeat answered without an fsync: %v", err)
	}
	rec, err := j.Find(d.RID)
	if err != nil {
		t.Fatal(err)
	}
	if got, repeated, err := j.Commit(t.Context(), d); err != nil || !repeated || got.Header != rec.Header {
		t.Errorf("repeat: %v, %v", repeated, err)
	}
	wantBodies(t, j, []record.Receipt{rec})
}

func TestFullFile(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	kept := sell(t, j, 3)
	j.file.db.MaxSize = 32 << 10
	big := draft(noise(200<<10, 1))
	_, _, err := j.Commit(t.Context(), big)
	if !errors.Is(err, ErrFull) {
		t.Fatalf("got %v", err)
	}
	j.file.db.MaxSize = 0
	rec, repeated, err := j.Commit(t.Context(), big)
	if err != nil || repeated {
		t.Fatalf("with space again: repeated %v, %v", repeated, err)
	}
	wantBodies(t, j, append(kept, rec))
}
