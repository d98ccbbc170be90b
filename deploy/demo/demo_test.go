package demo_test

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/deploy/sales"
)

// keys are all that --json writes; the first are promised.
var keys = strings.Fields(`receipts_read lines_read rows_refused receipts_committed receipts_posted receipts_anonymous
	duplicates_refused lost customers points_issued points_returned points_balance points_debt books_transactions
	books_digest books_ok wall_seconds receipts_per_second commit_p50_us commit_p99_us posted_p50_ms posted_p99_ms
	receipts_refused`)

// With every fault there is, the run ends well, and its papers say what an independent count says. Played
// again on the same data, nothing is doubled.
func TestFaultsAndAgain(t *testing.T) {
	begin(t)
	receipts := sales.Generate(300, 1, time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC)) // as the demo does
	count, lines := sales.CountPoints(receipts), 0
	for i := range receipts {
		lines += len(receipts[i].Lines)
	}
	c := command(t)
	c.Faults = true
	got, printed := play(t, c)
	for _, k := range keys {
		if _, ok := got[k]; !ok {
			t.Errorf("the figures have no %s", k)
		}
	}
	if len(got) != len(keys) {
		t.Errorf("got %d figures, want %d", len(got), len(keys))
	}
	want := map[string]any{
		"receipts_read": 300, "lines_read": lines, "rows_refused": 0, "receipts_refused": 0, "receipts_committed": 300,
		"receipts_posted": 300, "receipts_anonymous": count.Anonymous, "lost": 0, "customers": len(count.Customers),
		"points_issued": count.Issued, "points_returned": count.Returned, "points_balance": count.Balance,
		"points_debt": count.Debt, "books_ok": true,
	}
	wantFigures(t, got, want)
	for _, k := range []string{"books_transactions", "wall_seconds", "receipts_per_second", "commit_p50_us", "commit_p99_us", "posted_p50_ms", "posted_p99_ms"} {
		if n, _ := got[k].(float64); n <= 0 {
			t.Errorf("%s: got %v, want more than 0", k, got[k])
		}
	}
	if s, _ := got["books_digest"].(string); len(s) != 64 {
		t.Errorf("books_digest: got %v", got["books_digest"])
	}
	wantBalances(t, c.Balances, count.Customers)
	for _, fault := range []string{"the WAN of store 0001 is cut", "a till crashes", "a store crashes",
		"the WAN of store 0001 is back", "the centre node that writes crashes", "the books are in order on every node"} {
		if !strings.Contains(printed, fault) {
			t.Errorf("nothing is said of %q:\n%s", fault, printed)
		}
	}

	c.Faults = false
	again, _ := play(t, c)
	want["duplicates_refused"], want["books_transactions"] = 300, got["books_transactions"]
	wantFigures(t, again, want)
	wantBalances(t, c.Balances, count.Customers)
}

// Without --exit the chain goes on: every node answers where the endpoints file says, also after a node
// has crashed, until the context ends, which is no error.
func TestServesUntilStopped(t *testing.T) {
	begin(t)
	c := command(t)
	c.Exit, c.Faults, c.Endpoints, c.Generate, c.Data = false, true, filepath.Join(t.TempDir(), "endpoints.json"), 50, ""
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out output
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { err = c.Run(ctx, &out, logger(t)) })
	await(t, "the end of the receipts", func() bool { return strings.Contains(out.String(), "The chain goes on until Ctrl-C") })
	if _, err := os.Stat(c.JSON); err != nil {
		t.Errorf("figures: %v", err)
	}
	checkEndpoints(t, c.Endpoints)
	stop()
	wg.Wait()
	if err != nil {
		t.Errorf("stopped by its context: %v\n%s", err, &out)
	}
}

func checkEndpoints(t *testing.T, path string) {
	t.Helper()
	var e struct {
		Centre []struct{ Name, URL string }
		Stores []struct {
			Store, URL string
			Tills      []struct{ Till, URL, NATS string }
		}
	}
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Centre) != 3 || len(e.Stores) != 2 {
		t.Fatalf("got %d nodes of the centre and %d stores, want 3 and 2: %s", len(e.Centre), len(e.Stores), b)
	}
	for _, c := range e.Centre {
		answers(t, c.Name, c.URL+"/v1/status")
	}
	for _, s := range e.Stores {
		answers(t, s.Store, s.URL+"/v1/health")
		if len(s.Tills) != 2 {
			t.Errorf("store %s: got %d tills, want 2", s.Store, len(s.Tills))
		}
		for _, till := range s.Tills {
			answers(t, s.Store+"-"+till.Till, till.URL+"/v1/health")
			addr, ok := strings.CutPrefix(till.NATS, "nats://")
			conn, err := net.Dial("tcp", addr)
			if !ok || err != nil {
				t.Errorf("till %s-%s: NATS door %s: %v", s.Store, till.Till, till.NATS, err)
				continue
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func answers(t *testing.T, name, url string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Errorf("node %s: %v", name, err)
		return
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("node %s: %s answers %s", name, url, res.Status)
	}
}

// Stopped in the middle, a run leaves its data whole: the next one finishes it. With --exit it has not
// shown what it is for, and says so.
func TestStoppedInTheMiddle(t *testing.T) {
	begin(t)
	c := command(t)
	c.Speed, c.Faults = "100", true
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out output
	var wg sync.WaitGroup
	var err error
	wg.Go(func() { err = c.Run(ctx, &out, logger(t)) })
	await(t, "a cut", func() bool { return strings.Contains(out.String(), "is cut") })
	stop()
	wg.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was stopped\n%s", err, &out)
	}
	c.Speed, c.Faults = "max", false
	got, _ := play(t, c)
	wantFigures(t, got, map[string]any{"receipts_posted": 300, "receipts_committed": 300, "lost": 0, "books_ok": true})
	if n, _ := got["duplicates_refused"].(float64); n < 1 || n > 299 {
		t.Errorf("duplicates_refused: got %v, want what was sold before", n)
	}
}
