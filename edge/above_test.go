package edge_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge"
	"tillstream/edge/leaf"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// centre is a centre's NATS as far as a store sees it: it answers pulls, and counts questions about holds.
type centre struct {
	t     *testing.T
	addr  string
	store leaf.User
	asked atomic.Int32
}

// open lets the store in and answers it, until the hub is closed.
func (c *centre) open(cfg *edge.Config) *leaf.Leaf {
	c.t.Helper()
	hub, err := leaf.Open(leaf.Config{Name: "centre", Accept: c.addr, Downstream: []leaf.User{c.store}, Log: logger(c.t)})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = hub.Close() })
	c.addr = hub.LeafAddr()
	nc, err := hub.Connect("_INBOX_centre")
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(nc.Close)
	cards, err := seal.OpenCards(cfg.CardKey)
	if err != nil {
		c.t.Fatal(err)
	}
	account, s := cards.Account(card), record.Shopper{Balance: 100, AsOf: 1}
	page := (&record.Page{Status: record.FeedItems, Cursor: record.Cursor{Generation: record.Generation{1}, Entry: 1}, Items: []record.Item{
		{Kind: record.ItemShopper, Key: account[:], Value: s.Append(nil)},
	}}).Append(nil)
	answer := func(subject string, f func(*nats.Msg)) {
		if _, err := nc.Subscribe(subject, f); err != nil {
			c.t.Fatal(err)
		}
	}
	answer(cfg.Net().FeedPull(cfg.Store), func(m *nats.Msg) { _ = m.Respond(page) })
	answer(cfg.Net().POSHold(cfg.Store), func(*nats.Msg) { c.asked.Add(1) })
	return hub
}

// reach is what a node's health says of the centre: whether there is a line to it, and the age of its last
// answer, -1 if none is known.
func (n *node) reach() (linked bool, age float64) {
	n.t.Helper()
	_, h := n.do("GET", "/v1/health", "", nil)
	c := h["upstream"].(map[string]any)["centre"].(map[string]any)
	age, ok := c["last_answer_age_ms"].(float64)
	if !ok {
		age = -1
	}
	return c["linked"].(bool), age
}

// A till learns from its store that the centre is cut off: health says both hops, balances of which the centre has
// never said anything are stale, and points are refused at once, without a question that nobody answers.
func TestATillHearsTheCentreThroughItsStore(t *testing.T) {
	t.Parallel()
	cfg, tills := storeWith(t, "01")
	seed, public := user(t)
	c := &centre{t: t, addr: "127.0.0.1:0", store: leaf.User{Nkey: public}}
	c.store.Publish, c.store.Subscribe = cfg.Net().StorePermissions(cfg.Store)
	hub := c.open(&cfg)
	cfg.Upstream, cfg.UpstreamSeed = []string{"nats-leaf://" + c.addr}, write(t, seed)
	if err := hub.Close(); err != nil { // nobody is there when the store starts
		t.Fatal(err)
	}
	s := start(t, cfg)
	tills[0].Upstream = []string{"nats-leaf://" + s.LeafAddr()}
	n := start(t, tills[0])
	n.sell(1)
	await(t, "word that the centre is away", func() bool {
		linked, age := n.reach()
		return n.Linked() && !linked && age < 0
	})
	if _, a := n.look(); a["stale"] != true {
		t.Errorf("the centre has never answered, and a look-up says %v", a)
	}

	hub = c.open(&cfg)
	await(t, "word that the centre is there", func() bool {
		linked, age := n.reach()
		return linked && age >= 0
	})
	await(t, "the balance", func() bool {
		_, a := n.look()
		return a["known"] == true && a["stale"] == false
	})

	if err := hub.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "word of the cut", func() bool { linked, _ := n.reach(); return !linked })
	if linked, age := s.reach(); linked || age < 0 || !n.Linked() {
		t.Errorf("the store says %t, %v; the till's own line is up: %t", linked, age, n.Linked())
	}
	id, hold := holdOf(5)
	if status, a := n.do("POST", "/v1/holds", id, hold); status != http.StatusServiceUnavailable ||
		!strings.HasSuffix(a["type"].(string), "hold-unavailable") {
		t.Errorf("a hold while the store is cut off: %d %v", status, a)
	}
	quote := `{"rid":"` + record.NewRID(time.Now()).String() + `","store":"0042","till":"01","currency":"EUR","shopper":{"identifier":{"kind":"card","value":"` + card + `"}},
		"lines":[{"line_id":"1","item":"77","quantity":"1","amount":1050}],"points_to_spend":{"mode":"all"}}`
	_, a := n.do("POST", "/v1/quotes", "", []byte(quote))
	if points, _ := a["points"].(map[string]any); points["spend_reason"] != "offline_not_allowed" || a["stale"] != false {
		t.Errorf("a quote while the store is cut off: %v", a)
	}
	if asked := c.asked.Load(); asked > 0 {
		t.Errorf("%d questions about holds were asked", asked)
	}

	c.open(&cfg)
	await(t, "word of the heal", func() bool { linked, _ := n.reach(); return linked })
}
