package relay_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"tillstream/central/hub"
	"tillstream/edge/leaf"
	"tillstream/subjects"
)

// hostile is a store that speaks the protocol of leafs itself and keeps to no allow-list: what a leaf of
// ours would not even send is refused by the hub, too.
type hostile struct {
	conn net.Conn
	in   *bufio.Scanner
}

func newHostile(t *testing.T, addr string, id identity) *hostile {
	t.Helper()
	c := dial(t, addr)
	h := &hostile{conn: c, in: bufio.NewScanner(c)}
	h.in.Buffer(nil, 1<<20)
	var info struct{ Nonce string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(h.line(t), "INFO ")), &info); err != nil {
		t.Fatal(err)
	}
	sig, err := id.pair.Sign([]byte(info.Nonce))
	if err != nil {
		t.Fatal(err)
	}
	connect, err := json.Marshal(map[string]any{
		"nkey": id.public, "sig": base64.RawURLEncoding.EncodeToString(sig),
		"name": "hostile", "server_id": "hostile", "version": "2.15.2", "headers": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.send(t, "CONNECT "+string(connect), "PING")
	for h.line(t) != "PONG" { // the hub's interest and our allow-lists come first
	}
	return h
}

func (h *hostile) send(t *testing.T, lines ...string) {
	t.Helper()
	say(t, h.conn, strings.Join(lines, "\r\n")+"\r\n")
}

func (h *hostile) line(t *testing.T) string {
	t.Helper()
	if !h.in.Scan() {
		t.Fatalf("the hub has hung up: %v", h.in.Err())
	}
	return h.in.Text()
}

// violates asserts that the hub answers what was sent with a violation, and hangs up.
func (h *hostile) violates(t *testing.T, what string) {
	t.Helper()
	seen := false
	for h.in.Scan() {
		if strings.HasPrefix(h.in.Text(), "-ERR 'Permissions Violation") {
			seen = true
		}
	}
	var ne net.Error
	if err := h.in.Err(); errors.As(err, &ne) && ne.Timeout() {
		t.Errorf("%s: the hub does not hang up", what)
	}
	if !seen {
		t.Errorf("%s: no violation", what)
	}
}

func TestHostileStoreIsRefusedAndOthersAreUnharmed(t *testing.T) {
	t.Parallel()
	bad, good := newIdentity(t), newIdentity(t)
	c := openHub(t, hub.StoreUser{Store: s1, Nkey: bad.public}, hub.StoreUser{Store: s2, Nkey: good.public})
	centre := connectHub(t, c)
	heard, err := centre.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	if err := centre.Flush(); err != nil {
		t.Fatal(err)
	}
	peaceful := newHostile(t, c.LeafAddr(), good)

	publish := func(subject string) []string { return []string{fmt.Sprintf("LMSG %s 2", subject), "hi"} }
	for what, lines := range map[string][]string{
		"another store's ingest":   publish(acme.Ingest(s2)),
		"another store's feed":     publish(acme.FeedPull(s2)),
		"the journal":              publish(acme.Journal()),
		"the customers' journal":   publish(acme.CustomersJournal()),
		"between centre nodes":     publish(acme.Heartbeat(subjects.NodeID(s1))),
		"JetStream":                publish("$JS.API.STREAM.DELETE." + acme.JournalStream()),
		"JetStream by domain":      publish("$JS.central.API.STREAM.DELETE." + acme.JournalStream()),
		"the system":               publish("$SYS.REQ.SERVER.PING"),
		"another's inbox":          publish("_INBOX.x"),
		"listen to another's feed": {"LS+ " + acme.FeedChanged(s2)},
		"listen to the journal":    {"LS+ " + acme.Journal()},
	} {
		h := newHostile(t, c.LeafAddr(), bad)
		h.send(t, lines...)
		h.violates(t, what)
	}
	if m, err := heard.NextMsg(10 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Fatalf("passed: %v, %v", m, err)
	}

	// An acknowledgement, which the server lets every leaf publish, reaches nobody in the centre's account.
	h := newHostile(t, c.LeafAddr(), bad)
	h.send(t, publish("$JS.ACK."+acme.JournalStream()+".reader.1.1.1.1.1")...)
	h.send(t, "PING")
	for h.line(t) != "PONG" {
	}
	if m, err := heard.NextMsg(50 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("an acknowledgement passed: %v, %v", m, err)
	}

	// Its own subject still works, and the other store's link has lived through all of this.
	newHostile(t, c.LeafAddr(), bad).send(t, publish(acme.Ingest(s1))...)
	next(t, heard, acme.Ingest(s1))
	peaceful.send(t, publish(acme.Ingest(s2))...)
	next(t, heard, acme.Ingest(s2))
}

// The hub takes wildcards that reach beyond the allow-list, but delivers nothing on them that the list
// does not allow, and nothing is lost to them: not even where the hostile store shares in the queue
// group that answers all stores.
func TestHostileStoreHearsNothingByWildcards(t *testing.T) {
	t.Parallel()
	bad, good := newIdentity(t), newIdentity(t)
	c := openHub(t, hub.StoreUser{Store: s1, Nkey: bad.public}, hub.StoreUser{Store: s2, Nkey: good.public})
	store := openLeaf(t, leaf.Config{
		Name: "acme-0002", Upstreams: []string{"nats-leaf://" + c.LeafAddr()}, UpstreamSeed: good.seed,
		DenyUp: subjects.StaysHere(),
	})
	eventually(t, "store is up", store.Up)
	centre, shop := connectHub(t, c), connectLeaf(t, store, subjects.StoreInbox(s2))
	const group = micro.DefaultQueueGroup
	if _, err := centre.QueueSubscribe(acme.AnyIngest(), group, func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	answered := func() error {
		_, err := shop.Request(acme.Ingest(s2), nil, time.Second)
		return err
	}
	eventually(t, "the centre answers", func() bool { return answered() == nil })

	h := newHostile(t, c.LeafAddr(), bad)
	h.send(t, "LS+ >", "LS+ "+acme.AnyIngest(), "LS+ "+acme.AnyIngest()+" "+group+" 100", "LS+ > "+group+" 100",
		"LS+ "+subjects.StoreInbox(s2)+".>", "LS+ _INBOX.>", "LS+ acme.feed.*.changed", "LS+ $JS.>", "PING")
	for h.line(t) != "PONG" {
	}
	for range 200 {
		if err := errors.Join(answered(), centre.Publish(acme.FeedChanged(s2), nil), centre.Publish(acme.Journal(), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := centre.Publish(acme.FeedChanged(s1), nil); err != nil { // its own
		t.Fatal(err)
	}
	for {
		line := h.line(t)
		if strings.HasPrefix(line, "LMSG "+acme.FeedChanged(s1)+" ") {
			return
		}
		if strings.HasPrefix(line, "LMSG ") || strings.HasPrefix(line, "HMSG ") {
			t.Errorf("heard %s", line)
		}
	}
}

func next(t *testing.T, sub *nats.Subscription, want string) {
	t.Helper()
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		t.Fatalf("%s: %v", want, err)
	}
	if m.Subject != want {
		t.Fatalf("heard %s, want %s", m.Subject, want)
	}
}
