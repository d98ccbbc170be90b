package relay_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"tillstream/central/hub"
	"tillstream/deploy/relay"
	"tillstream/edge/leaf"
	"tillstream/subjects"
)

// The tests in this file join a hub, a store's leaf and a till's leaf over relays. They live here
// because nothing above a relay knows both the edge and the centre but the fleet.

const localhost = "127.0.0.1:0"

var (
	acme = subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("test"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
	s1   = subjects.StoreID{Token: subjects.MustToken("0001")}
	s2   = subjects.StoreID{Token: subjects.MustToken("0002")}
	lane = subjects.Lane{Store: s1, Till: subjects.TillID{Token: subjects.MustToken("01")}}
)

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type identity struct {
	pair         nkeys.KeyPair
	seed, public string
}

func newIdentity(t *testing.T) identity {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	pub, err := kp.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return identity{kp, string(seed), pub}
}

// chain is one node of the centre, a relay, store 0001, and its till 01.
type chain struct {
	hub         *hub.Hub
	wan         *relay.Relay
	user        hub.StoreUser // the store's
	store, till *leaf.Leaf
	// connections as each tier's own user
	centre, shop, desk *nats.Conn
}

func newChain(t *testing.T) *chain {
	t.Helper()
	c := &chain{}
	shop, desk := newIdentity(t), newIdentity(t)
	c.user = hub.StoreUser{Store: s1, Nkey: shop.public}
	c.hub = openHub(t, c.user)
	c.wan = open(t, c.hub.LeafAddr())
	publish, subscribe := lane.Permissions()
	c.store = openLeaf(t, leaf.Config{
		Name: "acme-0001", Upstreams: []string{"nats-leaf://" + c.wan.Addr()}, UpstreamSeed: shop.seed,
		Compression: "s2_fast", DenyUp: subjects.StaysHere(), Accept: localhost,
		Downstream: []leaf.User{{Nkey: desk.public, Publish: publish, Subscribe: subscribe}},
	})
	c.till = openLeaf(t, leaf.Config{
		Name: "acme-0001-01", Upstreams: []string{"nats-leaf://" + c.store.LeafAddr()}, UpstreamSeed: desk.seed,
		DenyUp: subjects.StaysOnTill(),
	})
	eventually(t, "store and till are up", func() bool { return c.store.Up() && c.till.Up() })
	c.centre = connectHub(t, c.hub)
	c.shop = connectLeaf(t, c.store, subjects.StoreInbox(s1))
	c.desk = connectLeaf(t, c.till, lane.Inbox())
	return c
}

func openHub(t *testing.T, stores ...hub.StoreUser) *hub.Hub {
	t.Helper()
	h, err := hub.Open(hub.Config{
		Node: subjects.NodeID{Token: subjects.MustToken("c1")}, Brands: []hub.Brand{{Net: acme, Stores: stores}},
		LeafListen: localhost, DataDir: t.TempDir(), Log: logTo(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() }) // it has no error to give
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	if err := h.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return h
}

func openLeaf(t *testing.T, cfg leaf.Config) *leaf.Leaf {
	t.Helper()
	cfg.Log = logTo(t)
	l, err := leaf.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // it has no error to give
	return l
}

func connectHub(t *testing.T, h *hub.Hub) *nats.Conn {
	t.Helper()
	nc, err := h.Connect(acme.Brand, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func connectLeaf(t *testing.T, l *leaf.Leaf, inbox string) *nats.Conn {
	t.Helper()
	nc, err := l.Connect(inbox)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// eventually waits for ok, and fails when it does not come.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// serve answers subject with the name of who serves and what was asked.
func serve(t *testing.T, nc *nats.Conn, name, subject string) {
	t.Helper()
	if _, err := nc.Subscribe(subject, func(m *nats.Msg) {
		_ = m.Respond([]byte(name + " " + m.Subject)) // the asker's time-out tells
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// answer waits until the question is answered, as interest takes a moment to cross, and checks by whom.
func answer(t *testing.T, nc *nats.Conn, subject, by string) {
	t.Helper()
	eventually(t, by+" answers "+subject, func() bool {
		m, err := nc.Request(subject, nil, 200*time.Millisecond)
		return err == nil && string(m.Data) == by+" "+subject
	})
}

// reaches waits until what from publishes on subject is heard by to.
func reaches(t *testing.T, from, to *nats.Conn, subject string) {
	t.Helper()
	sub, err := to.SubscribeSync(subject)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, subject+" is heard", func() bool {
		if err := from.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
		_, err := sub.NextMsg(50 * time.Millisecond)
		return err == nil
	})
}

// silence asserts that nobody answers. It is called when interest that is allowed has crossed, so that
// interest which is not allowed would have, too.
func silence(t *testing.T, nc *nats.Conn, subject string) {
	t.Helper()
	if m, err := nc.Request(subject, nil, 100*time.Millisecond); err == nil {
		t.Errorf("%s is answered: %q", subject, m.Data)
	} else if !errors.Is(err, nats.ErrNoResponders) && !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("%s: %v", subject, err)
	}
}

func TestEachHopIsAnswered(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	serve(t, c.shop, "store", subjects.AnyLane{Store: s1}.Ingest())
	answer(t, c.desk, lane.Ingest(), "store")

	serve(t, c.centre, "centre", acme.AnyIngest())
	answer(t, c.shop, acme.Ingest(s1), "centre")

	reaches(t, c.centre, c.shop, acme.FeedChanged(s1))
	reaches(t, c.shop, c.desk, lane.FeedChanged())
	// A store answers the centre, and a till its store.
	serve(t, c.shop, "store", acme.StoreScreen(s1))
	answer(t, c.centre, acme.StoreScreen(s1), "store")
	reaches(t, c.desk, c.shop, lane.Answer()+".a1")
}

func TestEachTierKeepsToItself(t *testing.T) {
	t.Parallel()
	c := newChain(t)
	for _, subject := range []string{acme.AnyIngest(), acme.AnyPOSLookup(), subjects.POSLookup, "edge.>", "$SRV.>"} {
		serve(t, c.centre, "centre", subject)
	}
	for _, subject := range []string{
		"edge.>", subjects.POSLookup, "$SRV.>", acme.StoreScreen(s2), acme.FeedChanged(s1), acme.FeedChanged(s2),
	} {
		serve(t, c.shop, "store", subject)
	}
	for _, subject := range []string{subjects.POSLookup, "$SRV.>", acme.FeedChanged(s1), lane.FeedChanged()} {
		serve(t, c.desk, "till", subject)
	}
	answer(t, c.shop, acme.Ingest(s1), "centre")
	answer(t, c.desk, lane.Ingest(), "store")
	reaches(t, c.centre, c.shop, acme.FeedChanged(s1))
	reaches(t, c.shop, c.desk, lane.FeedChanged())

	// The till reaches neither the centre nor the lane of a neighbour.
	neighbour := subjects.Lane{Store: s1, Till: subjects.TillID{Token: subjects.MustToken("02")}}
	for _, subject := range []string{acme.Ingest(s1), acme.POSLookup(s1), neighbour.Ingest()} {
		silence(t, c.desk, subject)
	}
	// The store reaches no other store's subjects, no journal, no JetStream.
	for _, subject := range []string{
		acme.Ingest(s2), acme.FeedPull(s2), acme.POSLookup(s2), acme.Journal(), acme.CustomersJournal(),
		"$JS.API.INFO", "$JS.central.API.INFO",
	} {
		silence(t, c.shop, subject)
	}
	// Nothing for another store, and nothing for a till, falls to the store or the till.
	deaf(t, c.centre, c.shop, acme.StoreScreen(s2), acme.FeedChanged(s2), lane.FeedChanged(), subjects.POSLookup)
	deaf(t, c.centre, c.desk, acme.FeedChanged(s1), lane.FeedChanged(), subjects.POSLookup)
	deaf(t, c.shop, c.desk, neighbour.FeedChanged(), subjects.POSLookup)
	// And nothing of a lower hop rises.
	deaf(t, c.shop, c.centre, lane.FeedChanged(), subjects.POSLookup, "$SRV.PING")
	deaf(t, c.desk, c.centre, lane.Ingest(), subjects.POSLookup, "$SRV.PING", acme.Ingest(s1))
	deaf(t, c.desk, c.shop, subjects.POSLookup, "$SRV.PING", neighbour.Ingest())
	// Asked on a tier, a question that stays there is answered there only.
	for _, subject := range []string{subjects.POSLookup, "$SRV.PING"} {
		for name, nc := range map[string]*nats.Conn{"centre": c.centre, "store": c.shop, "till": c.desk} {
			only(t, nc, subject, name)
		}
	}
}

// only asserts that the one answer to subject comes from by.
func only(t *testing.T, nc *nats.Conn, subject, by string) {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection ends with the test
	if err := nc.PublishRequest(subject, inbox, nil); err != nil {
		t.Fatal(err)
	}
	for n := 0; ; n++ {
		m, err := sub.NextMsg(100 * time.Millisecond)
		if err != nil {
			if n != 1 {
				t.Errorf("%s asked by %s: %d answers, want 1", subject, by, n)
			}
			return
		}
		if got, want := string(m.Data), by+" "+subject; got != want {
			t.Errorf("%s asked by %s: answer %q, want %q", subject, by, got, want)
		}
	}
}

// deaf asserts that to hears nothing of what from publishes on subjects.
func deaf(t *testing.T, from, to *nats.Conn, unheard ...string) {
	t.Helper()
	for _, subject := range unheard {
		sub, err := to.SubscribeSync(subject)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(to.Flush(), from.Publish(subject, nil), from.Flush()); err != nil {
			t.Fatal(err)
		}
		if m, err := sub.NextMsg(30 * time.Millisecond); err == nil {
			t.Errorf("%s is heard", m.Subject)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWrongKeyIsRefused(t *testing.T) {
	t.Parallel()
	good, bad := newIdentity(t), newIdentity(t)
	h := openHub(t, hub.StoreUser{Store: s1, Nkey: good.public})
	up := []string{"nats-leaf://" + h.LeafAddr()}
	stranger := openLeaf(t, leaf.Config{Name: "stranger", Upstreams: up, UpstreamSeed: bad.seed})
	store := openLeaf(t, leaf.Config{Name: "store", Upstreams: up, UpstreamSeed: good.seed})
	eventually(t, "store is up", store.Up)
	if stranger.Up() {
		t.Fatal("a wrong key is let in")
	}
	// The keys of stores are for leafs only, and the centre has no door for clients at all.
	if nc, err := nats.Connect(h.LeafAddr(), nats.Nkey(good.public, good.pair.Sign), nats.Timeout(time.Second)); err == nil {
		nc.Close()
		t.Fatal("a client is let in at the door of stores")
	}
}
