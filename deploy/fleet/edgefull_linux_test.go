package fleet_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tillstream/deploy/fleet"
)

// onSmallDisk puts a node that is down, and its files, on a disk of its own of so many MiB.
func onSmallDisk(t *testing.T, e *fleet.Edge, mib int) {
	t.Helper()
	disk := image(t, e)
	if err := syscall.Mount("tmpfs", e.Config().Data, "tmpfs", 0, fmt.Sprintf("size=%dm", mib)); err != nil {
		t.Skipf("mount a small disk: %v", err) // as root only
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(e.Config().Data, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	must(t, os.CopyFS(e.Config().Data, os.DirFS(disk)))
}

// fillUp takes what a node's disk has left, and gives the file that has it.
func fillUp(t *testing.T, e *fleet.Edge) string {
	t.Helper()
	f, err := os.CreateTemp(e.Config().Data, "others")
	must(t, err)
	defer func() { must(t, f.Close()) }()
	b := make([]byte, 64<<10)
	for len(b) > 0 {
		_, err := f.Write(b)
		if errors.Is(err, syscall.ENOSPC) {
			b = b[:len(b)/2]
		} else {
			must(t, err)
		}
	}
	return f.Name()
}

// A till's disk is full: it goes on keeping receipts in its reserve, and says so; when that is used too it
// says what the POS should do; and when there is space it serves as before, by itself.
func TestTillsDiskIsFull(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 1})
	till := f.Store(0).Till(0)
	all := generate(4000, 81)
	sell(t, f, all[:50])
	settle(t, f, all[:50])
	must(t, till.Crash())
	onSmallDisk(t, &till.Edge, 16)
	must(t, till.Start())
	till.Cut() // all has to lie here
	others := fillUp(t, &till.Edge)
	sell(t, f, all[50:300])
	await(t, "notice that the disk is full", func() error {
		if h := health(t, &till.Edge); !h.Disk.Full || h.Disk.ReserveBytes == 0 {
			return fmt.Errorf("disk: %+v", h.Disk)
		}
		return nil
	})
	must(t, till.Crash())
	must(t, till.Start()) // a full disk does not keep it from starting
	n := 300
	for ; n < len(all)-100; n++ {
		a := ask(t, till, all[n])
		if a.Kept() {
			continue
		}
		if a.Status != http.StatusServiceUnavailable || !strings.Contains(string(a.Body), "/problems/disk-full") {
			t.Fatalf("with nothing left: %d %s", a.Status, a.Body)
		}
		break
	}
	if n < 500 || n == len(all)-100 {
		t.Errorf("%d receipts were kept on a full disk with a reserve of 1 MiB", n-50)
	}
	till.Heal()
	must(t, os.Remove(others))
	sell(t, f, all[n:n+50])
	await(t, "have a reserve again", func() error {
		if h := health(t, &till.Edge); h.Disk.Full {
			return fmt.Errorf("disk: %+v", h.Disk)
		}
		return nil
	})
	settle(t, f, all[:n+50])
}

// A store's disk is full: its tills go on, and what they have sold rises when there is space.
func TestStoresDiskIsFull(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2})
	s := f.Store(0)
	all := generate(4000, 82)
	sell(t, f, all[:50])
	settle(t, f, all[:50])
	must(t, s.Crash())
	onSmallDisk(t, &s.Edge, 16)
	must(t, s.Start())
	s.Cut()
	others := fillUp(t, &s.Edge)
	sell(t, f, all[50:]) // some fit into the store's reserve
	waits := func() (n int) {
		for _, till := range s.Tills() {
			w, _ := till.Node().Waiting()
			n += w
		}
		return n
	}
	await(t, "have the store's disk full", func() error {
		if h := health(t, &s.Edge); !h.Disk.Full || waits() == 0 {
			return fmt.Errorf("disk: %+v, %d receipts wait at tills", h.Disk, waits())
		}
		return nil
	})
	must(t, s.Crash())
	must(t, s.Start())
	s.Heal()
	posted(t, f, 51) // what it holds rises
	if waits() == 0 {
		t.Error("nothing waits at the tills")
	}
	must(t, os.Remove(others))
	settle(t, f, all)
	for _, e := range []*fleet.Edge{&s.Edge, &s.Till(0).Edge} {
		if damaged, err := filepath.Glob(filepath.Join(e.Config().Data, "journal.db.*-*")); err != nil || len(damaged) != 0 {
			t.Errorf("a full disk is taken for damage: %q, %v", damaged, err)
		}
	}
}
