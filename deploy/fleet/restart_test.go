package fleet_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/edge/api"
)

// The whole chain is stopped and started on its files, and some of those are missing that are made from
// others: balances are there before anything new is sold, what was sold is not posted again, and selling
// goes on.
func TestRestartOfEverything(t *testing.T) {
	begin(t)
	cfg := fleet.Config{Dir: t.TempDir(), Stores: 2, Tills: 2}
	all := generate(900, 14)
	old, young := all[:600], all[600:]
	f := start(t, cfg)
	sell(t, f, old)
	settle(t, f, old)
	digest := f.Centre()[0].Node().Replica().Status().Digest
	stop(t, f)
	for _, path := range []string{ // each is lost by one node and kept by another
		"edge/0001/cache.db", "edge/0002-01/cache.db", // the feed fills them
		"centre/c2/replica", "centre/c3/replica/state.snapshot", // the journal makes them
	} {
		lose(t, filepath.Join(cfg.Dir, filepath.FromSlash(path)))
	}

	cfg.Sent = f.Sent()
	f = start(t, cfg)
	t.Cleanup(func() { stop(t, f) })
	settle(t, f, old)
	for _, c := range f.Centre() {
		if got := c.Node().Replica().Status().Digest; got != digest {
			t.Errorf("node %s: digest %s, want %s as before", c.Name(), got, digest)
		}
	}
	everybodySees(t, f, old)
	sellAgain(t, f, old)
	others := sellElsewhere(t, f, old)
	settle(t, f, old)
	if got := repeats(t, f); got != uint64(others) {
		t.Errorf("%d repeats, want %d", got, others)
	}
	sell(t, f, young)
	settle(t, f, all)
}

// lose removes a file or directory that must be there.
func lose(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is nothing to lose: %v", err)
	}
	must(t, os.RemoveAll(path))
}

// everybodySees looks the customers of sold up at a till where each has shopped.
func everybodySees(t *testing.T, f *fleet.Fleet, sold []sales.Receipt) {
	t.Helper()
	count := sales.CountPoints(sold)
	seen := map[string]bool{}
	for i := range sold {
		r := &sold[i]
		if r.Customer == "" || seen[r.Customer] {
			continue
		}
		seen[r.Customer] = true
		want := count.Customers[r.Customer]
		at := place(f, r)
		await(t, "look-up", func() error {
			status, s := look(t, at, r.Customer)
			if status != http.StatusOK || !s.Known || value(s.Points.Available) != want.Points ||
				value(s.Points.Debt) != want.Debt || value(s.Points.Pending) != 0 {
				return fmt.Errorf("till %s says %d %s of customer %s, want %+v", at.Name(), status, told(s), r.Customer, want)
			}
			return nil
		})
	}
}

func told(s api.Shopper) string {
	if s.Points == nil {
		return fmt.Sprintf("known %v", s.Known)
	}
	return fmt.Sprintf("available %d pending %d debt %d", value(s.Points.Available), value(s.Points.Pending), value(s.Points.Debt))
}

// place gives the till of a receipt.
func place(f *fleet.Fleet, r *sales.Receipt) *fleet.Till {
	store, till := r.Place(len(f.Stores()), len(f.Store(0).Tills()))
	return f.Store(store).Till(till)
}

// sellAgain gives receipts to the tills that have them: each says so.
func sellAgain(t *testing.T, f *fleet.Fleet, sold []sales.Receipt) {
	t.Helper()
	for i := range sold {
		if a := ask(t, place(f, &sold[i]), sold[i]); !a.Repeated() {
			t.Errorf("receipt %s a second time: %d %s", sold[i].Number, a.Status, a.Body)
		}
	}
}

// sellElsewhere gives some receipts to a till of the same store that does not have them: it keeps them,
// and it is for the books to find that they were posted.
func sellElsewhere(t *testing.T, f *fleet.Fleet, sold []sales.Receipt) (n int) {
	t.Helper()
	for i := range sold {
		at := place(f, &sold[i]).Store().Till(0)
		if at != place(f, &sold[i]) && n < 50 {
			give(t, at, sold[i])
			n++
		}
	}
	return n
}
