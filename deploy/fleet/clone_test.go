package fleet_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/deploy/sales"
	"tillstream/edge"
	"tillstream/edge/api"
	edgejournal "tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// twin is a second computer that believes it is a till of the fleet: same configuration, seed and disk.
type twin struct {
	*edge.Node
	end func()
}

// clone starts a twin of a till from an image of its disk.
func clone(t *testing.T, till *fleet.Till, disk string) *twin {
	t.Helper()
	cfg := till.Config()
	cfg.Data, cfg.Listen = filepath.Join(t.TempDir(), "twin"), "127.0.0.1:0"
	must(t, os.CopyFS(cfg.Data, os.DirFS(disk)))
	n, err := edge.Open(cfg, "twin", slog.New(slog.NewTextHandler(t.Output(), nil)).With("twin", true))
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Errorf("the twin ended: %v", err)
		}
	})
	x := &twin{Node: n}
	x.end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		must(t, n.Close())
	})
	t.Cleanup(x.end)
	return x
}

// sellAt posts receipts to a node one by one, under the name of a till.
func sellAt(t *testing.T, url string, till *fleet.Till, receipts []sales.Receipt) {
	t.Helper()
	for i := range receipts {
		r := &receipts[i]
		a, err := till.SellAt(within(t, 10*time.Second), caller, url, r)
		must(t, err)
		if !a.Kept() {
			t.Fatalf("receipt %s at %s: %d %s", r.Number, url, a.Status, a.Body)
		}
	}
}

// delivered waits until a twin has nothing left that its store does not hold.
func (x *twin) delivered(t *testing.T) {
	t.Helper()
	await(t, "the twin's receipts", func() error {
		if n, _ := x.Waiting(); n > 0 {
			return fmt.Errorf("%d records of the twin are unconfirmed", n)
		}
		return nil
	})
}

// A till's disk is copied and the copy is started beside it, in its own store; both sell at the same time,
// and some receipts are given to both. Whatever link is down meanwhile, all are posted once.
func TestClonedTill(t *testing.T) {
	for _, c := range []struct {
		name string
		down func(*fleet.Store)
		up   func(*fleet.Store)
	}{
		{"all links up", func(*fleet.Store) {}, func(*fleet.Store) {}},
		{"LAN down", func(s *fleet.Store) { s.Till(0).Cut() }, func(s *fleet.Store) { s.Till(0).Heal() }},
		{"WAN down", func(s *fleet.Store) { s.Cut() }, func(s *fleet.Store) { s.Heal() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 1})
			s := f.Store(0)
			till := s.Till(0)
			all := generate(160, 71)
			sell(t, f, all[:60])
			settle(t, f, all[:60])
			c.down(s)
			sell(t, f, all[60:80])
			must(t, till.Crash())
			disk := image(t, &till.Edge)
			must(t, till.Start())
			x := clone(t, till, disk)
			sellAt(t, till.URL(), till, all[80:110])
			sellAt(t, x.URL(), till, all[100:160]) // ten of them at both
			c.up(s)
			x.delivered(t)
			settle(t, f, all)
			if found := incidents(t, f); len(found) == 0 || !strings.Contains(found[0], "store 0001 till 01 started from an old disk image or a copy") {
				t.Errorf("incidents %q, want one of a copy", found)
			}
			if n := aside(t, &till.Edge) + aside(t, &s.Edge); n != 0 {
				t.Errorf("%d receipts are set aside", n)
			}
		})
	}
}

// The copy of a till's disk is put into another till, of the same store or of another. What that till may
// not send is listed there, and posted by hand: once, though the first till has it too.
func TestTillClonedIntoAnotherSeat(t *testing.T) {
	for _, c := range []struct {
		name string
		seat func(*fleet.Fleet) *fleet.Till
		down bool
	}{
		{"of its store", func(f *fleet.Fleet) *fleet.Till { return f.Store(0).Till(1) }, false},
		{"of another store", func(f *fleet.Fleet) *fleet.Till { return f.Store(1).Till(0) }, false},
		{"of another store, its own cut off", func(f *fleet.Fleet) *fleet.Till { return f.Store(1).Till(0) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 2, Tills: 2})
			till, seat := f.Store(0).Till(0), c.seat(f)
			all := generate(400, 72)
			sell(t, f, all[:200])
			settle(t, f, all[:200])
			till.Cut()
			sell(t, f, all[200:300])
			must(t, till.Crash())
			disk := image(t, &till.Edge)
			f.Sent().Copied(till.Place(), seat.Place())
			must(t, till.Start())
			if c.down {
				f.Store(0).Cut()
			}
			await(t, "be safe at its store", func() error { // what the seat itself has sold
				if n, _ := seat.Node().Waiting(); n > 0 {
					return fmt.Errorf("%d records of the seat are unconfirmed", n)
				}
				return nil
			})
			restore(t, &seat.Edge, disk) // what the seat had, its store has
			sell(t, f, all[300:])
			own, listed := len(ofTill(f, till, all[200:300])), 0
			await(t, "hear what upstream refuses", func() error {
				if listed = aside(t, &seat.Edge); listed < own {
					return fmt.Errorf("%d receipts are listed, want at least %d", listed, own)
				}
				return nil
			})
			if n := rehome(t, &seat.Edge); n != listed {
				t.Errorf("%d receipts were moved, want %d", n, listed)
			}
			if c.down {
				f.Store(0).Heal()
			}
			till.Heal()
			settle(t, f, all)
			if got := repeats(t, f); got != uint64(listed) {
				t.Errorf("%d repeats, want %d: each receipt came from two disks", got, listed)
			}
			everybodySees(t, f, all)
		})
	}
}

