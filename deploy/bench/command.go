package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"tillstream/deploy/sales"
)

// Command is the command line of the bench.
type Command struct {
	Only     []string `help:"Parts to run, by name: pricing, quote, lookup, till_commit, edge_cache, lone, books_restart, feed, reference, takeover, chain, centre, flow, screen, tim, msq, online_retail, books. Without it all." placeholder:"NAMES"`
	JSON     string   `help:"Write the results." placeholder:"FILE"`
	Receipts string   `help:"CSV file of receipts, plain or gzip, with the columns of Online Retail. Without it receipts are generated." placeholder:"FILE"`
	Rounds   int      `help:"Rounds of each comparison, 1 to 100. Without it 5, or 2 with --quick." placeholder:"N"`
	Quick    bool     `help:"Small and short: proves that everything works, and measures little."`
	Install  bool     `help:"Install PostgreSQL and Redis with apt-get (Debian, as root) when they are missing."`
	Dir      string   `help:"Directory on the disk to measure. Without it the system's temporary directory." placeholder:"DIR"`
	Profiles string   `help:"Keep the CPU profiles of quote, chain, centre and flow, and their allocations' here." placeholder:"DIR"`

	CentreNode string `hidden:"" help:"Run a centre node that obeys its standard input; the takeover part starts itself with it." placeholder:"FILE"`
	BucketNode string `hidden:"" help:"Run a node with the flow's buckets that obeys its standard input; tim and msq start themselves with it." placeholder:"DIR"`
	TillNode   string `hidden:"" help:"Run a till's node that obeys its standard input; quote and lookup start themselves with it." placeholder:"FILE"`
}

// bench is a run under way.
type bench struct {
	cmd      *Command
	rounds   int
	place    *place
	receipts []sales.Receipt
	bare     *bare     // opened by the first part that needs it
	due      time.Time // when the part under way should be through; later it does no more than it must
	out      io.Writer
	log      *slog.Logger // of the nodes
}

// names gives the parts, as --only takes them.
func names() []string {
	var out []string
	for _, p := range parts() {
		out = append(out, p.name)
	}
	return out
}

func (c *Command) check() error {
	for _, name := range c.Only {
		if !slices.Contains(names(), name) {
			return fmt.Errorf("--only %s: there is no such part; there are %s", name, strings.Join(names(), ", "))
		}
	}
	if c.Rounds < 0 || c.Rounds > 100 {
		return fmt.Errorf("--rounds %d: want 1 to 100", c.Rounds)
	}
	return nil
}

// Run measures, prints a table and writes the results. A goal that is not reached is no error: it is in
// the table. A part that fails is one, after the others have run.
func (c *Command) Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	if c.CentreNode != "" {
		return obey(ctx, c.CentreNode, os.Stdin, stdout, log)
	}
	if c.TillNode != "" {
		return serveTill(ctx, c.TillNode, os.Stdin, stdout, log)
	}
	if c.BucketNode != "" {
		return obeyBuckets(ctx, c.BucketNode, os.Stdin, stdout, log)
	}
	if err := c.check(); err != nil {
		return err
	}
	place, err := openPlace(c.Dir)
	if err != nil {
		return err
	}
	b := &bench{cmd: c, rounds: c.Rounds, place: place, out: stdout, log: quiet(ctx, log)}
	if b.rounds == 0 {
		b.rounds = 5
		if c.Quick {
			b.rounds = 2
		}
	}
	results, err := b.run(ctx)
	err = errors.Join(err, b.close(), place.close())
	if len(results) > 0 {
		fmt.Fprintln(stdout)
		err = errors.Join(err, printTables(stdout, results))
	}
	if c.JSON != "" {
		err = errors.Join(err, writeJSON(c.JSON, results))
	}
	return err
}

// quiet passes what a person may act on: thirty servers that start and stop have much to say.
func quiet(ctx context.Context, log *slog.Logger) *slog.Logger {
	if log.Enabled(ctx, slog.LevelDebug) {
		return log
	}
	return slog.New(onlyErrors{log.Handler()})
}

// onlyErrors passes what is an error.
type onlyErrors struct{ slog.Handler }

func (h onlyErrors) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h onlyErrors) WithAttrs(a []slog.Attr) slog.Handler { return onlyErrors{h.Handler.WithAttrs(a)} }

func (h onlyErrors) WithGroup(name string) slog.Handler { return onlyErrors{h.Handler.WithGroup(name)} }

// run runs the parts one after the other.
func (b *bench) run(ctx context.Context) ([]Result, error) {
	if err := b.readReceipts(); err != nil {
		return nil, err
	}
	var todo []part
	var takes time.Duration
	for _, p := range parts() {
		if len(b.cmd.Only) == 0 || slices.Contains(b.cmd.Only, p.name) {
			todo = append(todo, p)
			takes += p.lasts(b.cmd.Quick)
		}
	}
	fmt.Fprintf(b.out, "%d cores, %s, %d rounds, %d receipts to draw from; all of it takes about %s\n",
		runtime.GOMAXPROCS(0), runtime.Version(), b.rounds, len(b.receipts), takes)
	var results []Result
	var errs []error
	for _, p := range todo {
		fmt.Fprintf(b.out, "%s: %s (about %s)\n", p.name, p.about, p.lasts(b.cmd.Quick))
		began := time.Now()
		got, err := b.do(ctx, p)
		results = append(results, got...)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
			fmt.Fprintf(b.out, "  failed: %v\n", err)
		}
		fmt.Fprintf(b.out, "  took %.1f s\n", time.Since(began).Seconds())
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		debug.FreeOSMemory() // or the next part starts with this one's garbage
	}
	return results, errors.Join(errs...)
}

// do runs a part. On a busy machine it makes fewer rounds, and may still take longer than it said.
func (b *bench) do(ctx context.Context, p part) ([]Result, error) {
	b.due = time.Now().Add(p.lasts(b.cmd.Quick))
	ctx, cancel := context.WithTimeout(ctx, time.Minute+2*p.lasts(b.cmd.Quick))
	defer cancel()
	return p.run(b, ctx)
}

func (b *bench) close() error {
	if b.bare == nil {
		return nil
	}
	return b.bare.close()
}

// note prints a line below the part's name.
func (b *bench) note(format string, args ...any) { fmt.Fprintf(b.out, "  "+format+"\n", args...) }

// size picks a number by how thorough the run is.
func (b *bench) size(full, quick int) int {
	if b.cmd.Quick {
		return quick
	}
	return full
}
