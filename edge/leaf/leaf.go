package leaf

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
)

// startWithin bounds the start of the server: it only binds its doors.
const startWithin = 10 * time.Second

// clientWait is how long a connection in process waits before it tries again.
const clientWait = 50 * time.Millisecond

// connectWait bounds a connection to this process's own server: only a machine that starves needs it.
const connectWait = 20 * time.Second

// Leaf is the running server of an edge node. It is safe for many goroutines.
type Leaf struct {
	cfg     Config
	name    string // Config.Name and a random part
	own     nkeys.KeyPair
	ownKey  string // public key of own
	posHash string // bcrypt of Config.POSPassword; the same at each reload
	bound   ports  // what the doors are bound to
	server  *server.Server
	said    *serverLog
	log     *slog.Logger
	pace    pace
	life    int // of the remote: how often Run has made it anew; owned by Run
}

// Open starts the server: when it returns, the doors are bound and the upstream is being dialled. It
// refuses a Config that would leave a door open to all.
func Open(cfg Config) (*Leaf, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("open leaf %s: %w", cfg.Name, err)
	}
	l := &Leaf{cfg: cfg, log: cfg.Log, pace: usualPace}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := l.identify(); err != nil {
		return nil, fmt.Errorf("open leaf %s: %w", cfg.Name, err)
	}
	o, err := l.options(ports{}, false)
	if err != nil {
		return nil, fmt.Errorf("open leaf %s: %w", cfg.Name, err)
	}
	l.said = &serverLog{log: l.log}
	if l.server, err = start(o, l.said); err != nil {
		return nil, fmt.Errorf("open leaf %s: %w", cfg.Name, err)
	}
	l.bound = ports{client: o.Port, leaf: o.LeafNode.Port} // the server has written back what it bound
	return l, nil
}

// identify draws what is new at each start: the random part of the name, and the node's own user.
func (l *Leaf) identify() (err error) {
	l.name = l.cfg.Name + "-" + rand.Text()
	if l.own, err = nkeys.CreateUser(); err != nil {
		return fmt.Errorf("make own user: %w", err)
	}
	if l.ownKey, err = l.own.PublicKey(); err != nil {
		return fmt.Errorf("make own user: %w", err)
	}
	if l.cfg.Listen == "" {
		return nil
	}
	// The least cost: the hash never leaves this process, which had the password itself a moment ago.
	hash, err := bcrypt.GenerateFromPassword([]byte(l.cfg.POSPassword), bcrypt.MinCost)
	if err != nil {
		return fmt.Errorf("hash POS password: %w", err)
	}
	l.posHash, l.cfg.POSPassword = string(hash), ""
	return nil
}

func start(o *server.Options, said *serverLog) (*server.Server, error) {
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.SetLoggerV2(said, false, false, false)
	s.Start()
	if err := said.failed(); err != nil {
		s.Shutdown()
		return nil, err
	}
	if !s.ReadyForConnections(startWithin) {
		s.Shutdown()
		return nil, errors.New("server does not start")
	}
	return s, nil
}

// Connect opens a connection in process as the node's own user, which may do everything on this
// server. Its replies come to subjects under inbox: upstream allows a node no inbox but its own, and
// with another prefix the answer to a question that crosses is lost. The connection is made again for
// ever; the caller closes it, before this Leaf. Later options win.
func (l *Leaf) Connect(inbox string, opts ...nats.Option) (*nats.Conn, error) {
	all := append([]nats.Option{
		nats.Name(l.cfg.Name),
		nats.InProcessServer(l.server),
		nats.Nkey(l.ownKey, l.own.Sign),
		nats.CustomInboxPrefix(inbox),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(clientWait),
		nats.Timeout(connectWait),
		nats.Timeout(connectWait), // it is this process: only a machine that starves makes it wait
	}, opts...)
	nc, err := nats.Connect("", all...)
	if err != nil {
		return nil, fmt.Errorf("connect to leaf %s: %w", l.cfg.Name, err)
	}
	return nc, nil
}

// Up reports whether the link upward is established now: dialled, its key accepted, and not yet found
// dead. See the package's Failure for how late that can be.
func (l *Leaf) Up() bool {
	_, up := l.link()
	return up
}

// link gives the number of the connection upward; a new connection has a new one.
func (l *Leaf) link() (id uint64, up bool) {
	z, err := l.server.Leafz(nil)
	if err != nil {
		return 0, false // it has no error to give today
	}
	for _, i := range z.Leafs {
		if i.IsSpoke {
			return i.ID, true
		}
	}
	return 0, false
}

// Downstream is the number of tills that are joined now.
func (l *Leaf) Downstream() int {
	n := l.server.NumLeafNodes()
	if l.Up() {
		n--
	}
	return max(n, 0)
}

// LeafAddr is where tills join, as host:port, or "" when none may.
func (l *Leaf) LeafAddr() string {
	if l.cfg.Accept == "" {
		return ""
	}
	host, _, _ := net.SplitHostPort(l.cfg.Accept) // Open has parsed it
	return net.JoinHostPort(host, strconv.Itoa(l.bound.leaf))
}

// ClientAddr is the POS terminals' door, as host:port, or "" when there is none.
func (l *Leaf) ClientAddr() string {
	if l.cfg.Listen == "" {
		return ""
	}
	host, _, _ := net.SplitHostPort(l.cfg.Listen) // Open has parsed it
	return net.JoinHostPort(host, strconv.Itoa(l.bound.client))
}

// Close ends the server and waits for it. Close the connections of Connect first.
func (l *Leaf) Close() error {
	l.server.Shutdown()
	l.server.WaitForShutdown()
	return nil
}

// Crash drops all connections at once. An edge node's server keeps nothing, so there is nothing that
// Close would do and a crash leaves undone; the name says what a test means.
func (l *Leaf) Crash() { l.server.Shutdown() }
