package central

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"tillstream/central/archive"
	"tillstream/central/books"
	"tillstream/central/feed"
	"tillstream/central/gateway"
	"tillstream/central/hub"
	"tillstream/central/ingest"
	"tillstream/central/reference"
	"tillstream/central/replica"
	"tillstream/central/scrub"
	"tillstream/central/streams"
	"tillstream/kv"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// Node is a node of the centre.
type Node struct {
	cfg       Config
	log       *slog.Logger
	hub       *hub.Hub
	conn      *nats.Conn // services, journal
	beats     *nats.Conn // heartbeats alone
	copies    *nats.Conn // reads of the node's own copy of the journal
	js        jetstream.JetStream
	books     *books.Books // read under the replica's lock
	replica   *replica.Replica
	scrub     *scrub.Scrub
	reference *reference.Set
	feed      *feed.Server
	posted    *announcer
	admin     *gateway.Admin
	archive   *archive.Archiver // nil: none
	backup    *Backup           // to be restored before anything else; nil: none
	fold      []func(context.Context) error
	serve     []func(context.Context) error // once the fold is level with the journal
}

// Open starts the node's server and opens its files. Run makes it work.
func Open(cfg Config, log *slog.Logger) (_ *Node, err error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("make data directory: %w", err)
	}
	n := &Node{cfg: cfg, log: log.With("node", cfg.Node.String()), books: books.New()}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	registry := prometheus.NewRegistry()
	if err := n.openHub(registry); err != nil {
		return nil, err
	}
	cards, err := seal.OpenCards(cfg.path(cfg.CardKey))
	if err != nil {
		return nil, err
	}
	if err := n.openReplica(registry); err != nil {
		return nil, err
	}
	if err := n.openArchive(registry); err != nil {
		return nil, err
	}
	token, err := cfg.secret("admin_token_file", cfg.AdminToken)
	if err != nil {
		return nil, err
	}
	of := n.openFlow(registry, cards)
	n.admin, err = gateway.OpenAdmin(gateway.AdminConfig{
		Listen: cfg.AdminListen, Token: token, Metrics: promhttp.HandlerFor(registry, promhttp.HandlerOpts{}),
		JS: n.js, Net: cfg.Net(), Streams: n.wanted(), Replica: n.replica, Books: n.books, Archive: n.archive,
		Reference: n.reference, Scrub: n.scrub, Disk: n.disk, Cards: cards, Flow: of, Log: n.log,
		Leads: func() bool { return n.hub.Leads(cfg.Brand, cfg.Net().JournalStream()) },
	})
	if err != nil {
		return nil, err
	}
	net := cfg.Net()
	n.fold = append(n.fold, n.replica.Run, n.posted.run, n.scrub.Run, n.reference.Run)
	n.serve = append(n.serve,
		ingest.New(ingest.Config{Net: net, Conn: n.conn, Replica: n.replica, Books: n.books, Metrics: registry, Log: n.log}).Run,
		n.feed.Run,
		gateway.NewPOS(gateway.POSConfig{Net: net, Conn: n.conn, Replica: n.replica, Books: n.books, JS: n.js, Log: n.log}).Run,
		gateway.NewKeyRings(gateway.KeyRingsConfig{Net: net, Conn: n.conn, Rings: kv.NewKeyRings(n.js, net.Brand), Log: n.log}).Run,
	)
	return n, nil
}

func (n *Node) openHub(registry prometheus.Registerer) error {
	cfg := &n.cfg
	stores, err := cfg.stores()
	if err != nil {
		return err
	}
	secret, err := cfg.secret("cluster_secret_file", cfg.ClusterSecret)
	if err != nil {
		return err
	}
	n.hub, err = hub.Open(hub.Config{
		Node: cfg.Node, ClusterName: "tillstream-" + cfg.Env.String(),
		Brands:        []hub.Brand{{Net: cfg.Net(), Stores: stores}},
		ClusterListen: cfg.ClusterListen, Routes: cfg.Routes, ClusterSecret: secret,
		LeafListen: cfg.LeafListen, DataDir: filepath.Join(cfg.Data, "jetstream"), Metrics: registry, Log: n.log,
	})
	if err != nil {
		return err
	}
	if n.conn, err = n.hub.Connect(cfg.Brand, "services"); err != nil {
		return err
	}
	if n.beats, err = n.hub.Connect(cfg.Brand, "heartbeats"); err != nil {
		return err
	}
	if n.copies, err = n.hub.Connect(cfg.Brand, "scrub"); err != nil {
		return err
	}
	n.js, err = jetstream.New(n.conn)
	return err
}

