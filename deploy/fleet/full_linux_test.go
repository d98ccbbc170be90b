package fleet_test

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"tillstream/central/gateway"
	"tillstream/deploy/fleet"
)

var alone = flag.Bool("again", false, "for tests only: this process was started by a test, to run that test alone")

// apart runs the calling test again in a process that has mounts of its own, so that nothing stays
// mounted, and reports whether this is that process.
func apart(t *testing.T) bool {
	t.Helper()
	if *alone {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("a small disk can only be mounted as root")
	}
	begin(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-again")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); errors.Is(err, os.ErrPermission) {
		t.Skipf("no mounts of its own: %v", err)
	} else if err != nil {
		t.Errorf("in a process of its own: %v", err)
	}
	return false
}

// small is the size of a node's disk: enough for its logs and some thousand receipts.
const small = 96 << 20

// smallDisks opens a fleet whose centre nodes have each a small disk of its own.
func smallDisks(t *testing.T) *fleet.Fleet {
	t.Helper()
	cfg := fleet.Config{Dir: t.TempDir(), Stores: 2, Tills: 2}
	for i := range 3 {
		dir := filepath.Join(cfg.Dir, "centre", fmt.Sprintf("c%d", i+1))
		must(t, os.MkdirAll(dir, 0o700))
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", small)); err != nil {
			t.Skipf("no small disk can be mounted here: %v", err)
		}
		t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	}
	f := start(t, cfg)
	t.Cleanup(func() { stop(t, f) })
	return f
}

// fill writes a file that leaves so many bytes of a node's disk; the function removes it.
func fill(t *testing.T, c *fleet.Centre, leave int64) (free func()) {
	t.Helper()
	path := filepath.Join(c.Config().Data, "somebody's file")
	file, err := os.Create(path)
	must(t, err)
	defer file.Close()
	block := make([]byte, 64<<10)
	for {
		var s syscall.Statfs_t
		must(t, syscall.Statfs(path, &s))
		left := int64(s.Bavail)*s.Bsize - leave
		if left <= 0 {
			break
		}
		if _, err := file.Write(block[:min(left, int64(len(block)))]); err != nil {
			break // the end
		}
	}
	return func() { must(t, os.Remove(path)) }
}

func diskOf(t *testing.T, c *fleet.Centre) gateway.Disk {
	t.Helper()
	s, err := client1(c).Status(within(t, patience))
	must(t, err)
	return s[0].Disk
}

// healthy asks a node whether somebody should look at it.
func healthy(t *testing.T, c *fleet.Centre) bool {
	t.Helper()
	res, err := caller.Get(c.Node().URL() + "/v1/health")
	must(t, err)
	must(t, res.Body.Close())
	return res.StatusCode == http.StatusOK
}

// back waits until nodes have opened their servers again and have folded what the centre has, and says
// how long that took.
func back(t *testing.T, f *fleet.Fleet, nodes []*fleet.Centre) {
	t.Helper()
	start := time.Now()
	await(t, "open again", func() error {
		for _, c := range nodes {
			if d := diskOf(t, c); d.Shut != "" {
				return fmt.Errorf("node %s: %s", c.Name(), d.Shut)
			}
		}
		return nil
	})
	opened := time.Since(start)
	var entry uint64
	for _, c := range f.Centre() {
		entry = max(entry, c.Node().Replica().Status().Entry)
	}
	await(t, "fold on", func() error {
		for _, c := range nodes {
			if got := c.Node().Replica().Status().Entry; got <= entry {
				return fmt.Errorf("node %s is at entry %d", c.Name(), got)
			}
		}
		return nil
	})
	t.Logf("BACK servers open after %v, new entries are folded after %v",
		opened.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
}

// The disks of centre nodes run full, one or all, slowly or between two looks, and are freed. Tills sell
// on, the nodes say what is wrong, and all is posted without anybody's help.
func TestFullDiskAtTheCentre(t *testing.T) {
	if !apart(t) {
		return
	}
	for _, c := range []struct {
		name  string
		nodes int
		leave int64 // of each disk
	}{
		{"one runs full", 1, small / 16},
		{"all run full", 3, small / 16},
		{"one is eaten up at once", 1, 0},
		{"all are eaten up at once", 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := smallDisks(t)
			sold := generate(math.MaxInt16, 51)
			l := selling(t, f, often, sold)
			l.reach(200)
			victims := f.Centre()[:c.nodes]
			var free []func()
			for _, v := range victims {
				free = append(free, fill(t, v, c.leave))
			}
			for _, v := range victims {
				await(t, "be closed", func() error {
					if d := diskOf(t, v); d.Shut == "" || healthy(t, v) {
						return fmt.Errorf("node %s has %d KiB left and goes on", v.Name(), d.Free>>10)
					}
					return nil
				})
			}
			l.more(300)
			if c.nodes == 1 {
				posted(t, f, int(l.sold.Load())-50)
			}
			for _, fn := range free {
				fn()
			}
			back(t, f, victims)
			l.more(100)
			sold = l.stop()
			if n := l.again.Load(); n > 0 {
				t.Errorf("%d sales were refused", n)
			}
			settle(t, f, sold)
			t.Logf("FULL %s: %d receipts, none lost, none twice, none refused", c.name, len(sold))
		})
	}
}
