package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

func TestCommitSurvives(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	rec := commitT(t, j, "bread and butter")[0]
	image := cfg
	image.Path += ".image"
	copyFile(t, cfg.Path, image.Path) // what a crash right after the answer leaves
	closeT(t, j)
	for _, c := range []Config{cfg, image} {
		j := openT(t, c)
		got, err := j.Find(rec.RID)
		if err != nil || string(got.Data) != "bread and butter" || got.Header != rec.Header {
			t.Errorf("find in %s: %+v, %v", filepath.Base(c.Path), got.Header, err)
		}
		if j.Salvaged() != nil {
			t.Errorf("%s was salvaged", filepath.Base(c.Path))
		}
		wantBodies(t, j, []record.Receipt{rec})
	}
}

func TestStartsBeginChains(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	var tip record.Tip
	for i := range 3 {
		j := openT(t, cfg)
		if got := len(j.Chains()); got != i {
			t.Fatalf("start %d: %d chains before the first receipt", i, got)
		}
		rec := commitT(t, j, fmt.Sprint(i))[0]
		chains := j.Chains()
		c := chains[len(chains)-1]
		if len(chains) != i+1 || c.ID != rec.Chain || !c.Own || rec.Seq != 2 {
			t.Fatalf("start %d: chains %+v, record %+v", i, chains, rec.Header)
		}
		if c.Start.Found != tip || c.Start.Store != store1 || c.Start.Till != till1 {
			t.Errorf("start %d names %+v, want tip %+v", i, c.Start, tip)
		}
		tip = c.Tip
		if tip.Seq != 2 || tip.Hash != rec.Hash() {
			t.Errorf("start %d: tip %+v is not the record", i, tip)
		}
		closeT(t, j)
	}
}

func TestLongProcessBeginsAnotherChain(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	j := openT(t, cfg)
	a := commitT(t, j, "a")[0]
	clk.Add(rotate)
	b := commitT(t, j, "b")[0]
	if a.Chain == b.Chain {
		t.Fatal("one chain goes on for ever")
	}
	if got := j.Chains()[1].Start.Found; got.Chain != a.Chain || got.Hash != a.Hash() {
		t.Errorf("the chain after names %+v", got)
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	d := draft("tea")
	first, _, err := j.Commit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		got, repeated, err := j.Commit(t.Context(), d)
		if err != nil || !repeated || got.Header != first.Header || string(got.Data) != "tea" {
			t.Errorf("same receipt: %+v, repeated %v, %v", got.Header, repeated, err)
		}
		other := d
		other.Data = []byte("coffee")
		_, _, err = j.Commit(t.Context(), other)
		var taken *OtherBodyError
		if !errors.Is(err, ErrOtherBody) || !errors.As(err, &taken) || taken.Held != first.Header {
			t.Errorf("another receipt under the same rid: %v", err)
		}
		closeT(t, j)
		j = openT(t, cfg)
	}
	wantBodies(t, j, []record.Receipt{first})
}

func TestCommitRefuses(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	for name, tc := range map[string]struct {
		change func(*record.Receipt)
		want   error
	}{
		"large":   {func(d *record.Receipt) { d.Data = make([]byte, record.MaxBody+1) }, ErrTooLarge},
		"start":   {func(d *record.Receipt) { d.Kind = record.KindStart }, ErrDraft},
		"kind":    {func(d *record.Receipt) { d.Kind = 9 }, ErrDraft},
		"no rid":  {func(d *record.Receipt) { d.RID = record.RID{} }, ErrDraft},
		"owes":    {func(d *record.Receipt) { d.Points = -1 }, ErrDraft},
		"too far": {func(d *record.Receipt) { d.Points = record.MaxPoints + 1 }, ErrDraft},
	} {
		d := draft("x")
		tc.change(&d)
		if _, _, err := j.Commit(t.Context(), d); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
	}
	large := draft(strings.Repeat("x", record.MaxBody))
	rec, _, err := j.Commit(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	wantBodies(t, j, []record.Receipt{rec})

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j.turn <- struct{}{} // somebody else writes
	if _, _, err := j.Commit(ctx, draft("y")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	<-j.turn
	wantBodies(t, j, []record.Receipt{rec})
	if _, err := j.Find(record.NewRID(start)); !errors.Is(err, ErrNotFound) {
		t.Errorf("find nothing: %v", err)
	}
	if _, _, err := openT(t, storeConfig(t)).Commit(t.Context(), draft("z")); !errors.Is(err, ErrNoTill) {
		t.Errorf("commit at a store: %v", err)
	}
}

func TestManyCallers(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	var kept []record.Header
	cfg.Kept = func(h []record.Header) { kept = append(kept, h...) } // the race detector sees two at once
	j := openT(t, cfg)
	const callers, each = 64, 20
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				d := draft(fmt.Sprintf("caller %d receipt %d", c, i))
				for again := range 2 {
					if rec, repeated, err := j.Commit(t.Context(), d); err != nil || repeated != (again == 1) || rec.Seq < 2 {
						t.Errorf("commit: seq %d, repeated %v, %v", rec.Seq, repeated, err)
					}
				}
			}
		})
	}
	wg.Wait()
	chains := j.Chains()
	if len(chains) != 1 {
		t.Fatalf("%d chains", len(chains))
	}
	if got, want := len(checkChain(t, j, chains[0].ID)), callers*each+1; got != want {
		t.Errorf("%d records, want %d", got, want)
	}
	if got := len(bodies(t, j)); got != callers*each {
		t.Errorf("%d receipts, want %d", got, callers*each)
	}
	for i, h := range kept {
		if h.Seq != uint64(i+1) {
			t.Fatalf("Kept was told of seq %d at place %d", h.Seq, i)
		}
	}
	if got, want := len(kept), callers*each+1; got != want {
		t.Errorf("Kept was told of %d records, want %d", got, want)
	}
}

