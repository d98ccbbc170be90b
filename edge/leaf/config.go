package leaf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// Config says who a node is and whom it talks to.
type Config struct {
	// Name is the node's name, such as "acme-0001-01": brand, store and till. Required.
	Name string

	// Upstreams are the leaf addresses of the one upstream, as nats-leaf://host:port: of any nodes of
	// the centre, or of the store. One of them is used at a time, tried in random order. Empty: the
	// node is alone.
	Upstreams []string
	// UpstreamSeed is the seed of this node's user nkey at the upstream (the text, not a file name).
	// Required with Upstreams.
	UpstreamSeed string
	// UpstreamTLS is for the link upward. Nil: no TLS.
	UpstreamTLS *tls.Config
	// Compression of the link upward: "" for none (till to store), "s2_fast" (store to centre). The
	// server's own default turns to its slowest level under load and is not offered.
	Compression string
	// DenyUp are subjects that never cross upward, neither as messages nor as interest.
	DenyUp []string

	// Accept is the host:port where tills join as leafs; port 0 picks one. Empty: none may.
	Accept string
	// AcceptTLS is for Accept. Nil: no TLS.
	AcceptTLS *tls.Config
	// Downstream are the tills that may join. Empty: none.
	Downstream []User

	// Listen is the host:port of the POS terminals' door; the host must be a loopback address, port 0
	// picks one. Empty: no door.
	Listen string
	// POSPassword lets a POS in, as user [POSUser]; at most 72 bytes. Required with Listen.
	POSPassword string
	// POSPublish and POSSubscribe are all that a POS may do. Required with Listen.
	POSPublish, POSSubscribe []string

	// Log takes the server's log: what it notes at Debug, warnings and errors at Warn. Nil: none.
	Log *slog.Logger
}

// User is a till that may join this node as a leaf, and all it may send to it and receive from it.
type User struct {
	Nkey               string // public user nkey, "U…"
	Publish, Subscribe []string
}

// POSUser is the user name of a POS at its till's door.
const POSUser = "pos"

// maxPassword is the longest password bcrypt takes, in bytes.
const maxPassword = 72

// check reports the first thing that makes cfg unusable or unsafe.
func (cfg *Config) check() error {
	if cfg.Name == "" {
		return errors.New("no name")
	}
	switch cfg.Compression {
	case "", server.CompressionOff, server.CompressionS2Fast:
	default:
		return fmt.Errorf("compression %q: want none or %q", cfg.Compression, server.CompressionS2Fast)
	}
	if _, err := cfg.upstreams(); err != nil {
		return err
	}
	if len(cfg.Upstreams) > 0 {
		if err := checkSeed(cfg.UpstreamSeed); err != nil {
			return fmt.Errorf("upstream seed: %w", err)
		}
	}
	for _, u := range cfg.Downstream {
		if !nkeys.IsValidPublicUserKey(u.Nkey) {
			return fmt.Errorf("downstream nkey %q: not a public user nkey", u.Nkey)
		}
		if len(u.Publish) == 0 || len(u.Subscribe) == 0 {
			// For the server an empty list is no limit at all.
			return fmt.Errorf("downstream nkey %q: without allow-lists it might do anything", u.Nkey)
		}
	}
	return cfg.checkDoor()
}

func (cfg *Config) checkDoor() error {
	if cfg.Listen == "" {
		return nil
	}
	host, _, err := hostPort(cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen address: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen address %s: not a loopback address", cfg.Listen)
	}
	if n := len(cfg.POSPassword); n == 0 || n > maxPassword {
		return fmt.Errorf("POS password of %d bytes: want 1 to %d", n, maxPassword)
	}
	if len(cfg.POSPublish) == 0 || len(cfg.POSSubscribe) == 0 {
		return errors.New("POS door without allow-lists")
	}
	return nil
}

func checkSeed(seed string) error {
	kp, err := nkeys.FromSeed([]byte(seed))
	if err != nil {
		return err
	}
	defer kp.Wipe()
	pub, err := kp.PublicKey()
	if err != nil {
		return err
	}
	if !nkeys.IsValidPublicUserKey(pub) {
		return errors.New("not the seed of a user nkey")
	}
	return nil
}

// upstreams parses Upstreams anew at each call: the server keeps and changes what it is given.
func (cfg *Config) upstreams() ([]*url.URL, error) {
	var urls []*url.URL
	for _, s := range cfg.Upstreams {
		u, err := url.Parse(s)
		if err != nil {
			return nil, fmt.Errorf("upstream: %w", err)
		}
		if u.Scheme != "nats-leaf" || u.Hostname() == "" || u.Port() == "" || u.User != nil || u.Path != "" {
			return nil, fmt.Errorf("upstream %s: want nats-leaf://host:port", u.Redacted())
		}
		urls = append(urls, u)
	}
	return urls, nil
}

func hostPort(addr string) (host string, port int, err error) {
	h, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(p, 10, 16)
	return h, int(n), err
}
