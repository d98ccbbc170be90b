package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"tillstream/kv/record"
)

// rise sends all that from has to store to, and fails if that does not come to an end.
func rise(t testing.TB, from, to *Journal) {
	t.Helper()
	for range 100_000 {
		runs := from.Next(record.MaxPack)
		if len(runs) == 0 {
			return
		}
		if err := from.Confirm(acceptT(t, to, runs...)); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("sending does not come to an end")
}

func TestNextAndConfirm(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	j, s := openT(t, cfg), openT(t, storeConfig(t))
	<-j.Changed()
	if runs := j.Next(1 << 20); runs != nil {
		t.Errorf("an empty journal sends %d runs", len(runs))
	}
	recs := sell(t, j, 3)
	<-j.Changed()
	clk.Add(time.Hour)
	recs = append(recs, sell(t, j, 2)...)
	id := recs[0].Chain
	if n, at := j.Unconfirmed(); n != 6 || !at.Equal(start) {
		t.Errorf("unconfirmed: %d since %s", n, at)
	}
	if got := j.Next(1); len(got) != 1 || got[0].First != 1 {
		t.Errorf("less than a run fits: %+v", got)
	}
	first := j.Next(int(j.Next(1)[0].Raw) + 1)
	if err := j.Confirm(acceptT(t, s, first...)); err != nil {
		t.Fatal(err)
	}
	if got := j.Next(1 << 20)[0]; got.First != first[0].Last+1 {
		t.Errorf("after a confirmed run, seq %d is next", got.First)
	}
	rise(t, j, s)
	if n, at := j.Unconfirmed(); n != 0 || !at.IsZero() {
		t.Errorf("all confirmed, but %d since %s", n, at)
	}
	if n, at := j.Unposted(); n != 6 || !at.Equal(start) {
		t.Errorf("unposted: %d since %s", n, at)
	}
	wantBodies(t, s, recs)

	drain(j)
	if err := j.Confirm([]record.Mark{{Chain: id, Status: record.StatusHeld, Held: 4}}); err != nil { // it lost its disk
		t.Fatal(err)
	}
	<-j.Changed()
	if n, at := j.Unconfirmed(); n != 2 || !at.Equal(start.Add(time.Hour)) {
		t.Errorf("after a lower mark: %d since %s", n, at)
	}
	if got := j.Next(1 << 20); len(got) != 2 || got[0].First != 5 {
		t.Errorf("after a lower mark: %+v", got)
	}
	if err := j.Confirm([]record.Mark{{Chain: id, Status: record.StatusUnknown}}); err != nil {
		t.Fatal(err)
	}
	s2 := openT(t, storeConfig(t))
	rise(t, j, s2)
	wantBodies(t, s2, recs)
}

func drain(j *Journal) {
	select {
	case <-j.Changed():
	default:
	}
}

func TestRefusedChainIsKeptAndNotSent(t *testing.T) {
	t.Parallel()
	for _, status := range []record.Status{record.StatusFork, record.StatusRefused} {
		t.Run(status.String(), func(t *testing.T) {
			t.Parallel()
			cfg := tillConfig(t)
			log := &lines{}
			cfg.Log = slog.New(slog.NewTextHandler(log, nil))
			j := openT(t, cfg)
			recs := sell(t, j, 2)
			for range 2 {
				if err := j.Confirm([]record.Mark{{Chain: recs[0].Chain, Status: status, Held: 1}}); err != nil {
					t.Fatal(err)
				}
			}
			if n := log.count("refuses"); n != 1 {
				t.Errorf("logged %d times", n)
			}
			if runs := j.Next(1 << 20); len(runs) != 0 {
				t.Errorf("%d runs of a refused chain are sent", len(runs))
			}
			if n, _ := j.Unconfirmed(); n != 3 {
				t.Errorf("%d are said to be unconfirmed", n)
			}
			if c := j.Chains()[0]; c.Refused != status {
				t.Errorf("refused: %s", c.Refused)
			}
			wantMark(t, j.Marks([]record.ChainID{recs[0].Chain})[0], status, 3)
			recs = append(recs, commitT(t, j, "the till sells on")...)
			wantBodies(t, j, recs)
			runs := j.Next(1 << 20)
			if forked := status == record.StatusFork; forked != (len(runs) == 1) {
				t.Errorf("the next receipt: %d runs rise", len(runs))
			}
		})
	}
}

// Chains take turns, and a pack is filled from all of them.
func TestNextIsFair(t *testing.T) {
	t.Parallel()
	s := openT(t, storeConfig(t))
	const chains, each = 5, 40
	for range chains {
		recs := chainOf(store1, each)
		for i := range recs {
			acceptT(t, s, run(recs[i]))
		}
	}
	counts := map[record.ChainID]int{}
	for _, r := range s.Next(int(20 * s.Next(1)[0].Raw)) {
		counts[r.Chain]++
	}
	if len(counts) != chains {
		t.Errorf("%d of %d chains are sent", len(counts), chains)
	}
	for _, n := range counts {
		if n < 3 || n > 5 {
			t.Errorf("a chain sends %d runs of about 20", n)
		}
	}
	seen := map[record.ChainID]bool{}
	for range chains {
		seen[s.Next(1)[0].Chain] = true
	}
	if len(seen) != chains {
		t.Errorf("packs begin with %d of %d chains", len(seen), chains)
	}
}

// Memory holds a bounded tail; what is older is read from the file, and nothing is left out between.
func TestRecentRunsAreBounded(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j := openT(t, cfg)
	noise := rand.New(rand.NewPCG(1, 2))
	var recs []record.Receipt
	for i := range 24 {
		b := make([]byte, 500<<10)
		for k := range b {
			b[k] = byte(noise.Uint32())
		}
		recs = append(recs, commitT(t, j, fmt.Sprint(i)+string(b))...)
	}
	sum := 0
	for _, r := range j.chains[recs[0].Chain].recent {
		sum += len(r.run.Packed)
	}
	if j.recent > maxRecent || sum != j.recent || j.recent < maxRecent/2 {
		t.Errorf("memory holds %d bytes, by its own count %d", sum, j.recent)
	}
	s := openT(t, storeConfig(t))
	rise(t, j, s)
	wantBodies(t, s, recs)
	if j.recent != 0 {
		t.Errorf("%d bytes of what upstream has stay in memory", j.recent)
	}
	closeT(t, j)
	j = openT(t, cfg) // and all of it from the file
	if err := j.Confirm(s.Marks(nil)); err != nil {
		t.Fatal(err)
	}
	if err := j.Confirm([]record.Mark{{Chain: recs[0].Chain, Status: record.StatusUnknown}}); err != nil {
		t.Fatal(err)
	}
	s2 := openT(t, storeConfig(t))
	rise(t, j, s2)
	wantBodies(t, s2, recs)
}

func TestConfirmedIsWrittenWithTheNextCommit(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	j, s := openT(t, cfg), openT(t, storeConfig(t))
	sell(t, j, 3)
	rise(t, j, s)
	id := j.Chains()[0].ID
	if err := j.SetPosted([]record.Counted{{Chain: id, Posted: 2}}); err != nil {
		t.Fatal(err)
	}
	sell(t, j, 1)
	closeT(t, j)
	j = openT(t, cfg)
	if c := j.Chains()[0]; c.Confirmed != 4 || c.Posted != 2 {
		t.Errorf("after a restart: %+v", c)
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	j := openT(t, tillConfig(t))
	recs := sell(t, j, 5)
	var got []uint64
	for rec, err := range j.After(recs[0].Chain, 3) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, rec.Seq)
		if len(got) == 1 {
			commitT(t, j, "while somebody reads")
		}
		if rec.Seq == 6 {
			break
		}
	}
	if fmt.Sprint(got) != "[4 5 6]" {
		t.Errorf("got %v", got)
	}
	for range j.After(record.NewChainID(start), 0) {
		t.Error("a chain that is not here has records")
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	cfg := tillConfig(t)
	clk := &clock{now: start}
	cfg.Now = clk.Now
	open := func() *Journal { return openT(t, cfg) }
	j := open()
	posted := sell(t, j, 700) // more than one step
	closeT(t, j)
	j = open()
	unposted := sell(t, j, 2)
	closeT(t, j)
	j = open()
	clk.Add(20 * 24 * time.Hour)
	young := sell(t, j, 2)
	closeT(t, j)
	j = open()
	clk.Add(16 * 24 * time.Hour)
	newest := sell(t, j, 2)
	keep := append(append(unposted, young...), newest...)

	if n, err := j.Sweep(clk.Now()); n != 0 || err != nil {
		t.Fatalf("swept %d of what is not posted: %v", n, err)
	}
	counted := []record.Counted{{Chain: posted[0].Chain, Posted: 701}, {Chain: unposted[0].Chain, Posted: 2},
		{Chain: young[0].Chain, Posted: 3}, {Chain: newest[0].Chain, Posted: 3}}
	if err := j.SetPosted(counted); err != nil {
		t.Fatal(err)
	}
	n, err := j.Sweep(clk.Now())
	if n != 701 || err != nil {
		t.Errorf("swept %d: %v", n, err)
	}
	wantBodiesOf(t, j, keep)
	if _, err := j.Find(posted[0].RID); !errors.Is(err, ErrNotFound) {
		t.Errorf("a swept receipt is found: %v", err)
	}
	if n, err := j.Sweep(clk.Now().Add(1000 * time.Hour)); n != 3 || err != nil {
		t.Errorf("swept %d when the young are old: %v", n, err)
	}
	closeT(t, j)
	j = open()
	if j.Salvaged() != nil {
		t.Error("what a sweep leaves is taken for damage")
	}
	if got := j.Chains(); len(got) != 2 || got[0].Posted != 2 || got[1].Posted != 3 {
		t.Errorf("chains after a sweep: %+v", got)
	}
	commitT(t, j, "one more")
	if found := j.Chains()[2].Start.Found; found.Chain != newest[0].Chain {
		t.Errorf("the next chain names %+v", found)
	}
}

// wantBodiesOf is wantBodies by rid: sell gives the same bodies again and again.
func wantBodiesOf(t testing.TB, j *Journal, recs []record.Receipt) {
	t.Helper()
	for _, rec := range recs {
		if got, err := j.Find(rec.RID); err != nil || got.Header != rec.Header {
			t.Errorf("receipt %s: %v", rec.RID, err)
		}
	}
	n := 0
	for _, c := range j.Chains() {
		n += int(c.Tip.Seq) - 1
	}
	if n != len(recs) {
		t.Errorf("%d receipts are here, want %d", n, len(recs))
	}
}

// A store that swept a chain, or lost its disk, asks for all of it, and the till has all of it.
func TestChainGoesOnAfterStoreLostIt(t *testing.T) {
	t.Parallel()
	j, s := openT(t, tillConfig(t)), openT(t, storeConfig(t))
	recs := []record.Receipt{commitT(t, j, "a")[0]}
	rise(t, j, s)
	recs = append(recs, commitT(t, j, "b")[0])
	s2 := openT(t, storeConfig(t))
	marks := acceptT(t, s2, j.Next(1<<20)...)
	wantMark(t, marks[0], record.StatusGap, 0)
	if err := j.Confirm(marks); err != nil {
		t.Fatal(err)
	}
	rise(t, j, s2)
	wantBodies(t, s2, recs)
}

// A process that dies in a Sweep leaves half a chain; the next start removes the rest, and the chain may
// come again.
func TestSweepCutShort(t *testing.T) {
	t.Parallel()
	cfg := storeConfig(t)
	j := openT(t, cfg)
	recs := chainOf(store1, sweepStep+100)
	var runs []record.Run
	for i := range recs {
		runs = append(runs, run(recs[i]))
	}
	acceptT(t, j, runs...)
	if err := j.SetPosted([]record.Counted{{Chain: recs[0].Chain, Posted: uint64(len(recs))}}); err != nil {
		t.Fatal(err)
	}
	steps := 0
	j.file.fault = func(at string) error {
		if at == "write" {
			if steps++; steps == 2 {
				return errDisk
			}
		}
		return nil
	}
	if _, err := j.Sweep(start.Add(2 * KeepDefault)); !errors.Is(err, errDisk) {
		t.Fatalf("got %v", err)
	}
	wantMark(t, acceptT(t, j, runs...)[0], record.StatusGap, 0) // what is going is not mixed with what comes
	closeT(t, j)
	j = openT(t, cfg)
	if j.Salvaged() != nil || len(j.Chains()) != 0 {
		t.Fatalf("salvaged %+v, %d chains", j.Salvaged(), len(j.Chains()))
	}
	wantMark(t, acceptT(t, j, runs...)[0], record.StatusHeld, uint64(len(recs)))
	closeT(t, j)
	j = openT(t, cfg)
	if got := len(checkChain(t, j, recs[0].Chain)); got != len(recs) {
		t.Errorf("%d records are here", got)
	}
}
