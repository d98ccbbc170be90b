package fleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"tillstream/central"
)

// archive gives the node an archive, if the fleet has one. All nodes sign with one key.
func (c *Centre) archive(keys string) (err error) {
	if c.f.cfg.Archive == "" {
		return nil
	}
	c.cfg.Archive = filepath.Join(c.f.cfg.Archive, c.Name())
	c.cfg.ArchiveSeed = filepath.Join(keys, "archive.seed")
	c.f.archiveKey, err = seedFile(c.cfg.ArchiveSeed)
	return err
}

// ArchiveKey is the public half of the key that signs the fleet's archives.
func (f *Fleet) ArchiveKey() string { return f.archiveKey }

// Backup closes the archive's open segment on a node and copies the archive away. It gives the last entry
// of the copy.
func (c *Centre) Backup(ctx context.Context, to string) (uint64, error) {
	n := c.Node()
	if n == nil || n.Archive() == nil {
		return 0, fmt.Errorf("centre node %s has no archive", c.Name())
	}
	cp, err := n.Archive().Close(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Last, os.CopyFS(to, os.DirFS(c.cfg.Archive))
}

// Wipe takes the disk of a node that is down, and its archive with it.
func (c *Centre) Wipe() error {
	err := os.RemoveAll(c.cfg.Data)
	if c.cfg.Archive != "" {
		err = errors.Join(err, os.RemoveAll(c.cfg.Archive))
	}
	return err
}

// Restore starts a node as an operator does with --restore.
func (c *Centre) Restore(dir string) error {
	b, err := central.OpenBackup(c.cfg, dir, "")
	if err != nil {
		return err
	}
	n, err := central.Open(c.cfg, c.f.log)
	if err != nil {
		return fmt.Errorf("start centre node %s: %w", c.Name(), err)
	}
	n.Restore(b)
	c.run.start(c.f, "centre node "+c.Name(), n, n.Run)
	return nil
}

// Refuses restores a node that is down from a backup, and wants it to end by itself with an error that
// says so.
func (c *Centre) Refuses(ctx context.Context, dir, says string) error {
	b, err := central.OpenBackup(c.cfg, dir, "")
	if err != nil {
		return err
	}
	n, err := central.Open(c.cfg, c.f.log)
	if err != nil {
		return err
	}
	n.Restore(b)
	err = n.Run(ctx)
	if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), says) {
		return errors.Join(fmt.Errorf("restore ends with %w, want %q", err, says), n.Close())
	}
	return n.Close()
}
