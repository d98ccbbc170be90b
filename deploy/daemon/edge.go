package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"tillstream/edge"
	"tillstream/edge/journal"
)

// Edges are the commands about edge nodes; `tillstream edge` alone runs one.
type Edges struct {
	Run    Edge       `cmd:"" default:"withargs" help:"Run the node."`
	Status EdgeStatus `cmd:"" help:"How the node is, and whether its disk may be wiped: exit status 0 if so, otherwise 1."`
	Aside  EdgeAside  `cmd:"" help:"Receipts that the node's upstream refuses; with --rehome they are posted all the same."`
}

// Edge is `tillstream edge`.
type Edge struct {
	Config string `required:"" placeholder:"FILE" help:"The node's configuration, YAML."`
	Check  bool   `help:"Check the configuration, print the settings that would run, and exit."`
}

// Run runs the node until ctx ends.
func (e *Edge) Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	cfg, err := edge.ReadConfig(e.Config)
	if err != nil {
		return err
	}
	if e.Check {
		return checkEdge(stdout, cfg, e.Config)
	}
	CollectLess()
	n, err := edge.Open(cfg, Version(), log)
	if err != nil {
		return err
	}
	args := []any{"brand", cfg.Brand, "store", cfg.Store}
	if !cfg.Till.IsZero() {
		args = append(args, "till", cfg.Till)
	}
	log.Info("edge node is up", append(args, given(
		"pos", n.URL(), "pos_nats", n.NATSAddr(), "tills_join", n.LeafAddr(), "version", Version())...)...)
	return errors.Join(n.Run(ctx), n.Close())
}

// garbage is what a node lets pile up before it collects, in percent of what it holds. It holds ten megabytes, or
// thirty with a large item master: at Go's 100 it collected every fifty quotes of a full basket, and whoever
// waited at that moment waited longer.
const garbage = 400

// CollectLess makes this process collect as an edge node does, unless its environment says how.
func CollectLess() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
}

func checkEdge(stdout io.Writer, cfg edge.Config, path string) error {
	if cfg.KeepDays == 0 {
		cfg.KeepDays = int(journal.KeepDefault / (24 * time.Hour))
	}
	err := settle(&cfg, &cfg.Data)
	if err = errors.Join(err, checkCardKey(cfg.CardKey), checkTokens(cfg.POSTokens)); err != nil {
		return fmt.Errorf("configuration %s:\n%w", path, err)
	}
	role := "the server of store " + cfg.Store.String()
	if !cfg.Till.IsZero() {
		role = "till " + cfg.Till.String() + " of store " + cfg.Store.String()
	}
	return show(stdout, fmt.Sprintf("%s of brand %s would run with these settings", role, cfg.Brand), cfg)
}

// given leaves out the pairs of name and value whose value is empty.
func given(pairs ...string) []any {
	var out []any
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i], pairs[i+1])
		}
	}
	return out
}
