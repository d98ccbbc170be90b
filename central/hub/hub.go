package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"tillstream/subjects"
)

// startWithin bounds the wait for the doors once the streams on disk are read, which itself takes as
// long as it takes.
const startWithin = time.Minute

const (
	clientWait = 50 * time.Millisecond // a connection in process waits so long before it tries again
	readyLook  = 10 * time.Millisecond // between two looks of Ready
)

// Sentinels of this package.
var (
	// ErrBrand means that a brand is not served here.
	ErrBrand = errors.New("brand is not served here")
	// ErrShut means that the server is closed for now, see [Hub.Guard]. It opens again by itself.
	ErrShut = errors.New("this node's server is closed for now")
)

// Hub is the running server of a node of the centre. It is safe for many goroutines.
type Hub struct {
	cfg    Config
	own    map[subjects.BrandID]ownUser  // never changed after Open
	server atomic.Pointer[server.Server] // nil while it is shut
	log    *slog.Logger
	meters *meters
	space  atomic.Pointer[Space] // what Guard saw last
	blind  atomic.Bool           // Guard has said that it sees nothing
	full   atomic.Bool           // the server has written of a full disk in its log

	mu     sync.Mutex         // held through a reload, and while the server is shut or opened
	brands []Brand            // guarded by mu; what the server was told last
	told   []*server.NkeyUser // guarded by mu; the same, as the server has it
	bound  ports              // guarded by mu
	closed bool               // guarded by mu: for good
	shut   shutting           // guarded by mu
}

// ownUser is this node's user in one brand's account, drawn at each start.
type ownUser struct {
	pair   nkeys.KeyPair
	public string
}

// Open starts the server: when it returns, the doors are bound and the streams on disk are read, but
// the cluster may not have a leader; see Ready. It refuses a Config that would leave a door open to all.
func Open(cfg Config) (*Hub, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open hub %s: %w", cfg.Node, err)
	}
	h := &Hub{cfg: cfg, log: cfg.Log, own: map[subjects.BrandID]ownUser{}, brands: clone(cfg.Brands)}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	for _, b := range h.brands {
		u, err := newUser()
		if err != nil {
			return nil, fmt.Errorf("open hub %s: make own user: %w", cfg.Node, err)
		}
		h.own[b.Net.Brand] = u
	}
	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("open hub %s: %w", cfg.Node, err)
	}
	h.meters = newMeters(cfg.Metrics)
	if err := h.openIfRoom(); err != nil {
		return nil, fmt.Errorf("open hub %s: %w", cfg.Node, err)
	}
	return h, nil
}

func newUser() (ownUser, error) {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return ownUser{}, err
	}
	pub, err := kp.PublicKey()
	return ownUser{kp, pub}, err
}

// open starts a server and remembers what it bound. Callers hold mu, or are Open.
func (h *Hub) open() error {
	h.full.Store(false)
	h.bound.client = 0 // nobody knows it, and somebody may have taken it meanwhile
	o, err := h.options(h.bound, h.brands)
	if err != nil {
		return err
	}
	s, err := start(o, &serverLog{log: h.log, full: &h.full})
	if err != nil {
		return err
	}
	h.told = o.Nkeys
	h.bound.client, h.bound.leaf = o.Port, o.LeafNode.Port // the server has written back what it bound
	if a := s.ClusterAddr(); a != nil {
		h.bound.cluster = a.Port
	}
	h.server.Store(s)
	return nil
}

func start(o *server.Options, sl *serverLog) (*server.Server, error) {
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(sl, false, false, false)
	s.Start()
	ready := sl.failed() == nil && s.ReadyForConnections(startWithin)
	if err := sl.failed(); err != nil {
		s.Shutdown()
		return nil, err
	}
	if !ready {
		s.Shutdown()
		return nil, errors.New("server does not start")
	}
	return s, nil
}

// Leads reports whether this node leads a stream of a brand, as far as it knows. It asks nobody.
func (h *Hub) Leads(brand subjects.BrandID, stream string) bool {
	srv := h.server.Load()
	return srv != nil && (h.cfg.ClusterListen == "" || srv.JetStreamIsStreamLeader(brand.String(), stream))
}

// Connect opens a connection in process as this node's user in the brand's account, where it may do
// everything. The connection is made again for ever, also to the server that follows one that was shut;
// the caller closes it, before this Hub. Later options win.
func (h *Hub) Connect(brand subjects.BrandID, name string, opts ...nats.Option) (*nats.Conn, error) {
	u, ok := h.own[brand]
	if !ok {
		return nil, fmt.Errorf("connect %s to brand %s: %w", name, brand, ErrBrand)
	}
	all := append([]nats.Option{
		nats.Name(name),
		nats.InProcessServer(h),
		nats.RetryOnFailedConnect(true), // the server may be shut just now
		nats.Nkey(u.public, u.pair.Sign),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(clientWait),
	}, opts...)
	nc, err := nats.Connect("", all...)
	if err != nil {
		return nil, fmt.Errorf("connect %s to brand %s: %w", name, brand, err)
	}
	return nc, nil
}

// Heard reports whether anybody in the cluster, or at a leaf of it, subscribes to a subject of the brand: as
// the server itself does, before it lets a message go.
func (h *Hub) Heard(brand subjects.BrandID, subject string) bool {
	srv := h.server.Load()
	if srv == nil {
		return false
	}
	a, err := srv.LookupAccount(brand.String())
	return err == nil && a.SubscriptionInterest(subject)
}

// InProcessConn is for nats.InProcessServer: a connection to the server that runs now.
func (h *Hub) InProcessConn() (net.Conn, error) {
	s := h.server.Load()
	if s == nil {
		return nil, ErrShut
	}
	return s.InProcessConn()
}

// Ready waits until the cluster has a leader and this node has all that it decided. Making a stream may
// still be refused for a moment ("no suitable peers"), until the leader has heard from enough nodes.
// It returns the cause of ctx's end with what is missing.
func (h *Hub) Ready(ctx context.Context) error {
	tick := time.NewTicker(readyLook)
	defer tick.Stop()
	for {
		err := h.health()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("hub %s is not ready: %w: %w", h.cfg.Node, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

func (h *Hub) health() error {
	srv := h.server.Load()
	if srv == nil {
		return ErrShut
	}
	s := srv.Healthz(&server.HealthzOptions{JSMetaOnly: true})
	if s.Status != "ok" {
		return errors.New(s.Error)
	}
	return nil
}

// LeafAddr is where stores join, as host:port, or "" when none may.
func (h *Hub) LeafAddr() string { return h.addr(h.cfg.LeafListen, h.ports().leaf) }

// ClusterAddr is where the other nodes dial this one, as host:port, or "" when it is alone.
func (h *Hub) ClusterAddr() string { return h.addr(h.cfg.ClusterListen, h.ports().cluster) }

func (h *Hub) ports() ports {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bound
}

func (h *Hub) addr(listen string, port int) string {
	if listen == "" {
		return ""
	}
	host, _, _ := net.SplitHostPort(listen) // Open has parsed it
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// Close hands over what this node leads, ends the server and waits for it. Close the connections of
// Connect first.
func (h *Hub) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.end()
	return nil
}

// end stops the server, if one runs, and waits. Callers hold mu.
func (h *Hub) end() {
	if s := h.server.Swap(nil); s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}
