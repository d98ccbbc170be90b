package leaf

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

const localhost = "127.0.0.1:0"

func logTo(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func key(t *testing.T) (seed, public string) {
	t.Helper()
	kp, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	s, err := kp.Seed()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = kp.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return string(s), public
}

func open(t *testing.T, cfg Config) *Leaf {
	t.Helper()
	cfg.Log = logTo(t)
	l, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // some tests end it themselves
	return l
}

func connect(t *testing.T, l *Leaf) *nats.Conn {
	t.Helper()
	nc, err := l.Connect("_INBOX_" + l.cfg.Name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// eventually waits for ok, and fails when it does not come.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-tick.C {
		if ok() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

// pair is a store and a till that may do everything there.
func pair(t *testing.T, deny []string) (store, till *Leaf) {
	t.Helper()
	seed, public := key(t)
	store = open(t, Config{
		Name: "store", Accept: localhost,
		Downstream: []User{{Nkey: public, Publish: []string{">"}, Subscribe: []string{">"}}},
	})
	till = open(t, Config{
		Name: "till", Upstreams: []string{"nats-leaf://" + store.LeafAddr()}, UpstreamSeed: seed, DenyUp: deny,
	})
	eventually(t, "till is up", till.Up)
	return store, till
}

func TestDenyUpHoldsWhateverUpstreamAllows(t *testing.T) {
	t.Parallel()
	store, till := pair(t, []string{"pos.>", "$SRV.>"})
	above, below := connect(t, store), connect(t, till)

	if _, err := below.Subscribe("pos.>", func(m *nats.Msg) { _ = m.Respond([]byte("leaked")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := below.Subscribe("$SRV.>", func(m *nats.Msg) { _ = m.Respond([]byte("leaked")) }); err != nil {
		t.Fatal(err)
	}
	if _, err := below.Subscribe("open", func(m *nats.Msg) { _ = m.Respond(nil) }); err != nil {
		t.Fatal(err)
	}
	eventually(t, "interest that is not denied has crossed", func() bool {
		_, err := above.Request("open", nil, 100*time.Millisecond)
		return err == nil
	})
	for _, subject := range []string{"pos.lookup", "$SRV.PING"} {
		if m, err := above.Request(subject, nil, time.Second); !errors.Is(err, nats.ErrNoResponders) {
			t.Fatalf("%s asked from above: %v, %v; want no responders", subject, m, err)
		}
	}
	heard, err := above.SubscribeSync(">")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "what is published below is heard above, but for what is denied", func() bool {
		for _, subject := range []string{"pos.lookup", "$SRV.PING", "told"} {
			if err := below.Publish(subject, nil); err != nil {
				t.Fatal(err)
			}
		}
		for {
			m, err := heard.NextMsg(50 * time.Millisecond)
			if err != nil {
				return false
			}
			if m.Subject == "told" {
				return true
			}
			if strings.HasPrefix(m.Subject, "pos.") || strings.HasPrefix(m.Subject, "$SRV.") {
				t.Fatalf("%s crossed", m.Subject)
			}
		}
	})
}

func TestDoorOfThePOS(t *testing.T) {
	t.Parallel()
	l := open(t, Config{
		Name: "till", Listen: localhost, POSPassword: "s3cret",
		POSPublish: []string{"pos.>"}, POSSubscribe: []string{"_INBOX_pos.>"},
	})
	if l.Up() {
		t.Error("up without an upstream")
	}
	own := connect(t, l)
	if _, err := own.Subscribe("pos.lookup", func(m *nats.Msg) { _ = m.Respond([]byte("here")) }); err != nil {
		t.Fatal(err)
	}
	forbidden, err := own.SubscribeSync("acme.>")
	if err != nil {
		t.Fatal(err)
	}
	if err := own.Flush(); err != nil {
		t.Fatal(err)
	}

	for what, opts := range map[string][]nats.Option{
		"nothing":        nil,
		"no password":    {nats.UserInfo(POSUser, "")},
		"wrong password": {nats.UserInfo(POSUser, "guess")},
		"own user":       {nats.Nkey(l.ownKey, l.own.Sign)}, // only in process
	} {
		if nc, err := nats.Connect(l.ClientAddr(), opts...); err == nil {
			nc.Close()
			t.Errorf("%s: let in", what)
		}
	}

	refused := make(chan error, 8)
	pos, err := nats.Connect(l.ClientAddr(), nats.UserInfo(POSUser, "s3cret"), nats.CustomInboxPrefix("_INBOX_pos"),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer pos.Close()
	m, err := pos.Request("pos.lookup", nil, 5*time.Second)
	if err != nil || string(m.Data) != "here" {
		t.Fatalf("pos.lookup: %v, %v", m, err)
	}
	if err := pos.Publish("acme.ingest.0001", nil); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Fatalf("publish upward: %v, want a permission violation", err)
	}
	if _, err := pos.SubscribeSync("pos.>"); err != nil {
		t.Fatal(err)
	}
	if err := <-refused; !errors.Is(err, nats.ErrPermissionViolation) {
		t.Fatalf("listen to others: %v, want a permission violation", err)
	}
	if m, err := forbidden.NextMsg(10 * time.Millisecond); err == nil {
		t.Fatalf("%s passed", m.Subject)
	}
}

func TestTwoTillsOfOneNameLiveTogether(t *testing.T) {
	t.Parallel()
	seed1, public1 := key(t)
	seed2, public2 := key(t)
	all := []string{">"}
	store := open(t, Config{Name: "store", Accept: localhost, Downstream: []User{
		{Nkey: public1, Publish: all, Subscribe: all}, {Nkey: public2, Publish: all, Subscribe: all},
	}})
	up := []string{"nats-leaf://" + store.LeafAddr()}
	first := open(t, Config{Name: "till", Upstreams: up, UpstreamSeed: seed1})
	eventually(t, "the first is up", first.Up)
	id, _ := first.link()
	second := open(t, Config{Name: "till", Upstreams: up, UpstreamSeed: seed2})
	eventually(t, "both are in", func() bool { return second.Up() && store.Downstream() == 2 })
	if now, up := first.link(); !up || now != id {
		t.Fatal("the second has thrown the first out")
	}
}

func TestRunEnablesADeadLinkAnewAndKeepsTheTills(t *testing.T) {
	t.Parallel()
	centreSeed, centrePublic := key(t)
	tillSeed, tillPublic := key(t)
	all := []string{">"}
	above := open(t, Config{
		Name: "above", Accept: localhost, Downstream: []User{{Nkey: centrePublic, Publish: all, Subscribe: all}},
	})
	store := open(t, Config{
		Name: "store", Upstreams: []string{"nats-leaf://" + above.LeafAddr()}, UpstreamSeed: centreSeed,
		Accept: localhost, Downstream: []User{{Nkey: tillPublic, Publish: all, Subscribe: all}},
		Listen: localhost, POSPassword: "x", POSPublish: []string{"pos.>"}, POSSubscribe: []string{"_INBOX_pos.>"},
	})
	till := open(t, Config{
		Name: "till", Upstreams: []string{"nats-leaf://" + store.LeafAddr()}, UpstreamSeed: tillSeed,
	})
	lost := make(chan string, 8)
	own, err := store.Connect("_INBOX_store", nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- "own" }))
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	pos, err := nats.Connect(store.ClientAddr(), nats.UserInfo(POSUser, "x"),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { lost <- "pos" }))
	if err != nil {
		t.Fatal(err)
	}
	defer pos.Close()
	eventually(t, "all are up", func() bool { return store.Up() && till.Up() })
	tillLink, _ := till.link()

	store.enable(false) // a server that has stopped dialling, as nearly as we can make one
	eventually(t, "store is down", func() bool { return !store.Up() })
	store.pace = pace{look: 10 * time.Millisecond, again: 50 * time.Millisecond, stuck: time.Hour}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := store.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	eventually(t, "store is up again", store.Up)
	stop()
	wg.Wait()
	if now, up := till.link(); !up || now != tillLink {
		t.Error("the till was thrown out")
	}
	select {
	case who := <-lost:
		t.Errorf("connection %s was thrown out", who)
	default:
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	seed, public := key(t)
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountSeed, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	busy, err := net.Listen("tcp", localhost)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	door := Config{Listen: localhost, POSPassword: "x", POSPublish: []string{"pos.>"}, POSSubscribe: []string{"_INBOX.>"}}
	for what, change := range map[string]func(*Config){
		"no name":                 func(c *Config) { c.Name = "" },
		"compression by default":  func(c *Config) { c.Compression = "s2_auto" },
		"upstream without port":   func(c *Config) { c.Upstreams, c.UpstreamSeed = []string{"nats-leaf://h"}, seed },
		"upstream with password":  func(c *Config) { c.Upstreams, c.UpstreamSeed = []string{"nats-leaf://u:p@h:1"}, seed },
		"upstream without seed":   func(c *Config) { c.Upstreams = []string{"nats-leaf://h:1"} },
		"seed of an account":      func(c *Config) { c.Upstreams, c.UpstreamSeed = []string{"nats-leaf://h:1"}, string(accountSeed) },
		"till without allow-list": func(c *Config) { c.Downstream = []User{{Nkey: public}} },
		"till without key":        func(c *Config) { c.Downstream = []User{{Nkey: "U", Publish: []string{"a"}, Subscribe: []string{"b"}}} },
		"door to all":             func(c *Config) { *c = door; c.Name, c.Listen = "n", "0.0.0.0:0" },
		"door on a name":          func(c *Config) { *c = door; c.Name, c.Listen = "n", "example.org:0" },
		"door without password":   func(c *Config) { *c = door; c.Name, c.POSPassword = "n", "" },
		"password too long":       func(c *Config) { *c = door; c.Name, c.POSPassword = "n", strings.Repeat("x", 73) },
		"door without allow-list": func(c *Config) { *c = door; c.Name, c.POSPublish = "n", nil },
		"client port in use":      func(c *Config) { *c = door; c.Name, c.Listen = "n", busy.Addr().String() },
		"leaf port in use":        func(c *Config) { c.Accept = busy.Addr().String() },
		"no port":                 func(c *Config) { c.Accept = "127.0.0.1" },
		"denied subject is none": func(c *Config) {
			c.Upstreams, c.UpstreamSeed, c.DenyUp = []string{"nats-leaf://h:1"}, seed, []string{"a..b"}
		},
	} {
		cfg := Config{Name: "n"}
		change(&cfg)
		if l, err := Open(cfg); err == nil {
			_ = l.Close()
			t.Errorf("%s: opened", what)
		}
	}
}
