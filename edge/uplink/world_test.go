package uplink_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/edge/journal"
	"tillstream/edge/uplink"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

const patience = 20 * time.Second // of a test that waits for what must come

var (
	shop   = store("0001")
	at     = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	lane1  = subjects.Lane{Store: shop, Till: till("01")}
	lane2  = subjects.Lane{Store: shop, Till: till("02")}
	upward = "upward" // where an uplink sends when a hop stands between it and the intake
)

func store(s string) subjects.StoreID { return subjects.StoreID{Token: subjects.MustToken(s)} }
func till(s string) subjects.TillID   { return subjects.TillID{Token: subjects.MustToken(s)} }

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func startServer(t *testing.T) *server.Server {
	t.Helper()
	ns, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(patience) {
		t.Fatal("server did not start")
	}
	t.Cleanup(func() { ns.Shutdown(); ns.WaitForShutdown() })
	return ns
}

func connect(t *testing.T, ns *server.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect("", nats.InProcessServer(ns))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// openJournal opens the journal of a till, or of a store's server if id is zero, in dir.
func openJournal(t *testing.T, dir string, id subjects.TillID) *journal.Journal {
	t.Helper()
	ring, err := seal.ParseRing("1 " + strings.Repeat("5a", seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: shop, Till: id, Log: logger(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	return j
}

func closeJournal(t *testing.T, j *journal.Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func storeJournal(t *testing.T) *journal.Journal {
	t.Helper()
	return openJournal(t, t.TempDir(), subjects.TillID{})
}

// sell commits n receipts one by one, and gives their bodies.
func sell(t *testing.T, j *journal.Journal, n int) (sold []string) {
	t.Helper()
	for range n {
		rid := record.NewRID(at)
		rec, _, err := j.Commit(t.Context(), record.Receipt{
			Header: record.Header{Kind: record.KindSale, Day: 20260302, Rules: 1, At: at.UnixMilli(), RID: rid, Points: 3},
			Data:   []byte("receipt " + rid.String()),
		})
		if err != nil {
			t.Fatal(err)
		}
		sold = append(sold, string(rec.Data))
	}
	return sold
}

// held gives the receipts that a journal has, each with how often.
func held(t *testing.T, j *journal.Journal) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, c := range j.Chains() {
		for rec, err := range j.After(c.ID, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if rec.Kind != record.KindStart {
				found[string(rec.Data)]++
			}
		}
	}
	return found
}

// wantHeld wants a journal to have each of these receipts once, and nothing else.
func wantHeld(t *testing.T, j *journal.Journal, sold []string) {
	t.Helper()
	found := held(t, j)
	for _, body := range sold {
		if n := found[body]; n != 1 {
			t.Errorf("%q is held %d times", body, n)
		}
	}
	if len(found) != len(sold) {
		t.Errorf("%d receipts are held, want %d", len(found), len(sold))
	}
}

// await waits until done is true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not come", what)
		}
	}
}

// confirmed waits until upstream has confirmed all of a journal's records but so many.
func confirmed(t *testing.T, j *journal.Journal, but int) {
	t.Helper()
	await(t, "the last confirmation", func() bool { n, _ := j.Unconfirmed(); return n == but })
}

// run starts a Run method and gives a function that stops it, which the test's end calls too.
func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := f(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

// serve runs an intake over a store's journal, and returns when it is there.
func serve(t *testing.T, nc *nats.Conn, j *journal.Journal) (stop func()) {
	t.Helper()
	stop = run(t, uplink.NewIntake(uplink.IntakeConfig{Conn: nc, Store: shop, Journal: j, Log: logger(t)}).Run)
	await(t, "the intake", func() bool {
		_, err := nc.RequestWithContext(t.Context(), lane1.Ingest(), new(record.Pack).Append(nil))
		return err == nil
	})
	return stop
}

// link is a link upward that a test makes anew and takes down.
type link struct {
	mu sync.Mutex
	id uint64
	up bool
}

func (l *link) get() (uint64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id, l.up
}

func (l *link) set(id uint64, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.id, l.up = id, up
}

// hop stands between an uplink and an intake: it sees what passes, and a test can have it do otherwise
// than pass it on.
type hop struct {
	t    *testing.T
	hand func(*record.Pack, *nats.Msg) (*nats.Msg, error) // to the intake

	mu    sync.Mutex
	fault func(p *record.Pack, m *nats.Msg) (pass, answer bool)
	packs []record.Pack // that came, runs or not
	times []time.Time   // when
}

// stand puts a hop before the intake of a lane. Its connection is its own: it blocks while it waits.
func stand(t *testing.T, ns *server.Server, to string) *hop {
	t.Helper()
	nc := connect(t, ns)
	h := &hop{t: t}
	h.hand = func(_ *record.Pack, m *nats.Msg) (*nats.Msg, error) {
		return nc.RequestWithContext(t.Context(), to, m.Data)
	}
	if _, err := nc.Subscribe(upward, h.take); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *hop) take(m *nats.Msg) {
	p, err := record.ReadPack(m.Data)
	if err != nil {
		h.t.Error(err)
	}
	h.mu.Lock()
	h.packs, h.times = append(h.packs, p), append(h.times, time.Now())
	fault := h.fault
	h.mu.Unlock()
	pass, answer := true, true
	if fault != nil {
		pass, answer = fault(&p, m)
	}
	if !pass {
		return
	}
	got, err := h.hand(&p, m)
	if err != nil {
		h.t.Logf("no answer from the intake: %v", err)
		return
	}
	if answer {
		if err := m.RespondMsg(&nats.Msg{Header: got.Header, Data: got.Data}); err != nil {
			h.t.Error(err)
		}
	}
}

// on makes the hop do what fault says: hand a pack on or not, and bring its answer back or not.
func (h *hop) on(fault func(p *record.Pack, m *nats.Msg) (pass, answer bool)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fault = fault
}

// seen gives the packs with runs so far, and when they came.
func (h *hop) seen() (packs []record.Pack, times []time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, p := range h.packs {
		if len(p.Runs) > 0 {
			packs, times = append(packs, p), append(times, h.times[i])
		}
	}
	return packs, times
}

// asked gives the packs without runs so far.
func (h *hop) asked() (packs []record.Pack) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.packs {
		if len(p.Runs) == 0 {
			packs = append(packs, p)
		}
	}
	return packs
}

func (h *hop) forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.packs, h.times = nil, nil
}

