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

	"tillstream/central/hub"
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
		"another store's ingest":    publish(acme.Ingest(s2)),
		"another store's feed":      publish(acme.FeedPull(s2)),
		"the journal":               publish(acme.Journal()),
		"the customers' journal":    publish(acme.CustomersJournal()),
		"between centre nodes":      publish(acme.Heartbeat(subjects.NodeID{Token: s1.Token})),
		"JetStream":                 publish("$JS.API.STREAM.DELETE." + acme.JournalStream()),
		"JetStream by domain":       publish("$JS.central.API.STREAM.DELETE." + acme.JournalStream()),
		"an acknowledgement":        publish("$JS.ACK.x"),
		"the system":                publish("$SYS.REQ.SERVER.PING"),
		"another's inbox":           publish("_INBOX.x"),
		"listen to another's feed":  {"LS+ " + acme.FeedChanged(s2)},
		"listen to another's inbox": {"LS+ " + subjects.StoreInbox(s2) + ".>"},
		"listen to all":             {"LS+ >"},
		"listen to the journal":     {"LS+ " + acme.Journal()},
		"listen to all ingest":      {"LS+ " + acme.AnyIngest()},
		"share in all ingest":       {"LS+ " + acme.AnyIngest() + " q 1"},
	} {
		h := newHostile(t, c.LeafAddr(), bad)
		h.send(t, lines...)
		h.violates(t, what)
	}
	if m, err := heard.NextMsg(10 * time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
		t.Fatalf("passed: %v, %v", m, err)
	}

	// Its own subject still works, and the other store's link has lived through all of this.
	newHostile(t, c.LeafAddr(), bad).send(t, publish(acme.Ingest(s1))...)
	next(t, heard, acme.Ingest(s1))
	peaceful.send(t, publish(acme.Ingest(s2))...)
	next(t, heard, acme.Ingest(s2))
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
