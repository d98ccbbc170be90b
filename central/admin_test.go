package central_test

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tillstream/central"
	"tillstream/central/books"
	"tillstream/central/gateway"
	"tillstream/kv/record"
)

// http asks the admin API; into may be nil.
func (c *centre) http(method, path, token, body string, into any) (status int, text string) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.URL()+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := errors.Join(err, res.Body.Close()); err != nil {
		c.t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK && into != nil {
		if got, want := res.Header.Get("Content-Type"), "application/json"; got != want {
			c.t.Errorf("%s: content type %q, want %q", path, got, want)
		}
		if err := json.Unmarshal(b, into); err != nil {
			c.t.Fatalf("%s: %v in %s", path, err, b)
		}
	}
	return res.StatusCode, string(b)
}

// ok asks and wants an answer.
func (c *centre) ok(method, path, body string, into any) {
	c.t.Helper()
	if status, text := c.http(method, path, "", body, into); status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
}

// problem asks and wants a problem of RFC 9457.
func (c *centre) problem(method, path, token, body string, status int, slug string) {
	c.t.Helper()
	got, text := c.http(method, path, token, body, nil)
	var p struct {
		Type, Title, Detail string
		Status              int
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil || got != status || p.Status != status ||
		p.Type != "/problems/"+slug || p.Title == "" || p.Detail == "" {
		c.t.Errorf("%s %s %s: %d %s; want %d %s", method, path, body, got, text, status, slug)
	}
}

func TestStatus(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 10)
	l.sale("", 0)
	c.send(shop(1), l.pack())
	var s gateway.Status
	c.ok("GET", "/v1/status", "", &s)
	want := books.Totals{Posted: 2, Anonymous: 1, Transactions: 1, Shopper: 10, Issued: -10}
	if s.Node != "c1" || s.Writer != "c1" || s.Term != 1 || s.Entry != 2 || s.Broken || s.Accounts != 1 || s.Totals != want {
		t.Fatalf("status %+v", s)
	}
	if r := c.Replica().Status(); s.Digest != r.Digest.String() || s.Generation != r.Generation.String() || time.Since(s.At) > time.Minute {
		t.Fatalf("status %+v, the replica says %+v", s, r)
	}
}

func TestAccount(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 10)
	l.add(record.Header{
		Kind: record.KindReturn, RID: record.NewRID(time.Now()), Account: account(t, "card-1"), Points: 14,
	}, []byte("{}"))
	c.send(shop(1), l.pack())
	entry := c.settled()
	var a gateway.Account
	c.ok("POST", "/v1/books/account", `{"card":"card-1"}`, &a)
	if a.Balance != 0 || a.Debt != 4 || a.Entry != entry || len(a.Postings) != 2 || a.Account != account(t, "card-1").String() {
		t.Fatalf("account %+v", a)
	}
	for i, want := range []gateway.Posting{
		{Entry: entry, Kind: "sale", Points: 10, Receipt: l.recs[1].RID.String()},
		{Entry: entry, Kind: "return", Points: -10, Debt: 4, Receipt: l.recs[2].RID.String()},
	} {
		got := a.Postings[i]
		got.At = time.Time{}
		if got != want {
			t.Errorf("posting %+v, want %+v", got, want)
		}
	}
	var same gateway.Account
	c.ok("POST", "/v1/books/account", `{"account":"`+a.Account+`","not_before":1}`, &same)
	if same.Balance != a.Balance || same.Debt != a.Debt || len(same.Postings) != 2 {
		t.Fatalf("by account %+v, by card %+v", same, a)
	}
	for _, body := range []string{
		``, `{`, `[]`, `{}`, `{"card":"x","account":"` + a.Account + `"}`, `{"account":"12"}`, `{"account":"` + strings.Repeat("z", 32) + `"}`,
		`{"card":"x","other":1}`, `{"card":1}`, `{"card":"x","not_before":-1}`, `{"card":"` + strings.Repeat("x", 1<<17) + `"}`,
	} {
		c.problem("POST", "/v1/books/account", "", body, http.StatusBadRequest, "invalid-field")
	}
	c.problem("POST", "/v1/books/account", "", `{"card":"nobody"}`, http.StatusNotFound, "not-found")
}

