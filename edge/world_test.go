package edge_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"tillstream/edge"
	"tillstream/kv/record"
	"tillstream/subjects"
)

const patience = 20 * time.Second // of a test that waits for what must come

const (
	card     = "2790001234567"
	password = "open sesame"
	token    = "token-of-the-only-pos"
)

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// write makes a file and gives its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// alone is the configuration of a till without an upstream, or of a store if till is empty.
func alone(t *testing.T, till string) edge.Config {
	t.Helper()
	cfg := edge.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")}, Store: subjects.StoreID{Token: subjects.MustToken("0042")},
		Data: filepath.Join(t.TempDir(), "node"), Listen: "127.0.0.1:0",
		CardKey: write(t, strings.Repeat("k", 32)+"\n"), POSTokens: write(t, "pos "+token+"\n"),
	}
	if till != "" {
		cfg.Till = subjects.TillID{Token: subjects.MustToken(till)}
		cfg.NATSListen, cfg.POSPassword = "127.0.0.1:0", write(t, password+"\n")
	}
	return cfg
}

// user makes a user's key.
func user(t *testing.T) (seed, public string) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return string(secret), public
}

// join lets a till into a store: both get their part of a new key.
func join(t *testing.T, till, store *edge.Config) {
	t.Helper()
	seed, public := user(t)
	till.UpstreamSeed = write(t, seed)
	store.Tills = append(store.Tills, edge.Till{Till: till.Till, Nkey: public})
}

// storeWith is the configuration of a store, and those of its tills.
func storeWith(t *testing.T, names ...string) (store edge.Config, tills []edge.Config) {
	t.Helper()
	store = alone(t, "")
	store.Accept = "127.0.0.1:0"
	for _, name := range names {
		c := alone(t, name)
		c.CardKey = store.CardKey
		join(t, &c, &store)
		tills = append(tills, c)
	}
	return store, tills
}

// startStore starts a store and its tills, and waits for their links.
func startStore(t *testing.T, store edge.Config, tills []edge.Config) (s *node, at []*node) {
	t.Helper()
	s = start(t, store)
	for i := range tills {
		tills[i].Upstream = []string{"nats-leaf://" + s.LeafAddr()}
		at = append(at, start(t, tills[i]))
	}
	await(t, "the links", func() bool {
		for _, n := range at {
			if !n.Linked() {
				return false
			}
		}
		return len(store.Upstream) == 0 || s.Linked()
	})
	return s, at
}

// node is a running node as a POS sees it.
type node struct {
	*edge.Node
	t    *testing.T
	cfg  edge.Config
	end  func() // ends Run and closes the node; may be called again
	http http.Client
}

// start opens a node and runs it.
func start(t *testing.T, cfg edge.Config) *node {
	t.Helper()
	n, err := edge.Open(cfg, "test", logger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	x := &node{Node: n, t: t, cfg: cfg, http: http.Client{Timeout: patience, Transport: &http.Transport{}}}
	x.end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		x.http.CloseIdleConnections()
	})
	t.Cleanup(x.end)
	return x
}

// crash ends a node as a power cut would.
func (n *node) crash() {
	n.Crash()
	n.end()
}

// restart is a stop and a start over the same files.
func (n *node) restart() *node {
	n.t.Helper()
	n.end()
	return start(n.t, n.cfg)
}

// do asks over HTTP.
func (n *node) do(method, path, key string, body []byte) (status int, answer map[string]any) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.URL()+path, bytes.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := n.http.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err == nil {
		err = json.Unmarshal(b, &answer)
	}
	if err != nil {
		n.t.Fatalf("%s %s: %s: %v", method, path, b, err)
	}
	return res.StatusCode, answer
}

// receipt is a sale of 10.50 to the card at a till, and its rid.
func receipt(till string) (rid string, body []byte) {
	rid = record.NewRID(time.Now()).String()
	return rid, fmt.Appendf(nil, `{"rid":%q,"receipt_number":"1","store":"0042","till":%q,"at":"2026-11-20T12:00:00+01:00",
		"business_date":"2026-11-20","currency":"EUR","shopper":{"identifier":{"kind":"card","value":%q}},
		"lines":[{"line_id":"1","item":"8076800195057","description":"Pasta","quantity":"1","amount":1050}]}`, rid, till, card)
}

// sell sells n receipts over HTTP, 10 points each, and gives their rids.
func (n *node) sell(count int) (rids []string) {
	n.t.Helper()
	for range count {
		rid, body := receipt(n.cfg.Till.String())
		if status, a := n.do("POST", "/v1/receipts", rid, body); status != http.StatusCreated {
			n.t.Fatalf("sell: %d %v", status, a)
		}
		rids = append(rids, rid)
	}
	return rids
}

// wantReceipts wants a node to have each receipt.
func (n *node) wantReceipts(rids []string) {
	n.t.Helper()
	for _, rid := range rids {
		if status, a := n.do("GET", "/v1/receipts/"+rid, "", nil); status != http.StatusOK || a["rid"] != rid {
			n.t.Errorf("receipt %s: %d %v", rid, status, a)
		}
	}
}

// look asks for the card. The store's and the till's own numbers are all there is in these tests.
func (n *node) look() (status int, answer map[string]any) {
	n.t.Helper()
	return n.do("POST", "/v1/lookups", "", []byte(`{"identifier":{"kind":"card","value":"`+card+`"}}`))
}

// pending is the look-up's pending points, or -1.
func (n *node) pending() float64 {
	n.t.Helper()
	_, a := n.look()
	points, _ := a["points"].(map[string]any)
	if p, ok := points["pending"].(float64); ok {
		return p
	}
	return -1
}

// await waits until done is true.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
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
