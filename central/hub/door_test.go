package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/subjects"
)

// A node in a cluster cannot do without a door for clients; nobody may come in by it, not even with the
// key of the node's own user.
func TestNobodyComesInByTheDoorOfClients(t *testing.T) {
	t.Parallel()
	brand := subjects.BrandID{Token: subjects.MustToken("acme")}
	h, err := Open(Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, ClusterName: "centre", ClusterSecret: "s3cret",
		Brands: []Brand{{Net: subjects.Net{Brand: brand}}}, ClusterListen: "127.0.0.1:0",
		Routes: []string{"127.0.0.1:1"}, DataDir: t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	own := h.own[brand]
	door := fmt.Sprintf("127.0.0.1:%d", h.bound.client)
	for what, opts := range map[string][]nats.Option{
		"nobody":            nil,
		"own user":          {nats.Nkey(own.public, own.pair.Sign)},
		"a node's password": {nats.UserInfo(routeUser, "s3cret")},
	} {
		if nc, err := nats.Connect(door, append(opts, nats.Timeout(5*time.Second))...); err == nil {
			nc.Close()
			t.Errorf("%s: let in", what)
		}
	}
}

func TestStreamsAreSynced(t *testing.T) {
	t.Parallel()
	h := &Hub{cfg: Config{Node: subjects.NodeID{Token: subjects.MustToken("c1")}, DataDir: t.TempDir()}}
	o, err := h.options(ports{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !o.SyncAlways {
		t.Error("acknowledged messages may be lost in a power cut")
	}
}
