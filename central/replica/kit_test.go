package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central/fold"
	"tillstream/central/hub"
	"tillstream/central/streams"
	"tillstream/subjects"
)

// Clusters are shared by the tests; each test has a brand of its own, which is an account of its own.
const brands = 96

// patient is how long a test waits for what must come, on a machine that is busy with other things.
const patient = 2 * time.Minute

var (
	nextBrand atomic.Int32
	three     = sync.OnceValues(func() (*centre, error) { return openCentre(3) })
	single    = sync.OnceValues(func() (*centre, error) { return openCentre(1) })
	opened    []*centre // guarded by openedMu
	openedMu  sync.Mutex
)

type centre struct {
	hubs []*hub.Hub
	dir  string
}

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = f.Value.Set("4") // a number is never refused; these tests wait more than they work
	}
	code := m.Run()
	for _, c := range opened {
		for _, h := range c.hubs {
			_ = h.Close() // the tests have ended
		}
		_ = os.RemoveAll(c.dir)
	}
	os.Exit(code)
}

func brand(i int) subjects.Net {
	return subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken(fmt.Sprint("brand", i))},
	}
}

func nodeID(i int) subjects.NodeID {
	return subjects.NodeID{Token: subjects.MustToken(fmt.Sprint("c", i))}
}

