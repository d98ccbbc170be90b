package journal

import (
	"testing"

	"tillstream/kv/record"
)

// A copy of the running till wrote first: the store's mark is not of this till's record. Its receipts
// must not be taken for delivered, and the till goes on with another chain.
func TestConfirmOfAnotherBranchIsAFork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		held uint64
	}{{"at the tip", 3}, {"before the tip", 2}, {"beyond the tip", 9}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := openT(t, tillConfig(t))
			recs := sell(t, j, 2) // seq 2 and 3, after the start
			m := record.Mark{Chain: recs[0].Chain, Status: record.StatusHeld, Held: c.held, Hash: record.Hash{1}}
			if err := j.Confirm([]record.Mark{m}); err != nil {
				t.Fatal(err)
			}
			if n, _ := j.Unconfirmed(); n != 3 {
				t.Errorf("%d records are unconfirmed, want 3", n)
			}
			if got := j.Chains()[0].Refused; got != record.StatusFork {
				t.Errorf("the chain is %s, want fork", got)
			}
			if next := commitT(t, j, "the till sells on"); next[0].Chain == recs[0].Chain {
				t.Error("the till goes on with the forked chain")
			}
		})
	}
}