// Callers that come while another writes share one transaction, and one rid among them is one receipt.
func TestWaitingCallersShareATransaction(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	writes := 0
	j.file.fault = func(at string) error {
		if at == "write" {
			writes++
		}
		return nil
	}
	j.turn <- struct{}{}
	d := draft("same for all")
	var wg sync.WaitGroup
	const callers = 40
	for i := range callers {
		wg.Go(func() {
			mine := d
			if i >= callers/2 {
				mine = draft(fmt.Sprint(i))
			}
			if _, _, err := j.Commit(t.Context(), mine); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, func() bool {
		j.queue.Lock()
		defer j.queue.Unlock()
		return len(j.queue.waiting) == callers
	})
	<-j.turn
	wg.Wait()
	if writes != 1 {
		t.Errorf("%d transactions", writes)
	}
	if got := len(bodies(t, j)); got != callers/2+1 {
		t.Errorf("%d receipts", got)
	}
}

func TestRunsAreClosedInTime(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	j.turn <- struct{}{}
	var wg sync.WaitGroup
	const callers = 12
	for range callers {
		wg.Go(func() {
			if _, _, err := j.Commit(t.Context(), draft(strings.Repeat("x", 100<<10))); err != nil {
				t.Error(err)
			}
		})
	}
	waitFor(t, func() bool {
		j.queue.Lock()
		defer j.queue.Unlock()
		return len(j.queue.waiting) == callers
	})
	<-j.turn
	wg.Wait()
	runs := j.Next(1 << 30)
	for _, r := range runs {
		if r.Raw > record.MaxRun {
			t.Errorf("a run of %d bytes", r.Raw)
		}
	}
	if len(runs) != callers/2 {
		t.Errorf("%d runs", len(runs))
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("it did not come about")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	commitT(t, j, "a")
	if _, err := Open(cfg); !errors.Is(err, ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	err := j.file.update(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(keyVersion, []byte(versionText+"9"))
	})
	if err != nil {
		t.Fatal(err)
	}
	closeT(t, j)
	_, err = Open(cfg)
	if !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "has 9") || !strings.Contains(err.Error(), "knows "+version) {
		t.Errorf("other version: %v", err)
	}
	if _, _, err := j.Commit(t.Context(), draft("b")); !errors.Is(err, ErrClosed) {
		t.Errorf("commit after close: %v", err)
	}
	if _, err := j.Find(record.NewRID(start)); !errors.Is(err, ErrClosed) {
		t.Errorf("find after close: %v", err)
	}
}

// A disk image put back, or a clone that was started, begins a chain of its own.
func TestOldImagesDoNotCollide(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	kept := sell(t, j, 3)
	image := cfg
	image.Path += ".image"
	copyFile(t, cfg.Path, image.Path)
	kept = append(kept, commitT(t, j, "after the image")...)
	old := openT(t, image)
	kept = append(kept, commitT(t, old, "on the old image")...)
	if a, b := kept[3], kept[4]; a.Chain == b.Chain {
		t.Fatal("the image goes on with the chain")
	}
	if found := old.Chains()[1].Start.Found; found.Chain != kept[0].Chain || found.Seq != 4 {
		t.Errorf("the image names tip %+v", found)
	}
	s := openT(t, storeConfig(t))
	for _, from := range []*Journal{j, old, j} {
		for _, m := range acceptT(t, s, from.Next(record.MaxPack)...) {
			if m.Status != record.StatusHeld {
				t.Errorf("mark %+v", m)
			}
		}
	}
	wantBodies(t, s, kept)
}
