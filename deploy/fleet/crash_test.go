package fleet_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"tillstream/deploy/fleet"
)

// often is the pace of a load that lasts as long as a test needs it: nobody here runs out of receipts.
const (
	often  = 2 * time.Millisecond
	plenty = 20_000
)

// Every tier is dropped and started again while tills sell: what was answered is posted, once.
func TestCrashOfEachTier(t *testing.T) {
	for _, tier := range []struct {
		name           string
		crash, restart func(*testing.T, *fleet.Fleet)
	}{
		{"till",
			func(t *testing.T, f *fleet.Fleet) { must(t, f.Store(0).Till(0).Crash()) },
			func(t *testing.T, f *fleet.Fleet) { must(t, f.Store(0).Till(0).Start()) }},
		{"store",
			func(t *testing.T, f *fleet.Fleet) { must(t, f.Store(0).Crash()) },
			func(t *testing.T, f *fleet.Fleet) { must(t, f.Store(0).Start()) }},
		{"store and its tills",
			func(t *testing.T, f *fleet.Fleet) {
				must(t, errors.Join(f.Store(0).Crash(), f.Store(0).Till(0).Crash(), f.Store(0).Till(1).Crash()))
			},
			func(t *testing.T, f *fleet.Fleet) {
				must(t, errors.Join(f.Store(0).Till(1).Start(), f.Store(0).Start(), f.Store(0).Till(0).Start()))
			}},
		{"centre node that writes",
			func(t *testing.T, f *fleet.Fleet) { must(t, writer(t, f).Crash()) },
			startCentre},
		{"centre node that does not write",
			func(t *testing.T, f *fleet.Fleet) { must(t, follower(t, f).Crash()) },
			startCentre},
	} {
		t.Run(tier.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 2, Tills: 2})
			l := selling(t, f, often, generate(plenty, 5))
			l.reach(200)
			tier.crash(t, f)
			l.more(30) // the others go on
			tier.restart(t, f)
			l.more(200)
			settle(t, f, l.stop())
		})
	}
}

// startCentre starts the nodes of the centre that are down, after another has taken over writing.
func startCentre(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	writer(t, f)
	for _, c := range f.Centre() {
		if c.Node() == nil {
			must(t, c.Start())
		}
	}
}

// writer waits until a node writes.
func writer(t *testing.T, f *fleet.Fleet) (c *fleet.Centre) {
	t.Helper()
	await(t, "write", func() error {
		if c = f.Writer(); c == nil {
			return errors.New("nobody writes the journal")
		}
		return nil
	})
	return c
}

func follower(t *testing.T, f *fleet.Fleet) *fleet.Centre {
	t.Helper()
	for w, i := writer(t, f), 0; ; i++ {
		if c := f.Centre()[i]; c != w {
			return c
		}
	}
}

// The node that writes is dropped again and again under load, until each has had its turn: each time
// another takes over in a higher term, and the journal stays one.
func TestWriterKilledAgainAndAgain(t *testing.T) {
	f := open(t, fleet.Config{Stores: 2, Tills: 1})
	l := selling(t, f, often, generate(plenty, 6))
	dropped := map[string]int{}
	var term uint64
	for round := 0; len(dropped) < len(f.Centre()) && round < 6; round++ {
		w := writer(t, f)
		s := w.Node().Replica().Status()
		if s.Term <= term {
			t.Errorf("node %s writes in term %d, after term %d", w.Name(), s.Term, term)
		}
		term = s.Term
		l.more(20)
		must(t, w.Crash())
		dropped[w.Name()]++
		await(t, "take over", func() error {
			if c := f.Writer(); c == nil || c == w || c.Node().Replica().Status().Term <= term {
				return fmt.Errorf("nobody writes in a term after %d", term)
			}
			return nil
		})
		must(t, w.Start())
		folded(t, w, f.Writer())
	}
	t.Logf("dropped %v", dropped)
	settle(t, f, l.stop())
}

// folded waits until a node has come as far as another was.
func folded(t *testing.T, c, as *fleet.Centre) {
	t.Helper()
	entry := as.Node().Replica().Status().Entry
	if err := c.Node().Replica().Read(within(t, patience), entry, func(uint64) {}); err != nil {
		t.Fatal(err)
	}
}

// A store dies after it has told its till that it holds the receipts, and before the centre has them.
func TestStoreCrashesAfterItAcknowledged(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2})
	s := f.Store(0)
	s.Cut()
	sold := generate(300, 7)
	sell(t, f, sold)
	acknowledged(t, s)
	must(t, s.Crash())
	s.Heal()
	must(t, s.Start())
	settle(t, f, sold)
}

// acknowledged waits until a store holds all that its tills have.
func acknowledged(t *testing.T, s *fleet.Store) {
	t.Helper()
	await(t, "acknowledge", func() error {
		for _, till := range s.Tills() {
			if n, _ := till.Node().Waiting(); n > 0 {
				return fmt.Errorf("till %s has %d records that its store has not confirmed", till.Name(), n)
			}
		}
		return nil
	})
}
