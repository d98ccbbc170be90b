package edge_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"

	"tillstream/edge"
	"tillstream/edge/api"
	"tillstream/edge/journal"
	"tillstream/edge/leaf"
	"tillstream/subjects"
)

// A till on its own sells over both doors, before and after a restart and a crash, and knows the points
// that wait, whatever has become of its cache.
func TestAlone(t *testing.T) {
	t.Parallel()
	n := start(t, alone(t, "01"))
	if status, a := n.look(); status != http.StatusOK || a["known"] != false || a["points"] != nil {
		t.Errorf("a card never seen, and nobody to ask: got %d %v", status, a)
	}
	rids := n.sell(3)
	rids = append(rids, sellOverNATS(t, n))
	if got := n.pending(); got != 40 {
		t.Errorf("pending %v, want 40", got)
	}
	if unconfirmed, unposted := n.Waiting(); unconfirmed != 5 || unposted != 5 { // four and the start of the chain
		t.Errorf("%d unconfirmed, %d not posted; want 5", unconfirmed, unposted)
	}
	if !n.LastAnswer().IsZero() || n.Linked() {
		t.Errorf("last answer %v, linked %v; there is no upstream", n.LastAnswer(), n.Linked())
	}

	cache := filepath.Join(n.cfg.Data, "cache.db")
	for _, c := range []struct {
		name string
		stop func()
	}{
		{"restart", func() { n.end() }},
		{"crash", func() { n.crash() }},
		{"cache deleted", func() {
			n.end()
			if err := os.Remove(cache); err != nil {
				t.Error(err)
			}
		}},
		{"cache damaged", func() {
			n.crash()
			if err := os.WriteFile(cache, []byte("nonsense"), 0o600); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.stop()
			n = start(t, n.cfg)
			defer n.end()
			n.wantReceipts(rids)
			if got, want := n.pending(), float64(10*len(rids)); got != want {
				t.Errorf("pending %v, want %v", got, want)
			}
			rids = append(rids, n.sell(1)...)
			rids = append(rids, sellOverNATS(t, n))
			if got, want := n.pending(), float64(10*len(rids)); got != want {
				t.Errorf("after two more: pending %v, want %v", got, want)
			}
		})
	}
}

// sellOverNATS sells one receipt at the till's NATS door, twice, as a POS that heard no answer.
func sellOverNATS(t *testing.T, n *node) string {
	t.Helper()
	nc, err := nats.Connect("nats://"+n.NATSAddr(), nats.UserInfo(leaf.POSUser, password), nats.CustomInboxPrefix(subjects.POSInbox))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	rid, body := receipt(n.cfg.Till.String())
	for _, want := range []string{"201", "200"} {
		m := nats.NewMsg(subjects.POSReceipt)
		m.Header.Set(api.HeaderKey, rid)
		m.Header.Set("Authorization", "Bearer "+token)
		m.Data = body
		a, err := nc.RequestMsgWithContext(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			RID string `json:"rid"`
		}
		if err := json.Unmarshal(a.Data, &said); err != nil || said.RID != rid || a.Header.Get(api.HeaderStatus) != want {
			t.Errorf("got status %s, %s, %v; want %s", a.Header.Get(api.HeaderStatus), a.Data, err, want)
		}
	}
	return rid
}

// A wrong password, and none, do not get through the till's NATS door.
func TestNATSDoorIsLocked(t *testing.T) {
	t.Parallel()
	n := start(t, alone(t, "01"))
	for name, opt := range map[string][]nats.Option{
		"none": nil, "wrong": {nats.UserInfo(leaf.POSUser, "guess")}, "empty": {nats.UserInfo(leaf.POSUser, "")},
	} {
		nc, err := nats.Connect("nats://"+n.NATSAddr(), opt...)
		if err == nil {
			nc.Close()
			t.Errorf("password %s: it is open", name)
		}
	}
}

// Two tills and their store, which has no centre: what one till sold the other one sees, from the store.
func TestTillsOfAStoreWithoutCentre(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01", "02")
	s, at := startStore(t, cfg, tills)
	a, b := at[0], at[1]
	await(t, "the store's answer", func() bool { return !a.LastAnswer().IsZero() && !b.LastAnswer().IsZero() })
	if status, answer := b.look(); status != http.StatusOK || answer["known"] != false {
		t.Errorf("the store cannot say either: got %d %v", status, answer)
	}
	rids := a.sell(3)
	await(t, "the store's word", func() bool { unconfirmed, _ := a.Waiting(); return unconfirmed == 0 })
	if _, unposted := a.Waiting(); unposted != 4 {
		t.Errorf("%d records are not posted, want 4: there is no centre", unposted)
	}
	await(t, "the other till's sales", func() bool { return b.pending() == 30 })
	if _, answer := b.look(); answer["source"] != "store" {
		t.Errorf("got %v, want it from the store", answer)
	}
	if got := a.pending(); got != 30 {
		t.Errorf("where it was sold: pending %v, want 30", got)
	}

	// The store's computer dies and comes back, at the same address.
	s.cfg.Accept = s.LeafAddr()
	s.crash()
	rids = append(rids, a.sell(2)...)
	s = start(t, s.cfg)
	await(t, "the rest", func() bool { unconfirmed, _ := a.Waiting(); return unconfirmed == 0 })
	await(t, "the rest at the other till", func() bool { return b.pending() == 50 })
	if unconfirmed, _ := s.Waiting(); unconfirmed != 6 {
		t.Errorf("the store holds %d records, want 6", unconfirmed)
	}
	a = a.restart()
	a.wantReceipts(rids)
}