// A node that has not come as far as the caller knows says so, and does not answer with an older state.
func TestAccountAtAnEntryThatIsNotThere(t *testing.T) {
	c := open(t, "")
	c.problem("POST", "/v1/books/account", "", `{"card":"x","not_before":1000}`, http.StatusServiceUnavailable, "behind")
}

func TestVerify(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	for range 50 {
		l.sale("card-1", 3)
	}
	c.send(shop(1), l.pack())
	var v gateway.Verification
	c.ok("POST", "/v1/books/verify", "", &v)
	if v.Accounts != 1 || v.Postings != 50 || v.Receipts != 50 || len(v.Wrong) != 0 || v.Node != "c1" || v.Entry != 2 || v.Digest == "" {
		t.Fatalf("verification %+v", v)
	}
}

func TestStreamsPlanAndApply(t *testing.T) {
	c := open(t, "")
	for _, path := range []string{"/v1/streams/plan", "/v1/streams/apply"} {
		var p gateway.Plan
		c.ok("POST", path, "", &p)
		if p.Changes == nil || len(p.Changes) != 0 {
			t.Fatalf("%s: %+v, want an empty list", path, p)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	c := open(t, "")
	status, text := c.http("GET", "/metrics", "", "", nil)
	for _, name := range []string{
		"tillstream_journal_entries_folded_total", "tillstream_journal_terms_won_total 1", "tillstream_ingest_records_total",
		"tillstream_feed_pulls_total", "tillstream_journal_append_seconds_count", "tillstream_snapshot_pause_seconds_count",
	} {
		if status != http.StatusOK || !strings.Contains(text, name) {
			t.Errorf("status %d, without %s", status, name)
		}
	}
}

// With a token nothing is answered without it, not even the metrics.
func TestTheTokenIsAskedFor(t *testing.T) {
	c := open(t, "s3cret")
	for _, route := range [][2]string{
		{"GET", "/metrics"}, {"GET", "/v1/status"}, {"POST", "/v1/books/account"}, {"POST", "/v1/books/verify"},
		{"POST", "/v1/streams/plan"}, {"POST", "/v1/streams/apply"}, {"GET", "/nowhere"},
	} {
		for _, token := range []string{"", "wrong", "s3cret2", "s3cre"} {
			c.problem(route[0], route[1], token, "", http.StatusUnauthorized, "unauthorised")
		}
	}
	if status, text := c.http("GET", "/v1/status", "s3cret", "", nil); status != http.StatusOK {
		t.Fatalf("with the token: %d %s", status, text)
	}
}

func TestBeyondLoopbackATokenIsNeeded(t *testing.T) {
	c := open(t, "")
	c.stop()
	cfg := c.cfg
	cfg.AdminListen = "0.0.0.0:0"
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	if n, err := central.Open(cfg, log); err == nil || !strings.Contains(err.Error(), "admin_token_file") {
		t.Fatalf("open beyond loopback without a token: %v %v", n, err)
	}
	cfg.AdminToken = filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(cfg.AdminToken, []byte("s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := central.Open(cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}

// A look-up of a store: the shopper, or that there is none.
func TestLookUp(t *testing.T) {
	c := open(t, "")
	l := newTill(t, shop(1), "t1")
	l.sale("card-1", 10)
	c.send(shop(1), l.pack())
	id := account(t, "card-1")
	m, err := c.ask(c.net.POSLookup(shop(2)), id[:])
	if err != nil {
		t.Fatal(err)
	}
	if s, err := record.ReadShopper(m.Data); err != nil || s.Balance != 10 {
		t.Fatalf("shopper %+v: %v", s, err)
	}
	id = account(t, "card-2")
	if m, err = c.ask(c.net.POSLookup(shop(2)), id[:]); err != nil || len(m.Data) != 0 {
		t.Fatalf("an unknown shopper: %q, %v", m.Data, err)
	}
	if _, err := c.ask(c.net.POSLookup(shop(2)), []byte("card-1")); err == nil || !strings.HasPrefix(err.Error(), "400 ") {
		t.Fatalf("not an account: got %v, want a refusal", err)
	}
}
