package trial_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// powered is a node in a process of its own, whose files are on a disk.
type powered struct {
	disk *disk
	cmd  *exec.Cmd
	in   io.Writer
	lies chan struct{} // closed when fsync does nothing any more
	done chan struct{} // closed when the process says no more

	mu    sync.Mutex
	acked []record.RID // guarded by mu
}

// powerOn starts a node on a new disk and waits for its first receipts.
func powerOn(t *testing.T, role string, nodes int) *powered {
	t.Helper()
	p := &powered{disk: format(t), lies: make(chan struct{}), done: make(chan struct{})}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-role", role, "-data", p.disk.at, "-nodes", fmt.Sprint(nodes))
	p.cmd.Stderr = t.Output()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var err error
	p.in, err = p.cmd.StdinPipe()
	must(t, err)
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	var wg sync.WaitGroup
	wg.Go(func() { p.listen(t, out) })
	t.Cleanup(func() {
		p.off()
		wg.Wait()
		_ = p.cmd.Wait() // it was killed
	})
	p.reach(t, 10)
	return p
}

// listen takes what the node has acknowledged.
func (p *powered) listen(t *testing.T, out io.Reader) {
	defer close(p.done)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "lies" {
			close(p.lies)
			continue
		}
		rid, err := record.ParseRID(lines.Text())
		if err != nil {
			t.Errorf("the node says %q", lines.Text())
			return
		}
		p.mu.Lock()
		p.acked = append(p.acked, rid)
		p.mu.Unlock()
	}
}

// sold gives the receipts that were acknowledged until now.
func (p *powered) sold() []record.RID {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.acked)
}

// reach waits until so many receipts have been acknowledged.
func (p *powered) reach(t *testing.T, n int) {
	t.Helper()
	await(t, "receipts", time.Minute, func() error {
		select {
		case <-p.done:
			t.Fatal("the node has ended")
		default:
		}
		if got := len(p.sold()); got < n {
			return fmt.Errorf("%d are acknowledged, want %d", got, n)
		}
		return nil
	})
}

// cut gives what the disk has at a random moment, and the receipts that had been acknowledged before it.
// The node's process stands still while the disk is copied, because a copy takes longer than a moment: of
// one whose end is newer than its beginning no file system has to make sense.
func (p *powered) cut(t *testing.T) (acked []record.RID, left *disk) {
	t.Helper()
	p.reach(t, len(p.sold())+1+rand.IntN(300))
	<-time.After(rand.N(20 * time.Millisecond))
	acked = p.sold()
	must(t, p.cmd.Process.Signal(syscall.SIGSTOP))
	await(t, "stand still", time.Minute, p.still)
	left = p.disk.copied(t)
	must(t, p.cmd.Process.Signal(syscall.SIGCONT))
	return acked, left
}

// off ends the node for good, whatever it was doing.
func (p *powered) off() { _ = p.cmd.Process.Kill() } // it may have ended by itself, which listen has said

// still is nil when no thread of the node runs or is in the kernel.
func (p *powered) still() error {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return errors.Join(errors.New("the process has no threads"), err)
	}
	for _, name := range threads {
		stat, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return err
		}
		// The state follows the name, which is in brackets.
		if i := strings.LastIndexByte(string(stat), ')'); i < 0 || !strings.HasPrefix(string(stat[i:]), ") T") {
			return fmt.Errorf("thread %s", stat)
		}
	}
	return nil
}

// survivor is a kind of node and how to see which receipts of it a disk has.
type survivor struct {
	name  string
	role  string
	nodes int
	share int // of 6 images
	kept  func(t *testing.T, dir string, acked []record.RID) (missing int, err error)
}

func survivors() []survivor {
	till := func(t *testing.T, dir string, acked []record.RID) (int, error) {
		return keptByJournal(t, dir, first, acked)
	}
	store := func(t *testing.T, dir string, acked []record.RID) (int, error) {
		return keptByJournal(t, dir, subjects.TillID{}, acked)
	}
	centre := func(nodes int) func(*testing.T, string, []record.RID) (int, error) {
		return func(t *testing.T, dir string, acked []record.RID) (int, error) {
			return keptByCentre(t, dir, nodes, acked)
		}
	}
	return []survivor{
		{"till", "till", 0, 2, till},
		{"store", "store", 0, 2, store},
		{"centre of one node", "centre", 1, 1, centre(1)},
		{"centre of three nodes", "centre", 3, 1, centre(3)},
	}
}

// opens starts what is left of a node, and counts the receipts that are missing.
func (s *survivor) opens(t *testing.T, left *disk, acked []record.RID) (missing int, err error) {
	must(t, left.mount(t))
	defer left.remove(t)
	return s.kept(t, left.at, acked)
}

