package fleet_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
	"tillstream/kv/record"
)

// restored is the incident of a restore.
const restored = "the journal was restored from a backup"

// The disks of all three nodes are lost while tills sell and one store is cut off. The journal comes back
// from a backup that is older than much of what was posted, and the edge brings the rest.
func TestRestoreFromABackup(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2, Archive: filepath.Join(t.TempDir(), "archive")})
	l := selling(t, f, often, generate(plenty, 31))
	l.reach(200)
	posted(t, f, 200)
	backup := filepath.Join(t.TempDir(), "backup")
	last, err := f.Centre()[1].Backup(within(t, patience), backup)
	must(t, err)
	reopen(t, f, l, f.Store(0).Till(0)) // a chain that begins and ends behind the backup, posted to its end
	reopen(t, f, l, f.Store(0).Till(0))
	posted(t, f, int(l.sold.Load())+100) // far beyond the backup
	old := lives(f)
	f.Store(1).Cut()
	l.more(100)

	loseCentre(t, f, (*fleet.Centre).Wipe)
	l.more(100) // no till notices
	f.Mean(restored)
	must(t, f.Centre()[0].Restore(backup))
	must(t, errors.Join(f.Centre()[1].Start(), f.Centre()[2].Start())) // as always
	l.more(100)
	f.Store(1).Heal()
	anew(t, f, old)
	sold := l.stop()
	settle(t, f, sold)
	if n := repeats(t, f); n != 0 {
		t.Errorf("%d records came a second time in another chain", n)
	}
	everybodySees(t, f, sold)
	if found := incidents(t, f); len(found) != 1 || !strings.Contains(found[0], restored) {
		t.Errorf("incidents %q, want that of the restore", found)
	}
	if b := boundaries(t, f); len(b) != 1 || b[0] != last+1 {
		t.Errorf("generations begin at entries %v, want one, behind the backup's last, %d", b, last)
	}
	// A POS posts receipts of before and after the backup once more, at another till.
	others := sellElsewhere(t, f, sold)
	settle(t, f, sold)
	if n := repeats(t, f); n != uint64(others) {
		t.Errorf("%d repeats, want %d", n, others)
	}
	rebuilt(t, f)
}

// Only the journal's streams are lost. What the nodes have made of the lost journal must not pass for what
// the restored one says, and the archive that it is restored from goes on behind its last signature.
func TestRestoreFromTheArchiveItself(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2, Archive: filepath.Join(t.TempDir(), "archive")})
	l := selling(t, f, often, generate(plenty, 32))
	l.reach(200)
	posted(t, f, 200)
	node := f.Centre()[1]
	last, err := node.Node().Archive().Close(within(t, patience))
	must(t, err)
	posted(t, f, int(l.sold.Load())+100)
	await(t, "archive more than what is signed", func() error {
		if s := node.Node().Archive().Status(); s.Entry <= last.Last {
			return fmt.Errorf("entry %d", s.Entry)
		}
		return nil
	})
	old := lives(f)
	loseCentre(t, f, func(c *fleet.Centre) error { return os.RemoveAll(filepath.Join(c.Config().Data, "jetstream")) })
	for _, c := range f.Centre() {
		if c == node {
			continue
		}
		must(t, os.RemoveAll(c.Config().Archive))
		must(t, c.Start()) // neither begins a journal: both have folded one
	}
	f.Mean(restored)
	must(t, node.Restore(node.Config().Archive))
	l.more(100)
	anew(t, f, old)
	sold := l.stop()
	settle(t, f, sold)
	everybodySees(t, f, sold)
	if found := incidents(t, f); len(found) != 1 || !strings.Contains(found[0], restored) {
		t.Errorf("incidents %q, want that of the restore", found)
	}
	if b := boundaries(t, f); len(b) != 1 || b[0] != last.Last+1 {
		t.Errorf("generations begin at entries %v, want one, behind %d", b, last.Last)
	}
	ended, err := filepath.Glob(filepath.Join(node.Config().Archive, "*.ended"))
	if err != nil || len(ended) != 1 {
		t.Errorf("set aside: %v (%v), want the open segment", ended, err)
	}
	for _, c := range f.Centre() { // each has archived the journal, old part and new
		if _, err := c.Node().Archive().Close(within(t, patience)); err != nil {
			t.Error(err)
		}
		if _, err := ops.RebuildFromArchive(c.Config().Archive, f.ArchiveKey()); err != nil {
			t.Errorf("archive of node %s: %v", c.Name(), err)
		}
	}
}

