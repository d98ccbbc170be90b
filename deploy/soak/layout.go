package soak

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nkeys"

	"tillstream/central"
	"tillstream/deploy/fleet"
	"tillstream/deploy/relay"
	"tillstream/edge"
	"tillstream/subjects"
)

// brand is the one that the soak serves.
func brand() subjects.Net {
	return subjects.Net{DC: subjects.MustToken("dc1"), Env: subjects.MustToken("soak"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")}}
}

// longestSocket is what the system takes as the path of a unix socket.
const longestSocket = 100

// layout makes the directories, keys, relays and configurations of all nodes.
func (w *world) layout() error {
	for _, d := range []string{"keys", "log", "data", "images", "old", "door"} {
		if err := os.MkdirAll(filepath.Join(w.dir, d), 0o700); err != nil {
			return fmt.Errorf("make the soak's directory: %w", err)
		}
	}
	if path := w.socket(target{atTill, 99, 99}); len(path) > longestSocket {
		return fmt.Errorf("the directory %s is too deep for the sockets of the tills' doors: name a shorter one", w.dir)
	}
	for _, name := range []string{"card.key", "cluster.secret", "admin.token"} {
		if err := os.WriteFile(w.key(name), []byte(rand.Text()+rand.Text()+"\n"), 0o600); err != nil {
			return fmt.Errorf("make secret: %w", err)
		}
	}
	if _, err := fleet.TokensFile(w.key("")); err != nil {
		return err
	}
	for _, n := range w.nodes {
		if n.target.tier == atCentre {
			continue
		}
		if err := w.seed(n); err != nil {
			return err
		}
	}
	if err := w.storesFile(); err != nil {
		return err
	}
	for _, n := range w.nodes {
		cfg, err := w.config(n)
		if err != nil {
			return err
		}
		b, err := yaml.Marshal(cfg)
		if err == nil {
			err = os.WriteFile(n.config, b, 0o600)
		}
		if err != nil {
			return fmt.Errorf("write configuration of %s: %w", n.target, err)
		}
	}
	return nil
}

func (w *world) key(name string) string { return filepath.Join(w.dir, "keys", name) }

func (w *world) socket(t target) string { return filepath.Join(w.dir, "door", t.name()) }

// seed makes a node's key at its upstream.
func (w *world) seed(n *node) error {
	kp, err := nkeys.CreateUser()
	if err != nil {
		return fmt.Errorf("make nkey: %w", err)
	}
	b, err := kp.Seed()
	if err == nil {
		err = os.WriteFile(w.key(n.target.name()+".seed"), b, 0o600)
	}
	if err == nil {
		n.nkey, err = kp.PublicKey()
	}
	if err != nil {
		return fmt.Errorf("make nkey: %w", err)
	}
	return nil
}

func (w *world) storesFile() error {
	var list []central.Store
	for _, n := range w.nodes {
		if n.target.tier == atStore {
			list = append(list, central.Store{Store: n.store, Nkey: n.nkey})
		}
	}
	b, err := yaml.Marshal(list)
	if err == nil {
		err = os.WriteFile(w.key("stores.yaml"), b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write stores file: %w", err)
	}
	return nil
}

// config is what a node's file says.
func (w *world) config(n *node) (any, error) {
	if n.target.tier == atCentre {
		return w.centreConfig(n.target, w.net.addr, n.data)
	}
	b := brand()
	cfg := edge.Config{
		DC: b.DC, Env: b.Env, Brand: b.Brand, Store: n.store, Till: n.till, Data: n.data,
		Listen: "unix:" + w.socket(n.target), UpstreamSeed: w.key(n.target.name() + ".seed"), CardKey: w.key("card.key"),
		POSTokens: w.key("pos.tokens"),
	}
	var err error
	if n.target.tier == atStore {
		if cfg.Accept, err = w.net.addr(n.target, leafDoor); err != nil {
			return nil, err
		}
		for k := range w.tills {
			t := w.node(target{atTill, n.target.store, k})
			cfg.Tills = append(cfg.Tills, edge.Till{Till: t.till, Nkey: t.nkey})
		}
		for i := range 3 {
			err = errors.Join(err, w.join(n, &cfg, target{atCentre, i, 0}))
		}
		return cfg, err
	}
	return cfg, w.join(n, &cfg, target{atStore, n.target.store, 0})
}

// join puts a relay before an upstream.
func (w *world) join(n *node, cfg *edge.Config, up target) error {
	addr, err := w.net.addr(up, leafDoor)
	if err != nil {
		return err
	}
	r, err := relay.Open(w.net.relayHost(n.target)+":0", addr)
	if err != nil {
		return err
	}
	n.relays = append(n.relays, r)
	cfg.Upstream = append(cfg.Upstream, "nats-leaf://"+r.Addr())
	return nil
}

// centreConfig describes a node of the centre with addresses of a network.
func (w *world) centreConfig(t target, addr func(target, door) (string, error), data string) (central.Config, error) {
	b := brand()
	cfg := central.Config{
		DC: b.DC, Env: b.Env, Brand: b.Brand, Node: subjects.NodeID{Token: subjects.MustToken(t.name())}, Data: data,
		ClusterSecret: w.key("cluster.secret"), Stores: w.key("stores.yaml"),
		AdminToken: w.key("admin.token"), CardKey: w.key("card.key"),
	}
	var errs [4]error
	cfg.ClusterListen, errs[0] = addr(t, clusterDoor)
	cfg.LeafListen, errs[1] = addr(t, leafDoor)
	cfg.AdminListen, errs[2] = addr(t, adminDoor)
	for i := range 3 {
		route, err := addr(target{atCentre, i, 0}, clusterDoor)
		errs[3] = errors.Join(errs[3], err)
		cfg.Routes = append(cfg.Routes, route)
	}
	return cfg, errors.Join(errs[:]...)
}
