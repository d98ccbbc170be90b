package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
)

// Command is the command line of the demo.
type Command struct {
	Receipts  string `help:"CSV file of receipts, plain or gzip. Without it receipts are generated." placeholder:"FILE"`
	Map       string `help:"YAML file that says which column is what. Without it the map of Online Retail." placeholder:"FILE"`
	Generate  int    `help:"How many receipts to generate without a file (${default})." default:"20000" placeholder:"N"`
	Stores    int    `help:"Stores, 1 to 100 (${default})." default:"4" placeholder:"N"`
	Tills     int    `help:"Tills in each store, 1 to 20 (${default})." default:"2" placeholder:"M"`
	Speed     string `help:"Receipts per second over all tills, or max (${default})." default:"200" placeholder:"X|max"`
	Quotes    bool   `help:"Quote each sale before it is sold, by an item master and three promotions made of the receipts' goods, and hold each to an independent count."`
	Flow      bool   `help:"Run the event flow too: with every third receipt a shopper earns a coffee, and reads it on the screen of the next till."`
	Faults    bool   `help:"Cut a store's WAN for a third of the run; crash a till, a store and the centre node that writes."`
	Exit      bool   `help:"End when everything is posted and checked: status 0 only if nothing differs. Without it, serve until Ctrl-C."`
	Data      string `help:"Directory to keep everything in, to go on from another time. Without it a temporary one." placeholder:"DIR"`
	JSON      string `help:"Write the figures of the run." placeholder:"FILE"`
	Balances  string `help:"Write customer,points,debt from the books." placeholder:"FILE"`
	Endpoints string `help:"Write the URLs of every till, store and centre node, as soon as they answer." placeholder:"FILE"`
}

// startWithin bounds the start of the fleet; settleWithin bounds the wait for the last receipt to be
// posted.
const (
	startWithin  = time.Minute
	settleWithin = 5 * time.Minute
)

// ErrDiffers means that the run did not end as it must.
var ErrDiffers = errors.New("the demo found a difference")

// onlyErrors passes what is an error.
type onlyErrors struct{ slog.Handler }

func (h onlyErrors) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }

func (h onlyErrors) WithAttrs(a []slog.Attr) slog.Handler { return onlyErrors{h.Handler.WithAttrs(a)} }

func (h onlyErrors) WithGroup(name string) slog.Handler { return onlyErrors{h.Handler.WithGroup(name)} }

func (c *Command) check() (speed float64, err error) {
	if c.Speed != "max" {
		speed, err = strconv.ParseFloat(c.Speed, 64)
		if err != nil || !(speed > 0 && speed <= 1e6) {
			return 0, fmt.Errorf("--speed %s: want receipts per second, above 0 and up to 1000000, or max", c.Speed)
		}
	}
	switch {
	case c.Stores < 1 || c.Stores > 100:
		return 0, fmt.Errorf("--stores %d: want 1 to 100", c.Stores)
	case c.Tills < 1 || c.Tills > 20:
		return 0, fmt.Errorf("--tills %d: want 1 to 20", c.Tills)
	case c.Generate < 1 || c.Generate > 10_000_000:
		return 0, fmt.Errorf("--generate %d: want 1 to 10000000", c.Generate)
	case c.Map != "" && c.Receipts == "":
		return 0, errors.New("--map is for --receipts: name the file")
	}
	return speed, nil
}

// Run plays the demo.
func (c *Command) Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	speed, err := c.check()
	if err != nil {
		return err
	}
	receipts, report, err := c.read(stdout)
	if err != nil {
		return err
	}
	dir := c.Data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "tillstream-demo-"); err != nil {
			return fmt.Errorf("make a directory for the demo: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // the system sweeps it up
	}
	nodes := log
	if !log.Enabled(ctx, slog.LevelDebug) {
		// Fifteen servers that start and crash have much to say that nobody here need act on.
		nodes = slog.New(onlyErrors{log.Handler()})
	}
	// The fleet lives until the demo has said its last word, also after Ctrl-C.
	f, err := fleet.Open(context.WithoutCancel(ctx), fleet.Config{Dir: dir, Stores: c.Stores, Tills: c.Tills, NATS: true, Flow: c.Flow, Log: nodes})
	if err != nil {
		return err
	}
	r := &run{cmd: c, f: f, receipts: receipts, report: report, out: stdout, log: log}
	err = r.play(ctx, speed)
	if !c.Exit && ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) && !errors.Is(err, ErrDiffers) {
		err = nil // Ctrl-C in the middle: whoever runs it has seen enough
	}
	return errors.Join(err, f.Close())
}

// read reads the file, or generates.
func (c *Command) read(stdout io.Writer) ([]sales.Receipt, sales.Report, error) {
	if c.Receipts == "" {
		receipts := sales.Generate(c.Generate, 1, time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC))
		report := sales.Report{ReceiptsRead: len(receipts)}
		for i := range receipts {
			report.LinesRead += len(receipts[i].Lines)
		}
		return receipts, report, nil
	}
	m := sales.OnlineRetail()
	if c.Map != "" {
		text, err := os.ReadFile(c.Map)
		if err != nil {
			return nil, sales.Report{}, fmt.Errorf("read map: %w", err)
		}
		if m, err = sales.ParseMap(text); err != nil {
			return nil, sales.Report{}, fmt.Errorf("map %s: %w", c.Map, err)
		}
	}
	receipts, report, err := sales.Open(c.Receipts, m)
	if err == nil && len(receipts) == 0 {
		err = fmt.Errorf("read sales %s: %w: all %d rows are refused", c.Receipts, sales.ErrEmpty, report.RowsRefused)
	}
	for _, x := range report.Refusals {
		fmt.Fprintf(stdout, "%s line %d: %s\n", c.Receipts, x.Line, x.Reason)
	}
	if more := report.RowsRefused - len(report.Refusals); more > 0 && len(report.Refusals) == sales.MaxRefusals {
		fmt.Fprintf(stdout, "and %d more rows refused\n", more)
	}
	return receipts, report, err
}
