package uplink_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/uplink"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// ask sends a pack as a till does, and gives the marks, or the code of the refusal.
func ask(t *testing.T, nc *nats.Conn, subject string, pack []byte) (marks []record.Mark, code string) {
	t.Helper()
	m, err := nc.RequestWithContext(t.Context(), subject, pack)
	if err != nil {
		t.Fatal(err)
	}
	if code := m.Header.Get(micro.ErrorCodeHeader); code != "" {
		if m.Header.Get(micro.ErrorHeader) == "" {
			t.Errorf("refusal %s without a word", code)
		}
		return nil, code
	}
	if marks, err = record.ReadMarks(m.Data); err != nil {
		t.Fatal(err)
	}
	return marks, ""
}

// A till moves its own chains and no other's. What is refused of a pack stops nothing else in it.
func TestIntakeTakesOwnChainsOnly(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc := connect(t, ns)
	own, begun, theirs := chainOf(shop, lane1.Till, 3), chainOf(shop, lane1.Till, 5), chainOf(shop, lane2.Till, 5)
	foreign := chainOf(store("0002"), lane1.Till, 2)
	headless := chained(record.NewChainID(at), []record.Receipt{{Header: record.Header{Kind: record.KindStart}, Data: []byte("?")}})
	changed := chainOf(shop, lane1.Till, 2)
	changed[1].Data = []byte("other")
	torn := record.PackRun(chainOf(shop, lane1.Till, 2))
	torn.Packed = torn.Packed[:len(torn.Packed)/2]
	for name, c := range map[string]struct {
		run    record.Run
		status record.Status
		held   uint64
	}{
		"a new chain":                     {record.PackRun(chainOf(shop, lane1.Till, 4)), record.StatusHeld, 5},
		"more of one":                     {record.PackRun(begun[3:]), record.StatusHeld, 6},
		"without its beginning":           {record.PackRun(chainOf(shop, lane1.Till, 4)[2:]), record.StatusGap, 0},
		"the start of another till":       {record.PackRun(chainOf(shop, lane2.Till, 4)), record.StatusRefused, 0},
		"more of another till's":          {record.PackRun(theirs[3:]), record.StatusRefused, 0},
		"a fork of another till's":        {record.PackRun(chained(theirs[0].Chain, slices.Concat(theirs[:3], own[1:]))[3:]), record.StatusRefused, 0},
		"of another store":                {record.PackRun(foreign), record.StatusRefused, 0},
		"a start that cannot be read":     {record.PackRun(headless), record.StatusRefused, 0},
		"a body that is not the header's": {record.PackRun(changed), record.StatusRefused, 0},
		"torn":                            {torn, record.StatusRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			up := storeJournal(t)
			serve(t, connect(t, ns), up)
			for lane, recs := range map[subjects.Lane][]record.Receipt{lane1: begun[:3], lane2: theirs[:3]} {
				if marks, code := ask(t, nc, lane.Ingest(), pack(record.PackRun(recs))); code != "" || marks[0].Status != record.StatusHeld {
					t.Fatalf("marks %v, code %q", marks, code)
				}
			}
			marks, code := ask(t, nc, lane1.Ingest(), pack(c.run, record.PackRun(own)))
			if code != "" {
				t.Fatalf("the pack is refused whole: %s", code)
			}
			got := map[record.ChainID]record.Mark{}
			for _, m := range marks {
				got[m.Chain] = m
			}
			if m := got[c.run.Chain]; m.Status != c.status || m.Held != c.held {
				t.Errorf("got %s, held %d; want %s, held %d", m.Status, m.Held, c.status, c.held)
			}
			if m := got[own[0].Chain]; m.Status != record.StatusHeld || m.Held != 4 || m.Hash != own[3].Hash() {
				t.Errorf("the rest of the pack: got %s, held %d", m.Status, m.Held)
			}
			// The other till goes on where it was.
			marks, _ = ask(t, nc, lane2.Ingest(), pack(record.PackRun(theirs[3:])))
			if len(marks) != 1 || marks[0].Status != record.StatusHeld || marks[0].Held != 6 {
				t.Errorf("the other till's chain: got %v", marks)
			}
		})
	}
}

func pack(runs ...record.Run) []byte { return (&record.Pack{Runs: runs}).Append(nil) }

// A question is answered with what is held, also of chains that nobody has sent.
func TestIntakeTellsTips(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc, up := connect(t, ns), storeJournal(t)
	serve(t, connect(t, ns), up)
	recs := chainOf(shop, lane1.Till, 3)
	ask(t, nc, lane1.Ingest(), pack(record.PackRun(recs)))
	unknown := record.NewChainID(at)
	marks, code := ask(t, nc, lane1.Ingest(), (&record.Pack{Ask: []record.ChainID{unknown, recs[0].Chain}}).Append(nil))
	want := []record.Mark{
		{Chain: unknown, Status: record.StatusUnknown},
		{Chain: recs[0].Chain, Status: record.StatusHeld, Held: 4, Hash: recs[3].Hash()},
	}
	if code != "" || !slices.Equal(marks, want) {
		t.Errorf("got %v %s, want %v", marks, code, want)
	}
}

