package api

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestTokensFile(t *testing.T) {
	t.Parallel()
	good := "# tills\nlane-1 aaaaaaaaaaaaaaaa\n\nlane-2 bbbbbbbbbbbbbbbb training # new staff\nboss 4711 manager\n"
	k, err := parseTokens([]byte(good))
	if err != nil || len(k.pos) != 2 || len(k.managers) != 1 {
		t.Fatalf("got %v, error %v", k, err)
	}
	for text, want := range map[string]string{
		"":                                       "no token of a POS",
		"boss 4711 manager":                      "no token of a POS",
		"lane-1":                                 "line 1: want",
		"lane-1 aaaaaaaaaaaaaaaa selling":        "line 1: lane-1: the third word",
		"lane-1 aaaaaaaaaaaaaaaa training x":     "line 1: want",
		"lane-1 short":                           "line 1: the secret of lane-1 has fewer than 16",
		"boss 1 manager":                         "fewer than 4",
		"aaaaaaaaaaaaaaaaaaaaSECRET lane-1":      "line 1: the name, which comes first",
		"a aaaaaaaaaaaaaaaa\na bbbbbbbbbbbbbbbb": "line 2: name a is there twice",
		"a aaaaaaaaaaaaaaaa\nb aaaaaaaaaaaaaaaa": "line 2: the secret of b is another's too",
	} {
		_, err := parseTokens([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRET") || strings.Contains(err.Error(), "aaaaaaaaaaaaaaaa")) {
			t.Errorf("%q: the error tells the token: %v", text, err)
		}
	}
}

// A token comes and goes with the file, without a restart; a file that is wrong changes nothing.
func TestTokensAreReadAgain(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	path := filepath.Join(t.TempDir(), "tokens")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("old old-token-of-sixteen\n")
	n := start(t, t.TempDir(), func(c *Config) { c.Tokens, c.Registerer = path, registry })
	status := func(token string) int {
		r := n.do("POST", "/v1/lookups", map[string]string{"Authorization": "Bearer " + token}, []byte(`{"identifier":{"kind":"card","value":"1"},"wait_ms":0}`))
		return r.status
	}
	if got := status("old-token-of-sixteen"); got != http.StatusOK {
		t.Fatalf("got %d", got)
	}
	until := func(token string, want int) {
		t.Helper()
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for status(token) != want {
			select {
			case <-tick.C:
			case <-t.Context().Done():
				t.Fatal("the file is not read again")
			}
		}
	}
	write("new new-token-of-sixteen-too\n")
	until("new-token-of-sixteen-too", http.StatusOK)
	until("old-token-of-sixteen", http.StatusUnauthorized)
	write("new\n")
	if err := n.api.callers.read(); err == nil {
		t.Error("a file without a token is read")
	}
	if got := status("new-token-of-sixteen-too"); got != http.StatusOK {
		t.Errorf("after a wrong file: %d", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				found = found || f.GetName() == "tillstream_pos_questions_total" && l.GetValue() == "new"
			}
		}
	}
	if !found {
		t.Error("no question is counted by the name of its token")
	}
}

// What stands without a token tells nothing of shoppers; everything else asks for one.
func TestOnlyHealthAndPapersAreOpen(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), func(c *Config) { c.Metrics = http.NotFoundHandler() })
	open := map[string]bool{}
	for _, o := range operations(n.api, n.api.readMessages) {
		r := n.do(o.method, strings.NewReplacer("{rid}", "x", "{id}", "x").Replace(o.path), map[string]string{"Authorization": ""}, []byte("{}"))
		if r.status != http.StatusUnauthorized {
			open[o.id] = true
		} else if r.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: no WWW-Authenticate", o.id)
		}
	}
	if len(open) != 1 || !open["readHealth"] {
		t.Errorf("open without a token: %v, want health alone", open)
	}
}