// asides counts the receipts that a node lists as refused.
func aside(t *testing.T, e *fleet.Edge) (n int) {
	t.Helper()
	var all api.Aside
	getJSON(t, e, http.MethodGet, "/v1/aside", &all)
	for _, c := range all.Aside {
		n += len(c.Receipts)
	}
	return n
}

func rehome(t *testing.T, e *fleet.Edge) int {
	t.Helper()
	var moved api.Rehomed
	getJSON(t, e, http.MethodPost, "/v1/aside/rehome", &moved)
	return moved.Receipts
}

// memory is a copy of a till's running memory: it knows the till's chain, and goes on with it.
type memory struct {
	f      *fleet.Fleet
	till   *fleet.Till
	recs   []record.Receipt // of the chain, its own among them
	common int
}

// remember copies the memory of a till that is at rest, and goes on running.
func remember(t *testing.T, f *fleet.Fleet, till *fleet.Till) *memory {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal.db") // what it has in memory of its chain is here too
	b, err := os.ReadFile(filepath.Join(till.Config().Data, "journal.db"))
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	ring, err := seal.OpenRing(keyringOf(&till.Edge))
	must(t, err)
	m := &memory{f: f, till: till}
	must(t, edgejournal.Read(edgejournal.Config{Path: path, Ring: ring}, func(j *edgejournal.Journal) {
		chains := j.Chains()
		for r, err := range j.After(chains[len(chains)-1].ID, 0) {
			must(t, err)
			m.recs = append(m.recs, r)
		}
	}))
	m.common = len(m.recs)
	return m
}

// sell is what the copy answers for: the next records of the chain.
func (m *memory) sell(receipts []sales.Receipt) {
	for i := range receipts {
		r := &receipts[i]
		last := &m.recs[len(m.recs)-1]
		data := r.Body(m.till.Config().Store.String(), m.till.Config().Till.String(), r.Customer)
		rec := record.Receipt{Header: record.Header{
			Kind: record.KindSale, Day: 20260105, Seq: last.Seq + 1, At: r.At.UnixMilli(), Points: max(r.Total(), 0) / 100, // pence
			Chain: last.Chain, RID: r.RID, Prev: last.Hash(), Body: sha256.Sum256(data), BodySize: uint32(len(data)),
		}, Data: data}
		if r.Return {
			rec.Kind = record.KindReturn
		}
		if r.Customer != "" {
			rec.Account = m.f.Cards().Account(r.Customer)
		}
		m.recs = append(m.recs, rec)
		at := m.till.Place()
		m.f.Sent().Send(laws.NewSale(r, at, m.f.Cards().Account(r.Customer), data))
		m.f.Sent().Answered(r.RID, at)
	}
}

// send gives what the copy has sold to its store, under the till's name.
func (m *memory) send(t *testing.T, nc *nats.Conn) record.Mark {
	t.Helper()
	pack := record.Pack{Runs: []record.Run{record.PackRun(m.recs[m.common:])}}
	a, err := nc.RequestWithContext(within(t, 10*time.Second),
		subjects.Lane{Store: m.till.Config().Store, Till: m.till.Config().Till}.Ingest(), pack.Append(nil))
	must(t, err)
	marks, err := record.ReadMarks(a.Data)
	must(t, err)
	return marks[0]
}

// A till's running memory is copied, and both go on with one chain: the only way to a fork. Whoever comes
// first has the chain; what the other has sold is kept where it is, listed, and posted once by hand; the
// till sells on.
func TestCopiedRunningMemory(t *testing.T) {
	for _, copyFirst := range []bool{true, false} {
		t.Run(fmt.Sprintf("the copy comes first %v", copyFirst), func(t *testing.T) {
			f := open(t, fleet.Config{Stores: 1, Tills: 1})
			s := f.Store(0)
			till := s.Till(0)
			all := generate(220, 73)
			sell(t, f, all[:50])
			settle(t, f, all[:50])
			m := remember(t, f, till)
			nc := joinLane(t, till)
			m.sell(all[50:70])
			if copyFirst {
				till.Cut()
				sell(t, f, all[70:120])
				if mark := m.send(t, nc); mark.Status != record.StatusHeld {
					t.Fatalf("the copy's records are %s", mark.Status)
				}
				till.Heal()
			} else {
				sell(t, f, all[70:120])
				acknowledged(t, s)
				if mark := m.send(t, nc); mark.Status != record.StatusFork {
					t.Fatalf("the copy's records are %s", mark.Status)
				}
			}
			sell(t, f, all[120:]) // in the chain that is refused, until the till hears of it
			at, want := &till.Edge, 50
			if !copyFirst {
				at, want = &s.Edge, 20
			}
			await(t, "list what is refused", func() error {
				if n := aside(t, at); n < want {
					return fmt.Errorf("%d receipts are listed, want at least %d", n, want)
				}
				return nil
			})
			for _, e := range []*fleet.Edge{&till.Edge, &s.Edge} {
				rehome(t, e)
				if n := rehome(t, e); n != 0 {
					t.Errorf("%s moves %d receipts again", e.Name(), n)
				}
			}
			settle(t, f, all)
			if n := aside(t, &till.Edge) + aside(t, &s.Edge); n != 0 {
				t.Errorf("%d receipts are still set aside", n)
			}
			everybodySees(t, f, all)
		})
	}
}
