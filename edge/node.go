package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillstream/edge/api"
	"tillstream/edge/cache"
	"tillstream/edge/feed"
	"tillstream/edge/journal"
	"tillstream/edge/leaf"
	"tillstream/edge/programme"
	"tillstream/edge/uplink"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Node is an edge node: a till's, or a store's.
type Node struct {
	cfg     Config
	net     subjects.Net
	log     *slog.Logger
	journal *journal.Journal
	cache   *cache.Cache
	ring    *seal.Ring
	rules   *programme.Revisions
	baskets *api.Shelf // suspended: a store's those of its tills
	leaf    *leaf.Leaf
	conn    *nats.Conn
	api     *api.API
	uplink  *uplink.Uplink
	feed    *feed.Follower
	parts   []func(context.Context) error
	full    atomic.Bool // the disk, as was said last

	heard atomic.Pointer[api.Centre] // at a till: how its store hears the centre; nil: it has not said

	copier   *seal.Copier // of the key ring; nil: there is no upstream to keep copies
	ringKept atomic.Bool  // by the upstream

	sales *sales // of a store's tills; nil at a till
}

// How often the journal is asked whether it is well, and lets go of what is posted and old.
const (
	lookEvery  = time.Second
	sweepEvery = 10 * time.Minute
)

// Open opens the node's files, binds its doors and starts its leaf. Run makes it talk.
func Open(cfg Config, version string, log *slog.Logger) (_ *Node, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	n := &Node{cfg: cfg, net: cfg.Net(), log: log.With("store", cfg.Store.String())}
	if cfg.isTill() {
		n.log = n.log.With("till", cfg.Till.String())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	cards, err := seal.OpenCards(cfg.File(cfg.CardKey))
	if err != nil {
		return nil, err
	}
	// The leaf first: a node whose keys are lost asks its upstream for them.
	if err := n.openLeaf(); err != nil {
		return nil, err
	}
	if err := n.openCopier(); err != nil {
		return nil, err
	}
	if err := n.openFiles(); err != nil {
		return nil, err
	}
	n.rules, err = programme.Open(programme.Config{Cache: n.cache, Store: cfg.Store, CardPrefixes: cfg.CardPrefixes, Log: n.log})
	if err != nil {
		return nil, err
	}
	n.baskets, err = api.OpenShelf(api.ShelfConfig{Dir: filepath.Join(cfg.Data, "baskets"), Ring: n.ring, Log: n.log})
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	n.connectParts(registry)
	n.api, err = api.Open(api.Config{
		Store: cfg.Store, Till: cfg.Till, Listen: cfg.Listen, Conn: n.conn,
		Tokens: cfg.File(cfg.POSTokens), Ring: n.ring, Shelf: n.baskets, AskStore: n.askBaskets(), Hold: n.hold,
		Centre: n.centre, Sale: n.sale, Returns: n.returns,
		Rules:   n.rules,
		Journal: n.journal, Cache: n.cache, Cards: cards, CardPrefixes: cfg.CardPrefixes,
		Ask: n.ask, Upstream: n.LastAnswer, State: n.state, Version: version,
		Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}), Registerer: registry, Log: n.log,
	})
	return n, err
}

// openFiles opens the keys, journal and cache. A journal in which the overlay meets damage, where upstream
// has the receipts and Open had no reason to look, is opened again and salvaged: or no start would help.
func (n *Node) openFiles() error {
	ring, err := n.openRing()
	if err != nil {
		return err
	}
	n.ring = ring
	err = n.openStores(ring)
	if errors.Is(err, journal.ErrDamaged) && n.journal != nil {
		err = errors.Join(n.journal.Close(), n.cache.Close())
		n.journal, n.cache = nil, nil
		if err == nil {
			err = n.openStores(ring)
		}
	}
	if err != nil {
		return err
	}
	if err := n.takeUpOwn(); err != nil {
		return err
	}
	return n.watchDisk()
}

// openStores opens journal and cache. A cache that has told downstream of receipts which its journal no
// longer has is dropped with it: it fills again.
func (n *Node) openStores(ring *seal.Ring) (err error) {
	journalPath, cachePath := n.journalPath(), filepath.Join(n.cfg.Data, "cache.db")
	_, missing := os.Stat(journalPath)
	n.journal, err = journal.Open(journal.Config{
		Path: journalPath, Ring: ring, Store: n.cfg.Store, Till: n.cfg.Till, Keep: n.cfg.keep(), Reserve: n.cfg.reserve(),
		Kept: n.kept, Log: n.log,
	})
	if err != nil {
		return err
	}
	if missing != nil || n.journal.Salvaged() != nil {
		for _, f := range []string{cachePath, cachePath + ".open"} {
			if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
				return fmt.Errorf("drop cache: %w", err)
			}
		}
	}
	if n.cache, err = cache.Open(cache.Config{Path: cachePath, Ring: ring, Log: n.log}); err != nil {
		return err
	}
	return n.overlay()
}

// overlay gives the cache what the journal holds and the cache's balances do not contain yet.
func (n *Node) overlay() error {
	for _, c := range n.journal.Chains() {
		for r, err := range n.journal.After(c.ID, max(n.cache.Counted(c.ID), c.Moved)) {
			if err != nil {
				return fmt.Errorf("rebuild overlay of chain %s: %w", c.ID, err)
			}
			n.cache.Overlay([]record.Header{r.Header})
		}
	}
	return nil
}