func openCentre(n int) (*centre, error) {
	dir, err := os.MkdirTemp("", "replica-test")
	if err != nil {
		return nil, err
	}
	c := &centre{dir: dir}
	openedMu.Lock()
	opened = append(opened, c)
	openedMu.Unlock()
	var routes []string
	for range n {
		// Below the ports that the system hands out, so that no connection takes it.
		for len(routes) < n {
			addr := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))
			if l, err := net.Listen("tcp", addr); err == nil {
				routes = append(routes, addr)
				_ = l.Close() // only to know that it is free
			}
		}
	}
	for i := range n {
		cfg := hub.Config{Node: nodeID(i), DataDir: filepath.Join(dir, fmt.Sprint(i))}
		for b := range brands {
			cfg.Brands = append(cfg.Brands, hub.Brand{Net: brand(b)})
		}
		if n > 1 {
			cfg.ClusterName, cfg.ClusterSecret = "centre", "secret"
			cfg.ClusterListen, cfg.Routes = routes[i], routes
		}
		h, err := hub.Open(cfg)
		if err != nil {
			return nil, err
		}
		c.hubs = append(c.hubs, h)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	for _, h := range c.hubs {
		if err := h.Ready(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// chain is one brand's journal and the replicas on the nodes of a centre.
type chain struct {
	t     *testing.T
	net   subjects.Net
	hubs  []*hub.Hub
	nodes []*member
	js    jetstream.JetStream // of the test itself
	conn  *nats.Conn
}

// member is a node; what a test wants otherwise it sets before start.
type member struct {
	c       *chain
	i       int
	dir     string
	now     func() time.Time
	applied func(*fold.Entry, *fold.Effects)

	saveEvery time.Duration
	worth     uint64
	hungAfter time.Duration
	opts      []nats.Option // of the journal's connection

	*Replica
	machine     *tally
	conn, beats *nats.Conn
	cancel      context.CancelFunc
	done        chan error
}

// newChain makes the stream of a new brand, and its members, which are not started.
func newChain(t *testing.T, open func() (*centre, error)) *chain {
	t.Helper()
	t.Parallel()
	shared, err := open()
	if err != nil {
		t.Fatal(err)
	}
	n := int(nextBrand.Add(1)) - 1
	if n >= brands {
		t.Fatal("more tests than brands")
	}
	c := &chain{t: t, net: brand(n), hubs: shared.hubs}
	if c.conn, err = c.hubs[0].Connect(c.net.Brand, "test"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.conn.Close)
	if c.js, err = jetstream.New(c.conn); err != nil {
		t.Fatal(err)
	}
	within(t, "make the journal", func(ctx context.Context) error {
		_, err := streams.Apply(ctx, c.js, streams.Want(c.net, len(c.hubs)))
		return err
	})
	for i := range c.hubs {
		m := &member{c: c, i: i, dir: t.TempDir(), now: time.Now}
		c.nodes = append(c.nodes, m)
		t.Cleanup(m.stop)
	}
	return c
}

// started makes a chain and starts all its members.
func started(t *testing.T, open func() (*centre, error)) *chain {
	t.Helper()
	c := newChain(t, open)
	for _, m := range c.nodes {
		m.start()
	}
	return c
}

// within tries until it works, for as long as a cluster may need on a busy machine.
func within(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		once, done := context.WithTimeout(ctx, 5*time.Second)
		err := try(once)
		done()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	within(t, what, func(context.Context) error {
		if is() {
			return nil
		}
		return errors.New("not so")
	})
}

// open opens the member's replica without running it.
func (m *member) open() {
	t := m.c.t
	t.Helper()
	var err error
	h := m.c.hubs[m.i]
	if m.conn, err = h.Connect(m.c.net.Brand, "services", m.opts...); err != nil {
		t.Fatal(err)
	}
	if m.beats, err = h.Connect(m.c.net.Brand, "beats"); err != nil {
		t.Fatal(err)
	}
	m.machine = newTally()
	m.Replica, err = Open(Config{
		Node: nodeID(m.i), Net: m.c.net, Machine: m.machine, Dir: m.dir, Conn: m.conn, Beats: m.beats,
		Applied: m.applied, Now: m.now,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if m.saveEvery > 0 {
		m.Replica.saveEvery = m.saveEvery
	}
	if m.worth > 0 {
		m.Replica.worth = m.worth
	}
	if m.hungAfter > 0 {
		m.Replica.hungAfter = m.hungAfter
	}
}

func (m *member) start() {
	m.c.t.Helper()
	m.open()
	m.run()
}

// run runs what open opened.
func (m *member) run() {
	ctx, cancel := context.WithCancel(m.c.t.Context())
	m.cancel, m.done = cancel, make(chan error, 1)
	r, done := m.Replica, m.done
	go func() { done <- r.Run(ctx) }()
}

// halt ends Run and waits for it; the files stay open.
func (m *member) halt() {
	if m.cancel == nil {
		return
	}
	m.cancel()
	if err := <-m.done; err != nil {
		m.c.t.Errorf("node %d: %v", m.i, err)
	}
	m.cancel = nil
}

// stop ends the member with the manners of a daemon that is asked to.
func (m *member) stop() { m.end((*Replica).Close) }

// crash leaves the files as they are.
func (m *member) crash() { m.end((*Replica).Abandon) }

func (m *member) end(files func(*Replica) error) {
	m.halt()
	if m.Replica == nil {
		return
	}
	if err := files(m.Replica); err != nil {
		m.c.t.Errorf("node %d: %v", m.i, err)
	}
	m.conn.Close()
	m.beats.Close()
	m.Replica = nil
}

// writer waits until all running members agree on one of them that writes.
func (c *chain) writer() *member {
	c.t.Helper()
	var w *member
	eventually(c.t, "one writer", func() bool {
		w = nil
		name := ""
		for _, m := range c.nodes {
			if m.cancel == nil {
				continue
			}
			s := m.Status()
			if s.Writer == "" || name != "" && s.Writer != name {
				return false
			}
			if name = s.Writer; name == s.Node.String() {
				w = m
			}
		}
		return w != nil
	})
	return w
}

// other gives a running member that is not m.
func (c *chain) other(not ...*member) *member {
next:
	for _, m := range c.nodes {
		for _, n := range not {
			if m == n {
				continue next
			}
		}
		if m.cancel != nil {
			return m
		}
	}
	c.t.Fatal("no other member")
	return nil
}

// propose brings one head in.
func (m *member) propose(head string) uint64 {
	m.c.t.Helper()
	ctx, cancel := context.WithTimeout(m.c.t.Context(), patient)
	defer cancel()
	entry, _, err := m.Propose(ctx, fold.Proposal{Head: []byte(head), Rest: []byte("body of " + head)})
	if err != nil {
		m.c.t.Fatalf("propose %s: %v", head, err)
	}
	return entry
}
