package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"tillstream/edge/cache"
	"tillstream/edge/journal"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// Numbers used by the tests. The first is the chain's own; the payment card is the scheme's test
// number.
const (
	ourCard = "2790001234567"
	visa    = "4111111111111111"
)

// The tokens of every test's node: a till's, a trainee's, and a manager's code.
const (
	bearer     = "Bearer " + liveToken
	liveToken  = "live-token-of-lane-one"
	practice   = "practice-token-of-lane-two"
	boss       = "4711"
	tokensText = "lane-1 " + liveToken + " # the till\nlane-2 " + practice + " training\nboss " + boss + " manager\n"
)

// node is a till, or a store, as a POS sees it: a running API over a real journal and cache.
type node struct {
	t       testing.TB
	api     *API
	journal *journal.Journal
	cache   *cache.Cache
	rules   *programme.Revisions
	cards   *seal.Cards
	client  *http.Client
	url     string
	stop    func() error // ends Run and closes the files; may be called again
}

// start opens a node over dir. change may be nil.
func start(t testing.TB, dir string, change func(*Config)) *node {
	t.Helper()
	n := &node{t: t}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := Config{
		Store: store("0017"), Till: till("3"), Listen: "127.0.0.1:0",
		Cards: cards(t), Version: "test", Log: log,
	}
	if change != nil {
		change(&cfg)
	}
	ring, err := seal.OpenRing(filepath.Join(dir, "ring"))
	if err != nil {
		t.Fatal(err)
	}
	n.cards = cfg.Cards
	if n.cache, err = cache.Open(cache.Config{Path: filepath.Join(dir, "cache.db"), Ring: ring, Log: log}); err != nil {
		t.Fatal(err)
	}
	n.journal, err = journal.Open(journal.Config{
		Path: filepath.Join(dir, "journal.db"), Ring: ring, Store: cfg.Store, Till: cfg.Till, Kept: n.cache.Overlay, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Journal, cfg.Cache, cfg.Ring = n.journal, n.cache, ring
	cfg.Shelf, err = OpenShelf(ShelfConfig{Dir: filepath.Join(dir, "baskets"), Ring: ring, Now: cfg.Now, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Tokens == "" {
		cfg.Tokens = filepath.Join(dir, "tokens")
		if err := os.WriteFile(cfg.Tokens, []byte(tokensText), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.rules, err = programme.Open(programme.Config{Cache: n.cache, Store: cfg.Store, CardPrefixes: cfg.CardPrefixes, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Rules = n.rules
	if n.api, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	n.run()
	return n
}

// fall lets a change of what every store gets fall here, all at once, and waits until it is gone by. A record
// without a value is taken away.
func (n *node) fall(entry uint64, changes ...record.Reference) {
	n.t.Helper()
	p := &record.References{Status: record.FeedItems, Cursor: record.Cursor{Generation: record.Generation{1}, Entry: entry}}
	for _, r := range changes {
		r.Entry, r.At = entry, 1
		p.Records = append(p.Records, r)
	}
	if err := n.cache.ApplyReference(p); err != nil {
		n.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); n.rules.State().Newest != entry; {
		if time.Now().After(deadline) {
			n.t.Fatalf("revision %d is not gone by: %+v", entry, n.rules.State())
		}
		runtime.Gosched()
	}
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(n.t.Context())
	done, followed := make(chan error, 1), make(chan error, 1)
	go func() { done <- n.api.Run(ctx) }()
	go func() { followed <- n.rules.Run(ctx) }()
	ended := false
	n.stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		err := errors.Join(<-done, <-followed)
		if e := n.journal.Close(); e != nil {
			n.t.Errorf("close journal: %v", e)
		}
		if e := n.cache.Close(); e != nil {
			n.t.Errorf("close cache: %v", e)
		}
		return err
	}
	n.t.Cleanup(func() {
		if err := n.stop(); err != nil {
			n.t.Errorf("run: %v", err)
		}
	})
	n.url = "http://" + n.api.Addr()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	if path, ok := bytes.CutPrefix([]byte(n.api.Addr()), []byte(unixPrefix)); ok {
		n.url = "http://node"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", string(path))
		}
	}
	n.client = &http.Client{Transport: transport, Timeout: 20 * time.Second}
	n.t.Cleanup(n.client.CloseIdleConnections)
}

// reply is an HTTP answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (n *node) do(method, path string, header map[string]string, body []byte) reply {
	n.t.Helper()
	r, err := n.try(method, path, header, body)
	if err != nil {
		n.t.Fatal(err)
	}
	return r
}

func (n *node) try(method, path string, header map[string]string, body []byte) (reply, error) {
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	if method == http.MethodPost || method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Authorization", bearer)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return reply{}, err
	}
	b, err := io.ReadAll(resp.Body)
	if e := resp.Body.Close(); err == nil {
		err = e
	}
	return reply{resp.StatusCode, resp.Header, b}, err
}

// write posts a receipt or return under its own rid.
func (n *node) write(path string, body []byte) reply {
	n.t.Helper()
	var r struct {
		RID string `json:"rid"`
	}
	_ = json.Unmarshal(body, &r) // not every body has one
	return n.do("POST", path, map[string]string{HeaderKey: r.RID}, body)
}

func (n *node) sell(body []byte) reply { n.t.Helper(); return n.write("/v1/receipts", body) }

func (n *node) lookUp(card string, wait int) reply {
	n.t.Helper()
	return n.do("POST", "/v1/lookups", nil,
		fmt.Appendf(nil, `{"identifier":{"kind":"card","value":%q},"wait_ms":%d}`, card, wait))
}

// into decodes a reply's body.
func into[T any](t testing.TB, r reply) (v T) {
	t.Helper()
	if err := json.Unmarshal(r.body, &v); err != nil {
		t.Fatalf("answer %q: %v", r.body, err)
	}
	return v
}

// wantProblem fails t unless r is that problem, and gives it.
func wantProblem(t testing.TB, r reply, slug string, status int) Problem {
	t.Helper()
	if r.status != status || r.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("got %d %s %s, want %d with problem %s", r.status, r.header.Get("Content-Type"), r.body, status, slug)
	}
	p := into[Problem](t, r)
	if p.slug() != slug || p.Status != status || p.Title == "" || p.Detail == "" || p.Action == "" || p.CashierText == "" {
		t.Fatalf("got problem %+v, want a whole %s", p, slug)
	}
	return p
}

// obj is a JSON object; edits of the valid receipt make the bad ones.
type obj = map[string]any

// receipt is a valid receipt of 10.06 with a fresh rid. edit may be nil.
func receipt(t testing.TB, edit func(obj)) []byte {
	t.Helper()
	o := obj{
		"rid": record.NewRID(time.Now()).String(), "receipt_number": "0017-3-000451",
		"store": "0017", "till": "3", "operator": "op7",
		"at": "2026-11-20T12:00:00+01:00", "business_date": "2026-11-20", "currency": "EUR",
		"shopper": obj{"identifier": obj{"kind": "card", "value": ourCard, "entry": "scanned"}},
		"lines": []any{
			obj{"line_id": "1", "item": "8076800195057", "description": "Pasta", "quantity": "4", "unit": "pc", "unit_price": 129},
			obj{"line_id": "2", "item": "2512340004900", "description": "Käse", "quantity": "0.412", "unit": "kg", "amount": 490},
		},
		"tenders": []any{obj{"kind": "cash", "amount": 1006, "reference": "drawer 1"}},
	}
	if edit != nil {
		edit(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func line(o obj, i int) obj { return o["lines"].([]any)[i].(obj) }

func ridOf(t *testing.T, body []byte) record.RID {
	t.Helper()
	var r struct {
		RID record.RID `json:"rid"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatal(err)
	}
	return r.RID
}

func store(s string) subjects.StoreID { return subjects.StoreID{Token: subjects.MustToken(s)} }
func till(s string) subjects.TillID   { return subjects.TillID{Token: subjects.MustToken(s)} }

func cards(t testing.TB) *seal.Cards {
	t.Helper()
	c, err := seal.NewCards(bytes.Repeat([]byte("k"), seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connect starts a NATS server without ports and connects to it in the process.
func connect(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}
