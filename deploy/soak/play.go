package soak

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"tillstream/central"
	"tillstream/central/gateway"
	"tillstream/deploy/laws"
	"tillstream/deploy/ops"
)

// Bounds of the parts of a soak that are not the script.
const (
	upWithin     = time.Minute     // of the start, until all nodes work
	settleWithin = 5 * time.Minute // of the last fault
	quiet        = 20 * time.Second
	sampled      = 40              // shoppers that each till is asked for at the end
	examineIn    = 5 * time.Minute // and as long as the faults went on: so much more has to be read
)

// play is the soak from the first process to the last.
func (w *world) play(ctx context.Context) (laws.History, error) {
	w.began = time.Now()
	if err := w.startAll(ctx); err != nil {
		return laws.History{}, err
	}
	if err := w.up(ctx); err != nil {
		return laws.History{}, err
	}
	if err := w.putProgramme(ctx); err != nil {
		return laws.History{}, err
	}
	w.disks.run()
	w.began = time.Now()
	selling, stop := context.WithCancel(ctx)
	defer stop()
	last, give := context.WithCancel(ctx)
	defer give()
	tills := w.of(atTill)
	for _, n := range tills {
		every := time.Second * time.Duration(len(tills)) / time.Duration(w.cfg.Rate) // of all questions
		w.drive(selling, last, n, every*actShare/(actShare-1))
		w.shop(selling, last, n, every*actShare)
	}
	w.planPolicies()
	if err := w.conduct(ctx, newScript(w.cfg.Seed, w.cfg.For, w.stores, w.tills, w.cfg.Centre)); err != nil {
		return laws.History{}, err
	}
	stop()
	settled, err := w.settle(ctx)
	if err != nil {
		return laws.History{}, err
	}
	differs, err := w.askTills(ctx)
	if err != nil {
		return laws.History{}, err
	}
	give()
	if err := w.stopAll(); err != nil {
		return laws.History{}, err
	}
	h, err := w.examine(ctx)
	if err != nil {
		return h, err
	}
	h.Settled, h.Differs, h.Sent, h.Holds = settled, differs, w.sent.sales(), w.sent.held()
	h.Tries = w.counts.tries16
	var durable []laws.Violation
	h.Excused, durable, err = w.disks.result()
	w.found = append(w.found, durable...)
	return h, err
}

// up waits until every node answers, somebody writes the journal and every edge node has heard upstream.
func (w *world) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	for {
		what := w.missing(ctx)
		if what == "" {
			return nil
		}
		select {
		case d := <-w.died:
			return fmt.Errorf("%s ended at its start: %w: %s", d.node.target, d.process.err, lastLine(w.log(d.node)))
		default:
		}
		if !sleep(ctx, 10*look) {
			return fmt.Errorf("the chain is not up within %s: %s", upWithin, what)
		}
	}
}

// missing says what is not up yet.
func (w *world) missing(ctx context.Context) string {
	status := w.status(ctx)
	for _, n := range w.centre() {
		if s := status[n]; s == nil || s.Writer == "" || s.Broken {
			return n.target.String() + " knows nobody who writes the journal"
		}
	}
	for _, n := range w.edges() {
		var h health
		if err := n.get(ctx, w, "/v1/health", &h); err != nil {
			return err.Error()
		}
		if h.Upstream.Age == nil {
			return n.target.String() + " has not heard from its upstream"
		}
	}
	return ""
}

// health is the part of a node's answer that matters here.
type health struct {
	Upstream struct {
		Age *int64 `json:"last_answer_age_ms"`
	} `json:"upstream"`
	Unconfirmed struct {
		Records int `json:"records"`
	} `json:"unconfirmed"`
}

// healAll undoes whatever is still under way.
func (w *world) healAll(ctx context.Context) error {
	for _, n := range w.nodes {
		if n.cut != 0 {
			n.cut = 0
			if err := w.net.plug(n.target); err != nil && !errors.Is(err, errNoCable) {
				return err
			}
			n.slow(0, 0)
			n.healRelays()
		}
		n.held = 0
		if n.process != nil && n.process.meant.Load() { // asked to stop
			if err := n.stopped(); err != nil {
				w.wrong("stop", "%v", err)
			}
		}
		if err := n.thaw(ctx, w); err != nil {
			return err
		}
	}
	return w.startAll(ctx)
}

// settle makes everything whole and waits until all that was answered is posted.
func (w *world) settle(ctx context.Context) (laws.Settled, error) {
	if err := w.healAll(ctx); err != nil {
		return laws.Settled{}, err
	}
	whole := time.Now()
	ctx, cancel := context.WithTimeout(ctx, settleWithin)
	defer cancel()
	var posted, first uint64
	rest := whole // since when nothing more was posted
	for {
		all, answered := w.sent.totals()
		what, now := w.unsettled(ctx)
		if first == 0 {
			first = now
		}
		if now != posted {
			posted, rest = now, time.Now()
		}
		if left := int64(all-answered) + w.resold.Load(); left != 0 {
			what = fmt.Sprintf("%d receipts are not answered", left)
		}
		// A till whose store was put back learns of it when it asks again; until then all looks well.
		if what == "" && (posted >= uint64(answered) || time.Since(rest) > quiet) {
			s := laws.Settled{Backlog: max(answered-int(first), 0), Took: rest.Sub(whole)}
			w.say("all is whole and at rest: %d receipts answered, %d posted; %d were left to post, which took %s",
				answered, posted, s.Backlog, s.Took.Round(time.Millisecond))
			return s, nil
		}
		select {
		case d := <-w.died:
			w.mourn(d)
			if d.node.process == nil {
				if err := d.node.start(ctx, w); err != nil {
					return laws.Settled{}, err
				}
			}
		default:
		}
		if !sleep(ctx, 10*look) {
			if err := context.Cause(ctx); !errors.Is(err, context.DeadlineExceeded) {
				return laws.Settled{}, fmt.Errorf("the soak is interrupted: %w", err)
			}
			w.wrong("I17", "not at rest %s after all was whole: %s; %d receipts answered, %d posted", settleWithin, what, answered, posted)
			return laws.Settled{Backlog: max(answered-int(first), 0), Took: settleWithin}, nil
		}
	}
}

