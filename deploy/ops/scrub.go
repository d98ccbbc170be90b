package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"tillstream/central/gateway"
	"tillstream/central/scrub"
)

type scrubCommand struct {
	Rate   int64  `placeholder:"MIB" help:"Read at most so many MiB a second on each node. Without it: as fast as it goes."`
	Repair string `placeholder:"NODE" help:"Have NODE drop its copy of the journal and be filled by the other two, once those are read through and clean. Name all three nodes."`
	Quiet  bool   `help:"No progress on standard error."`
}

// ErrDamaged means that a node's copy of the journal, or what it makes of it, is not what it should be.
var ErrDamaged = errors.New("the journal's files are damaged")

// Run has the nodes read their copies through, and repairs one if asked.
func (s *scrubCommand) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	progress := io.Writer(os.Stderr)
	if s.Quiet {
		progress = io.Discard
	}
	rate := s.Rate << 20
	if s.Repair != "" {
		return s.repair(ctx, stdout, progress, c, client, rate)
	}
	verdicts, err := client.Scrub(ctx, rate, progress)
	if len(verdicts) > 0 {
		if err := c.print(stdout, verdicts, func(b *bytes.Buffer) { printVerdicts(b, verdicts) }); err != nil {
			return err
		}
	}
	return c.advise(errors.Join(err, judged(verdicts)))
}

// Repaired is what ops scrub --repair did, as JSON.
type Repaired struct {
	Repair  gateway.Repair  `json:"repair"`
	Others  []scrub.Verdict `json:"others"` // before
	Verdict scrub.Verdict   `json:"verdict"`
}

func (s *scrubCommand) repair(ctx context.Context, stdout, progress io.Writer, c *Command, client Client, rate int64) error {
	r, err := client.Repair(ctx, s.Repair, rate, progress)
	if err != nil {
		return c.advise(err)
	}
	return c.print(stdout, r, func(b *bytes.Buffer) {
		printVerdicts(b, append(r.Others, r.Verdict))
		fmt.Fprintf(b, "%s has dropped its copy and was filled again by the other two\n", s.Repair)
	})
}

func printVerdicts(b *bytes.Buffer, verdicts []scrub.Verdict) {
	t := newTable(b)
	t.row("NODE", "MESSAGES", "LAST ENTRY", "MIB", "TOOK", "COPY")
	for _, v := range verdicts {
		found := "clean"
		if n := len(v.Damages) + v.Unlisted; n > 0 {
			found = fmt.Sprintf("DAMAGED in %d places", n)
		}
		t.row(v.Node, v.Read, v.Entry, v.Bytes>>20, v.Ended.Sub(v.Began).Round(time.Millisecond), found)
	}
	t.end()
	for _, v := range verdicts {
		if v.Files != "" {
			fmt.Fprintf(b, "%s: %s; it is made again from the journal\n", v.Node, v.Files)
		}
		for _, d := range v.Damages {
			fmt.Fprintf(b, "%s: %s\n", v.Node, d)
		}
		if v.Unlisted > 0 {
			fmt.Fprintf(b, "%s: and %d places more\n", v.Node, v.Unlisted)
		}
	}
}

// judged is the error of verdicts that are not clean, or that differ, with what to do.
func judged(verdicts []scrub.Verdict) error {
	var bad []string
	for i, v := range verdicts {
		if !v.Clean() {
			bad = append(bad, v.Node)
		}
		for _, o := range verdicts[:i] {
			if v.Clean() && o.Clean() && v.Entry == o.Entry && v.Hash != o.Hash {
				return fmt.Errorf("%w: nodes %s and %s end with different entries %d: stop the centre, and do not repair anything", ErrDamaged, o.Node, v.Node, v.Entry)
			}
		}
	}
	switch len(bad) {
	case 0:
		for _, v := range verdicts {
			if v.Files != "" {
				return fmt.Errorf("%w: history or snapshot of node %s, which is making them again: scrub again in a minute", ErrDamaged, v.Node)
			}
		}
		return nil
	case 1:
		return fmt.Errorf("%w: the copy of node %s\nMend it: tillstream ops scrub --repair %s, naming all three nodes: until then the other two serve what it cannot",
			ErrDamaged, bad[0], bad[0])
	default:
		return fmt.Errorf("%w: the copies of nodes %s\nNo repair is safe with fewer than two clean copies. Stop nothing, copy the data directories of all nodes away, and see README, \"Operate the centre\"",
			ErrDamaged, strings.Join(bad, " and "))
	}
}

