package fleet

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"

	"tillstream/central"
	"tillstream/subjects"
)

// Centre is a node of the centre.
type Centre struct {
	f   *Fleet
	cfg central.Config
	run running[central.Node]
}

func (f *Fleet) prepareCentre(keys string, take func() string) error {
	var list []central.Store
	for _, s := range f.stores {
		list = append(list, central.Store{Store: s.cfg.Store, Nkey: s.nkey})
	}
	b, err := yaml.Marshal(list)
	if err != nil {
		return fmt.Errorf("write stores file: %w", err)
	}
	storesFile := filepath.Join(f.cfg.Dir, "stores.yaml")
	if err := os.WriteFile(storesFile, b, 0o600); err != nil {
		return fmt.Errorf("write stores file: %w", err)
	}
	var routes []string
	for range f.cfg.Nodes {
		routes = append(routes, take())
	}
	for i := range f.cfg.Nodes {
		name := fmt.Sprintf("c%d", i+1)
		cfg := central.Config{
			DC: f.net.DC, Env: f.net.Env, Brand: f.net.Brand,
			Node: subjects.NodeID{Token: subjects.MustToken(name)}, Data: filepath.Join(f.cfg.Dir, "centre", name),
			LeafListen: take(), Stores: storesFile, AdminListen: "127.0.0.1:0", CardKey: filepath.Join(keys, "card.key"), Flow: f.cfg.Flow,
		}
		if f.cfg.Nodes > 1 {
			cfg.ClusterListen, cfg.Routes, cfg.ClusterSecret = routes[i], routes, filepath.Join(keys, "cluster.secret")
		}
		c := &Centre{f: f, cfg: cfg}
		if err := c.archive(keys); err != nil {
			return err
		}
		f.centre = append(f.centre, c)
	}
	for _, s := range f.stores {
		if err := s.joinCentre(); err != nil {
			return err
		}
	}
	return nil
}

// Name is the node's name.
func (c *Centre) Name() string { return c.cfg.Node.String() }

// Start opens the node from its files and runs it.
func (c *Centre) Start() error {
	n, err := central.Open(c.cfg, c.f.log)
	if err != nil {
		return fmt.Errorf("start centre node %s: %w", c.Name(), err)
	}
	c.run.start(c.f, "centre node "+c.Name(), n, n.Run)
	return nil
}

// Crash drops the node.
func (c *Centre) Crash() error {
	n := c.run.node()
	if n == nil {
		return nil
	}
	n.Crash()
	return c.run.end().Abandon()
}

// Stop stops the node in order.
func (c *Centre) Stop() error { return c.close() }

func (c *Centre) close() error {
	if n := c.run.end(); n != nil {
		return n.Close()
	}
	return nil
}

// Config is what the node was started with.
func (c *Centre) Config() central.Config { return c.cfg }

// Node is the running node, nil while it is down.
func (c *Centre) Node() *central.Node { return c.run.node() }

// Writing reports whether this node writes the journal, as far as it knows.
func (c *Centre) Writing() bool {
	n := c.run.node()
	return n != nil && n.Replica().Status().Writer == c.Name()
}

// Writer is the node that writes the journal, nil if none does.
func (f *Fleet) Writer() *Centre {
	for _, c := range f.centre {
		if c.Writing() {
			return c
		}
	}
	return nil
}
