// Command tillstream is the whole system in one binary: the node of a till or a store, a node of the
// centre, central ops' tools, a demo of all of them in one process, and the benchmarks.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"tillstream/deploy/bench"
	"tillstream/deploy/daemon"
	"tillstream/deploy/demo"
	"tillstream/deploy/ops"
	"tillstream/deploy/pos"
	"tillstream/deploy/soak"
	"tillstream/deploy/vectors"
)

type commands struct {
	LogLevel slog.Level       `default:"info" placeholder:"LEVEL" help:"Least level that is logged to standard error: debug, info, warn or error."`
	Version  kong.VersionFlag `help:"Print the version and exit."`

	Demo    demo.Command    `cmd:"" help:"Run the whole chain in this process, on receipts from a file or generated ones."`
	Edge    daemon.Edges    `cmd:"" help:"Run an edge node: a till's, or a store's server; or ask how it is."`
	Central daemon.Central  `cmd:"" help:"Run a node of the centre."`
	Ops     ops.Command     `cmd:"" help:"Ask the centre: its state, its streams, its books."`
	Price   vectors.Command `cmd:"" help:"Price baskets from a file of vectors, and hold the quotes to what is expected."`
	Till    pos.Command     `cmd:"" help:"A POS in the terminal: ask a till's node, pay, return."`
	Soak    soak.Command    `cmd:"" help:"Run the chain as processes under a script of faults, and hold the laws to what is left."`
	Bench   bench.Command   `cmd:"" help:"Measure speed and size, against baselines in the same run."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run gives the exit status: 0, or 1 after an error, which is printed.
func run(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends a stop that hangs
	if err := execute(ctx, args); err != nil {
		fmt.Fprintf(os.Stderr, "tillstream: %v\n", err)
		if _, ok := errors.AsType[*kong.ParseError](err); ok {
			fmt.Fprintln(os.Stderr, "tillstream --help, or --help after a command, tells what can be said")
		}
		return 1
	}
	return 0
}

func execute(ctx context.Context, args []string) error {
	var c commands
	parser, err := kong.New(&c, kong.Name("tillstream"), kong.Vars{"version": daemon.Version()},
		kong.Description("A loyalty system for retail chains that answers at the till, connected or not."))
	if err != nil {
		return err
	}
	chosen, err := parser.Parse(args)
	if err != nil {
		return err
	}
	chosen.BindTo(ctx, (*context.Context)(nil))
	chosen.BindTo(os.Stdout, (*io.Writer)(nil))
	return chosen.Run(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: c.LogLevel})))
}
