package soak

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"tillstream/deploy/relay"
	"tillstream/subjects"
)

// node is a computer of the chain: its place, its disk, its process while that runs.
type node struct {
	target target
	store  subjects.StoreID
	till   subjects.TillID
	nkey   string
	config string // its configuration file
	data   string // its disk
	relays []*relay.Relay
	client *http.Client // of its door
	url    string       // of its door

	// Owned by the conductor.
	held    int // step that has it; 0: none
	cut     int // step that has its link; 0: none
	process *process
	frozen  bool

	// calm counts what is done to the node; odd while it is up and left alone. A POS that finds the same
	// odd number before and after its question is owed an answer.
	calm atomic.Uint64
	disk atomic.Int64 // how often its disk was replaced
}

// process is a run of a node.
type process struct {
	cmd   *exec.Cmd
	began time.Time
	ended chan struct{} // closed when it has ended
	err   error         // valid then
	meant atomic.Bool   // that it ends
	up    atomic.Bool   // it has answered
}

// early reports whether the process was ended by the signal that asked it to, before it could have known what
// that means: one that has been started this moment listens to none yet.
func (p *process) early() bool {
	s, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && !p.up.Load() && s.Signaled() && s.Signal() == syscall.SIGTERM
}

// death is a process that ended by itself.
type death struct {
	node    *node
	process *process
}

// stir notes that something is done to the node; from then on no answer is owed.
func (n *node) stir() {
	for {
		c := n.calm.Load()
		if n.calm.CompareAndSwap(c, c+2-c%2) { // even in any case, and another number
			return
		}
	}
}

// start runs the node's process. died gets the node if it ends by itself.
func (n *node) start(ctx context.Context, w *world) error {
	log, err := os.OpenFile(w.log(n), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", n.target, err)
	}
	defer log.Close() //nolint:errcheck // the process has its own
	kind := "edge"
	if n.target.tier == atCentre {
		kind = "central"
	}
	argv := w.net.at(n.target, []string{w.cfg.Binary, "--log-level", w.cfg.LogLevel, kind, "--config", n.config})
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes()
	p := &process{cmd: cmd, began: time.Now(), ended: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", n.target, err)
	}
	n.process, n.frozen = p, false
	w.wg.Go(func() {
		p.err = cmd.Wait()
		close(p.ended)
		if !p.meant.Load() {
			n.stir()
			select {
			case w.died <- death{n, p}:
			case <-w.over:
			}
		}
	})
	n.watch(ctx, w, true)
	return nil
}

// look is how often a wait looks again.
const look = 10 * time.Millisecond

// sleep waits unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// watch waits until the node answers, and from then on it is up.
func (n *node) watch(ctx context.Context, w *world, fresh bool) {
	p, calm := n.process, n.calm.Load()
	w.wg.Go(func() {
		for {
			if n.answers(ctx, w) {
				p.up.Store(true)
				if n.calm.CompareAndSwap(calm, calm+1) && fresh {
					w.counts.started(n.target.tier, time.Since(p.began))
				}
				return
			}
			select {
			case <-p.ended:
				return
			case <-w.over:
				return
			case <-time.After(look):
			}
		}
	})
}

// answers asks the node whether it is there.
func (n *node) answers(ctx context.Context, w *world) bool {
	path := "/v1/health"
	if n.target.tier == atCentre {
		path = "/v1/status"
	}
	return n.get(ctx, w, path, nil) == nil
}

// signal sends a signal to the process, which is there.
func (n *node) signal(s os.Signal) error {
	if err := n.process.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %s: %w", n.target, err)
	}
	return nil
}

// kill ends the process as kill -9 does, and waits until it is gone.
func (n *node) kill() error {
	if n.process == nil {
		return nil
	}
	n.stir()
	n.process.meant.Store(true)
	err := n.signal(os.Kill)
	<-n.process.ended
	n.process, n.frozen = nil, false
	return err
}

// stopWithin bounds an orderly stop.
const stopWithin = 20 * time.Second

// ask tells the process to end.
func (n *node) ask() error {
	if n.process == nil {
		return nil
	}
	n.stir()
	n.process.meant.Store(true)
	return n.signal(syscall.SIGTERM)
}

// stopped waits for a process that was asked to end. One that does not is killed, and that is an error,
// as is a status that is not 0.
func (n *node) stopped() error {
	p := n.process
	if p == nil {
		return nil
	}
	n.process = nil
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		err := p.cmd.Process.Kill()
		<-p.ended
		return errors.Join(fmt.Errorf("%s has not stopped within %s of being asked", n.target, stopWithin), err)
	}
	if p.err != nil && !p.early() {
		return fmt.Errorf("%s was asked to stop and ended with: %w", n.target, p.err)
	}
	return nil
}

// freeze stops the process where it stands; thaw lets it go on.
func (n *node) freeze() error {
	n.stir()
	n.frozen = true
	return n.signal(freezeSignal())
}

func (n *node) thaw(ctx context.Context, w *world) error {
	if n.process == nil || !n.frozen {
		return nil
	}
	n.frozen = false
	err := n.signal(thawSignal())
	n.watch(ctx, w, false)
	return err
}

// door makes the client that reaches the node's door: a socket in the file system is reached from any
// network.
func (n *node) door(socket string) {
	n.url = "http://door"
	n.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: callers,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", socket)
		},
	}}
}
