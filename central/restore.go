package central

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tillstream/central/archive"
	"tillstream/central/replica"
)

// openArchive makes the archiver where one is configured.
func (n *Node) openArchive(registry prometheus.Registerer) error {
	cfg := &n.cfg
	if cfg.Archive == "" {
		return nil
	}
	key, err := archive.ReadSeed(cfg.path(cfg.ArchiveSeed))
	if err != nil {
		return fmt.Errorf("archive_seed_file: %w", err)
	}
	n.archive = archive.New(archive.Config{
		Dir: cfg.path(cfg.Archive), Net: cfg.Net(), JS: n.js, Replica: n.replica, Key: key,
		Segment: int64(cfg.ArchiveSegment) << 20, Metrics: registry, Log: n.log,
	})
	n.fold = append(n.fold, n.archive.Run)
	return nil
}

// Archive is the node's archiver, nil if it has none.
func (n *Node) Archive() *archive.Archiver { return n.archive }

// Backup is a verified copy of an archive.
type Backup struct {
	dir    string
	report archive.Report
}

// OpenBackup verifies an archive that is to be restored: every signature, every byte. public is the
// public half of the key that signed it; empty: that of the node's own archive_seed_file.
func OpenBackup(cfg Config, dir, public string) (*Backup, error) {
	if public == "" {
		if cfg.ArchiveSeed == "" {
			return nil, errors.New("restore: whose signature? Give the archive's public key with --key, or set archive_seed_file")
		}
		key, err := archive.ReadSeed(cfg.path(cfg.ArchiveSeed))
		if err != nil {
			return nil, fmt.Errorf("archive_seed_file: %w", err)
		}
		if public, err = key.PublicKey(); err != nil {
			return nil, fmt.Errorf("archive_seed_file: %w", err)
		}
	}
	r, err := archive.Verify(dir, public, nil)
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("restore %s: nothing was restored: %w", dir, err)
	}
	last := r.Last()
	switch {
	case last.Last == 0:
		return nil, fmt.Errorf("restore %s: nothing in it is signed: an open segment alone is no backup", dir)
	case last.Brand != cfg.Brand:
		return nil, fmt.Errorf("restore %s: it is of brand %s, this node serves %s", dir, last.Brand, cfg.Brand)
	}
	return &Backup{dir, r}, nil
}

// Last is the backup's last checkpoint; Open counts the entries behind it, which are not signed and stay
// out: the stores have their receipts.
func (b *Backup) Last() archive.Checkpoint { return b.report.Last() }

// Open is how many entries lie behind the last checkpoint.
func (b *Backup) Open() uint64 { return b.report.Open }

func (b *Backup) entries(after uint64) iter.Seq2[[]byte, error] {
	return archive.Entries(b.dir, b.report, after)
}

// Restore makes Run put a backup into the empty journal before the node does anything else.
func (n *Node) Restore(b *Backup) { n.backup = b }

// restore puts the backup back, if there is one. Without one it sees to it that a lost journal is not
// taken for a new one.
func (n *Node) restore(ctx context.Context) error {
	if n.backup == nil {
		return n.guard(ctx)
	}
	last, b := n.backup.Last(), n.backup
	n.log.Info("restores the journal", "backup", b.dir, "entry", last.Last, "of", last.Time)
	return replica.Restore(ctx, replica.RestoreConfig{
		Node: n.cfg.Node, Net: n.cfg.Net(), Conn: n.conn, Last: last.Tip(), Entries: b.entries, Log: n.log,
	})
}

// guard waits rather than begin a journal beside the archive of one: that one was lost.
func (n *Node) guard(ctx context.Context) error {
	if n.archive == nil {
		return nil
	}
	dir := n.cfg.path(n.cfg.Archive)
	held, err := archive.Holds(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if !held {
		return nil
	}
	for said := false; ; said = true {
		empty, err := replica.Empty(ctx, n.js, n.cfg.Net())
		if err != nil || !empty {
			return err
		}
		if !said { // it stays up: a stream needs two nodes, and another may be restoring
			n.log.Error("the journal is empty, and there is an archive of one: it was lost. Restore it with "+
				"tillstream central --restore DIR; to begin without it, move the archive away and start again", "archive", dir)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil
		}
	}
}
