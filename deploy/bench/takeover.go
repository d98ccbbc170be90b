package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nats-io/nkeys"

	"tillstream/central"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// probes are receipts that are posted before a kill, so that it finds a centre at work.
const probes = 20

// knockEvery is how often a receipt is offered after a kill: how exact the figure is.
const knockEvery = 20 * time.Millisecond

// takeover measures how long no receipt is posted after a node of the centre was killed with -9: from the kill
// until the next pack of a store is answered. Three kinds of victim: the node that writes, while the stream's
// leader lives on another one; the leader's node, while the writer lives on another one; and a node that is
// both. With the leader goes nats-server's own election, which is the longer part by far.
func (b *bench) takeover(ctx context.Context) ([]Result, error) {
	dir, err := b.place.onDisk("takeover")
	if err != nil {
		return nil, err
	}
	c, err := newProcesses(ctx, dir)
	if err != nil {
		return nil, err
	}
	results, err := b.takeoverRounds(ctx, c)
	if err != nil {
		err = errors.Join(err, c.said())
	}
	return results, errors.Join(err, c.close())
}

func (b *bench) takeoverRounds(ctx context.Context, c *processes) ([]Result, error) {
	if err := c.ready(ctx); err != nil {
		return nil, err
	}
	apart, err := c.kills(ctx, b, b.size(10, 3), theWriter)
	if err != nil {
		return nil, err
	}
	leader, err := c.kills(ctx, b, b.size(4, 1), theLeader)
	if err != nil {
		return nil, err
	}
	together, err := c.kills(ctx, b, b.size(4, 1), both)
	if err != nil {
		return nil, err
	}
	seconds := func(d time.Duration) float64 { return d.Seconds() }
	return []Result{
		{Name: "takeover", Value: seconds(percentile(apart, 50)), Unit: "s", goal: valueAtMost(0.5)},
		{Name: "takeover_max", Value: seconds(percentile(apart, 100)), Unit: "s", goal: valueAtMost(0.5)},
		{Name: "takeover_leader", Value: seconds(percentile(leader, 50)), Unit: "s"},
		{Name: "takeover_leader_max", Value: seconds(percentile(leader, 100)), Unit: "s"},
		{Name: "takeover_with_leader", Value: seconds(percentile(together, 50)), Unit: "s"},
		{Name: "takeover_with_leader_max", Value: seconds(percentile(together, 100)), Unit: "s"},
	}, nil
}

// processes are a centre of three processes, and a store that posts to it.
type processes struct {
	nodes []*process
	net   subjects.Net
	store subjects.StoreID
	seed  string
	pen   *pen
}

func newProcesses(ctx context.Context, dir string) (*processes, error) {
	c := &processes{net: benchNet(), store: subjects.StoreID{Token: subjects.MustToken("0001")}}
	c.pen = newPen(c.store, subjects.TillID{Token: subjects.MustToken("01")})
	cfgs, err := c.configure(dir)
	if err != nil {
		return nil, fmt.Errorf("configure a centre: %w", err)
	}
	for i := range cfgs {
		name := cfgs[i].Node.String()
		p := &process{
			flag: "--centre-node",
			name: name, leaf: cfgs[i].LeafListen,
			config: filepath.Join(dir, name+".yaml"), log: filepath.Join(dir, name+".log"),
		}
		text, err := yaml.Marshal(cfgs[i])
		if err == nil {
			err = os.WriteFile(p.config, text, 0o600)
		}
		if err == nil {
			err = p.start(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("configure a centre: %w", err), c.close())
		}
		c.nodes = append(c.nodes, p)
	}
	return c, nil
}

// configure writes the secrets and the stores' file, and gives the nodes' configurations.
func (c *processes) configure(dir string) ([]central.Config, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	public, err := pair.PublicKey()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	c.seed = string(seed)
	list, err := yaml.Marshal([]central.Store{{Store: c.store, Nkey: public}})
	if err != nil {
		return nil, err
	}
	stores := filepath.Join(dir, "stores.yaml")
	if err := os.WriteFile(stores, list, 0o600); err != nil {
		return nil, err
	}
	cardKey, err := secret(dir, "card.key", rand.Text()+rand.Text())
	if err != nil {
		return nil, err
	}
	clusterSecret, err := secret(dir, "cluster.secret", rand.Text())
	if err != nil {
		return nil, err
	}
	addresses, err := freeAddresses(2 * bareNodes)
	if err != nil {
		return nil, err
	}
	var cfgs []central.Config
	for i := range bareNodes {
		cfgs = append(cfgs, central.Config{
			DC: c.net.DC, Env: c.net.Env, Brand: c.net.Brand, Node: nodeName(i), Data: filepath.Join(dir, nodeName(i).String()),
			ClusterListen: addresses[i], Routes: addresses[:bareNodes], ClusterSecret: clusterSecret,
			LeafListen: addresses[bareNodes+i], Stores: stores, AdminListen: "127.0.0.1:0", CardKey: cardKey,
		})
	}
	return cfgs, nil
}