// refuse answers as a service that cannot take a pack now.
func refuse(t *testing.T, m *nats.Msg, code string) {
	a := nats.NewMsg(m.Reply)
	a.Header.Set(micro.ErrorCodeHeader, code)
	a.Header.Set(micro.ErrorHeader, "not now")
	if err := m.RespondMsg(a); err != nil {
		t.Error(err)
	}
}

// chainOf makes a chain without a journal: a start and n receipts.
func chainOf(of subjects.StoreID, by subjects.TillID, n int) []record.Receipt {
	s := record.Start{Store: of, Till: by}
	recs := []record.Receipt{{Header: record.Header{Kind: record.KindStart}, Data: s.Append(nil)}}
	for i := range n {
		recs = append(recs, record.Receipt{
			Header: record.Header{Kind: record.KindSale, Day: 20260302, At: at.UnixMilli(), RID: record.NewRID(at)},
			Data:   fmt.Appendf(nil, "sent %d", i),
		})
	}
	return chained(record.NewChainID(at), recs)
}

// chained numbers records and ties each to the one before.
func chained(id record.ChainID, recs []record.Receipt) []record.Receipt {
	recs = slices.Clone(recs)
	var prev record.Hash
	for i := range recs {
		r := &recs[i]
		r.Chain, r.Seq, r.Prev = id, uint64(i+1), prev
		r.Body, r.BodySize = sha256.Sum256(r.Data), uint32(len(r.Data))
		prev = r.Hash()
	}
	return recs
}
