package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"

	"tillstream/deploy/laws"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Config says how large a fleet is and where it lies.
type Config struct {
	Dir    string     // of everything; a fleet opened again on it goes on where it was
	Edge   string     // of the edge nodes' files; empty: within Dir. A tmpfs gives each till a disk of its own
	Nodes  int        // of the centre; zero: 3
	Stores int        // zero: 1
	Tills  int        // per store; zero: 1
	NATS   bool       // tills open their NATS door too
	Flow   bool       // the centre runs the event flow
	HQ     bool       // after the stores comes one more, 0000: headquarters
	Sent   *laws.Sent // journal of what tills are sent, of a fleet that is opened again; nil: a new one

	Archive string // directory; the centre's nodes archive the journal below it. Empty: they do not

	Log *slog.Logger // nil: discards
}

// Fleet is a running chain.
type Fleet struct {
	cfg    Config
	net    subjects.Net
	log    *slog.Logger
	centre []*Centre
	stores []*Store
	cards  *seal.Cards
	claims []net.PacketConn // to the ports of all nodes

	archiveKey string // public

	wg     sync.WaitGroup
	ctx    context.Context // of all nodes; ends in Close
	cancel context.CancelFunc
	mu     sync.Mutex
	failed []error  // guarded by mu: nodes that ended by themselves
	meant  []string // guarded by mu: see Mean
}

// Open makes the fleet's files where they are missing, and starts all nodes. It returns when they run;
// Ready waits until they work.
func Open(ctx context.Context, cfg Config) (*Fleet, error) {
	cfg.Nodes = max(cfg.Nodes, 0)
	if cfg.Nodes == 0 {
		cfg.Nodes = 3
	}
	cfg.Stores, cfg.Tills = max(cfg.Stores, 1), max(cfg.Tills, 1)
	if cfg.Edge == "" {
		cfg.Edge = cfg.Dir
	}
	if cfg.Sent == nil {
		cfg.Sent = laws.NewSent()
	}
	// The nodes take a relative path to be below their own directory.
	for _, dir := range []*string{&cfg.Dir, &cfg.Edge} {
		abs, err := filepath.Abs(*dir)
		if err != nil {
			return nil, fmt.Errorf("open fleet: %w", err)
		}
		*dir = abs
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Fleet{cfg: cfg, log: cfg.Log, net: subjects.Net{
		DC: subjects.MustToken("dc1"), Env: subjects.MustToken("demo"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}}
	f.ctx, f.cancel = context.WithCancel(ctx)
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Fleet) open() error {
	if err := f.prepare(); err != nil {
		return err
	}
	for _, c := range f.centre {
		if err := c.Start(); err != nil {
			return err
		}
	}
	for _, s := range f.stores {
		if err := s.Start(); err != nil {
			return err
		}
		for _, t := range s.tills {
			if err := t.Start(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close stops everything, edge first, and waits.
func (f *Fleet) Close() error {
	var errs []error
	for _, s := range f.stores {
		for _, t := range s.tills {
			errs = append(errs, t.close())
		}
		errs = append(errs, s.close())
	}
	for _, c := range f.centre {
		errs = append(errs, c.close())
	}
	f.cancel()
	f.wg.Wait()
	for _, c := range f.claims {
		errs = append(errs, c.Close())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(append(errs, f.failed...)...)
}

// Net is the fleet's brand.
func (f *Fleet) Net() subjects.Net { return f.net }

// Cards turns card numbers into accounts, as the fleet's nodes do.
func (f *Fleet) Cards() *seal.Cards { return f.cards }

// Stores lists the stores; Centre lists the centre's nodes.
func (f *Fleet) Stores() []*Store { return f.stores }

// Store is the i-th store, from 0.
func (f *Fleet) Store(i int) *Store { return f.stores[i] }

// Centre lists the centre's nodes.
func (f *Fleet) Centre() []*Centre { return f.centre }

// Tills lists all tills, store by store.
func (f *Fleet) Tills() []*Till {
	var out []*Till
	for _, s := range f.stores {
		out = append(out, s.tills...)
	}
	return out
}

// fail keeps the error of a node that ended by itself.
func (f *Fleet) fail(name string, err error) {
	f.log.Error("a node has ended", "node", name, "err", err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, fmt.Errorf("%s ended: %w", name, err))
}

// prepare lays out directories, keys and addresses, and describes the nodes.
func (f *Fleet) prepare() error {
	keys := filepath.Join(f.cfg.Dir, "keys")
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return fmt.Errorf("make fleet directory: %w", err)
	}
	cardKey := filepath.Join(keys, "card.key")
	if err := secretFile(cardKey); err != nil {
		return err
	}
	if err := secretFile(filepath.Join(keys, "cluster.secret")); err != nil {
		return err
	}
	var err error
	if f.cards, err = seal.OpenCards(cardKey); err != nil {
		return err
	}
	ports, err := f.freePorts(2*f.cfg.Nodes + len(f.ids())*(2+2*f.cfg.Tills))
	if err != nil {
		return err
	}
	take := func() string {
		a := fmt.Sprintf("127.0.0.1:%d", ports[0])
		ports = ports[1:]
		return a
	}
	if err := f.prepareStores(keys, take); err != nil {
		return err
	}
	return f.prepareCentre(keys, take)
}

// FreePorts finds ports that nobody uses now. A node keeps its address over a crash, so they cannot be
// left to the system at each start; and they lie below the range from which the system gives ports to
// outgoing connections, or one of those takes a node's port while the node is down. What keeps other fleets
// off them, here and in other processes, is a claim: the UDP port of the same number, held until Close.
func (f *Fleet) freePorts(n int) ([]int, error) {
	const from, to, tries = 10000, 32000, 10000
	ports := make([]int, 0, n)
	for range tries {
		if len(ports) == n {
			return ports, nil
		}
		port := from + rand.IntN(to-from)
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		claim, err := net.ListenPacket("udp", addr)
		if err != nil {
			continue
		}
		f.claims = append(f.claims, claim)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue // and nobody tries it again
		}
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("find %d free ports: found %d in %d tries", n, len(ports), tries)
}