// What is wrong with a node's files and addresses is said at its start, and nothing is left behind: the
// next start works.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, c := range map[string]struct {
		till  string
		spoil func(*testing.T, *edge.Config)
		is    error
		want  string
	}{
		"card key missing":     {"01", func(t *testing.T, c *edge.Config) { c.CardKey = "nowhere.key" }, fs.ErrNotExist, "read card key"},
		"card key short":       {"01", func(t *testing.T, c *edge.Config) { c.CardKey = write(t, "short") }, nil, "card key: want at least 32 bytes, got 5"},
		"password missing":     {"01", func(t *testing.T, c *edge.Config) { c.POSPassword = "nowhere" }, fs.ErrNotExist, "pos_password_file"},
		"password empty":       {"01", func(t *testing.T, c *edge.Config) { c.POSPassword = write(t, "\n") }, nil, "POS password of 0 bytes"},
		"seed missing":         {"01", func(t *testing.T, c *edge.Config) { upstream(c, "nowhere") }, fs.ErrNotExist, "upstream_seed_file"},
		"seed is none":         {"01", func(t *testing.T, c *edge.Config) { upstream(c, write(t, "SUA")) }, nil, "upstream seed"},
		"upstream is none":     {"01", func(t *testing.T, c *edge.Config) { upstream(c, write(t, "SUA")); c.Upstream[0] = "nats://x:1" }, nil, "want nats-leaf://host:port"},
		"open to the network":  {"01", func(t *testing.T, c *edge.Config) { c.Listen = "0.0.0.0:0" }, api.ErrNotLocal, "0.0.0.0:0"},
		"address taken":        {"01", func(t *testing.T, c *edge.Config) { c.Listen = taken.Addr().String() }, nil, taken.Addr().String()},
		"NATS to the network":  {"01", func(t *testing.T, c *edge.Config) { c.NATSListen = "0.0.0.0:0" }, nil, "not a loopback address"},
		"accept without port":  {"", func(t *testing.T, c *edge.Config) { c.Accept = "0.0.0.0" }, nil, "accept address"},
		"an nkey that is none": {"", func(t *testing.T, c *edge.Config) { c.Tills = []edge.Till{{Till: till("01"), Nkey: "UNO"}} }, nil, "UNO"},
		"data is a file":       {"01", func(t *testing.T, c *edge.Config) { c.Data = write(t, "") }, nil, "make data directory"},
		"not checked":          {"01", func(t *testing.T, c *edge.Config) { c.Listen = "" }, nil, "listen: required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			good := alone(t, c.till)
			bad := good
			c.spoil(t, &bad)
			n, err := edge.Open(bad, "test", logger(t))
			if err == nil {
				t.Fatal(errors.Join(errors.New("got nil, want an error"), n.Close()))
			}
			if c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			start(t, good)
		})
	}
}

func till(s string) subjects.TillID { return subjects.TillID{Token: subjects.MustToken(s)} }

func upstream(c *edge.Config, seed string) {
	c.Upstream, c.UpstreamSeed = []string{"nats-leaf://127.0.0.1:1"}, seed
}

// A second process over the same files is told so, and does the first no harm.
func TestOpenTwice(t *testing.T) {
	t.Parallel()
	n := start(t, alone(t, "01"))
	rids := n.sell(2)
	if _, err := edge.Open(n.cfg, "test", logger(t)); !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), "journal.db") {
		t.Errorf("got %v, want that the journal is locked", err)
	}
	rids = append(rids, n.sell(1)...)
	if got := n.pending(); got != 30 {
		t.Errorf("pending %v, want 30", got)
	}
	n = n.restart()
	n.wantReceipts(rids)
}

// A journal that is gone takes the cache with it: the cache may have counted what it had.
func TestJournalLost(t *testing.T) {
	t.Parallel()
	n := start(t, alone(t, "01"))
	n.sell(2)
	n.end()
	if err := os.Remove(filepath.Join(n.cfg.Data, "journal.db")); err != nil {
		t.Fatal(err)
	}
	n = start(t, n.cfg)
	if got := n.pending(); got != -1 {
		t.Errorf("pending %v, want none", got)
	}
	rids := n.sell(1)
	n.wantReceipts(rids)
	if got := n.pending(); got != 10 {
		t.Errorf("pending %v, want 10", got)
	}
}

// What pages someone is there from the first moment, and moves.
func TestMetrics(t *testing.T) {
	t.Parallel()
	n := start(t, alone(t, "01"))
	n.sell(2)
	res, err := n.http.Get(n.URL() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\ntillstream_unconfirmed_records 3\n", "\ntillstream_unconfirmed_oldest_seconds ", "\ntillstream_feed_age_seconds "} {
		if !strings.Contains(string(b), want) {
			t.Errorf("metrics have no %q", want)
		}
	}
}

// A POS on the same computer may come through a socket file instead of a port.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	cfg := alone(t, "01")
	dir, err := os.MkdirTemp("", "edge") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg.Listen = "unix:" + filepath.Join(dir, "pos.sock")
	n := start(t, cfg)
	if n.URL() != cfg.Listen {
		t.Errorf("got URL %s, want %s", n.URL(), cfg.Listen)
	}
	conn, err := net.Dial("unix", strings.TrimPrefix(cfg.Listen, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}
