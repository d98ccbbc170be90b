package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"tillstream/deploy/relay"
	"tillstream/edge"
	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/subjects"
)

// Edge is what a store's and a till's node have in common.
type Edge struct {
	f      *Fleet
	cfg    edge.Config
	nkey   string         // public key of its user at the upstream
	relays []*relay.Relay // to its upstream
	cut    atomic.Bool
	run    running[edge.Node]
}

// Store is a store's node and its tills.
type Store struct {
	Edge
	tills []*Till
}

// Till is a till's node.
type Till struct {
	Edge
	store *Store
}

// ids are those of the stores.
func (f *Fleet) ids() (ids []string) {
	for i := range f.cfg.Stores {
		ids = append(ids, fmt.Sprintf("%04d", i+1))
	}
	if f.cfg.HQ {
		ids = append(ids, "0000")
	}
	return ids
}

func (f *Fleet) prepareStores(keys string, take func() string) error {
	for _, id := range f.ids() {
		s := &Store{}
		if err := f.prepareEdge(&s.Edge, keys, id, "", take()); err != nil {
			return err
		}
		s.cfg.Accept = take()
		for k := range f.cfg.Tills {
			t := &Till{store: s}
			if err := f.prepareEdge(&t.Edge, keys, id, fmt.Sprintf("%02d", k+1), take()); err != nil {
				return err
			}
			if err := t.join(s.cfg.Accept); err != nil {
				return err
			}
			if err := t.natsDoor(take()); err != nil {
				return err
			}
			s.cfg.Tills = append(s.cfg.Tills, edge.Till{Till: t.cfg.Till, Nkey: t.nkey})
			s.tills = append(s.tills, t)
		}
		f.stores = append(f.stores, s)
	}
	return nil
}

// prepareEdge fills in what both kinds of node need.
func (f *Fleet) prepareEdge(e *Edge, keys, store, till, listen string) (err error) {
	name := store
	if till != "" {
		name += "-" + till
	}
	seed := filepath.Join(keys, name+".seed")
	e.f = f
	e.cfg = edge.Config{
		DC: f.net.DC, Env: f.net.Env, Brand: f.net.Brand,
		Data: filepath.Join(f.cfg.Edge, "edge", name), Listen: listen,
		UpstreamSeed: seed, CardKey: filepath.Join(keys, "card.key"),
		ReserveMB: 1, // a dozen nodes lie on one disk, or in memory
	}
	if e.cfg.POSTokens, err = TokensFile(keys); err != nil {
		return err
	}
	if e.cfg.Store, err = subjects.ParseStoreID(store); err != nil {
		return err
	}
	if till != "" {
		if e.cfg.Till, err = subjects.ParseTillID(till); err != nil {
			return err
		}
	}
	e.nkey, err = seedFile(seed)
	return err
}

// join puts a relay before an upstream's address.
func (e *Edge) join(target string) error {
	r, err := relay.Open("127.0.0.1:0", target)
	if err != nil {
		return err
	}
	e.relays = append(e.relays, r)
	e.cfg.Upstream = append(e.cfg.Upstream, "nats-leaf://"+r.Addr())
	return nil
}

// joinCentre joins a store to every node of the centre.
func (s *Store) joinCentre() error {
	for _, c := range s.f.centre {
		if err := s.join(c.cfg.LeafListen); err != nil {
			return err
		}
	}
	return nil
}

func (t *Till) natsDoor(listen string) error {
	if !t.f.cfg.NATS {
		return nil
	}
	path := filepath.Join(t.f.cfg.Dir, "keys", "pos.password")
	if err := secretFile(path); err != nil {
		return err
	}
	t.cfg.NATSListen, t.cfg.POSPassword = listen, path
	return nil
}

// Name is the node's name: the store, or store-till.
func (e *Edge) Name() string {
	if e.cfg.Till.IsZero() {
		return e.cfg.Store.String()
	}
	return e.cfg.Store.String() + "-" + e.cfg.Till.String()
}

// Config is the node's configuration.
func (e *Edge) Config() edge.Config { return e.cfg }

// Start opens the node from its files and runs it.
func (e *Edge) Start() error {
	n, err := edge.Open(e.cfg, "fleet", e.f.log)
	if err != nil {
		return fmt.Errorf("start edge node %s: %w", e.Name(), err)
	}
	e.run.start(e.f, "edge node "+e.Name(), n, func(ctx context.Context) error { return e.serve(ctx, n) })
	return nil
}

// serve runs a node, and starts it again when it has ended because it met damage in its files, as systemd
// does: the start is what mends them.
func (e *Edge) serve(ctx context.Context, n *edge.Node) error {
	for {
		err := n.Run(ctx)
		if ctx.Err() != nil || !errors.Is(err, journal.ErrDamaged) && !errors.Is(err, cache.ErrDamaged) {
			return err
		}
		e.f.log.Warn("a node has met damage and is started again", "node", e.Name(), "err", err)
		if err := n.Close(); err != nil {
			return err
		}
		if n, err = edge.Open(e.cfg, "fleet", e.f.log); err != nil {
			return fmt.Errorf("start edge node %s again: %w", e.Name(), err)
		}
		e.run.replace(n)
	}
}

// Crash drops the node; whoever waits for it hears nothing.
func (e *Edge) Crash() error {
	n := e.run.node()
	if n == nil {
		return nil
	}
	n.Crash()
	return e.run.end().Close()
}

// Restart starts a node that has crashed.
func (e *Edge) Restart() error { return errors.Join(e.Crash(), e.Start()) }

// Wipe takes the disk of a node that is down.
func (e *Edge) Wipe() error { return os.RemoveAll(e.cfg.Data) }

func (e *Edge) close() error {
	var errs []error
	if n := e.run.end(); n != nil {
		errs = append(errs, n.Close())
	}
	for _, r := range e.relays {
		errs = append(errs, r.Close())
	}
	return errors.Join(errs...)
}

// Cut resets the link upward: a store's WAN, a till's LAN.
func (e *Edge) Cut() {
	e.cut.Store(true)
	for _, r := range e.relays {
		r.Cut()
	}
}

// Silence swallows what the link carries: both ends think that it is there.
func (e *Edge) Silence() {
	e.cut.Store(true)
	for _, r := range e.relays {
		r.Silence()
	}
}

// Deafen carries what the node says upward and holds what it is answered.
func (e *Edge) Deafen() {
	e.cut.Store(true)
	for _, r := range e.relays {
		r.Deafen()
	}
}

// Heal gives the link back.
func (e *Edge) Heal() {
	for _, r := range e.relays {
		r.Heal()
	}
	e.cut.Store(false)
}

// IsCut reports whether the link upward is cut.
func (e *Edge) IsCut() bool { return e.cut.Load() }

// Node is the running node, nil while it is down.
func (e *Edge) Node() *edge.Node { return e.run.node() }

// URL is where the node answers a POS; it stays the same over a crash.
func (e *Edge) URL() string { return "http://" + e.cfg.Listen }

// Till is the store's i-th till, from 0.
func (s *Store) Till(i int) *Till { return s.tills[i] }

// Tills lists the store's tills.
func (s *Store) Tills() []*Till { return s.tills }

// Store is the till's store.
func (t *Till) Store() *Store { return t.store }
