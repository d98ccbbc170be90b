package fleet_test

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/deploy/fleet"
	"tillstream/kv/record"
	"tillstream/subjects"
)

const (
	floodPacks = 1500     // of each kind
	floodSize  = 64 << 10 // of a record's body, so that a pack is worth something
	// floodHeap bounds the heap in use of the whole fleet, three nodes of the centre and all edges, while a store
	// floods it with some 6 GiB, unpacked: 156 MiB on a quiet machine, up to 1,048 on one where packs waited because
	// other things ran. How many packs are under way this test bounds itself, so it does not show that the service does.
	floodHeap = 3 << 29
)

// A store whose key is good sends as many packs as its line carries, of every kind that comes to nothing.
// They do not fill the journal, the memory or the log; others' receipts are posted meanwhile; and the
// metrics say which store it was and what it did.
func TestFloodOfAHostileStore(t *testing.T) {
	f := open(t, fleet.Config{Stores: 3, Tills: 1})
	sold := generate(3000, 71)
	sell(t, f, sold[:200])
	settle(t, f, sold[:200])
	byItself(t)
	bad := f.Store(2)
	store := bad.Config().Store.String()
	nc := joinAs(t, f, bad)
	meanThefts(f, bad)
	before := len(journal(t, f))
	heap, began := watchHeap(t), time.Now()

	l := selling(t, f, often, sold[200:])
	l.more(100)
	noise := make([]byte, floodSize)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(noise)
	bomb := s2.Encode(nil, make([]byte, record.MaxRun))
	var later, refusedPacks, taken atomic.Int64
	var wg sync.WaitGroup
	for name, pack := range map[string]func() []byte{
		"rubbish": func() []byte { return noise },
		"bombs": func() []byte {
			p := record.Pack{}
			for range 3 {
				p.Runs = append(p.Runs, record.Run{Chain: record.NewChainID(time.Now()), First: 1, Last: 9, Raw: record.MaxRun, Packed: bomb})
			}
			return p.Append(nil)
		},
		"orphans":                func() []byte { return packOf(noisy(f, store, noise)[1:]) },
		"another store's starts": func() []byte { return packOf(noisy(f, "0001", noise)) },
		"one good record and an orphan": func() []byte {
			p := record.Pack{Runs: []record.Run{record.PackRun(newChain(f, store, "66")), record.PackRun(noisy(f, store, noise)[1:])}}
			return p.Append(nil)
		},
	} {
		wg.Go(func() {
			slots := make(chan struct{}, 64)
			var asked sync.WaitGroup
			for range floodPacks {
				slots <- struct{}{}
				data := pack()
				asked.Go(func() {
					defer func() { <-slots }()
					m, err := nc.Request(f.Net().Ingest(bad.Config().Store), data, 5*time.Second)
					switch {
					case errors.Is(err, nats.ErrTimeout), errors.Is(err, nats.ErrNoResponders):
						later.Add(1)
					case err != nil:
						t.Errorf("%s: %v", name, err)
					case m.Header.Get(micro.ErrorCodeHeader) == "503":
						later.Add(1)
					case m.Header.Get(micro.ErrorCodeHeader) == "400":
						refusedPacks.Add(1)
					default:
						taken.Add(1)
					}
				})
			}
			asked.Wait()
		})
	}
	wg.Wait()
	during := l.sold.Load()
	l.more(100)
	got := l.stop()
	if n := l.again.Load(); n > 0 {
		t.Errorf("%d sales were refused", n)
	}
	settle(t, f, sold[:200+len(got)])

	packs, bytes := packsOf(t, journal(t, f)[before:], store)
	t.Logf("FLOOD %d packs: %d told to ask again, %d refused, %d answered; %d of them in the journal, %d KiB; the heap's height was %d MiB; %d receipts sold meanwhile",
		5*floodPacks, later.Load(), refusedPacks.Load(), taken.Load(), packs, bytes>>10, heap()>>20, during)
	// Of those that come to nothing each of three nodes may let 20 through at once, and one in ten seconds. What
	// the store's own till sells, and starts, comes to something.
	if most := 3*(20+int64(time.Since(began)/(10*time.Second))+2)*(floodSize+1024) + int64(len(got))<<12; bytes > most {
		t.Errorf("%d bytes of what came to nothing are in the journal, want at most %d", bytes, most)
	}
	if h := heap(); h > floodHeap {
		t.Errorf("the heap was %d MiB high, want at most %d", h>>20, floodHeap>>20)
	}
	text := metricsOf(t, f)
	for _, rule := range []string{"idle", "format"} {
		if !strings.Contains(text, `tillstream_ingest_packs_refused_total{rule="`+rule+`",store="`+store+`"}`) {
			t.Errorf("no metric says that store %s broke the rule %q", store, rule)
		}
	}
	if strings.Contains(text, `packs_refused_total{rule="idle",store="0001"}`) {
		t.Error("a metric blames store 0001")
	}
}

// byItself waits until no other fleet runs, and lets none begin: what is measured is of the whole process. Two
// tests that do this would wait for each other.
func byItself(t *testing.T) {
	t.Helper()
	for range cap(fleets) - 1 {
		fleets <- struct{}{}
		t.Cleanup(func() { <-fleets })
	}
}

// noisy is a chain whose records do not compress.
func noisy(f *fleet.Fleet, store string, noise []byte) []record.Receipt {
	recs := newChain(f, store, "66", purchase("thief", 1_00))
	r := &recs[1]
	r.Data = noise
	r.Body, r.BodySize = sha256.Sum256(noise), uint32(len(noise))
	return recs
}

// packsOf counts what of the journal a store has sent.
func packsOf(t *testing.T, entries []*fold.Entry, store string) (packs int, bytes int64) {
	t.Helper()
	for _, e := range entries {
		must(t, e.Open(true))
		for _, p := range e.Proposals {
			q, err := books.ReadPack(p.Head)
			must(t, err)
			if q.Store == (subjects.StoreID{Token: subjects.MustToken(store)}) {
				packs++
				bytes += int64(p.Size())
			}
		}
	}
	return packs, bytes
}

// watchHeap gives how high the heap has been since: of what was in use at the end of each collection, for how
// much waits to be collected is a matter of how busy the machine is.
func watchHeap(t *testing.T) func() uint64 {
	var most atomic.Uint64
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	stop, done := make(chan struct{}), make(chan struct{})
	runtime.GC()
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(live)
			most.Store(max(most.Load(), live[0].Value.Uint64()))
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
	return most.Load
}

// metricsOf gives the metrics of all centre nodes.
func metricsOf(t *testing.T, f *fleet.Fleet) string {
	t.Helper()
	var all strings.Builder
	for _, c := range f.Centre() {
		res, err := caller.Get(c.Node().URL() + "/metrics")
		must(t, err)
		_, err = io.Copy(&all, res.Body)
		must(t, errors.Join(err, res.Body.Close()))
	}
	return all.String()
}