func (n *Node) openLeaf() (err error) {
	seed, err := n.cfg.secret("upstream_seed_file", n.cfg.UpstreamSeed)
	if err != nil {
		return err
	}
	password, err := n.cfg.secret("pos_password_file", n.cfg.POSPassword)
	if err != nil {
		return err
	}
	lc := leaf.Config{
		Name: n.cfg.name(), Upstreams: n.cfg.Upstream, UpstreamSeed: seed,
		Accept: n.cfg.Accept, Listen: n.cfg.NATSListen, POSPassword: password, Log: n.log,
		DenyUp: subjects.StaysHere(), Compression: "s2_fast",
	}
	inbox := subjects.StoreInbox(n.cfg.Store)
	if n.cfg.isTill() {
		lc.DenyUp, lc.Compression = subjects.StaysOnTill(), ""
		inbox = n.lane().Inbox()
	}
	if lc.Listen != "" {
		lc.POSPublish, lc.POSSubscribe = subjects.POSPermissions()
	}
	for _, t := range n.cfg.Tills {
		u := leaf.User{Nkey: t.Nkey}
		u.Publish, u.Subscribe = subjects.Lane{Store: n.cfg.Store, Till: t.Till}.Permissions()
		lc.Downstream = append(lc.Downstream, u)
	}
	if n.leaf, err = leaf.Open(lc); err != nil {
		return err
	}
	n.conn, err = n.leaf.Connect(inbox)
	return err
}

// connectParts makes what talks: up, down, and at a store to its tills.
func (n *Node) connectParts(registry *prometheus.Registry) {
	up := uplink.Config{Conn: n.conn, Subject: n.net.Ingest(n.cfg.Store), Journal: n.journal, Link: n.leaf.Link, Log: n.log}
	down := feed.FollowerConfig{
		Conn: n.conn, Pull: n.net.FeedPull(n.cfg.Store), Changed: n.net.FeedChanged(n.cfg.Store),
		Cache: n.cache, Posted: n.journal.SetPosted, Reset: n.journal.ForgetPosted, Dropped: n.overlay, Log: n.log,
	}
	if n.cfg.isTill() {
		up.Subject = n.lane().Ingest()
		down.Pull, down.Changed, down.Above = n.lane().FeedPull(), n.lane().FeedChanged(), n.hearAbove
	}
	n.uplink, n.feed = uplink.New(up), feed.NewFollower(down)
	n.parts = append(n.parts, n.leaf.Run, n.tend, n.rules.Run)
	if len(n.cfg.Upstream) > 0 {
		n.parts = append(n.parts, n.uplink.Run, n.feed.Run, n.keepRing)
		if n.cfg.Store != subjects.Headquarters { // which has no screen
			n.parts = append(n.parts, n.tellPresence)
			if n.cfg.isTill() {
				n.parts = append(n.parts, n.screen().Run)
			} else {
				n.parts = append(n.parts, n.screens().Run, n.presences().Run)
			}
		}
	}
	if !n.cfg.isTill() {
		n.sales = newSales()
		n.parts = append(n.parts,
			uplink.NewIntake(uplink.IntakeConfig{Conn: n.conn, Store: n.cfg.Store, Journal: n.journal, Log: n.log}).Run,
			feed.NewServer(feed.ServerConfig{Conn: n.conn, Store: n.cfg.Store, Cache: n.cache, Above: n.above, Log: n.log}).Run,
			n.lookups().Run, n.holds().Run, n.salesService().Run, n.keyRings().Run, n.basketsOfTills().Run, n.readSales)
	}
	n.measure(registry)
}

func (n *Node) lane() subjects.Lane { return subjects.Lane{Store: n.cfg.Store, Till: n.cfg.Till} }

// Run talks until ctx ends. The POS is answered from its first line.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, part := range append(n.parts, n.api.Run) {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("node %s: %w", n.cfg.name(), err)
	}
	return nil
}

// tend lets go of receipts that are posted and old, and ends the node when its journal has met damage:
// opening it again salvages it.
func (n *Node) tend(ctx context.Context) error {
	look, sweep := time.NewTicker(lookEvery), time.NewTicker(sweepEvery)
	defer look.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-look.C:
			if err := n.journal.Err(); err != nil {
				return err
			}
			if err := n.watchDisk(); err != nil {
				return err
			}
		case now := <-sweep.C:
			if err := n.sweep(now); err != nil {
				return err
			}
			if n.sales != nil {
				n.sales.forget(n.journal)
			}
			if err := n.cache.SweepReference(now); errors.Is(err, cache.ErrDamaged) {
				return err
			} else if err != nil {
				n.log.Warn("old reference data stays", "err", err)
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// Crash makes Run end without answering whoever waits, as a power cut would. Cancel Run's context
// after it.
func (n *Node) Crash() {
	n.api.Crash()
	n.leaf.Crash()
}

// Close closes what Open opened, in the opposite order. Call it after Run has returned.
func (n *Node) Close() error {
	var errs []error
	if n.api != nil {
		if err := n.api.Close(); !errors.Is(err, net.ErrClosed) { // Run has closed it
			errs = append(errs, err)
		}
	}
	if n.conn != nil {
		n.conn.Close()
	}
	if n.leaf != nil {
		errs = append(errs, n.leaf.Close())
	}
	if n.journal != nil {
		errs = append(errs, n.journal.Close())
	}
	if n.cache != nil {
		errs = append(errs, n.cache.Close())
	}
	return errors.Join(errs...)
}

// Supply adds to what quotes are made of: what no module of the centre brings yet. Before Run.
func (n *Node) Supply(change func(*api.Facts)) { n.api.Supply(change) }