func (c *processes) close() error {
	var errs []error
	for _, p := range c.nodes {
		errs = append(errs, p.kill())
	}
	return errors.Join(errs...)
}

// said gives the last that the nodes logged.
func (c *processes) said() error {
	var errs []error
	for _, p := range c.nodes {
		if text, err := os.ReadFile(p.log); err == nil && len(text) > 0 {
			errs = append(errs, fmt.Errorf("node %s logged: %s", p.name, text[max(0, len(text)-500):]))
		}
	}
	return errors.Join(errs...)
}

// ready waits until one node writes, all have folded the same, and the stream is whole on three nodes.
func (c *processes) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	return until(ctx, 20*time.Millisecond, "the centre is whole", func() error {
		var first health
		for i, p := range c.nodes {
			h, err := p.ask(askHealth)
			if err != nil {
				return err
			}
			if i == 0 {
				first = h
			}
			if h.Writer == "" || h.Leader == "" || h.Current != len(c.nodes) || h.Writer != first.Writer || h.Entry != first.Entry {
				return fmt.Errorf("node %s says %+v, node %s said %+v", p.name, h, c.nodes[0].name, first)
			}
		}
		return nil
	})
}

// victim is whom a kill is for.
type victim string

const (
	theWriter victim = "the writer"
	theLeader victim = "the stream's leader"
	both      victim = "the writer, which is the stream's leader too"
)

// kills kills a victim so many times and gives how long nothing was posted, sorted.
func (c *processes) kills(ctx context.Context, b *bench, rounds int, who victim) ([]time.Duration, error) {
	var took []time.Duration
	for i := range rounds {
		if i > 0 && b.late() {
			b.note("%d of %d kills of %s: time is up", i, rounds, who)
			break
		}
		killed, err := c.place(ctx, who)
		if err != nil {
			return nil, err
		}
		d, err := c.killOne(ctx, killed)
		if err != nil {
			return nil, err
		}
		took = append(took, d.Round(time.Millisecond))
		if err := killed.start(ctx); err != nil {
			return nil, err
		}
		if err := c.ready(ctx); err != nil {
			return nil, err
		}
	}
	b.note("kills of %s: nothing was posted for %v", who, took)
	slices.Sort(took)
	return took, nil
}

// place sees to it that the stream's leader is where it should be, and gives the node that is to be killed.
func (c *processes) place(ctx context.Context, who victim) (killed *process, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	err = until(ctx, 100*time.Millisecond, "the stream's leader is where it should be", func() error {
		h, err := c.nodes[0].ask(askHealth)
		if err != nil {
			return err
		}
		killed = nil
		leader := h.Writer // the one that shall lead
		for _, p := range c.nodes {
			if p.name == h.Leader && who == theLeader || p.name == h.Writer && who != theLeader {
				killed = p
			}
			if p.name != h.Writer && who != both {
				leader = p.name
			}
		}
		if killed == nil || h.Writer == "" || h.Leader == "" {
			return fmt.Errorf("no writer or no leader: %+v", h)
		}
		if (h.Leader == h.Writer) == (who == both) {
			return nil
		}
		if _, err := c.nodes[0].ask(leader); err != nil {
			return err
		}
		return fmt.Errorf("%s leads, %s shall", h.Leader, leader)
	})
	if err != nil {
		return nil, err
	}
	return killed, c.ready(ctx)
}

// killOne kills a node under a store that posts one receipt after the other through another node.
func (c *processes) killOne(ctx context.Context, killed *process) (_ time.Duration, err error) {
	var to []string
	for _, p := range c.nodes {
		if p != killed {
			to = append(to, "nats-leaf://"+p.leaf)
		}
	}
	s, err := joinCentre(ctx, c.net, c.store, c.seed, to[:1])
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for range probes {
		if _, err := s.ask(ctx, c.next(), packWait); err != nil {
			return 0, err
		}
	}
	began := time.Now()
	if err := killed.kill(); err != nil {
		return 0, err
	}
	err = c.knock(ctx, s)
	return time.Since(began), err
}

// next writes a pack of one receipt.
func (c *processes) next() *record.Pack {
	var recs []record.Receipt
	if c.pen.seq == 0 {
		recs = append(recs, c.pen.start())
	}
	recs = append(recs, c.pen.sale(record.NewRID(time.Now()), card(1), 7, nil))
	return &record.Pack{Runs: []record.Run{record.PackRun(recs)}}
}

// knock sends one pack again and again, without waiting for the answers, until one of them is answered.
// A pack that reaches the killed node in its last moment is lost, and with it the time until the next: the
// journal's silence is measured here, not a store's patience.
func (c *processes) knock(ctx context.Context, s *sender) error {
	pack := c.next()
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	posted := make(chan struct{}, 1)
	tick := time.NewTicker(knockEvery)
	defer tick.Stop()
	for {
		wg.Go(func() {
			if _, err := s.ask(ctx, pack, packWait); err == nil { // else another is under way
				select {
				case posted <- struct{}{}:
				default:
				}
			}
		})
		select {
		case <-posted:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until a receipt is posted: %w", context.Cause(ctx))
		}
	}
}
