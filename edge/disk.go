package edge

import (
	"errors"
	"time"

	"tillstream/edge/api"
	"tillstream/edge/journal"
)

// yieldBelow is the part of the journal's reserve under which the cache gives its space: look-ups are
// worth keeping for as long as receipts are safe.
const yieldBelow = 4

// watchDisk keeps the journal's reserve, and gives it the cache's space when it runs out. The node goes
// on in any case: a till whose disk is full is no reason for a till that does not answer.
func (n *Node) watchDisk() error {
	r, err := n.journal.TopUp()
	if err == nil && r.Full && r.Left < n.cfg.reserve()/yieldBelow {
		gave, yerr := n.cache.Yield()
		if yerr != nil {
			return yerr // there is no cache now: the next start makes one
		}
		if gave {
			r, err = n.journal.TopUp() // at once, before anybody else takes the space
		}
	}
	if err != nil {
		return err
	}
	switch {
	case r.Full && !n.full.Swap(true):
		n.log.Error("the disk is full: receipts are kept in the journal's reserve; free some space before it is used",
			"reserve_bytes", r.Left)
	case !r.Full && n.full.Swap(false):
		n.log.Info("the disk has space again", "reserve_bytes", r.Left)
	}
	return nil
}

// sweep lets go of receipts that are posted and old. That the disk is full is no reason to end: there is
// another try.
func (n *Node) sweep(now time.Time) error {
	removed, err := n.journal.Sweep(now)
	if errors.Is(err, journal.ErrFull) {
		n.log.Warn("cannot let go of old receipts: the disk is full", "err", err)
		return nil
	}
	if err != nil {
		return err
	}
	if removed > 0 {
		n.log.Info("lets go of receipts that are posted and old", "records", removed)
	}
	return nil
}

// state is what the API tells of the node beside its own parts.
func (n *Node) state() api.State {
	r := n.journal.ReserveLeft()
	return api.State{
		Alone: len(n.cfg.Upstream) == 0, Feed: n.feed.LastAnswer(),
		Disk:    api.Disk{FreeBytes: freeBytes(n.cfg.Data), ReserveBytes: r.Left, Full: r.Full},
		Keyring: api.Keyring{AtUpstream: n.ringKept.Load()},
	}
}

// measureDisk registers what a full disk would stop.
func (n *Node) measureDisk(gauge func(name, help string, f func() float64)) {
	gauge("tillstream_disk_full", "1: the journal's reserve cannot be made up. Page someone.", func() float64 {
		if n.journal.ReserveLeft().Full {
			return 1
		}
		return 0
	})
	gauge("tillstream_disk_reserve_bytes", "What the journal may grow by when the disk is full.", func() float64 {
		return float64(n.journal.ReserveLeft().Left)
	})
	gauge("tillstream_aside_records", "Records that upstream refuses: tillstream edge aside.", func() float64 {
		records, err := n.journal.AsideRecords()
		if err != nil {
			n.log.Debug("count what is set aside", "err", err) // the journal's own Err ends the node
		}
		return float64(records)
	})
}