// scrubLimit bounds a pass over one copy: one TiB at 12 MiB/s.
const scrubLimit = 24 * time.Hour

const progressEvery = time.Second

// Scrub has all nodes read their copies through, at once, and gives what they found. One that does not
// answer is an error beside the others' verdicts.
func (c Client) Scrub(ctx context.Context, rate int64, progress io.Writer) ([]scrub.Verdict, error) {
	if len(c.URLs) == 0 {
		return nil, errNoNode
	}
	verdicts, errs := make([]scrub.Verdict, len(c.URLs)), make([]error, len(c.URLs))
	var wg sync.WaitGroup
	for i, url := range c.URLs {
		wg.Go(func() { verdicts[i], errs[i] = c.scrubOne(ctx, url, rate) })
	}
	watch, stop := context.WithCancel(ctx)
	defer stop()
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(progressEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.tell(watch, progress)
			case <-watch.Done():
				return
			}
		}
	})
	wg.Wait()
	stop()
	watching.Wait()
	var out []scrub.Verdict
	for i, v := range verdicts {
		if errs[i] == nil {
			out = append(out, v)
		}
	}
	return out, errors.Join(errs...)
}

func (c Client) scrubOne(ctx context.Context, url string, rate int64) (v scrub.Verdict, err error) {
	err = c.askFor(ctx, scrubLimit, url, http.MethodPost, "/v1/scrub", gateway.ScrubQuestion{Rate: rate}, &v)
	return v, err
}

// tell prints how far the nodes have come.
func (c Client) tell(ctx context.Context, w io.Writer) {
	var line []string
	for _, url := range c.URLs {
		var s gateway.ScrubState
		if c.ask(ctx, url, http.MethodGet, "/v1/scrub", nil, &s) != nil || s.Progress == nil || s.Progress.Last == 0 {
			continue // done, or its error comes with its verdict
		}
		line = append(line, fmt.Sprintf("%s %d%% (%d of %d messages, %d damages)",
			s.Node, s.Progress.Message*100/s.Progress.Last, s.Progress.Message, s.Progress.Last, s.Progress.Damages))
	}
	if len(line) > 0 {
		_, _ = fmt.Fprintln(w, strings.Join(line, "  ")) // whoever does not read it has the verdicts
	}
}

// Repair has the other nodes read their copies through, has the node drop its copy, and waits until it is
// filled and clean.
func (c Client) Repair(ctx context.Context, node string, rate int64, progress io.Writer) (r Repaired, err error) {
	var url string
	others := Client{Token: c.Token}
	for _, u := range c.URLs {
		var s gateway.ScrubState
		switch err := c.ask(ctx, u, http.MethodGet, "/v1/scrub", nil, &s); {
		case err != nil:
			return r, err
		case s.Node == node:
			url = u
		default:
			others.URLs = append(others.URLs, u)
		}
	}
	if url == "" || len(others.URLs) != 2 {
		return r, fmt.Errorf("repair %s: name it and the two other nodes of the centre, each with --centre URL", node)
	}
	if r.Others, err = others.Scrub(ctx, rate, progress); err == nil {
		err = judged(r.Others)
	}
	if err != nil {
		return r, fmt.Errorf("repair %s: the other copies have to be clean: %w", node, err)
	}
	if err := c.askFor(ctx, verifyLimit, url, http.MethodPost, "/v1/scrub/repair", nil, &r.Repair); err != nil {
		return r, fmt.Errorf("repair %s: %w", node, err)
	}
	for {
		r.Verdict, err = c.scrubOne(ctx, url, rate)
		var p *Problem
		if !errors.As(err, &p) || p.Type != "/problems/behind" {
			break
		}
		_, _ = fmt.Fprintf(progress, "%s is being filled\n", node)
		select {
		case <-time.After(progressEvery):
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
	if err == nil {
		err = judged([]scrub.Verdict{r.Verdict})
	}
	return r, err
}
