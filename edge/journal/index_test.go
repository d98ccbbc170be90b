package journal

import (
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// A rid is known from the moment its receipt is answered, whether it waits in memory or is in the file:
// before and after the transaction that moves it, after a restart, and after a crash of either.
func TestRIDsAreKnownWhereverTheyLie(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	var recs []record.Receipt
	known := func() {
		t.Helper()
		for _, rec := range recs {
			if got, err := j.Find(rec.RID); err != nil || got.Header != rec.Header {
				t.Fatalf("find receipt %s: seq %d, %v", rec.RID, got.Seq, err)
			}
		}
		for _, rec := range []record.Receipt{recs[0], recs[len(recs)-1]} {
			if _, repeated, err := j.Commit(t.Context(), rec); err != nil || !repeated {
				t.Fatalf("repeat of seq %d: %v, %v", rec.Seq, repeated, err)
			}
		}
	}
	recs = sell(t, j, indexStep-1)
	if n := ridsInFile(t, j); n != 0 || len(j.fresh) != indexStep-1 {
		t.Fatalf("%d rids in the file and %d in memory after %d receipts", n, len(j.fresh), len(recs))
	}
	known()
	closeT(t, j)
	j = openT(t, cfg) // nothing is written at the end, as in a crash
	if len(j.fresh) != indexStep-1 {
		t.Fatalf("%d rids are found again, want %d", len(j.fresh), indexStep-1)
	}
	known()
	recs = append(recs, sell(t, j, 1)...)
	if n := ridsInFile(t, j); n != indexStep || len(j.fresh) != 0 {
		t.Fatalf("%d rids in the file and %d in memory after %d receipts", n, len(j.fresh), len(recs))
	}
	known()
	recs = append(recs, sell(t, j, 3)...)
	closeT(t, j)
	j = openT(t, cfg)
	if len(j.fresh) != 3 {
		t.Errorf("a start reads %d rids, want the 3 that are not in the file", len(j.fresh))
	}
	known()
}

// The transaction that writes the rids fails, or fails and is kept all the same.
func TestFaultWhileRIDsAreWritten(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"write", "kept"} {
		t.Run(at, func(t *testing.T) {
			t.Parallel()
			cfg := tillConfig(t)
			j := openT(t, cfg)
			recs := sell(t, j, indexStep-1)
			d := draft("the one that fills the step")
			fail(j, at)
			if _, _, err := j.Commit(t.Context(), d); !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			rec, _, err := j.Commit(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			recs = append(recs, rec)
			for range 2 {
				for _, rec := range recs {
					if _, repeated, err := j.Commit(t.Context(), rec); err != nil || !repeated {
						t.Fatalf("repeat of seq %d: %v, %v", rec.Seq, repeated, err)
					}
				}
				wantBodies(t, j, recs)
				closeT(t, j)
				j = openT(t, cfg)
			}
		})
	}
}

// What is swept leaves no rid behind, also of receipts whose rids had not been written.
func TestSweepTakesRIDsThatWait(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	j := openT(t, cfg)
	old := sell(t, j, 5)
	closeT(t, j)
	j = openT(t, cfg)
	sell(t, j, 1)
	clk.Add(40 * 24 * time.Hour)
	if err := j.SetPosted([]record.Counted{{Chain: old[0].Chain, Posted: 6}}); err != nil {
		t.Fatal(err)
	}
	if n, err := j.Sweep(clk.Now()); n != 6 || err != nil {
		t.Fatalf("swept %d: %v", n, err)
	}
	if n := ridsInFile(t, j); n != 1 || len(j.fresh) != 0 {
		t.Errorf("%d rids in the file and %d in memory, want the one receipt's that is left", n, len(j.fresh))
	}
	if _, err := j.Find(old[0].RID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a receipt that was swept: %v", err)
	}
}

// A journal of version 1, whose rids were all in the file, is opened, and is of version 2 from then on.
func TestVersionBeforeIsRead(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	recs := sell(t, j, 4)
	if _, err := j.Sweep(start); err != nil { // writes all rids
		t.Fatal(err)
	}
	err := j.file.update(func(tx *bbolt.Tx) error {
		for id, c := range j.chains {
			if err := tx.Bucket(bucketChains).Put(id[:], sealChain1(cfg, c)); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(keyVersion, []byte(versionText+"1"))
	})
	if err != nil {
		t.Fatal(err)
	}
	closeT(t, j)
	for range 2 {
		j = openT(t, cfg)
		if j.Salvaged() != nil {
			t.Fatal("the version before is taken for damage")
		}
		for _, rec := range recs {
			if _, repeated, err := j.Commit(t.Context(), rec); err != nil || !repeated {
				t.Errorf("repeat of seq %d: %v, %v", rec.Seq, repeated, err)
			}
		}
		recs = append(recs, sell(t, j, 2)...)
		wantBodies(t, j, recs)
		err := j.file.view(func(tx *bbolt.Tx) error {
			if v := string(tx.Bucket(bucketMeta).Get(keyVersion)); v != versionText+version {
				t.Errorf("it is now %q", v)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		closeT(t, j)
	}
}

// sealChain1 is a chain's entry as version 1 wrote it.
func sealChain1(cfg Config, c *chain) []byte {
	b := []byte{1, flagOwn, byte(c.closed)}
	b = binary.BigEndian.AppendUint64(b, c.order)
	b = binary.BigEndian.AppendUint64(b, c.tip.Seq)
	b = append(b, c.tip.Hash[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(c.kept))
	b = binary.BigEndian.AppendUint64(b, c.confirmed)
	b = binary.BigEndian.AppendUint64(b, c.posted)
	b = c.start.Append(b)
	return cfg.Ring.Seal(nil, slices.Concat([]byte("journal\x00chains\x00"), c.id[:]), b)
}

func ridsInFile(t *testing.T, j *Journal) (n int) {
	t.Helper()
	err := j.file.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketRIDs).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
