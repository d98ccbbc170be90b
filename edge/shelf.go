package edge

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// shelf is where a store keeps its tills' key rings: a file for each copy, which only its till opens. Lost,
// it is filled again within the hour; nobody edits it. Files and not the journal: they must be there when
// the journal is not.
func (n *Node) shelf(till subjects.TillID) string {
	return filepath.Join(n.cfg.Data, "keyrings", till.String())
}

// keyRings is a store's service for its tills.
func (n *Node) keyRings() *service.Service {
	return service.New(service.Config{
		Conn: n.conn, Name: subjects.ServiceKeyRing, Endpoint: "keep", Subject: subjects.AnyLane{Store: n.cfg.Store}.KeyRing(),
		Description: "keeps sealed key rings of tills of store " + n.cfg.Store.String(),
		AtOnce:      1, Inbox: subjects.LaneInbox, Answer: n.keepForTill, Log: n.log,
	})
}

// keepForTill takes a till's copy, if it sends one, and gives back all that are kept of it. Whose they are
// the subject says, on which nobody else may send.
func (n *Node) keepForTill(_ context.Context, q service.Question) (a service.Answer, err error) {
	lane, ok := subjects.LaneOf(q.Subject)
	if !ok || lane.Store != n.cfg.Store {
		return a, &service.Refusal{Err: errors.New("the subject names no till of this store")}
	}
	sent, err := record.ReadRingCopies(q.Data)
	if err != nil {
		return a, &service.Refusal{Err: err}
	}
	held, err := n.ringsOf(lane.Till)
	if err != nil {
		return a, err
	}
	for _, c := range sent {
		known := false
		for i := range held {
			known = known || held[i].ID == c.ID
		}
		switch {
		case known:
			continue
		case len(held) >= record.MaxRingCopies:
			return a, &service.Refusal{Err: errManyRings}
		}
		if err := putWhole(filepath.Join(n.shelf(lane.Till), c.ID.String()), c.Sealed); err != nil {
			return a, fmt.Errorf("keep key ring of till %s: %w", lane.Till, err)
		}
		held = append(held, c)
	}
	a.Data = record.AppendRingCopies(nil, held)
	return a, nil
}

func (n *Node) ringsOf(till subjects.TillID) (copies []record.RingCopy, err error) {
	entries, err := os.ReadDir(n.shelf(till))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read key rings of till %s: %w", till, err)
	}
	for _, e := range entries {
		var c record.RingCopy
		if b, err := hex.DecodeString(e.Name()); err != nil || len(b) != len(c.ID) {
			continue // half written, when the machine went down
		} else {
			copy(c.ID[:], b)
		}
		if c.Sealed, err = os.ReadFile(filepath.Join(n.shelf(till), e.Name())); err != nil {
			return nil, fmt.Errorf("read key rings of till %s: %w", till, err)
		}
		copies = append(copies, c)
	}
	return copies, nil
}

// putWhole makes a file that is there whole, on the disk, or not at all.
func putWhole(path string, b []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

var errManyRings = errors.New("as many key rings of this till as may be are kept already")
