package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"tillstream/central/books"
	"tillstream/central/gateway"
	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
)

// A node that has lost everything comes back with a peer's books: the same digest, the same postings, and
// it goes on from there.
func TestANewNodeFromAPeer(t *testing.T) {
	f := open(t, fleet.Config{Stores: 1, Tills: 2})
	all := generate(400, 41)
	sell(t, f, all[:300])
	settle(t, f, all[:300])
	nothing := books.Pack{Store: f.Store(0).Config().Store}
	for range 300 { // a journal that is worth asking for
		_, _, err := writer(t, f).Node().Replica().Propose(within(t, patience), nothing.Proposal())
		must(t, err)
	}
	c := follower(t, f)
	must(t, errors.Join(c.Crash(), c.Wipe(), c.Start()))
	must(t, f.Ready(within(t, patience)))
	settle(t, f, all[:300])
	if _, err := os.Stat(filepath.Join(c.Config().Data, "replica", "state.snapshot")); err != nil {
		t.Errorf("it has folded the journal from its first entry: %v", err)
	}
	for i := range all[:300] {
		card := all[i].Customer
		if card == "" {
			continue
		}
		var want gateway.Account
		for k, node := range f.Centre() {
			got, err := ops.Client{URLs: []string{node.Node().URL()}}.Account(within(t, patience), gateway.AccountQuestion{Card: card})
			must(t, err)
			if got.Entry = 0; k > 0 && !reflect.DeepEqual(got, want) {
				t.Errorf("customer %s at node %s: %+v, at another %+v", card, node.Name(), got, want)
			}
			want = got
		}
	}
	sell(t, f, all[300:])
	settle(t, f, all)
	rebuilt(t, f)
}
