package journal

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"tillstream/kv/record"
)

func TestFullDisk(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	cfg.Path = filepath.Join(dir, "journal.db")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, []byte(noise(1<<20, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	j := openT(t, cfg)
	var kept []record.Receipt
	var refused record.Receipt
	for {
		d := draft(noise(100<<10, uint64(len(kept))))
		rec, _, err := j.Commit(t.Context(), d)
		if err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatalf("the disk is full, and it says %v", err)
			}
			refused = d
			break
		}
		kept = append(kept, rec)
	}
	wantBodies(t, j, kept)
	if _, _, err := j.Commit(t.Context(), refused); !errors.Is(err, ErrFull) {
		t.Errorf("still full: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	rec, repeated, err := j.Commit(t.Context(), refused)
	if err != nil || repeated {
		t.Fatalf("with space again: repeated %v, %v", repeated, err)
	}
	kept = append(kept, rec)
	wantBodies(t, j, kept)
	closeT(t, j)
	j = openT(t, cfg)
	if j.Salvaged() != nil {
		t.Error("a full disk is taken for damage")
	}
	wantBodies(t, j, kept)
	closeT(t, j)
}