// There is no backup at all, and one store had got a new disk after much was posted: its tills alone have
// those receipts. An empty centre comes to the same books from the edge's journals.
func TestACentreFromTheEdgesAlone(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 2})
	l := selling(t, f, often, generate(plenty, 33))
	l.reach(300)
	s := f.Store(0)
	reopen(t, f, l, s.Till(0))
	reopen(t, f, l, f.Store(1).Till(1))
	must(t, errors.Join(s.Crash(), s.Wipe(), s.Start()))
	l.more(100)
	f.Store(1).Cut()
	old := lives(f)
	loseCentre(t, f, (*fleet.Centre).Wipe)
	must(t, f.Store(1).Till(0).Crash()) // a new chain, of which nobody above knows yet
	must(t, f.Store(1).Till(0).Start())
	l.more(100)
	for _, c := range f.Centre() {
		must(t, c.Start())
	}
	l.more(100)
	f.Store(1).Heal()
	anew(t, f, old)
	sold := l.stop()
	settle(t, f, sold)
	everybodySees(t, f, sold)
	rebuilt(t, f)
	if found := incidents(t, f); len(found) != 0 {
		t.Errorf("incidents %q: nobody has done anything", found)
	}
}

// A centre that lives is not overwritten, and what refuses says so.
func TestRestoreOnlyIntoAnEmptyCentre(t *testing.T) {
	f := open(t, fleet.Config{Nodes: 1, Archive: filepath.Join(t.TempDir(), "archive")})
	all := generate(100, 34)
	sell(t, f, all[:50])
	settle(t, f, all[:50])
	backup := filepath.Join(t.TempDir(), "backup")
	_, err := f.Centre()[0].Backup(within(t, patience), backup)
	must(t, err)
	sell(t, f, all[50:])
	settle(t, f, all)
	before := f.Centre()[0].Node().Replica().Status()
	must(t, f.Centre()[0].Crash())
	must(t, f.Centre()[0].Refuses(within(t, patience), backup, "there is a journal already"))
	must(t, f.Centre()[0].Start())
	must(t, f.Ready(within(t, patience)))
	settle(t, f, all)
	if s := f.Centre()[0].Node().Replica().Status(); s.Generation != before.Generation {
		t.Errorf("generation %s, was %s", s.Generation, before.Generation)
	}
}

// reopen starts a till anew once it has sold in its present chain and the centre has posted all of that:
// from then on nobody has a reason to ask for the chain.
func reopen(t *testing.T, f *fleet.Fleet, l *load, till *fleet.Till) {
	t.Helper()
	l.more(50)
	must(t, till.Crash())
	must(t, till.Start())
	l.more(50)
	sold := int(l.sold.Load())
	posted(t, f, sold)
	await(t, "the till knows that its old chains are posted", func() error {
		if _, unposted := till.Node().Waiting(); unposted > 20 { // of the chain that is growing
			return fmt.Errorf("%d records are not", unposted)
		}
		return nil
	})
}

// loseCentre drops all nodes of the centre, one as hard as the other, and takes what is to be lost.
func loseCentre(t *testing.T, f *fleet.Fleet, what func(*fleet.Centre) error) {
	t.Helper()
	for _, c := range f.Centre() {
		must(t, c.Crash())
	}
	for _, c := range f.Centre() {
		must(t, what(c))
	}
}

// lives gives the life of which each edge node's cursor is.
func lives(f *fleet.Fleet) map[*fleet.Edge]record.Generation {
	out := map[*fleet.Edge]record.Generation{}
	for _, s := range f.Stores() {
		out[&s.Edge] = s.Node().Cursor().Generation
		for _, till := range s.Tills() {
			out[&till.Edge] = till.Node().Cursor().Generation
		}
	}
	return out
}

// anew waits until every edge node follows another life than before, stores that of the centre: until then
// they believe what the lost centre said.
func anew(t *testing.T, f *fleet.Fleet, old map[*fleet.Edge]record.Generation) {
	t.Helper()
	await(t, "a full resync", func() error {
		for e, g := range old {
			if c := e.Node().Cursor(); c.Generation == g || c.Entry == 0 {
				return fmt.Errorf("%s is at entry %d of generation %s, as before", e.Name(), c.Entry, c.Generation)
			}
		}
		centre := writer(t, f).Node().Replica().Status().Generation
		for _, s := range f.Stores() {
			if g := s.Node().Cursor().Generation; g != centre {
				return fmt.Errorf("store %s follows generation %s, the centre is of %s", s.Name(), g, centre)
			}
		}
		return nil
	})
}

// boundaries gives the entries that begin a generation.
func boundaries(t *testing.T, f *fleet.Fleet) (entries []uint64) {
	t.Helper()
	for _, e := range journal(t, f) {
		if e.Begins() {
			entries = append(entries, e.Number)
		}
	}
	return entries
}

// rebuilt makes the books again from the journal, as ops do, and holds every node to them.
func rebuilt(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	var c ops.Client
	for _, n := range f.Centre() {
		c.URLs = append(c.URLs, n.Node().URL())
	}
	r, err := ops.Rebuild(within(t, patience), c)
	if err != nil || len(r.Compared) != len(f.Centre()) {
		t.Errorf("compared %+v: %v", r.Compared, err)
	}
}