// keptByJournal opens an edge node's journal, which must not have to be salvaged.
func keptByJournal(t *testing.T, dir string, till subjects.TillID, acked []record.RID) (missing int, err error) {
	j, err := openCopy(dir, till)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if s := j.Salvaged(); s != nil {
		return 0, fmt.Errorf("the journal was damaged: %+v", *s)
	}
	kept := map[record.RID]bool{}
	for _, c := range j.Chains() {
		for r, err := range j.After(c.ID, 0) {
			if err != nil {
				return 0, err
			}
			if !r.CheckBody() {
				return 0, fmt.Errorf("receipt %s has another body", r.RID)
			}
			kept[r.RID] = true
		}
	}
	return lacks(acked, func(rid record.RID) bool { return kept[rid] }), nil
}

func lacks(acked []record.RID, has func(record.RID) bool) (missing int) {
	for _, rid := range acked {
		if !has(rid) {
			missing++
		}
	}
	return missing
}

// keptByCentre starts a centre on what is left of its disks, and one node of it once more from the journal
// alone: its books must be the same.
func keptByCentre(t *testing.T, dir string, nodes int, acked []record.RID) (missing int, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	f, err := fleet.Open(t.Context(), fleet.Config{Dir: dir, Nodes: nodes})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := errors.Join(f.Ready(ctx), f.Settle(ctx)); err != nil {
		return 0, err
	}
	for _, c := range f.Centre() {
		n := c.Node()
		err := n.Replica().Read(ctx, 0, func(uint64) {
			missing = max(missing, lacks(acked, n.Books().Posted))
		})
		if err != nil {
			return 0, err
		}
	}
	if err := foldAgain(t, f); err != nil {
		return 0, err
	}
	_, err = f.CheckBooks(ctx)
	return missing, err
}

// foldAgain folds the journal into empty books, which must become those that the centre has.
func foldAgain(t *testing.T, f *fleet.Fleet) (err error) {
	n := f.Centre()[0].Node()
	want := n.Replica().Status()
	b := books.New()
	r, err := replica.Open(replica.Config{
		Node: node("again"), Net: f.Net(), Machine: b, Dir: t.TempDir(), Conn: n.Conn(), Beats: n.Conn(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	stop := run(t, r.Run)
	defer stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return errors.Join(err, r.Read(ctx, want.Entry, func(entry uint64) {
		if got := b.Digest(); entry == want.Entry && got != want.Digest {
			err = fmt.Errorf("books folded again at entry %d have digest %s, want %s", entry, got, want.Digest)
		}
	}))
}

// ownMounts gives a process a view of the mounts of its own: they go with it, however it ends.
func ownMounts() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil // nothing can be mounted, and the test will say so
	}
	return &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
}

// The power goes at a random moment while a node works. Every receipt that it had acknowledged is on its
// disk, and the node starts from it as from any other.
func TestPowerCut(t *testing.T) {
	if !apart(t, ownMounts()) {
		return
	}
	format(t) // or nothing of this can be done here
	left := *images
	for i, s := range survivors() {
		share := max(1, *images*s.share/6)
		if i == len(survivors())-1 {
			share = max(1, left)
		}
		left -= share
		t.Run(s.name, func(t *testing.T) {
			p := powerOn(t, s.role, s.nodes)
			for i := range share {
				acked, left := p.cut(t)
				t.Run(fmt.Sprintf("image %d", i+1), func(t *testing.T) {
					t.Parallel() // when all are taken: a cluster that starts does little but wait
					if missing, err := s.opens(t, left, acked); err != nil || missing > 0 {
						t.Errorf("%d of %d acknowledged receipts are lost, error: %v", missing, len(acked), err)
					}
				})
			}
			p.off()
			t.Logf("%d images; %d receipts were acknowledged", share, len(p.sold()))
		})
	}
}

// The test of the test: with an fsync that does nothing, receipts are lost, and the test sees it.
func TestPowerCutWithoutFsync(t *testing.T) {
	if !apart(t, ownMounts()) {
		return
	}
	format(t)
	for _, s := range survivors() {
		t.Run(s.name, func(t *testing.T) {
			p := powerOn(t, s.role, s.nodes)
			_, err := io.WriteString(p.in, "lie\n")
			must(t, err)
			select {
			case <-p.lies:
			case <-p.done:
				t.Fatal("the node has ended")
			}
			p.reach(t, len(p.sold())+100)
			acked, left := p.cut(t)
			p.off()
			missing, err := s.opens(t, left, acked)
			if missing == 0 && err == nil {
				t.Errorf("none of %d receipts is lost, although nothing was brought to the disk: TestPowerCut shows nothing", len(acked))
			}
			t.Logf("%d of %d acknowledged receipts are lost, error: %v", missing, len(acked), err)
		})
	}
}