// unsettled says what is still under way, and how many receipts are posted.
func (w *world) unsettled(ctx context.Context) (what string, posted uint64) {
	status := w.status(ctx)
	var entry uint64
	for _, n := range w.centre() {
		s := status[n]
		switch {
		case s == nil:
			return n.target.String() + " does not answer", posted
		case s.Broken || s.Writer == "":
			what = n.target.String() + " does not fold, or knows nobody who writes"
		case entry != 0 && s.Entry != entry:
			what = "the nodes of the centre are at different entries"
		}
		entry, posted = s.Entry, max(posted, s.Totals.Posted)
	}
	for _, n := range w.edges() {
		var h health
		if err := n.get(ctx, w, "/v1/health", &h); err != nil {
			return err.Error(), posted
		}
		if h.Unconfirmed.Records > 0 {
			what = fmt.Sprintf("%s has %d records that its upstream has not confirmed", n.target, h.Unconfirmed.Records)
		}
	}
	return what, posted
}

// askTills asks every till and store for some shoppers until it says what the books say, and gives what still differs
// after a while.
func (w *world) askTills(ctx context.Context) ([]string, error) {
	customers := w.sent.customers()
	cards := slices.Sorted(maps.Keys(customers))
	r := rand.New(rand.NewPCG(w.cfg.Seed, 2))
	r.Shuffle(len(cards), func(i, k int) { cards[i], cards[k] = cards[k], cards[i] })
	cards = cards[:min(len(cards), sampled)]
	client := w.ops()
	var mu sync.Mutex
	var differs []string
	var wg sync.WaitGroup
	until := time.Now().Add(laws.RestWithin)
	for _, card := range cards {
		a, err := client.Account(ctx, gateway.AccountQuestion{Card: card})
		if err != nil {
			if strings.Contains(err.Error(), "not found") {
				continue // its receipts went with a disk; the laws see to whether they may have
			}
			return nil, err
		}
		for _, n := range w.edges() {
			wg.Go(func() {
				if text := w.agree(ctx, until, n, card, a, client); text != "" {
					mu.Lock()
					defer mu.Unlock()
					differs = append(differs, text)
				}
			})
		}
		wg.Wait()
	}
	slices.Sort(differs)
	return differs, nil
}

// agree waits until a node says of a card what the books say.
func (w *world) agree(ctx context.Context, until time.Time, n *node, card string, a gateway.Account, client ops.Client) string {
	for {
		s, err := n.lookUp(ctx, card)
		p := s.Points
		if err == nil && p.Available != nil && p.Pending != nil && p.Debt != nil &&
			*p.Available == a.Balance && *p.Pending == 0 && *p.Debt == a.Debt {
			return ""
		}
		if now, err := client.Account(ctx, gateway.AccountQuestion{Card: card}); err == nil {
			a = now // a hold has ended meanwhile
		}
		if time.Now().After(until) || !sleep(ctx, 10*look) {
			return fmt.Sprintf("%s says of account %s: available %s, pending %s, debt %s, from %s (%v); the books say balance %d, debt %d",
				n.target, a.Account, number(p.Available), number(p.Pending), number(p.Debt), s.Source, err, a.Balance, a.Debt)
		}
	}
}

func number(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

// stopAll ends all processes in order, the edge first.
func (w *world) stopAll() error {
	for _, tier := range []tier{atTill, atStore, atCentre} {
		for _, n := range w.of(tier) {
			if err := n.ask(); err != nil {
				return err
			}
		}
		for _, n := range w.of(tier) {
			if err := n.stopped(); err != nil {
				w.wrong("stop", "%v", err)
			}
		}
	}
	return nil
}

// examine opens the centre in this process, one of its nodes without its replica.
func (w *world) examine(ctx context.Context) (_ laws.History, err error) {
	ctx, cancel := context.WithTimeout(ctx, examineIn+w.cfg.For)
	defer cancel()
	again := w.centre()[w.cfg.Seed%3]
	if err := os.RemoveAll(filepath.Join(again.data, "replica")); err != nil {
		return laws.History{}, fmt.Errorf("take a replica away: %w", err)
	}
	w.say("all processes have stopped; the centre is examined, the replica of %s made again from the journal", again.target)
	file, err := os.OpenFile(filepath.Join(w.dir, "log", "examination.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return laws.History{}, fmt.Errorf("examine: %w", err)
	}
	defer file.Close() //nolint:errcheck // a log
	log := slog.New(slog.NewTextHandler(file, nil))
	here := newLoopback()
	var nodes []*central.Node
	var wg sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	defer func() {
		stop()
		wg.Wait()
		for _, n := range nodes {
			err = errors.Join(err, n.Close())
		}
	}()
	for _, n := range w.centre() {
		cfg, err := w.centreConfig(n.target, here.addr, n.data)
		if err != nil {
			return laws.History{}, err
		}
		c, err := central.Open(cfg, log)
		if err != nil {
			return laws.History{}, fmt.Errorf("examine %s: %w", n.target, err)
		}
		nodes = append(nodes, c)
		wg.Go(func() {
			if err := c.Run(running); err != nil {
				log.Error("examine", "err", err)
			}
		})
	}
	return laws.Examine(ctx, brand(), nodes)
}

// lastLine gives the last line of a file.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}
