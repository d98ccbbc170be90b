package edge

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects/service"
)

// Times of asking the upstream for this node's key rings.
const (
	ringWait  = 30 * time.Second // for the keys of a journal that lies here without; then the node goes on with new ones
	ringLink  = 5 * time.Second  // the same, if there is not even a link
	ringEvery = time.Hour        // to bring the copy again, to an upstream that has lost its disk
	ringFirst = 50 * time.Millisecond
	ringMost  = 30 * time.Second // between tries that fail, doubling from a look at the link
	ringAsk   = 5 * time.Second  // for one answer
)

func (n *Node) ringPath() string    { return filepath.Join(n.cfg.Data, "keyring") }
func (n *Node) journalPath() string { return filepath.Join(n.cfg.Data, "journal.db") }

// owner names the node in the copies of its ring.
func (n *Node) owner() string {
	return n.cfg.Brand.String() + "/" + n.cfg.Store.String() + "/" + n.cfg.Till.String()
}

// openCopier makes what seals and opens the copies. A node without an upstream has none.
func (n *Node) openCopier() error {
	if len(n.cfg.Upstream) == 0 {
		return nil
	}
	seed, err := n.cfg.secret("upstream_seed_file", n.cfg.UpstreamSeed)
	if err != nil {
		return err
	}
	n.copier, err = seal.NewCopier(seed, n.owner())
	return err
}

// openRing opens the key ring, or makes one. A journal that lies here without its keys is the disk of a
// node that was set up anew: the upstream is waited for. If it does not answer, the journal is put by
// until it does, and the till sells on with new keys.
func (n *Node) openRing() (*seal.Ring, error) {
	_, noRing := os.Stat(n.ringPath())
	_, noJournal := os.Stat(n.journalPath())
	if noRing == nil || noJournal != nil {
		return seal.OpenRing(n.ringPath())
	}
	if n.copier != nil {
		switch text, err := n.awaitRing(); {
		case err != nil:
			n.log.Error("the journal's keys are not here, and the upstream does not answer", "err", err)
		case text == "":
			n.log.Error("the journal's keys are not here, and the upstream has none of this node")
		default:
			n.log.Warn("the key ring is back from the upstream")
			if err := seal.WriteRing(n.ringPath(), text); err != nil {
				return nil, err
			}
			return seal.OpenRing(n.ringPath())
		}
	}
	by := n.journalPath() + ".sealed-" + time.Now().UTC().Format("20060102T150405.000000000")
	n.log.Error("the journal is put by until its keys are found; its receipts are safe where they were confirmed", "path", by)
	if err := os.Rename(n.journalPath(), by); err != nil {
		return nil, fmt.Errorf("put the journal by: %w", err)
	}
	return seal.OpenRing(n.ringPath())
}

// awaitRing asks until the upstream answers. Open has no context, and waits no longer than this.
func (n *Node) awaitRing() (text string, err error) {
	question := record.AppendRingCopies(nil, nil)
	began := time.Now()
	for wait := ringFirst; time.Since(began) < ringWait; wait = min(2*wait, time.Second) {
		var m *nats.Msg
		if m, err = n.conn.Request(n.ringSubject(), question, ringAsk); err == nil {
			if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
				err = fmt.Errorf("ask for the key ring: %s %s", code, m.Header.Get(micro.ErrorHeader))
			}
		}
		if err == nil {
			texts, _, err := n.readRings(m.Data)
			return seal.MergeRings(texts...), err
		}
		if _, up := n.leaf.Link(); !up && time.Since(began) > ringLink {
			break
		}
		t := time.NewTimer(wait)
		<-t.C
	}
	return "", err
}

func (n *Node) ringSubject() string {
	if n.cfg.isTill() {
		return n.lane().KeyRing()
	}
	return n.net.KeyRing(n.cfg.Store)
}

// readRings gives the rings of this node that open, and the IDs of all that are kept.
func (n *Node) readRings(answer []byte) (texts []string, ids []record.RingID, err error) {
	copies, err := record.ReadRingCopies(answer)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range copies {
		ids = append(ids, c.ID)
		text, err := n.copier.Open(c)
		if err != nil {
			n.log.Debug("a copy of the key ring does not open: it is of an earlier seed", "copy", c.ID)
			continue
		}
		texts = append(texts, text)
	}
	return texts, ids, nil
}

// keepRing sees to it that the upstream has this node's ring, and that this node has every key that the
// upstream kept of it.
func (n *Node) keepRing(ctx context.Context) error {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	var done, again time.Time // when it was there last; before when not to try
	var link uint64
	wait := lookEvery
	for {
		now := time.Now()
		id, up := n.leaf.Link()
		if up && now.After(again) && (id != link || now.Sub(done) > ringEvery) {
			switch err := n.bringRing(ctx); {
			case err == nil:
				done, link, wait = now, id, lookEvery
			case ctx.Err() == nil:
				n.log.Debug("the key ring is not at the upstream", "err", err)
				again, wait = now.Add(wait), min(2*wait, ringMost)
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) bringRing(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ringAsk)
	defer cancel()
	have, err := seal.ReadRing(n.ringPath())
	if err != nil {
		return err
	}
	have = seal.MergeRings(have)
	own, err := n.copier.Copy(have)
	if err != nil {
		return err
	}
	a, err := service.Ask(ctx, n.conn, n.ringSubject(), record.AppendRingCopies(nil, []record.RingCopy{own}))
	if err != nil {
		return err
	}
	texts, ids, err := n.readRings(a.Data)
	if err != nil {
		return err
	}
	n.ringKept.Store(slices.Contains(ids, own.ID))
	all := seal.MergeRings(append([]string{have}, texts...)...)
	if all == have {
		return nil
	}
	// Keys of a disk that this one has replaced. From here on they are here, and go up with the others.
	if err := seal.WriteRing(n.ringPath(), all); err != nil {
		return err
	}
	n.log.Warn("older keys of this node are back from the upstream")
	if err := n.takeUp(all); err != nil {
		return err
	}
	return n.bringRing(ctx)
}

// takeUpOwn takes up what someone has put beside the journal whose keys are here.
func (n *Node) takeUpOwn() error {
	text, err := seal.ReadRing(n.ringPath())
	if err != nil {
		return err
	}
	return n.takeUp(text)
}

// takeUp commits what lies in journals that were put by. A store leaves its own: its tills have what the
// centre has not posted.
func (n *Node) takeUp(text string) error {
	names, err := filepath.Glob(n.journalPath() + ".sealed-*")
	if err != nil || len(names) == 0 || !n.cfg.isTill() {
		return err
	}
	ring, err := seal.ParseRing(text)
	if err != nil {
		return err
	}
	for _, name := range names {
		found, receipts, err := n.journal.TakeUp(name, ring)
		switch {
		case err != nil:
			return err
		case !found:
			continue // of other keys still
		}
		n.log.Warn("a journal that was put by is taken up", "path", name, "receipts", receipts)
		if err := os.Rename(name, name+".taken"); err != nil {
			return fmt.Errorf("note that a journal is taken up: %w", err)
		}
	}
	return nil
}
