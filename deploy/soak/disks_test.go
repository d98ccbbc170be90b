package soak

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillstream/deploy/laws"
	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// till commits receipts to a journal on a disk, and gives their rids.
func commit(t *testing.T, dir string, n *node, many int) (rids []record.RID) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	ring, err := seal.OpenRing(filepath.Join(dir, "keyring"))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: n.store, Till: n.till})
	if err != nil {
		t.Fatal(err)
	}
	for range many {
		draft := record.Receipt{Header: record.Header{Kind: record.KindSale, RID: record.NewRID(time.Now()), Day: 20260105}, Data: []byte("{}")}
		kept, _, err := j.Commit(t.Context(), draft)
		if err != nil {
			t.Fatal(err)
		}
		rids = append(rids, kept.RID)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return rids
}

// chain is a world of one store with two tills, of which nothing runs.
func chain(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(Config{Dir: t.TempDir(), Stores: 1, Tills: 2, Deadline: time.Second, Out: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	w.disks.run()
	t.Cleanup(func() {
		if err := w.end(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Of what was on a disk that is replaced, only what is nowhere else may be lost.
func TestWhatMayBeLost(t *testing.T) {
	t.Parallel()
	w := chain(t)
	n, beside := w.node(target{atTill, 0, 0}), w.node(target{atTill, 0, 1})
	inImage := commit(t, n.data, n, 3)
	take := step{number: 1, fault: takeImage, target: n.target, mode: running, image: 1}
	if err := w.takeImage(t.Context(), take, n); err != nil {
		t.Fatal(err)
	}
	later := commit(t, n.data, n, 2)
	elsewhere := commit(t, beside.data, beside, 1)
	change := step{number: 2, fault: restoreImage, target: n.target, image: 1, whole: true}
	if err := w.replace(t.Context(), change, n); err != nil {
		t.Fatal(err)
	}
	excused, found, err := w.disks.result()
	if err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	for _, rid := range later {
		if excused[rid] == "" {
			t.Errorf("receipt %s was on no disk any more, and may not be lost", rid)
		}
	}
	for _, rid := range append(inImage, elsewhere...) {
		if excused[rid] != "" {
			t.Errorf("receipt %s was on a disk: %s", rid, excused[rid])
		}
	}
	if got, err := w.disks.readDisk(n.target, n.data); err != nil || len(got) != len(inImage) {
		t.Errorf("the new disk has %d receipts, %v, want %d", len(got), err, len(inImage))
	}
	// And again, with nothing in its place: what the first change has spared is on no disk now.
	if err := w.replace(t.Context(), step{number: 3, fault: wipeEdge, target: n.target}, n); err != nil {
		t.Fatal(err)
	}
	if excused, _, err = w.disks.result(); err != nil || len(excused) != len(inImage)+len(later) {
		t.Errorf("%d receipts may be lost, %v, want %d", len(excused), err, len(inImage)+len(later))
	}
}

// A receipt that was answered and is not on the disk is found when the disk is replaced.
func TestWhatIsNotDurable(t *testing.T) {
	t.Parallel()
	w := chain(t)
	n := w.node(target{atTill, 0, 0})
	rids := commit(t, n.data, n, 2)
	never := record.NewRID(time.Now())
	for _, rid := range append(rids, never) {
		x := &sale{Sale: laws.Sale{RID: rid, At: n.place()}}
		w.sent.send(x)
		w.sent.answered(x, time.Now(), time.Now(), n.disk.Load())
	}
	if err := w.replace(t.Context(), step{number: 1, fault: wipeEdge, target: n.target}, n); err != nil {
		t.Fatal(err)
	}
	_, found, err := w.disks.result()
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Text, never.String()) {
		t.Errorf("found %v, %v, want that %s is not on the disk", found, err, never)
	}
}

// A node of which nothing runs can be killed, asked and thawed.
func TestNodeThatIsDown(t *testing.T) {
	t.Parallel()
	w := chain(t)
	for _, n := range w.nodes {
		for _, do := range []func() error{n.kill, n.ask, n.stopped, func() error { return n.thaw(context.Background(), w) }} {
			if err := do(); err != nil {
				t.Error(err)
			}
		}
	}
}
