package journal

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

var (
	store1 = subjects.StoreID{Token: subjects.MustToken("0001")}
	till1  = subjects.TillID{Token: subjects.MustToken("1")}
	start  = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
)

// clock is a hand-set clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func tillConfig(t testing.TB) Config {
	t.Helper()
	dir := t.TempDir()
	ring, err := seal.OpenRing(filepath.Join(dir, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: store1, Till: till1,
		Now: (&clock{now: start}).Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func storeConfig(t testing.TB) Config {
	cfg := tillConfig(t)
	cfg.Till = subjects.TillID{}
	return cfg
}

func openT(t testing.TB, cfg Config) *Journal {
	t.Helper()
	j, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeT(t, j) })
	return j
}

func closeT(t testing.TB, j *Journal) {
	t.Helper()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}

func draft(body string) record.Receipt {
	return record.Receipt{
		Header: record.Header{
			Kind: record.KindSale, Day: 20260302, Rules: 1, At: start.UnixMilli(), Points: 7,
			RID: record.NewRID(start), Account: record.AccountID{1, 2, 3},
		},
		Data: []byte(body),
	}
}

func commitT(t testing.TB, j *Journal, bodies ...string) (recs []record.Receipt) {
	t.Helper()
	for _, body := range bodies {
		rec, repeated, err := j.Commit(t.Context(), draft(body))
		if err != nil || repeated {
			t.Fatalf("commit %q: repeated %v, %v", body, repeated, err)
		}
		recs = append(recs, rec)
	}
	return recs
}

// sell commits n receipts one by one, so that each is a run.
func sell(t testing.TB, j *Journal, n int) (recs []record.Receipt) {
	t.Helper()
	for i := range n {
		recs = append(recs, commitT(t, j, fmt.Sprintf("receipt %d, %s", i, record.NewRID(start)))...)
	}
	return recs
}

// checkChain reads a chain back and asserts that it is whole.
func checkChain(t testing.TB, j *Journal, id record.ChainID) (recs []record.Receipt) {
	t.Helper()
	var prev record.Hash
	for rec, err := range j.After(id, 0) {
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(len(recs) + 1); rec.Seq != want || rec.Chain != id || rec.Prev != prev || !rec.CheckBody() {
			t.Fatalf("chain %s: record %d does not follow", id, rec.Seq)
		}
		prev = rec.Hash()
		recs = append(recs, rec)
	}
	return recs
}

// bodies gives the bodies of all receipts here, starts left out.
func bodies(t testing.TB, j *Journal) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, c := range j.Chains() {
		for _, rec := range checkChain(t, j, c.ID) {
			if rec.Kind != record.KindStart {
				found[string(rec.Data)]++
			}
		}
	}
	return found
}

// wantBodies asserts that each receipt is here once.
func wantBodies(t testing.TB, j *Journal, recs []record.Receipt) {
	t.Helper()
	found := bodies(t, j)
	for _, rec := range recs {
		if n := found[string(rec.Data)]; n != 1 {
			t.Errorf("receipt %.40q is here %d times", rec.Data, n)
		}
	}
	if len(found) != len(recs) {
		t.Errorf("%d receipts are here, want %d", len(found), len(recs))
	}
}

// chainOf makes a chain without a journal: a start and n receipts, from one record a run.
func chainOf(store subjects.StoreID, n int) []record.Receipt {
	s := record.Start{Store: store, Till: till1}
	recs := []record.Receipt{{Header: record.Header{Kind: record.KindStart}, Data: s.Append(nil)}}
	for i := range n {
		rec := draft(fmt.Sprintf("sent %d", i))
		recs = append(recs, rec)
	}
	return link(record.NewChainID(start), recs)
}

func link(id record.ChainID, recs []record.Receipt) []record.Receipt {
	var prev record.Hash
	for i := range recs {
		r := &recs[i]
		r.Chain, r.Seq, r.Prev = id, uint64(i+1), prev
		r.Body, r.BodySize = sha256.Sum256(r.Data), uint32(len(r.Data))
		prev = r.Hash()
	}
	return recs
}

func run(recs ...record.Receipt) record.Run { return record.PackRun(recs) }

func acceptT(t testing.TB, j *Journal, runs ...record.Run) []record.Mark {
	t.Helper()
	marks, err := j.Accept(t.Context(), runs)
	if err != nil {
		t.Fatal(err)
	}
	return marks
}

func wantMark(t testing.TB, m record.Mark, status record.Status, held uint64) {
	t.Helper()
	if m.Status != status || m.Held != held {
		t.Errorf("mark of chain %s: got %s, held %d; want %s, held %d", m.Chain, m.Status, m.Held, status, held)
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lines is a log that remembers its lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, string(b))
	return len(b), nil
}

func (l *lines) count(text string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}
