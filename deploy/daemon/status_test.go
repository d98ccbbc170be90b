package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/deploy/fleet"
	"tillstream/edge"
	"tillstream/edge/api"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// lonely writes the configuration of a till that has no upstream, at a unix socket.
func lonely(t *testing.T) (edge.Config, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "node") // a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	cfg := edge.Config{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"), Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
		Store: subjects.StoreID{Token: subjects.MustToken("0042")}, Till: subjects.TillID{Token: subjects.MustToken("01")},
		Data: filepath.Join(dir, "data"), Listen: "unix:" + filepath.Join(dir, "pos"), CardKey: filepath.Join(dir, "card.key"), ReserveMB: 1,
	}
	if cfg.POSTokens, err = fleet.TokensFile(dir); err != nil {
		t.Fatal(err)
	}
	b, err := yaml.Marshal(cfg)
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, "till.yaml"), b, 0o600),
		os.WriteFile(cfg.CardKey, []byte(strings.Repeat("k", seal.KeySize)), 0o600)); err != nil {
		t.Fatal(err)
	}
	return cfg, filepath.Join(dir, "till.yaml")
}

// runs starts a node, and gives what ends it.
func runs(t *testing.T, cfg edge.Config) (end func()) {
	t.Helper()
	n, err := edge.Open(cfg, "test", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	end = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(end)
	return end
}

func sellAt(t *testing.T, cfg edge.Config) {
	t.Helper()
	rid := record.NewRID(time.Now()).String()
	body := `{"rid":"` + rid + `","at":"2026-03-02T10:00:00+01:00","business_date":"2026-03-02","currency":"EUR",` +
		`"lines":[{"line_id":"1","item":"1","quantity":"1","unit_price":100}]}`
	d := openDoor(cfg.Listen)
	req, err := http.NewRequestWithContext(t.Context(), "POST", d.base+"/v1/receipts", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+fleet.Token())
	req.Header.Set("Idempotency-Key", rid)
	res, err := d.client.Do(req)
	if err != nil || res.StatusCode != http.StatusCreated {
		t.Fatalf("sell: %v, %v", res, err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

// says asks for the status and wants its verdict, and the exit status that goes with it.
func says(t *testing.T, w which, safe bool, texts ...string) Status {
	t.Helper()
	var out bytes.Buffer
	err := (&EdgeStatus{w}).Run(t.Context(), &out)
	if safe != (err == nil) || err != nil && !errors.Is(err, ErrNotSafe) {
		t.Errorf("got %v, want safe %v:\n%s", err, safe, &out)
	}
	for _, text := range texts {
		if !strings.Contains(out.String(), text) {
			t.Errorf("want %q in\n%s", text, &out)
		}
	}
	var s Status
	w.JSON = true
	out.Reset()
	if err := (&EdgeStatus{w}).Run(t.Context(), &out); !safe != (err != nil) {
		t.Error(err)
	}
	if err := json.Unmarshal(out.Bytes(), &s); err != nil || s.Safe != safe {
		t.Errorf("as JSON: %v\n%s", err, &out)
	}
	return s
}

// What a till's own computer says before it is wiped: while it runs, stopped, without its keys, damaged.
func TestStatusOfANode(t *testing.T) {
	t.Parallel()
	cfg, file := lonely(t)
	w := which{Config: file}
	says(t, w, true, "no journal here")
	end := runs(t, cfg)
	says(t, w, true, "0 unconfirmed, safe to wipe", "runs")
	sellAt(t, cfg)
	s := says(t, which{URL: cfg.Listen}, false, "NOT safe to wipe: 2 records are only here", "till", "reserve")
	if s.Node.Unconfirmed.Records != 2 || s.Node.Disk.ReserveBytes == 0 || !s.Running {
		t.Errorf("status %+v", s)
	}
	for name, c := range map[string]struct {
		ask EdgeAside
		ok  bool
	}{
		"by its file": {EdgeAside{which: w}, true}, "by its address": {EdgeAside{which: which{URL: cfg.Listen}, TokenFile: cfg.POSTokens}, true},
		"without a token": {EdgeAside{which: which{URL: cfg.Listen}}, false},
	} {
		var out bytes.Buffer
		if err := c.ask.Run(t.Context(), &out); (err == nil) != c.ok || c.ok && !strings.Contains(out.String(), "Nothing is set aside") {
			t.Errorf("aside %s: %v\n%s", name, err, &out)
		}
	}
	end()
	if s := says(t, w, false, "NOT safe to wipe: 2 records are only here", "runs         no"); s.Running {
		t.Error("it runs")
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "cache.db")); err != nil {
		t.Error(err)
	}
	keys, journal := filepath.Join(cfg.Data, "keyring"), filepath.Join(cfg.Data, "journal.db")
	if err := os.Rename(keys, keys+".away"); err != nil {
		t.Fatal(err)
	}
	says(t, w, false, "the key ring cannot be read")
	if _, err := os.Stat(keys); err == nil {
		t.Error("to ask made a key ring")
	}
	if err := os.Rename(keys+".away", keys); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(journal, 9000); err != nil {
		t.Fatal(err)
	}
	says(t, w, false, "the journal is damaged")
	if err := (&EdgeAside{which: w}).Run(t.Context(), &bytes.Buffer{}); !errors.Is(err, errStopped) {
		t.Errorf("aside of a stopped node: %v", err)
	}
}

// One sentence says whether the disk may go, and what to do if not.
func TestVerdict(t *testing.T) {
	t.Parallel()
	ms := func(n int64) *int64 { return &n }
	for name, c := range map[string]struct {
		change func(*Status)
		safe   bool
		want   string
	}{
		"nothing here":       {func(*Status) {}, true, "0 unconfirmed, safe to wipe"},
		"store has the rest": {func(s *Status) { s.Node.Unposted.Records = 14 }, true, "but not the store's server too"},
		"on their way": {func(s *Status) {
			s.Node.Unconfirmed.Records, s.Node.Upstream.LastAnswerAgeMS = 14, ms(500)
		}, false, "14 records are only here; they are on their way"},
		"link down": {func(s *Status) {
			s.Node.Unconfirmed.Records, s.Node.Upstream.LastAnswerAgeMS = 14, ms(3_600_000)
		}, false, "the store's server does not answer: mend the link"},
		"never linked": {func(s *Status) { s.Node.Unconfirmed.Records = 14 }, false, "does not answer"},
		"a store's":    {func(s *Status) { s.Node.Till = ""; s.Node.Unconfirmed.Records = 1 }, false, "the centre does not answer"},
		"refused": {func(s *Status) { s.Node.Unconfirmed.Records, s.Node.Aside.Records = 20, 14 }, false,
			"refuses 14 of them; see them with `tillstream edge aside --config till.yaml`"},
		"aside at a store": {func(s *Status) { s.Node.Till = ""; s.Node.Aside.Records = 3 }, false, "3 records are only here"},
		"stopped":          {func(s *Status) { s.Running = false; s.Node.Unconfirmed.Records = 14 }, false, "start the node"},
	} {
		s := &Status{Running: true, config: "till.yaml", Node: api.Health{Store: "0042", Till: "01"}}
		c.change(s)
		if s.judge(); s.Safe != c.safe || !strings.Contains(s.Verdict, c.want) {
			t.Errorf("%s: %v %q, want %v %q", name, s.Safe, s.Verdict, c.safe, c.want)
		}
	}
}
