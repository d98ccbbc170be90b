package journal

import (
	"log/slog"
	"testing"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
	"tillstream/subjects"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	recs := chainOf(store1, 9)
	other := link(recs[0].Chain, append(recs[:4:4], chainOf(store1, 6)[1:]...)) // forks after seq 4
	foreign := chainOf(subjects.StoreID{Token: subjects.MustToken("0002")}, 1)
	headless := link(record.NewChainID(start), []record.Receipt{{Header: record.Header{Kind: record.KindStart}, Data: []byte("?")}})
	bad := chainOf(store1, 1)
	bad[1].Data = []byte("changed")
	type pack []record.Run
	for name, tc := range map[string]struct {
		packs  []pack
		status record.Status
		held   uint64
		kept   int // records
	}{
		"in order":          {[]pack{{run(recs[:3]...)}, {run(recs[3:5]...), run(recs[5:]...)}}, record.StatusHeld, 10, 10},
		"repeated":          {[]pack{{run(recs[:5]...)}, {run(recs[:5]...)}}, record.StatusHeld, 5, 5},
		"twice in a pack":   {[]pack{{run(recs[:5]...), run(recs[:5]...), run(recs[5:]...)}}, record.StatusHeld, 10, 10},
		"repeated inside":   {[]pack{{run(recs...)}, {run(recs[2:4]...)}}, record.StatusHeld, 10, 10},
		"overlap":           {[]pack{{run(recs[:3]...), run(recs[3:5]...)}, {run(recs[3:5]...), run(recs[5:]...)}}, record.StatusHeld, 10, 10},
		"overlap cuts run":  {[]pack{{run(recs[:5]...)}, {run(recs[2:8]...)}, {run(recs[7:]...)}}, record.StatusHeld, 10, 10},
		"gap":               {[]pack{{run(recs[:3]...)}, {run(recs[5:]...)}}, record.StatusGap, 3, 3},
		"gap, then more":    {[]pack{{run(recs[:3]...)}, {run(recs[5:]...), run(recs[3:5]...)}}, record.StatusGap, 3, 3},
		"no beginning":      {[]pack{{run(recs[3:]...)}}, record.StatusGap, 0, 0},
		"fork":              {[]pack{{run(recs...)}, {run(other[4:]...)}}, record.StatusFork, 10, 10},
		"fork at the tip":   {[]pack{{run(recs[:5]...)}, {run(other[5:]...)}}, record.StatusFork, 5, 5},
		"fork, inside":      {[]pack{{run(recs...)}, {run(other[4:6]...)}}, record.StatusFork, 10, 10},
		"forked stays":      {[]pack{{run(recs[:6]...)}, {run(other[4:6]...)}, {run(recs[6:]...)}}, record.StatusFork, 6, 6},
		"of another store":  {[]pack{{run(foreign...)}}, record.StatusRefused, 0, 0},
		"start unreadable":  {[]pack{{run(headless...)}}, record.StatusRefused, 0, 0},
		"body changed":      {[]pack{{run(bad...)}}, record.StatusRefused, 0, 0},
		"packed bytes torn": {[]pack{{torn(run(recs...))}}, record.StatusRefused, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := storeConfig(t)
			var kept []record.Header
			cfg.Kept = func(h []record.Header) { kept = append(kept, h...) }
			j := openT(t, cfg)
			good := chainOf(store1, 2)
			var last []record.Mark
			for _, p := range tc.packs {
				last = acceptT(t, j, append(p, run(good...))...)
			}
			if len(last) != 2 {
				t.Fatalf("%d marks for two chains", len(last))
			}
			wantMark(t, last[0], tc.status, tc.held)
			wantMark(t, last[1], record.StatusHeld, 3) // one bad chain never stops another
			id := tc.packs[0][0].Chain
			if got := len(checkChain(t, j, id)); got != tc.kept {
				t.Errorf("%d records are kept, want %d", got, tc.kept)
			}
			if got := len(kept); got != tc.kept+3 {
				t.Errorf("Kept was told of %d records, want %d", got, tc.kept+3)
			}
			if tc.kept > 0 && last[0].Hash != recs[tc.kept-1].Hash() {
				t.Error("the mark has another hash than the record at Held")
			}
			closeT(t, j)
			j = openT(t, cfg)
			again := j.Marks([]record.ChainID{id, good[0].Chain})
			switch {
			case tc.kept == 0:
				wantMark(t, again[0], record.StatusUnknown, 0)
			case tc.status == record.StatusFork:
				wantMark(t, again[0], record.StatusFork, tc.held)
			default:
				wantMark(t, again[0], record.StatusHeld, tc.held)
			}
			wantMark(t, again[1], record.StatusHeld, 3)
		})
	}
}

func torn(r record.Run) record.Run {
	r.Packed = r.Packed[:len(r.Packed)-1]
	return r
}

// The records that showed a fork are kept for ops, once, and told once.
func TestForkIsSetAside(t *testing.T) {
	t.Parallel()
	cfg := storeConfig(t)
	log := &lines{}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	j := openT(t, cfg)
	recs := chainOf(store1, 5)
	other := link(recs[0].Chain, append(recs[:4:4], chainOf(store1, 4)[1:]...))
	acceptT(t, j, run(recs...))
	for range 3 {
		m := acceptT(t, j, run(other[4:6]...), run(other[6:]...))
		wantMark(t, m[0], record.StatusFork, 6)
	}
	var aside []record.Receipt
	err := j.file.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketAside).ForEach(func(k, v []byte) error {
			r, _, err := openRun(cfg.Ring, bucketAside, k, v)
			if err != nil {
				return err
			}
			got, err := r.Receipts(true)
			aside = append(aside, got...)
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(aside) != 4 || aside[0].Header != other[4].Header || aside[3].Header != other[7].Header {
		t.Errorf("%d records are kept aside", len(aside))
	}
	if n := log.count("forked"); n != 1 {
		t.Errorf("the fork was logged %d times", n)
	}
	if runs := j.Next(1 << 20); len(runs) != 1 || runs[0].Last != 6 {
		t.Errorf("what was held of the chain no longer rises: %+v", runs)
	}
}

func TestAcceptKeepsNoMessage(t *testing.T) {
	t.Parallel()
	j := openT(t, storeConfig(t))
	r := run(chainOf(store1, 3)...)
	acceptT(t, j, r)
	clear(r.Packed) // the message's buffer is used again
	for _, got := range j.Next(1 << 20) {
		if _, err := got.Receipts(true); err != nil {
			t.Error(err)
		}
	}
}
