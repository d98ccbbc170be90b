package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tillstream/kv/record"
)

func TestCommitSale(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	body := receipt(t, nil)
	r := n.sell(body)
	if r.status != http.StatusCreated || r.header.Get(HeaderReplayed) != "" {
		t.Fatalf("got %d %s", r.status, r.body)
	}
	c := into[Committed](t, r)
	if c.RID != ridOf(t, body) || c.State != "committed" || c.Durable != "local" || c.Posted || c.Kind != "sale" ||
		c.Currency != "EUR" || *c.Total != 1006 || c.BusinessDate != "2026-11-20" {
		t.Errorf("got %s", r.body)
	}
	if *c.Points.Earned != 10 || c.Points.TakenBack != nil || *c.Points.Pending != 10 || c.Points.Available != nil {
		t.Errorf("points %s, want 10 earned and pending and no word on the balance", r.body)
	}
	kept, err := n.journal.Find(c.RID)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kept.Data, body) {
		t.Errorf("the journal has %q, want the body as it came", kept.Data)
	}
	want := record.Header{
		Kind: record.KindSale, Day: 20261120, Rules: 1, Points: 10, RID: c.RID,
		At:      time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC).UnixMilli(),
		Account: n.cards.Account(ourCard),
	}
	h := kept.Header
	if h.Kind != want.Kind || h.Day != want.Day || h.Rules != want.Rules || h.Points != want.Points ||
		h.RID != want.RID || h.At != want.At || h.Account != want.Account {
		t.Errorf("header %+v, want %+v", h, want)
	}
}

func TestCommitKnowsTheBalance(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	known := record.Shopper{Balance: 1250, Debt: 3, AsOf: time.Now().UnixMilli()}
	if err := n.cache.Learn(n.cards.Account(ourCard), known); err != nil {
		t.Fatal(err)
	}
	c := into[Committed](t, n.sell(receipt(t, nil)))
	if *c.Points.Available != 1250 || *c.Points.Debt != 3 || *c.Points.Pending != 10 {
		t.Errorf("points %+v, want 1250 available, 10 pending, debt 3", c.Points)
	}
}

func TestCommitReturn(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	r := n.write("/v1/returns", receipt(t, nil))
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || c.Kind != "return" || *c.Points.TakenBack != 10 || c.Points.Earned != nil ||
		*c.Points.Pending != -10 {
		t.Errorf("got %d %s", r.status, r.body)
	}
	kept, err := n.journal.Find(c.RID)
	if err != nil || kept.Kind != record.KindReturn || kept.Points != 10 {
		t.Errorf("journal has a %s of %d points, %v", kept.Kind, kept.Points, err)
	}
}

func TestCommitWithoutShopper(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	for _, path := range []string{"/v1/receipts", "/v1/returns"} {
		r := n.write(path, receipt(t, func(o obj) { delete(o, "shopper") }))
		c := into[Committed](t, r)
		kept, err := n.journal.Find(c.RID)
		if err != nil || r.status != http.StatusCreated || *c.Total != 1006 || kept.Points != 0 || !kept.Account.IsZero() {
			t.Errorf("%s: got %d %s, kept %d points, %v", path, r.status, r.body, kept.Points, err)
		}
	}
}

// A POS that heard nothing sends the same bytes again, also to a node that was switched off meanwhile.
func TestRepeat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := start(t, dir, nil)
	body := receipt(t, nil)
	first := n.sell(body)
	check := func(n *node) {
		t.Helper()
		again := n.sell(body)
		if again.status != http.StatusOK || again.header.Get(HeaderReplayed) != "true" {
			t.Fatalf("repeat: %d %s", again.status, again.body)
		}
		a, b := into[Committed](t, first), into[Committed](t, again)
		a.Points.Pending, b.Points.Pending = nil, nil // an overlay's, which the node's owner fills at a start
		x, _ := json.Marshal(a)
		y, _ := json.Marshal(b)
		if !bytes.Equal(x, y) {
			t.Errorf("repeat says %s, want %s", y, x)
		}
		other := n.sell(bytes.Replace(body, []byte("Pasta"), []byte("Pesto"), 1))
		wantProblem(t, other, "key-reused", http.StatusUnprocessableEntity)
		// Another spelling is another body: the journal keeps bytes.
		spaced := n.do("POST", "/v1/receipts", map[string]string{HeaderKey: ridOf(t, body).String()}, append(body[:len(body):len(body)], ' '))
		wantProblem(t, spaced, "key-reused", http.StatusUnprocessableEntity)
		wantProblem(t, n.write("/v1/returns", body), "key-reused", http.StatusUnprocessableEntity)
	}
	check(n)
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	n = start(t, dir, nil)
	check(n)
	if records, _ := n.journal.Unconfirmed(); records != 2 { // the chain's start and the receipt
		t.Errorf("%d records, want 2", records)
	}
}

func TestFindReceipt(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	body := receipt(t, nil)
	path := "/v1/receipts/" + ridOf(t, body).String()
	wantProblem(t, n.do("GET", path, nil, nil), "not-found", http.StatusNotFound)
	n.sell(body)
	c := into[Committed](t, n.do("GET", path, nil, nil))
	if c.RID != ridOf(t, body) || c.Posted || *c.Total != 1006 || *c.Points.Earned != 10 {
		t.Errorf("got %+v", c)
	}
	chain := n.journal.Chains()[0]
	mark := record.Mark{Chain: chain.ID, Status: record.StatusHeld, Held: chain.Tip.Seq, Posted: chain.Tip.Seq, Hash: chain.Tip.Hash}
	if err := n.journal.Confirm([]record.Mark{mark}); err != nil {
		t.Fatal(err)
	}
	if err := n.journal.SetPosted([]record.Counted{{Chain: chain.ID, Counted: chain.Tip.Seq, Posted: chain.Tip.Seq}}); err != nil {
		t.Fatal(err)
	}
	upper := "/v1/receipts/" + strings.ToUpper(ridOf(t, body).String())
	for _, p := range []string{path, upper} {
		if r := n.do("GET", p, nil, nil); !into[Committed](t, r).Posted {
			t.Errorf("got %s, want it posted", r.body)
		}
	}
	if c := into[Committed](t, n.sell(body)); !c.Posted {
		t.Error("a repeat says that the receipt is not posted")
	}
}

// Cashiers' systems send the same receipt from several threads when they are in trouble.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	const callers, each = 64, 4
	var wg sync.WaitGroup
	var mu sync.Mutex
	created, repeated := 0, 0
	for range callers / 2 {
		bodies := make([][]byte, each)
		for i := range bodies {
			bodies[i] = receipt(t, nil)
		}
		for range 2 { // two callers with the same receipts
			wg.Go(func() {
				for _, b := range bodies {
					r, err := n.try("POST", "/v1/receipts", map[string]string{HeaderKey: ridOf(t, b).String()}, b)
					mu.Lock()
					switch {
					case err != nil:
						t.Error(err)
					case r.status == http.StatusCreated:
						created++
					case r.status == http.StatusOK:
						repeated++
					default:
						t.Errorf("%d %s", r.status, r.body)
					}
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	if want := callers / 2 * each; created != want || repeated != want {
		t.Errorf("%d created and %d repeated, want %d of both", created, repeated, want)
	}
	if records, _ := n.journal.Unconfirmed(); records != callers/2*each+1 {
		t.Errorf("%d records, want %d and a start", records, callers/2*each)
	}
}
