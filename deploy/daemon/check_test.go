package daemon_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"tillstream/central"
	"tillstream/deploy/daemon"
	"tillstream/deploy/fleet"
)

// command is one of the two daemons.
type command interface {
	Run(ctx context.Context, stdout io.Writer, log *slog.Logger) error
}

// site is a folder with the example configurations, and the files that they need.
type site struct {
	t   *testing.T
	dir string
}

func newSite(t *testing.T) site {
	t.Helper()
	s := site{t, t.TempDir()}
	for _, node := range []string{"central", "store", "till"} {
		text, err := os.ReadFile(filepath.Join("testdata", node+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		data := map[string]string{"central": "centre"}[node]
		if data == "" {
			data = node
		}
		if err := os.Mkdir(s.path(data), 0o700); err != nil {
			t.Fatal(err)
		}
		s.write(node+".yaml", strings.Replace(string(text), "\ndata: "+data+"\n", "\ndata: "+s.path(data)+"\n", 1))
		s.write(data+"/pos.tokens", "test "+fleet.Token()+"\n")
		s.write(data+"/card.key", strings.Repeat("secret", 8)+"\n")
	}
	stores, err := os.ReadFile("testdata/stores.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.write("centre/stores.yaml", string(stores))
	s.join("centre/stores.yaml", "store")
	s.join("store.yaml", "till")
	return s
}

func (s site) path(name string) string { return filepath.Join(s.dir, name) }

func (s site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// change replaces a text that has to be in a file.
func (s site) change(name, old, by string) {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	if err != nil {
		s.t.Fatal(err)
	}
	if !strings.Contains(string(b), old) {
		s.t.Fatalf("%s has no %q", name, old)
	}
	s.write(name, strings.Replace(string(b), old, by, 1))
}

// exampleNkey is the public key in the examples; nobody has its seed.
const exampleNkey = "UAAJTSUHVCTYUQALHRLZJ4GAEBKSPWIKEDHRQZN34BFYS4DHTB3USBYG"

// join gives a node a key, and writes its public part where its upstream lets it join.
func (s site) join(upstream, node string) {
	s.t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		s.t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		s.t.Fatal(err)
	}
	public, err := kp.PublicKey()
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(node+"/upstream.seed", string(seed))
	s.change(upstream, exampleNkey, public)
}

// daemonOf gives the command that checks a node's file.
func (s site) daemonOf(node string) command {
	if node == "central" {
		return &daemon.Central{Config: s.path("central.yaml"), Check: true}
	}
	return &daemon.Edge{Config: s.path(node + ".yaml"), Check: true}
}

func (s site) check(node string) (string, error) {
	var out bytes.Buffer
	err := s.daemonOf(node).Run(s.t.Context(), &out, slog.New(slog.DiscardHandler))
	return out.String(), err
}

// What --check prints are the settings that would run, whole: it can be run itself, from anywhere.
func TestCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for node, title := range map[string]string{
		"central": "# node c1 of the centre of brand acme would run with these settings; stores that may join: 1\n",
		"store":   "# the server of store 0042 of brand acme would run with these settings\n",
		"till":    "# till 01 of store 0042 of brand acme would run with these settings\n",
	} {
		out, err := s.check(node)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out, title) {
			t.Errorf("%s: want %q first, got\n%s", node, title, out)
		}
		seed, _ := os.ReadFile(s.path(node + "/upstream.seed")) // the centre has none
		if strings.Contains(out, "secretsecret") || len(seed) > 0 && strings.Contains(out, string(seed)) {
			t.Errorf("%s: a secret is printed:\n%s", node, out)
		}
		if node == "till" && !strings.Contains(out, "keep_days: 35\n") {
			t.Errorf("a default is not printed:\n%s", out)
		}
		s.write(node+".yaml", out)
		if again, err := s.check(node); err != nil || again != out {
			t.Errorf("%s: what it printed, checked: %v\n%s", node, err, again)
		}
		if node != "central" {
			continue
		}
		cfg, err := central.ReadConfig(s.path("central.yaml"))
		if err != nil || cfg.CardKey != s.path("centre/card.key") {
			t.Errorf("card key %s, %v", cfg.CardKey, err)
		}
	}
	if entries, err := os.ReadDir(s.path("till")); err != nil || len(entries) != 3 {
		t.Errorf("a check made files: %v, %v", entries, err)
	}
}

func TestCheckRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		node, file, old, by string
		want                []string
	}{
		"unknown key":      {"till", "till.yaml", "listen:", "listens:", []string{"till.yaml", "[8:1]", "unknown field", "listen"}},
		"unknown, central": {"central", "central.yaml", "node:", "nodes:", []string{"central.yaml", "[7:1]", "nodes"}},
		"unknown, nested":  {"store", "store.yaml", "    nkey:", "    key:", []string{"[13:5]", "key"}},
		"missing":          {"till", "till.yaml", "card_key_file: card.key", "", []string{"card_key_file: required"}},
		"missing, central": {"central", "central.yaml", "leaf_listen: 127.0.0.1:7422", "", []string{"leaf_listen: required"}},
		"bad token":        {"till", "till.yaml", `"0042"`, `"Shop 42"`, []string{`"Shop 42"`, "not a token", "a-z"}},
		"bad token, node":  {"central", "central.yaml", "node: c1", "node: c.1", []string{`"c.1"`, "not a token"}},
		"reserved brand":   {"store", "store.yaml", "brand: acme", "brand: edge", []string{`"edge"`, "reserved"}},
		"till with tills":  {"store", "store.yaml", `store: "0042"`, "store: \"0042\"\ntill: \"01\"", []string{"for a store's server, not for a till"}},
		"not YAML":         {"till", "till.yaml", "dc: eu1", "dc: [eu1", []string{"till.yaml"}},
		"no seed":          {"till", "till.yaml", "upstream.seed", "gone.seed", []string{"upstream_seed_file: open", "gone.seed"}},
		"short card key":   {"store", "store/card.key", strings.Repeat("secret", 8), "short", []string{"card_key_file", "want at least 32 bytes, got 5"}},
		"no stores":        {"central", "central.yaml", "stores.yaml", "gone.yaml", []string{"stores_file: open", "gone.yaml"}},
		"bad store":        {"central", "centre/stores.yaml", `"0042"`, `"00 42"`, []string{"stores_file", `"00 42"`, "not a token"}},
		"store without":    {"central", "centre/stores.yaml", "nkey: U", "nkey: S", []string{"stores_file", "entry 1", "nkey"}},
		"unknown in store": {"central", "centre/stores.yaml", "- store", "- shop", []string{"stores_file", "[2:3]", "shop"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.change(c.file, c.old, c.by)
			out, err := s.check(c.node)
			if err == nil {
				t.Fatalf("no error, and it prints\n%s", out)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("want %q in: %v", w, err)
				}
			}
			if out != "" {
				t.Errorf("it prints settings that would not run:\n%s", out)
			}
		})
	}
}

func TestNoFile(t *testing.T) {
	t.Parallel()
	for _, c := range []command{&daemon.Edge{Config: "gone.yaml"}, &daemon.Central{Config: "gone.yaml"}} {
		if err := c.Run(t.Context(), io.Discard, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "gone.yaml") {
			t.Errorf("%T: got %v, want an error that names the file", c, err)
		}
	}
}