func (n *Node) openReplica(registry prometheus.Registerer) (err error) {
	net := n.cfg.Net()
	n.posted = newAnnouncer(net, n.conn, n.log)
	n.replica, err = replica.Open(replica.Config{
		Node: n.cfg.Node, Net: net, Machine: n.books, Nodes: max(1, len(n.cfg.Routes)), Dir: filepath.Join(n.cfg.Data, "replica"),
		Conn: n.conn, Beats: n.beats, Applied: n.posted.applied,
		Fit:     n.hub.Full,
		Metrics: registry, Log: n.log,
	})
	if err != nil {
		return err
	}
	n.posted.heard = func() bool { return n.hub.Heard(n.cfg.Brand, net.ReceiptsPosted()) }
	n.scrub = scrub.New(scrub.Config{
		Node: n.cfg.Node, Net: net, Conn: n.copies, JS: n.js, Hub: n.hub, Metrics: registry, Log: n.log,
		Files:  n.replica.Check,
		Folded: func() (uint64, record.Hash) { s := n.replica.Status(); return s.Entry, s.Hash },
	})
	n.posted.lane = func(ctx context.Context, id record.ChainID) (s storeID, t tillID) {
		if err := n.replica.Read(ctx, 0, func(uint64) { s, t, _ = n.books.Till(id) }); err != nil {
			n.log.Debug("announce", "err", err) // the node stops
		}
		return s, t
	}
	n.reference = reference.New(reference.Config{
		Brand: net.Brand, JS: n.js, Changed: func() { n.feed.PokeAll() }, Metrics: registry, Log: n.log,
	})
	n.feed = feed.New(feed.Config{
		Net: net, Conn: n.conn, Replica: n.replica, Books: n.books, Reference: n.reference, Metrics: registry, Log: n.log,
	})
	return nil
}

func (n *Node) disk() gateway.Disk {
	s := n.hub.Space()
	d := gateway.Disk{Free: s.Free, Low: s.Low}
	if s.Shut != nil {
		d.Shut = s.Shut.Error()
	}
	return d
}

// wanted lists the streams of this centre.
func (n *Node) wanted() []jetstream.StreamConfig {
	net, nodes := n.cfg.Net(), max(1, len(n.cfg.Routes))
	want := streams.Want(net, nodes)
	if n.cfg.Flow {
		want = append(want, streams.WantFlow(net, nodes)...)
	}
	return want
}

// Run works until ctx ends. It waits for the cluster first, however long that takes.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	run := func(part func(context.Context) error) {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	run(n.admin.Run)
	heralding, proclaimed := context.WithCancel(ctx)
	defer proclaimed()
	if n.backup != nil {
		run(func(context.Context) error {
			return replica.Herald(heralding, n.beats, n.cfg.Net(), n.cfg.Node)
		})
	}
	run(n.hub.Guard)
	run(func(ctx context.Context) error {
		if err := n.prepare(ctx); err != nil {
			return err
		}
		if err := n.restore(ctx); err != nil {
			return err
		}
		proclaimed()
		for _, part := range n.fold {
			run(part)
		}
		if err := n.replica.Level(ctx); err != nil {
			return err
		}
		for _, part := range n.serve {
			run(part)
		}
		return nil
	})
	wg.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("node %s: %w", n.cfg.Node, err)
	}
	return nil
}

// prepare waits until the cluster can keep a stream, and makes those that are not there. What differs
// is for ops to plan and apply; a start changes nothing that exists.
func (n *Node) prepare(ctx context.Context) error {
	for {
		err := n.hub.Ready(ctx)
		if err == nil {
			err = n.ensureStreams(ctx)
		}
		if err == nil {
			err = n.ensureConsumers(ctx)
		}
		if err == nil || ctx.Err() != nil {
			return err
		}
		n.log.Debug("waits for the cluster", "err", err)
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) ensureStreams(ctx context.Context) error {
	// A question that reaches a node without a meta leader is not answered at all: ask again soon.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	plan, err := streams.Plan(ctx, n.js, n.wanted())
	if err != nil {
		return err
	}
	for _, c := range plan {
		if c.Action != streams.Create {
			n.log.Warn("a stream is not as it should be: see ops streams plan", "stream", c.Stream, "change", c.String())
			continue
		}
		for _, w := range n.wanted() {
			if w.Name != c.Stream {
				continue
			}
			if _, err := n.js.CreateStream(ctx, w); err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
				return fmt.Errorf("create stream %s: %w", w.Name, err)
			}
		}
	}
	return nil
}

// Close closes what Open opened, in the opposite order. Call it after Run has returned.
func (n *Node) Close() error { return n.close((*replica.Replica).Close, (*hub.Hub).Close) }

// Abandon closes the files without the manners of Close: no snapshot, no hand-over, as a crash leaves
// them. Call Crash first, and wait for Run.
func (n *Node) Abandon() error {
	return n.close((*replica.Replica).Abandon, func(*hub.Hub) error { return nil })
}

func (n *Node) close(files func(*replica.Replica) error, server func(*hub.Hub) error) error {
	var errs []error
	if n.replica != nil {
		errs = append(errs, files(n.replica))
	}
	for _, c := range []*nats.Conn{n.conn, n.beats, n.copies} {
		if c != nil {
			c.Close()
		}
	}
	if n.hub != nil {
		errs = append(errs, server(n.hub))
	}
	return errors.Join(errs...)
}

// Crash drops the node's server at once. Cancel Run's context after it.
func (n *Node) Crash() { n.hub.Crash() }

// URL is the admin API.
func (n *Node) URL() string { return n.admin.URL() }

// LeafAddr is where stores join; ClusterAddr where the other nodes do.
func (n *Node) LeafAddr() string { return n.hub.LeafAddr() }

// ClusterAddr is where the other nodes of the centre connect.
func (n *Node) ClusterAddr() string { return n.hub.ClusterAddr() }

// Replica gives the node's replica, for those who watch it.
func (n *Node) Replica() *replica.Replica { return n.replica }

// Books gives the node's books; read them under the replica's lock.
func (n *Node) Books() *books.Books { return n.books }

// Reference gives the node's reference data.
func (n *Node) Reference() *reference.Set { return n.reference }

// Conn gives a connection to the brand's account, for those who subscribe to what the centre publishes.
func (n *Node) Conn() *nats.Conn { return n.conn }
