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

	Restore string `placeholder:"DIR" help:"Put the journal back from this archive, or a copy of one, before the node does anything else; only into an empty centre."`
	Key     string `placeholder:"PUBLIC" help:"Public half of the key that signed it. Without it, that of the setting archive_seed_file."`
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
	var backup *central.Backup
	if c.Restore != "" { // before the node opens: what is wrong with a backup is seen while nothing has happened
		if backup, err = central.OpenBackup(cfg, c.Restore, c.Key); err != nil {
			return err
		}
		log.Info("the backup is in order", "dir", c.Restore, "entry", backup.Last().Last, "of", backup.Last().Time,
			"not_signed", backup.Open())
	}
	n, err := central.Open(cfg, log)
	if err != nil {
		return err
	}
	if backup != nil {
		n.Restore(backup)
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
