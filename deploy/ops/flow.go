package ops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"tillstream/central/gateway"
)

type flowCommand struct {
	Show      flowShow             `cmd:"" default:"withargs" help:"Every stage of the event flow: events a second, what waits and for how long, latency, dead letters. On a terminal it is refreshed in place."`
	Pause     flowPause            `cmd:"" help:"Have a stage's instances, on all nodes, be given nothing for a while. What they have they finish; nothing is lost."`
	Resume    flowResume           `cmd:"" help:"End a pause."`
	Settings  flowSettingsCommand  `cmd:"" help:"The brand's flavour of the flow: put, show."`
	Templates flowTemplatesCommand `cmd:"" help:"Message templates: put, list, show."`
}

type flowShow struct {
	Once  bool          `help:"Print one table, of what happens within --every, and end. So it is without a terminal, and with --json."`
	Every time.Duration `default:"1s" help:"Time from one look to the next."`
}

// latencyOver is how far back the latencies of a table that is refreshed go.
const latencyOver = time.Minute

// Run prints one table, or one after the other until it is told to stop.
func (f *flowShow) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	looks := []flowLook{client.lookAtFlow(ctx)}
	if len(looks[0].nodes) == 0 {
		return c.advise(looks[0].err)
	}
	if f.Once || c.JSON || !isTerminal(stdout) {
		if !rest(ctx, f.Every) {
			return context.Cause(ctx)
		}
		looks = append(looks, client.lookAtFlow(ctx))
		if len(looks[1].nodes) == 0 {
			return c.advise(looks[1].err)
		}
		table := tabulate(nil, &looks[0], &looks[1])
		if err := c.print(stdout, table, func(b *bytes.Buffer) { printFlow(b, &table) }); err != nil {
			return err
		}
		return c.advise(looks[1].err)
	}
	for last := looks[0]; ; last = looks[len(looks)-1] {
		if err := f.draw(stdout, looks, last.err); err != nil {
			return err
		}
		if !rest(ctx, f.Every) {
			return nil // it was told to stop
		}
		looks = append(looks, client.lookAtFlow(ctx))
		for len(looks) > 2 && looks[len(looks)-1].at.Sub(looks[0].at) > latencyOver {
			looks = looks[1:]
		}
	}
}

// draw writes a table over the one before.
func (f *flowShow) draw(w io.Writer, looks []flowLook, wrong error) error {
	var b bytes.Buffer
	b.WriteString("\x1b[H\x1b[2J") // to the corner, and nothing there
	now := &looks[len(looks)-1]
	before := &looks[max(0, len(looks)-2)]
	if len(now.nodes) > 0 {
		table := tabulate(&looks[0], before, now)
		printFlow(&b, &table)
	}
	if wrong != nil {
		fmt.Fprintf(&b, "\n%v\n", wrong)
	}
	if _, err := w.Write(b.Bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// rest waits; false: ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// flowLook is what the nodes said of the flow at one time.
type flowLook struct {
	at    time.Time
	nodes []gateway.Flow // those that answered, in the order in which they were named
	err   error          // what the others said
}

// lookAtFlow asks all nodes at once: each counts what its own stages do.
func (c Client) lookAtFlow(ctx context.Context) flowLook {
	if len(c.URLs) == 0 {
		return flowLook{err: errNoNode}
	}
	answers, errs := make([]gateway.Flow, len(c.URLs)), make([]error, len(c.URLs))
	var wg sync.WaitGroup
	for i, at := range c.URLs {
		wg.Go(func() { errs[i] = c.ask(ctx, at, http.MethodGet, "/v1/flow", nil, &answers[i]) })
	}
	wg.Wait()
	out := flowLook{at: time.Now(), err: errors.Join(errs...)}
	for i := range answers {
		if errs[i] == nil {
			out.nodes = append(out.nodes, answers[i])
		}
	}
	return out
}

type flowPause struct {
	Stage string        `arg:"" help:"dec, tim, fred, bcg or msq."`
	For   time.Duration `default:"10m" help:"For how long, 1s to 24h. Then it goes on by itself."`
}

// Run pauses a stage.
func (p *flowPause) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.pause(ctx, stdout, p.Stage, "pause", gateway.FlowPause{For: p.For.String()})
}

type flowResume struct {
	Stage string `arg:"" help:"dec, tim, fred, bcg or msq."`
}

// Run has a stage go on.
func (r *flowResume) Run(ctx context.Context, stdout io.Writer, c *Command) error {
	return c.pause(ctx, stdout, r.Stage, "resume", nil)
}

func (c *Command) pause(ctx context.Context, stdout io.Writer, stage, what string, question any) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	var now gateway.FlowPaused
	if err := client.first(ctx, http.MethodPost, "/v1/flow/"+url.PathEscape(stage)+"/"+what, question, &now); err != nil {
		return c.advise(err)
	}
	return c.print(stdout, now, func(b *bytes.Buffer) {
		if now.Until == nil {
			fmt.Fprintf(b, "stage %s goes on\n", now.Stage)
			return
		}
		fmt.Fprintf(b, "stage %s is paused until %s; ops flow resume %s ends it before\n", now.Stage, now.Until.Format(time.RFC3339), now.Stage)
	})
}
