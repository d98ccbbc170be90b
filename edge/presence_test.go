package edge_test

import (
	"bufio"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"tillstream/edge"
	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
	"tillstream/subjects/event"
)

// words are what the centre hears of a store's tills.
func words(t *testing.T, centre *nats.Conn, cfg *edge.Config) chan record.Presence {
	t.Helper()
	heard := make(chan record.Presence, 64)
	_, err := centre.Subscribe(cfg.Net().POSPresence(cfg.Store), func(m *nats.Msg) {
		p, err := record.ReadPresence(m.Data)
		if err == nil {
			err = m.Respond(nil)
		}
		if err != nil {
			t.Error(err)
		}
		heard <- p
	})
	if err != nil {
		t.Fatal(err)
	}
	return heard
}

func hear(t *testing.T, heard chan record.Presence) record.Presence {
	t.Helper()
	select {
	case p := <-heard:
		return p
	case <-time.After(patience):
		t.Fatal("the centre does not hear who is at the till")
		return record.Presence{}
	}
}

// ask asks a store to show a message, and gives its status; "" is no answer.
func ask(t *testing.T, centre *nats.Conn, cfg *edge.Config, s record.Screen) string {
	t.Helper()
	reply := nats.NewInbox() // the hub would draw one of its own: see gateway
	sub, err := centre.SubscribeSync(reply)
	if err == nil {
		err = centre.PublishMsg(&nats.Msg{Subject: cfg.Net().StoreScreen(cfg.Store), Reply: reply, Data: s.Append(nil)})
	}
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Unsubscribe()
	m, err := sub.NextMsg(2 * time.Second)
	if err != nil {
		return ""
	}
	return m.Header.Get(event.OSGStatus)
}

// stream reads a node's messages as a POS does, and gives their data.
func (n *node) stream() (data chan string, end func()) {
	n.t.Helper()
	req, err := http.NewRequestWithContext(n.t.Context(), "GET", n.URL()+"/v1/messages", nil)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := (&http.Client{Transport: n.http.Transport}).Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Scan() // the welcome: from here on the node knows of this POS
	data = make(chan string, 16)
	go func() {
		defer close(data)
		for lines.Scan() {
			if d, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				data <- d
			}
		}
	}()
	return data, func() { res.Body.Close() }
}

// A shopper is looked up at a till: the centre hears it through the store, and a message for them comes to the POS,
// once. Nobody else sees it.
func TestMessageReachesTheShoppersTill(t *testing.T) {
	t.Parallel()
	cfg := alone(t, "")
	cfg.Accept = "127.0.0.1:0"
	tillCfg := alone(t, "01")
	tillCfg.CardKey = cfg.CardKey
	join(t, &tillCfg, &cfg)
	centre := gateway(t, &cfg)
	s := start(t, cfg)
	tillCfg.Upstream = []string{"nats-leaf://" + s.LeafAddr()}
	n := start(t, tillCfg)
	await(t, "the links", func() bool { return s.Linked() && n.Linked() })
	cards, err := seal.OpenCards(cfg.CardKey)
	if err != nil {
		t.Fatal(err)
	}
	shopper := cards.Account(card)
	n.look() // and nobody hears it: it is said again
	heard := words(t, centre, &cfg)
	if p := hear(t, heard); p.Account != shopper || !p.Here || p.Till != tillCfg.Till {
		t.Fatalf("the centre hears %+v, want the shopper at till 01", p)
	}
	message := record.Screen{
		Till: tillCfg.Till, Account: shopper, Try: 1, ID: "a1", Title: "Coffee", Text: "One is on us.", Code: "C-1", Full: true,
		Expires: time.Now().Add(time.Hour).UnixMilli(),
	}
	var status string
	await(t, "an answer", func() bool { status = ask(t, centre, &cfg, message); return status != "" })
	if status != event.OSGNotOnSite {
		t.Errorf("no POS reads its messages: got %s", status)
	}
	pos, end := n.stream()
	defer end()
	if got := ask(t, centre, &cfg, message); got != event.OSGNotOnSite {
		t.Errorf("the till has said no to this try: got %s", got)
	}
	for name, change := range map[string]func(*record.Screen){
		"another shopper": func(m *record.Screen) { m.Account[0]++ },
		"an unknown till": func(m *record.Screen) { m.Till = subjects.TillID{Token: subjects.MustToken("99")} },
		"the store's own": func(m *record.Screen) { m.Till = subjects.Desk },
		"too late":        func(m *record.Screen) { m.Expires = time.Now().UnixMilli() - 1 },
	} {
		other := message
		other.ID, other.Try = "b1", 2
		change(&other)
		if got := ask(t, centre, &cfg, other); got != event.OSGNotOnSite {
			t.Errorf("%s: got %q", name, got)
		}
	}
	for _, try := range []uint64{2, 2, 3} {
		if message.Try = try; ask(t, centre, &cfg, message) != event.OSGDelivered {
			t.Errorf("try %d: not delivered", try)
		}
	}
	if got := <-pos; !strings.Contains(got, `"id":"a1"`) || !strings.Contains(got, `"full_screen"`) || !strings.Contains(got, "One is on us.") {
		t.Errorf("the POS is told %s", got)
	}
	rid := record.NewRID(time.Now()).String()
	n.do("POST", "/v1/quotes", "", []byte(`{"rid":"`+rid+`","currency":"EUR","lines":[{"line_id":"1","item":"20001","quantity":"1","amount":100}]}`))
	if p := hear(t, heard); p.Account != shopper || p.Here {
		t.Errorf("the centre hears %+v, want that the shopper has gone", p)
	}
	message.ID, message.Try = "c1", 4
	if got := ask(t, centre, &cfg, message); got != event.OSGNotOnSite {
		t.Errorf("another basket: got %q", got)
	}
	message.ID = "a1"
	if got := ask(t, centre, &cfg, message); got != event.OSGDelivered {
		t.Errorf("what was shown stays shown: got %q", got)
	}
	select {
	case more := <-pos:
		t.Errorf("the POS is told more: %s", more)
	default:
	}
}

// A store's own node answers for its own POS.
func TestStoreIsItsOwnScreen(t *testing.T) {
	t.Parallel()
	cfg := alone(t, "")
	centre := gateway(t, &cfg)
	heard := words(t, centre, &cfg)
	s := start(t, cfg)
	await(t, "the link", s.Linked)
	pos, end := s.stream()
	defer end()
	s.look()
	p := hear(t, heard)
	if !p.Here || p.Till != subjects.Desk {
		t.Fatalf("the centre hears %+v", p)
	}
	m := record.Screen{Till: p.Till, Account: p.Account, Try: 1, ID: "a1", Text: "Hello", Expires: time.Now().Add(time.Hour).UnixMilli()}
	await(t, "the message", func() bool { return ask(t, centre, &cfg, m) == event.OSGDelivered })
	if got := <-pos; !strings.Contains(got, `"toast"`) {
		t.Errorf("the POS is told %s", got)
	}
}
