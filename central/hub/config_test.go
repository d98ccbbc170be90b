package hub_test

import (
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"

	"tillstream/central/hub"
	"tillstream/subjects"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	pub := key(t)
	s1 := subjects.StoreID{Token: subjects.MustToken("0001")}
	s2 := subjects.StoreID{Token: subjects.MustToken("0002")}
	for _, c := range []struct {
		want   string
		change func(*hub.Config)
	}{
		{"no node", func(c *hub.Config) { c.Node = subjects.NodeID{} }},
		{"data directory", func(c *hub.Config) { c.DataDir = "" }},
		{"no brands", func(c *hub.Config) { c.Brands = nil }},
		{"named twice", func(c *hub.Config) { c.Brands = []hub.Brand{{Net: acme}, {Net: acme}} }},
		{"secret", func(c *hub.Config) { c.ClusterListen, c.ClusterName = "127.0.0.1:0", "x" }},
		{"routes", func(c *hub.Config) { c.ClusterListen, c.ClusterName, c.ClusterSecret = "127.0.0.1:0", "x", "y" }},
		{"route", func(c *hub.Config) { c.Routes = []string{"nowhere"} }},
		{"leaf address", func(c *hub.Config) { c.LeafListen = "nowhere" }},
		{"not a public", func(c *hub.Config) { c.Brands[0].Stores = []hub.StoreUser{{Store: s1, Nkey: "UXXX"}} }},
		{"used by store", func(c *hub.Config) {
			c.Brands[0].Stores = []hub.StoreUser{{Store: s1, Nkey: pub}, {Store: s2, Nkey: pub}}
		}},
	} {
		cfg := hub.Config{Node: node(0), Brands: []hub.Brand{{Net: acme}}, DataDir: t.TempDir()}
		c.change(&cfg)
		h, err := hub.Open(cfg)
		if err == nil {
			_ = h.Close()
			t.Errorf("want an error with %q", c.want)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q in it", err, c.want)
		}
	}
}

func TestOpenReportsAPortInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h, err := hub.Open(hub.Config{
		Node: node(0), Brands: []hub.Brand{{Net: acme}}, DataDir: t.TempDir(), LeafListen: l.Addr().String(),
	})
	if err == nil {
		_ = h.Close()
		t.Fatal("want an error")
	}
}

func key(t *testing.T) string {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return pub
}
