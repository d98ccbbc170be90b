package hub

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"

	"github.com/nats-io/nkeys"
	"github.com/prometheus/client_golang/prometheus"

	"tillstream/subjects"
)

// Config says which node this is and whom it serves.
type Config struct {
	// Node names this node; unique in the cluster and the same at every start. Required.
	Node subjects.NodeID
	// ClusterName is the same on all nodes. Required with ClusterListen.
	ClusterName string
	// Brands are those served here, the same on all nodes. At least one.
	Brands []Brand

	// ClusterListen is the host:port for the other nodes; port 0 picks one. Empty: this node is alone,
	// and its streams have one replica.
	ClusterListen string
	// Routes are the ClusterListen addresses of all other nodes, as host:port; this node's own may be
	// among them. Of two nodes at least one must name the other.
	Routes []string
	// ClusterSecret is shared by all nodes and lets one in. Required with ClusterListen.
	ClusterSecret string
	// ClusterTLS is for the links between nodes. Nil: no TLS.
	ClusterTLS *tls.Config

	// LeafListen is the host:port where stores join; port 0 picks one. Empty: none may.
	LeafListen string
	// LeafTLS is for LeafListen. Nil: no TLS.
	LeafTLS *tls.Config

	// DataDir is where JetStream keeps its files. Required.
	DataDir string

	// Metrics takes the disk's. Nil: none.
	Metrics prometheus.Registerer

	// Log takes the server's log: what it notes at Debug, warnings and errors at Warn. Nil: none.
	Log *slog.Logger
}

// Brand is one account.
type Brand struct {
	Net    subjects.Net
	Stores []StoreUser
}

// StoreUser lets a node of a store join. A store may have several, so that a key can be replaced.
type StoreUser struct {
	Store subjects.StoreID
	Nkey  string // public user nkey, "U…"; used once in the whole installation
}

// check reports the first thing that makes cfg unusable or unsafe.
func (cfg *Config) check() error {
	switch {
	case cfg.Node.IsZero():
		return errors.New("no node name")
	case cfg.DataDir == "":
		return errors.New("no data directory")
	case len(cfg.Brands) == 0:
		return errors.New("no brands")
	}
	if cfg.ClusterListen != "" {
		if cfg.ClusterName == "" || cfg.ClusterSecret == "" {
			return errors.New("a cluster needs a name and a secret")
		}
		if len(cfg.Routes) == 0 {
			return errors.New("a cluster needs routes: without any the nodes never elect a leader")
		}
	}
	if _, err := cfg.routes(); err != nil {
		return err
	}
	return checkBrands(cfg.Brands)
}

func checkBrands(brands []Brand) error {
	seen := map[subjects.BrandID]bool{}
	keys := map[string]subjects.StoreID{}
	for _, b := range brands {
		id := b.Net.Brand
		if id.IsZero() || seen[id] {
			return fmt.Errorf("brand %q: missing or named twice", id)
		}
		seen[id] = true
		for _, u := range b.Stores {
			if u.Store.IsZero() || !nkeys.IsValidPublicUserKey(u.Nkey) {
				return fmt.Errorf("brand %s, store %q: nkey %q is not a public user nkey", id, u.Store, u.Nkey)
			}
			if other, used := keys[u.Nkey]; used {
				return fmt.Errorf("nkey %s: used by store %s and by store %s", u.Nkey, other, u.Store)
			}
			keys[u.Nkey] = u.Store
		}
	}
	return nil
}

// routes makes the URLs with which this node dials the others, anew at each call: the server keeps and
// changes what it is given.
func (cfg *Config) routes() ([]*url.URL, error) {
	var urls []*url.URL
	for _, r := range cfg.Routes {
		if _, _, err := hostPort(r); err != nil {
			return nil, fmt.Errorf("route: %w", err)
		}
		urls = append(urls, &url.URL{Scheme: "nats-route", Host: r, User: url.UserPassword(routeUser, cfg.ClusterSecret)})
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
