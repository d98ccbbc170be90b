package soak

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"tillstream/central/gateway"
	"tillstream/deploy/laws"
	"tillstream/deploy/ops"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Config says what a soak is. The seed and the sizes decide what happens.
type Config struct {
	For    time.Duration // how long faults go on
	Seed   uint64
	Stores int  // 1 to 50
	Tills  int  // per store, 1 to 20
	Rate   int  // receipts per second over all tills
	Centre bool // only the centre has to suffer: take-overs

	Deadline time.Duration // within which a till that is up and left alone has to answer

	Dir      string // of everything; must be empty or missing
	Binary   string // tillstream's
	LogLevel string // of the nodes
	Network  string // prefix of the namespaces' names, in whose switch this process runs; empty: loopback
	Out      io.Writer
	Log      *slog.Logger
}

// world is the chain, and the conductor's hands on it. Its methods are the conductor's, but where they say
// otherwise.
type world struct {
	cfg    Config
	dir    string
	stores int
	tills  int
	net    network
	nodes  []*node
	byName map[target]*node
	cards  *seal.Cards
	token  string
	admin  *http.Client

	wg     sync.WaitGroup
	over   chan struct{} // closed when nobody is to be heard any more
	died   chan death
	began  time.Time
	events events
	images map[int]*image
	disks  *disks
	sent   *sent
	deals  deals
	dawdle time.Duration // at most, of a shopper who has points set aside
	resold atomic.Int64  // receipts that a POS is sending again
	counts *counts
	found  []laws.Violation // that no history shows
}

// newWorld makes all files of the chain. Nothing runs yet.
func newWorld(cfg Config) (*world, error) {
	w := &world{
		cfg: cfg, dir: cfg.Dir, stores: cfg.Stores, tills: cfg.Tills, byName: map[target]*node{},
		over: make(chan struct{}), died: make(chan death, 64), images: map[int]*image{}, sent: newSent(), counts: newCounts(cfg.Deadline),
		admin: &http.Client{Transport: &http.Transport{}}, dawdle: dawdle,
	}
	w.disks = newDisks(w)
	w.net = newLoopback()
	if cfg.Network != "" {
		w.net = &namespaces{prefix: cfg.Network, stores: cfg.Stores, tills: cfg.Tills}
	}
	for _, t := range all(cfg.Stores, cfg.Tills) {
		n := &node{target: t, config: filepath.Join(w.dir, t.name()+".yaml"), data: filepath.Join(w.dir, "data", t.name())}
		if t.tier != atCentre {
			n.store = subjects.StoreID{Token: subjects.MustToken(fmt.Sprintf("%04d", t.store+1))}
			n.door(w.socket(t))
		}
		if t.tier == atTill {
			n.till = subjects.TillID{Token: subjects.MustToken(fmt.Sprintf("%02d", t.till+1))}
		}
		w.nodes = append(w.nodes, n)
		w.byName[t] = n
	}
	if err := w.layout(); err != nil {
		return nil, errors.Join(err, w.closeRelays())
	}
	return w, w.secrets()
}

func (w *world) secrets() (err error) {
	if w.cards, err = seal.OpenCards(w.key("card.key")); err != nil {
		return err
	}
	b, err := os.ReadFile(w.key("admin.token"))
	if err != nil {
		return fmt.Errorf("read token: %w", err)
	}
	w.token = strings.TrimSpace(string(b))
	for _, n := range w.centre() {
		addr, err := w.net.addr(n.target, adminDoor)
		if err != nil {
			return err
		}
		n.client, n.url = w.admin, "http://"+addr
	}
	return nil
}

func (w *world) node(t target) *node { return w.byName[t] }

func (w *world) log(n *node) string { return filepath.Join(w.dir, "log", n.target.name()+".log") }

func (w *world) of(tiers ...tier) (out []*node) {
	for _, n := range w.nodes {
		for _, t := range tiers {
			if n.target.tier == t {
				out = append(out, n)
			}
		}
	}
	return out
}

func (w *world) centre() []*node { return w.of(atCentre) }
func (w *world) edges() []*node  { return w.of(atStore, atTill) }

// say prints a line with the time since the beginning.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(w.cfg.Out, "%8.3f  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

// wrong notes a violation that no history shows.
func (w *world) wrong(law, format string, args ...any) {
	v := laws.Violation{Law: law, Text: fmt.Sprintf(format, args...)}
	w.found = append(w.found, v)
	w.say("VIOLATION %s", v)
}

// startAll starts all that does not run, the centre first.
func (w *world) startAll(ctx context.Context) error {
	for _, n := range w.nodes {
		if n.process == nil {
			if err := n.start(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// end kills what runs and waits for everything.
func (w *world) end() error {
	var errs []error
	for _, n := range w.nodes {
		errs = append(errs, n.kill())
	}
	close(w.over)
	w.wg.Wait()
	w.disks.close()
	return errors.Join(append(errs, w.closeRelays())...)
}

func (w *world) closeRelays() error {
	var errs []error
	for _, n := range w.nodes {
		for _, r := range n.relays {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}

// askWithin bounds a question to a node that is about the node itself.
const askWithin = 2 * time.Second

// get asks a node's API. Any goroutine may call it.
func (n *node) get(ctx context.Context, w *world, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.url+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.target, err)
	}
	if n.target.tier == atCentre {
		req.Header.Set("Authorization", "Bearer "+w.token)
	}
	res, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("ask %s: %w", n.target, err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end or given up
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return fmt.Errorf("ask %s: %w", n.target, err)
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("ask %s: %s: %s", n.target, res.Status, b)
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(b, answer); err != nil {
		return fmt.Errorf("ask %s: %w", n.target, err)
	}
	return nil
}

// status asks the centre's nodes that run. Those that do not answer are nil.
func (w *world) status(ctx context.Context) map[*node]*gateway.Status {
	out := map[*node]*gateway.Status{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, n := range w.centre() {
		if n.process == nil || n.frozen {
			continue
		}
		wg.Go(func() {
			var s gateway.Status
			if err := n.get(ctx, w, "/v1/status", &s); err == nil {
				mu.Lock()
				defer mu.Unlock()
				out[n] = &s
			}
		})
	}
	wg.Wait()
	return out
}

// ops is the client of central ops.
func (w *world) ops() ops.Client {
	c := ops.Client{Token: w.token}
	for _, n := range w.centre() {
		c.URLs = append(c.URLs, n.url)
	}
	return c
}

// Run runs a soak. It gives the violations; an error means that the soak itself could not go on.
func Run(ctx context.Context, cfg Config) (_ []laws.Violation, err error) {
	// The processes end with the thread that started them.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	w, err := newWorld(cfg)
	if err != nil {
		return nil, err
	}
	h, err := w.play(ctx)
	if err := errors.Join(err, w.end()); err != nil {
		return w.found, err
	}
	w.report(h)
	return append(w.found, laws.Check(h)...), nil
}