// Nonsense is refused and costs nothing: the next pack is taken.
func TestIntakeRefusesNonsense(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc, up := connect(t, ns), storeJournal(t)
	serve(t, connect(t, ns), up)
	good := pack(record.PackRun(chainOf(shop, lane1.Till, 1)))
	for name, c := range map[string]struct {
		subject string
		data    []byte
	}{
		"nothing":           {lane1.Ingest(), nil},
		"text":              {lane1.Ingest(), []byte("hello")},
		"cut":               {lane1.Ingest(), good[:len(good)-3]},
		"more behind":       {lane1.Ingest(), append(slices.Clone(good), 0)},
		"no till's name":    {"edge.0001.TILL.ingest", good},
		"a bomb":            {lane1.Ingest(), pack(bombs(t)...)},
		"another version":   {lane1.Ingest(), append([]byte{9}, good[1:]...)},
		"a run of no chain": {lane1.Ingest(), pack(record.Run{First: 1, Last: 1})},
	} {
		if marks, code := ask(t, nc, c.subject, c.data); code != "400" {
			t.Errorf("%s: got code %q, marks %v; want 400", name, code, marks)
		}
	}
	if n := len(up.Chains()); n != 0 {
		t.Errorf("%d chains are held of what was refused", n)
	}
	if _, code := ask(t, nc, lane1.Ingest(), good); code != "" {
		t.Errorf("a good pack: got code %s", code)
	}
	other := subjects.Lane{Store: store("0002"), Till: lane1.Till}
	if _, err := nc.RequestWithContext(t.Context(), other.Ingest(), good); !errors.Is(err, nats.ErrNoResponders) {
		t.Errorf("another store's subject: got %v, want nobody there", err)
	}
}

// bombs are runs of few bytes that unpack to many.
func bombs(t *testing.T) (runs []record.Run) {
	t.Helper()
	recs := chainOf(shop, lane1.Till, 1)
	recs[1].Data = make([]byte, record.MaxBody)
	for range 8 {
		runs = append(runs, record.PackRun(chained(record.NewChainID(at), recs)))
	}
	return runs
}

// A store whose journal takes nothing says so, and the till sends again.
func TestIntakeWithoutJournal(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc, up := connect(t, ns), storeJournal(t)
	serve(t, connect(t, ns), up)
	closeJournal(t, up)
	if _, code := ask(t, nc, lane1.Ingest(), pack(record.PackRun(chainOf(shop, lane1.Till, 1)))); code != "503" {
		t.Errorf("got code %q, want 503", code)
	}
}

// Run ends while tills send: what was answered as held is on the disk, and nothing touches the journal
// after Run.
func TestIntakeStopsUnderLoad(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	up := storeJournal(t)
	in := connect(t, ns)
	stop := serve(t, in, up)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	const tills, each = 8, 40
	answered := make([]map[record.ChainID]uint64, tills)
	half := make(chan struct{}, tills*each)
	for i := range tills {
		answered[i] = map[record.ChainID]uint64{}
		nc := connect(t, ns)
		wg.Go(func() {
			for range each {
				m, err := nc.RequestWithContext(ctx, lane1.Ingest(), pack(record.PackRun(chainOf(shop, lane1.Till, 2))))
				half <- struct{}{}
				if err != nil || m.Header.Get(micro.ErrorCodeHeader) != "" {
					return // it has stopped
				}
				marks, err := record.ReadMarks(m.Data)
				if err != nil {
					t.Error(err)
				}
				for _, m := range marks {
					answered[i][m.Chain] = m.Held
				}
			}
		})
	}
	for range tills * each / 4 {
		<-half
	}
	stop()
	in.Close()
	before := len(up.Chains())
	cancel() // of those who get no answer any more
	wg.Wait()
	if after := len(up.Chains()); after != before {
		t.Errorf("%d chains after Run, %d later", before, after)
	}
	here := map[record.ChainID]uint64{}
	for _, c := range up.Chains() {
		here[c.ID] = c.Tip.Seq
	}
	for _, a := range answered {
		for id, seq := range a {
			if here[id] != seq {
				t.Errorf("chain %s: answered %d, on the disk %d", id, seq, here[id])
			}
		}
	}
}

// A connection that is gone is no error of the intake; a service that cannot begin is.
func TestIntakeWithoutConnection(t *testing.T) {
	t.Parallel()
	ns := startServer(t)
	nc := connect(t, ns)
	nc.Close()
	in := uplink.NewIntake(uplink.IntakeConfig{Conn: nc, Store: shop, Journal: storeJournal(t), Log: logger(t)})
	if err := in.Run(t.Context()); err == nil {
		t.Error("got nil, want an error: nothing is served")
	}
}
