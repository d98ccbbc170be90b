package journal

import (
	"errors"
	"sync"
	"testing"
	"time"

	"tillstream/kv/record"
)

// forked makes a till whose running memory was copied, after both copies have sold and met their store:
// the store has taken the copy's receipts for the chain, and holds some of this till's aside.
func forked(t *testing.T, cfg Config, own, others int) (till, store *Journal, common, mine, theirs []record.Receipt) {
	t.Helper()
	till, store = openT(t, cfg), openT(t, storeConfig(t))
	common = sell(t, till, 3)
	rise(t, till, store)
	mine = sell(t, till, own)
	var prefix []record.Receipt
	for rec, err := range till.After(mine[0].Chain, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if rec.Seq <= common[2].Seq {
			prefix = append(prefix, rec)
		}
	}
	for range others {
		prefix = append(prefix, draft("the copy sold "+record.NewRID(start).String()))
	}
	theirs = link(mine[0].Chain, prefix)[4:]
	acceptT(t, store, run(theirs...))
	return till, store, common, mine, theirs
}

// meet sends what the till has until there is nothing, whatever the store says of it.
func meet(t *testing.T, from, to *Journal) {
	t.Helper()
	for runs := from.Next(1 << 20); len(runs) > 0; runs = from.Next(1 << 20) {
		if err := from.Confirm(acceptT(t, to, runs...)); err != nil {
			t.Fatal(err)
		}
	}
}

// What a copied running memory has sold is kept, listed, and posted by hand: once, whoever does it.
func TestRehomeAtATill(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	till, store, common, mine, theirs := forked(t, cfg, 300, 2)
	meet(t, till, store)
	all, err := till.Aside()
	if err != nil || len(all) != 1 || all[0].Status != record.StatusFork || all[0].Till != till1 {
		t.Fatalf("aside: %+v, %v", all, err)
	}
	found := map[record.RID]bool{}
	for _, h := range all[0].Receipts {
		found[h.RID] = true
	}
	for _, rec := range mine {
		if !found[rec.RID] {
			t.Errorf("receipt %s is answered for and not listed", rec.RID)
		}
	}
	n, err := till.Rehome(t.Context())
	if err != nil || n < len(mine) || n > len(mine)+len(common) {
		t.Fatalf("moved %d receipts of %d: %v", n, len(mine), err)
	}
	if again, err := till.Rehome(t.Context()); again != 0 || err != nil {
		t.Errorf("moved %d receipts again, %v", again, err)
	}
	if all, err := till.Aside(); len(all) != 0 || err != nil {
		t.Errorf("aside after that: %+v, %v", all, err)
	}
	sold := commitT(t, till, "the till sells on")
	meet(t, till, store)
	if n, _ := till.Unconfirmed(); n != 0 {
		t.Errorf("%d records are unconfirmed", n)
	}
	for _, rec := range append(append(mine, common...), sold...) {
		if _, repeated, err := till.Commit(t.Context(), rec); err != nil || !repeated {
			t.Errorf("repeat: %v, %v", repeated, err)
		}
	}
	wantRIDs(t, store, common, mine, theirs, sold)
	closeT(t, till)
	till = openT(t, cfg)
	if n, _ := till.Unconfirmed(); n != 0 {
		t.Errorf("after a restart %d records are unconfirmed", n)
	}
	if err := till.Confirm(store.Marks([]record.ChainID{mine[0].Chain})); err != nil {
		t.Fatal(err)
	}
	if n, err := till.Rehome(t.Context()); n != 0 || err != nil {
		t.Errorf("after a restart it moves %d receipts again, %v", n, err)
	}
}

// The same at a store, whose till is gone.
func TestRehomeAtAStore(t *testing.T) {
	t.Parallel()
	till, store, common, mine, theirs := forked(t, tillConfig(t), 5, 2)
	meet(t, till, store)
	closeT(t, till)
	all, err := store.Aside()
	if err != nil || len(all) == 0 || all[0].Till != till1 {
		t.Fatalf("aside: %+v, %v", all, err)
	}
	var wg sync.WaitGroup
	moved := make([]int, 3)
	for i := range moved { // hurried ops
		wg.Go(func() {
			var err error
			if moved[i], err = store.Rehome(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := moved[0] + moved[1] + moved[2]; n != len(mine) {
		t.Errorf("moved %v receipts, want %d", moved, len(mine))
	}
	if all, err := store.Aside(); len(all) != 0 || err != nil {
		t.Errorf("aside after that: %+v, %v", all, err)
	}
	centre := openT(t, storeConfig(t))
	rise(t, store, centre)
	wantRIDs(t, centre, common, mine, theirs)
	for _, c := range store.Chains() {
		if c.Start.Till != till1 || c.Start.Store != store1 {
			t.Errorf("chain %s is of till %s of store %s", c.ID, c.Start.Till, c.Start.Store)
		}
	}
}

// The step that moves receipts fails, or fails and is kept.
func TestFaultWhileReceiptsMove(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"write", "kept"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			till, store, common, mine, theirs := forked(t, tillConfig(t), 5, 2)
			meet(t, till, store)
			fail(till, where)
			if _, err := till.Rehome(t.Context()); !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			if _, err := till.Rehome(t.Context()); err != nil {
				t.Fatal(err)
			}
			meet(t, till, store)
			if n, _ := till.Unconfirmed(); n != 0 {
				t.Errorf("%d records are unconfirmed", n)
			}
			wantRIDs(t, store, common, mine, theirs)
		})
	}
}

// A chain whose records were moved leaves the disk by its age; until then it is there.
func TestMovedChainIsSwept(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	till, store, _, mine, _ := forked(t, cfg, 5, 2)
	meet(t, till, store)
	clk.Add(40 * 24 * time.Hour)
	if n, err := till.Sweep(clk.Now()); n != 0 || err != nil {
		t.Fatalf("swept %d records that upstream refuses, %v", n, err)
	}
	if _, err := till.Rehome(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := till.Sweep(clk.Now()); n == 0 || err != nil {
		t.Fatalf("swept %d records, %v", n, err)
	}
	for _, rec := range mine {
		if _, err := till.Find(rec.RID); err != nil {
			t.Errorf("receipt %s: %v", rec.RID, err)
		}
	}
}

// wantRIDs asserts that the receipts, and no others, are here, wherever.
func wantRIDs(t *testing.T, j *Journal, all ...[]record.Receipt) {
	t.Helper()
	here := map[record.RID]bool{}
	for _, c := range j.Chains() {
		for _, rec := range checkChain(t, j, c.ID) {
			if rec.Kind != record.KindStart {
				here[rec.RID] = true
			}
		}
	}
	n := 0
	for _, recs := range all {
		for _, rec := range recs {
			if !here[rec.RID] {
				t.Errorf("receipt %s %.30q is not here", rec.RID, rec.Data)
			}
			n++
		}
	}
	if len(here) != n {
		t.Errorf("%d receipts are here, want %d", len(here), n)
	}
}
