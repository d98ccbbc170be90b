package journal

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"tillstream/kv/record"
)

// A stopped node's journal tells what is on its disk only, and nothing is written to it.
func TestReadOfAStoppedNode(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j, store := openT(t, cfg), openT(t, storeConfig(t))
	sell(t, j, 4)
	rise(t, j, store)
	sell(t, j, 3)
	if err := Read(cfg, func(*Journal) {}); !errors.Is(err, ErrLocked) {
		t.Errorf("of a node that runs: %v", err)
	}
	closeT(t, j)
	before, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	err = Read(cfg, func(j *Journal) {
		if n, oldest := j.Unconfirmed(); n != 3 || !oldest.Equal(start) {
			t.Errorf("%d unconfirmed, the oldest of %s", n, oldest)
		}
		if n, _ := j.Unposted(); n != 8 {
			t.Errorf("%d not posted, want 8", n)
		}
		if all, err := j.Aside(); len(all) != 0 || err != nil {
			t.Errorf("aside %+v, %v", all, err)
		}
		if _, _, err := j.Commit(t.Context(), draft("no")); !errors.Is(err, ErrClosed) {
			t.Errorf("a commit: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(cfg.Path); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file has changed, %v", err)
	}
	flipIn(t, cfg, at{recordsOf(t, cfg)[1].Chain, 8})
	if err := Read(cfg, func(*Journal) {}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a damaged one: %v", err)
	}
	if _, err := os.Stat(cfg.Path + ".salvage"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is being mended: %v", err)
	}
}

// recordsOf gives the records of the first chain of a stopped node.
func recordsOf(t *testing.T, cfg Config) (recs []record.Receipt) {
	t.Helper()
	if err := Read(cfg, func(j *Journal) { recs = checkChain(t, j, j.Chains()[0].ID) }); err != nil {
		t.Fatal(err)
	}
	return recs
}
