package fleet_test

import (
	"errors"
	"testing"

	"tillstream/deploy/fleet"
)

// link is a way to lose the link upward, and what has to happen before it comes back.
type link struct {
	name string
	lose func(*fleet.Edge)
	lost func(*testing.T, *fleet.Edge)
}

func links() []link {
	return []link{
		{"reset", (*fleet.Edge).Cut, found},
		{"silent", (*fleet.Edge).Silence, found},
		{"silent for a moment", (*fleet.Edge).Silence, func(*testing.T, *fleet.Edge) {}},
	}
}

// found waits until the node has found its link dead.
func found(t *testing.T, e *fleet.Edge) {
	t.Helper()
	await(t, "find the link dead", func() error {
		if e.Node().Linked() {
			return errors.New(e.Name() + " thinks that its link is up")
		}
		return nil
	})
}

// unposted wants a till to have receipts that the centre does not have.
func unposted(t *testing.T, e *fleet.Edge) {
	t.Helper()
	if _, n := e.Node().Waiting(); n == 0 {
		t.Errorf("%s is cut off, but all of its receipts are posted", e.Name())
	}
}

// A store without its WAN sells as before, its tills see each other's sales, and nothing is lost.
func TestWANCutAndHeal(t *testing.T) {
	for _, l := range links() {
		t.Run(l.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 2, Tills: 2})
			cut, first, second, far := f.Store(0), f.Store(0).Till(0), f.Store(0).Till(1), f.Store(1).Till(0)
			receipts := generate(600, 1)
			sell(t, f, receipts[:200])
			sold := append(receipts, give(t, first, purchase("regular", 10_00)))
			willKnow(t, f, &cut.Edge, "regular", 10, 0)
			willKnow(t, f, &first.Edge, "regular", 10, 0)
			willSee(t, second, "regular", 10, 0)

			l.lose(&cut.Edge)
			if again := sell(t, f, receipts[200:400]); again > 0 {
				t.Errorf("%d answers were refusals while the WAN was cut", again)
			}
			sold = append(sold, give(t, first, purchase("regular", 5_00)), give(t, first, purchase("new", 7_00)))
			if err := sees(t, first, "regular", 10, 5); err != nil {
				t.Errorf("at once, where it shopped: %v", err)
			}
			willSee(t, second, "regular", 10, 5)
			willSee(t, second, "new", none, 7) // what they had before, only the centre knows
			unposted(t, &cut.Edge)
			l.lost(t, &cut.Edge)
			unposted(t, &cut.Edge)

			cut.Heal()
			if again := sell(t, f, receipts[400:]); again > 0 {
				t.Errorf("%d answers were refusals after the WAN was back", again)
			}
			settle(t, f, sold)
			for _, at := range []*fleet.Till{first, second, far} {
				willSee(t, at, "regular", 15, 0)
				willSee(t, at, "new", 7, 0)
			}
			sold = append(sold, give(t, far, purchase("regular", 2_00)))
			settle(t, f, sold)
			for _, at := range []*fleet.Till{first, second, far} {
				willSee(t, at, "regular", 17, 0)
			}
		})
	}
}

// A till without its LAN sells as before and knows what it knew; its store goes on without it.
func TestLANCutAndHeal(t *testing.T) {
	for _, l := range links() {
		t.Run(l.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 2, Tills: 2})
			cut, other, far := f.Store(0).Till(0), f.Store(0).Till(1), f.Store(1).Till(0)
			receipts := generate(600, 2)
			sell(t, f, receipts[:200])
			sold := append(receipts, give(t, cut, purchase("regular", 10_00)))
			willKnow(t, f, &cut.Edge, "regular", 10, 0)

			l.lose(&cut.Edge)
			if again := sell(t, f, receipts[200:400]); again > 0 {
				t.Errorf("%d answers were refusals while the LAN was cut", again)
			}
			sold = append(sold, give(t, cut, purchase("regular", 5_00)), give(t, cut, purchase("new", 7_00)),
				give(t, other, purchase("regular", 1_00)))
			if err := sees(t, cut, "regular", 10, 5); err != nil {
				t.Errorf("at once, where it shopped: %v", err)
			}
			if err := sees(t, cut, "new", none, 7); err != nil {
				t.Errorf("at once, where it shopped: %v", err)
			}
			willSee(t, other, "regular", 11, 0) // posted: the store has its WAN
			unposted(t, &cut.Edge)
			l.lost(t, &cut.Edge)

			cut.Heal()
			if again := sell(t, f, receipts[400:]); again > 0 {
				t.Errorf("%d answers were refusals after the LAN was back", again)
			}
			settle(t, f, sold)
			for _, at := range []*fleet.Till{cut, other, far} {
				willSee(t, at, "regular", 16, 0)
				willSee(t, at, "new", 7, 0)
			}
			sold = append(sold, give(t, far, purchase("regular", 2_00)))
			settle(t, f, sold)
			for _, at := range []*fleet.Till{cut, other, far} {
				willSee(t, at, "regular", 18, 0)
			}
		})
	}
}

// Two cut stores see a card for the first time, each for itself: it is one account.
func TestCardOpenedAtTwoCutStores(t *testing.T) {
	f := open(t, fleet.Config{Stores: 3, Tills: 1})
	here, there := f.Store(0), f.Store(1)
	here.Cut()
	there.Cut()
	sold := generate(300, 3)
	if again := sell(t, f, sold); again > 0 {
		t.Errorf("%d answers were refusals while two WANs were cut", again)
	}
	back := purchase("both", 4_00)
	back.Return = true
	sold = append(sold, give(t, here.Till(0), purchase("both", 10_00)), give(t, there.Till(0), purchase("both", 5_00)),
		give(t, there.Till(0), back))
	willSee(t, here.Till(0), "both", none, 10)
	willSee(t, there.Till(0), "both", none, 1)

	here.Heal()
	there.Heal()
	settle(t, f, sold)
	if n := len(account(t, f, "both", 11, 0).Postings); n != 3 {
		t.Errorf("the account has %d postings, want 3", n)
	}
	for _, s := range f.Stores() {
		willSee(t, s.Till(0), "both", 11, 0)
	}
}

// WANs and LANs are cut and healed in turn while all tills sell: no till ever refuses a sale.
func TestManyCutsInTurn(t *testing.T) {
	f := open(t, fleet.Config{Stores: 3, Tills: 2})
	l := selling(t, f, 0, generate(3000, 4))
	for round := range 4 {
		for i, s := range f.Stores() {
			s.Cut()
			s.Till(round % 2).Cut()
			l.more(100)
			s.Heal()
			if i%2 == 0 {
				s.Till(round % 2).Heal()
			}
		}
	}
	for _, till := range f.Tills() {
		till.Heal()
	}
	if again := l.wait(); again > 0 {
		t.Errorf("%d answers were refusals", again)
	}
	settle(t, f, l.stop())
	if n := repeats(t, f); n != 0 {
		t.Errorf("%d records came a second time in another chain", n)
	}
}
