package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"tillstream/central"
)

// Central is `tillstream central`.
type Central struct {
	Config string `required:"" placeholder:"FILE" help:"The node's configuration, YAML."`
	Check  bool   `help:"Check the configuration, print the settings that would run, and exit."`
}

// Run runs the node until ctx ends.
func (c *Central) Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error {
	cfg, err := central.ReadConfig(c.Config)
	if err != nil {
		return err
	}
	if c.Check {
		return checkCentral(stdout, cfg, c.Config)
	}
	n, err := central.Open(cfg, log)
	if err != nil {
		return err
	}
	log.Info("centre node is up", append([]any{"node", cfg.Node, "brand", cfg.Brand}, given(
		"admin", n.URL(), "stores_join", n.LeafAddr(), "cluster", n.ClusterAddr(), "version", Version())...)...)
	return errors.Join(n.Run(ctx), n.Close())
}

func checkCentral(stdout io.Writer, cfg central.Config, path string) error {
	err := settle(&cfg, &cfg.Data)
	stores, bad := checkStores(cfg.Stores)
	if err = errors.Join(err, checkCardKey(cfg.CardKey), bad); err != nil {
		return fmt.Errorf("configuration %s:\n%w", path, err)
	}
	what := fmt.Sprintf("node %s of the centre of brand %s would run with these settings; stores that may join: %d", cfg.Node, cfg.Brand, stores)
	return show(stdout, what, cfg)
}
