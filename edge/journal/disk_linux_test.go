package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"tillstream/kv/record"
)

// smallDisk mounts one of so many MiB, as root.
func smallDisk(t *testing.T, mib int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fillUp takes what the disk has left, to the last page, and gives the file.
func fillUp(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.CreateTemp(dir, "others")
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(noise(64<<10, 1))
	for len(b) > 0 {
		switch n, err := f.Write(b); {
		case errors.Is(err, syscall.ENOSPC):
			if b = b[:len(b)/2]; len(b) < 512 {
				b = nil
			}
		case err != nil:
			t.Fatal(n, err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// The till keeps receipts after the disk is full, into space of its own that nobody else can take; then
// it says that it is full; and it goes on when there is space.
func TestReserveOutlivesAFullDisk(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, 24)
	cfg := tillConfig(t)
	cfg.Path, cfg.Reserve = filepath.Join(dir, "journal.db"), 4<<20
	j := openT(t, cfg)
	kept := sell(t, j, 10)
	if r, err := j.TopUp(); err != nil || r.Full || r.Left < cfg.Reserve-cfg.Reserve/8 {
		t.Fatalf("reserve %+v, %v", r, err)
	}
	others := fillUp(t, dir)
	bytes := 0
	for {
		d := draft(noise(50<<10, uint64(len(kept))))
		rec, _, err := j.Commit(t.Context(), d)
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, rec)
		if bytes += len(d.Data); bytes > 64<<20 {
			t.Fatal("the disk is not full")
		}
	}
	if bytes < int(cfg.Reserve)*3/4 {
		t.Errorf("%d bytes of receipts were kept after the disk was full, of a reserve of %d", bytes, cfg.Reserve)
	}
	if r, err := j.TopUp(); err != nil || !r.Full {
		t.Errorf("reserve %+v, %v", r, err)
	}
	wantBodies(t, j, kept)
	if err := os.Remove(others); err != nil {
		t.Fatal(err)
	}
	kept = append(kept, sell(t, j, 1)...)
	if r, err := j.TopUp(); err != nil || r.Full || r.Left < cfg.Reserve-cfg.Reserve/8 {
		t.Errorf("with space again: reserve %+v, %v", r, err)
	}
	closeT(t, j)
	j = openT(t, cfg)
	wantBodies(t, j, kept)
	closeT(t, j)
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	dir := smallDisk(t, 4)
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
