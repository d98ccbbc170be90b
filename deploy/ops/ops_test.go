package ops_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/central"
	"tillstream/central/gateway"
	"tillstream/central/streams"
	"tillstream/deploy/fleet"
	"tillstream/deploy/ops"
	"tillstream/deploy/sales"
)

// sold opens the smallest fleet, sells at its till, and waits until all is posted.
func sold(t *testing.T, receipts []sales.Receipt) *fleet.Fleet {
	t.Helper()
	f, err := fleet.Open(t.Context(), fleet.Config{Dir: t.TempDir(), Nodes: 1, Log: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	ctx := within(t, time.Minute)
	if err := f.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	at := f.Store(0).Till(0)
	for _, r := range receipts {
		body := r.Body(at.Config().Store.String(), at.Config().Till.String(), r.Customer)
		if a, err := fleet.Post(ctx, http.DefaultClient, at.URL(), r.Return, r.RID, body); err != nil || !a.Kept() {
			t.Fatalf("sell: %v, %d %s", err, a.Status, a.Body)
		}
	}
	if err := f.Settle(ctx); err != nil {
		t.Fatal(err)
	}
	return f
}

func TestOnAFleet(t *testing.T) {
	t.Parallel()
	receipts := sales.Generate(40, 1, time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC))
	f := sold(t, receipts)
	node := f.Centre()[0].Node()
	run := func(t *testing.T, args ...string) string {
		t.Helper()
		out, err := tool(t, append([]string{"--centre", node.URL()}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var status []gateway.Status
	t.Run("status", func(t *testing.T) {
		if err := json.Unmarshal([]byte(run(t, "status", "--json")), &status); err != nil || len(status) != 1 {
			t.Fatalf("%d nodes, %v", len(status), err)
		}
		s := status[0]
		prints(t, run(t, "status"), "NODE", "BROKEN", fmt.Sprintf("c1    %d", s.Entry), s.Digest[:12], "no")
	})
	t.Run("books verify", func(t *testing.T) {
		prints(t, run(t, "books", "verify"), status[0].Digest[:12], fmt.Sprintf("  %d  ", len(receipts)), "the books are in order")
		var v ops.Verified
		if err := json.Unmarshal([]byte(run(t, "books", "verify", "--json")), &v); err != nil || len(v.Nodes) != 1 || v.Nodes[0].Receipts != uint64(len(receipts)) {
			t.Errorf("got %+v, %v", v, err)
		}
	})
	t.Run("books account", func(t *testing.T) { testAccount(t, f, receipts, run) })
	t.Run("streams", func(t *testing.T) { testDrift(t, f, run) })
	t.Run("endpoints", func(t *testing.T) {
		out, err := tool(t, "--endpoints", file(t, `{"centre":[{"name":"c1","url":"`+node.URL()+`/"}],"stores":[]}`), "status")
		if err != nil {
			t.Fatal(err)
		}
		prints(t, out, status[0].Digest[:12])
	})
	t.Run("one of two answers", func(t *testing.T) {
		out, err := tool(t, "--centre", "http://127.0.0.1:1", "--centre", node.URL(), "status")
		fails(t, err, "127.0.0.1:1", "Is the node up?")
		prints(t, out, status[0].Digest[:12])
		out, err = tool(t, "--centre", "http://127.0.0.1:1", "--centre", node.URL(), "streams", "plan")
		if err != nil {
			t.Errorf("the second node could have answered: %v", err)
		}
		prints(t, out, "nothing to do")
	})
}

func testAccount(t *testing.T, f *fleet.Fleet, receipts []sales.Receipt, run func(*testing.T, ...string) string) {
	var of sales.Receipt
	for _, r := range receipts {
		if r.Customer != "" {
			of = r
		}
	}
	id := f.Cards().Account(of.Customer)
	s, ok, err := f.Store(0).Node().Shopper(id)
	if err != nil || !ok {
		t.Fatalf("the store does not know account %s: %v", id, err)
	}
	byCard := run(t, "books", "account", of.Customer)
	prints(t, byCard, id.String(), fmt.Sprintf("balance  %d\n", s.Balance), fmt.Sprintf("debt     %d\n", s.Debt), of.RID.String(), "RECEIPT")
	if got := run(t, "books", "account", "--account", id.String(), "--not-before", "2"); got != byCard {
		t.Errorf("by account:\n%s\nby card:\n%s", got, byCard)
	}
	var a gateway.Account
	if err := json.Unmarshal([]byte(run(t, "books", "account", "--json", of.Customer)), &a); err != nil || a.Balance != s.Balance {
		t.Errorf("as JSON: %+v, %v", a, err)
	}
	centre := f.Centre()[0].Node().URL()
	_, err = tool(t, "--centre", centre, "books", "account", "never-seen")
	fails(t, err, "404 not-found", "Check the number")
	if err != nil && strings.Contains(err.Error(), "never-seen") {
		t.Errorf("the error tells the card number: %v", err)
	}
	for _, args := range [][]string{{}, {of.Customer, "--account", id.String()}} {
		_, err = tool(t, append([]string{"--centre", centre, "books", "account"}, args...)...)
		fails(t, err, "either CARD or --account")
	}
	_, err = tool(t, "--centre", centre, "books", "account", "--account", "12")
	fails(t, err, "--account", "32 hexadecimal digits")
}

// testDrift changes a stream behind the centre's back.
func testDrift(t *testing.T, f *fleet.Fleet, run func(*testing.T, ...string) string) {
	const nothing = "nothing to do"
	prints(t, run(t, "streams", "plan"), nothing)
	prints(t, run(t, "streams", "apply"), nothing)
	prints(t, run(t, "streams", "plan", "--json"), `"changes": []`)

	js, err := jetstream.New(f.Centre()[0].Node().Conn())
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(within(t, time.Minute), f.Net().JournalStream())
	if err != nil {
		t.Fatal(err)
	}
	cfg := s.CachedInfo().Config
	cfg.Description = "someone was here"
	if _, err := js.UpdateStream(within(t, time.Minute), cfg); err != nil {
		t.Fatal(err)
	}
	change := "update journal_acme: description someone was here -> journal of brand acme"
	prints(t, run(t, "streams", "plan"), "plan: "+change, "tillstream ops streams apply")
	prints(t, run(t, "streams", "plan"), "plan: "+change) // a plan changes nothing
	prints(t, run(t, "streams", "apply"), "plan: "+change, "done: "+change)
	prints(t, run(t, "streams", "plan"), nothing)
}

// What JetStream cannot change is said, and left.
func TestFixedChange(t *testing.T) {
	t.Parallel()
	url := centre(t, settings(t), func(n *central.Node) {
		js, err := jetstream.New(n.Conn())
		if err != nil {
			t.Fatal(err)
		}
		made := streams.Want(net(), 1)[0]
		made.Storage = jetstream.MemoryStorage
		if _, err := js.CreateStream(within(t, 30*time.Second), made); err != nil {
			t.Fatal(err)
		}
	}).URL()
	fixed := "fixed journal_acme: storage Memory -> File"
	out, err := tool(t, "--centre", url, "streams", "plan")
	if err != nil {
		t.Fatal(err)
	}
	prints(t, out, "plan: "+fixed, "apply leaves it")
	for range 2 {
		out, err = tool(t, "--centre", url, "streams", "apply")
		fails(t, err, "left as it was", fixed, "an operator has to decide")
		prints(t, out, "plan: "+fixed)
		if strings.Contains(out, "done") {
			t.Errorf("it says that it did something:\n%s", out)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.AdminToken = file(t, "open sesame\n")
	url := centre(t, cfg, asItIs).URL()
	_, err := tool(t, "--centre", url, "status")
	fails(t, err, "401 unauthorised", "--token-file FILE")
	wrong := file(t, "open barley")
	_, err = tool(t, "--centre", url, "--token-file", wrong, "books", "verify")
	fails(t, err, "401 unauthorised", wrong, "admin_token_file")
	if err != nil && strings.Contains(err.Error(), "barley") {
		t.Errorf("the error tells the token: %v", err)
	}
	if _, err = tool(t, "--centre", url, "--token-file", cfg.AdminToken, "status"); err != nil {
		t.Error(err)
	}
	_, err = tool(t, "--centre", url, "--token-file", file(t, " \n"), "status")
	fails(t, err, "is empty")
	_, err = tool(t, "--centre", url, "--token-file", cfg.AdminToken+".gone", "status")
	fails(t, err, "read token", "no such file")
}

// Two nodes that say they are at the same entry, of journals that are not the same.
func TestNodesDiffer(t *testing.T) {
	t.Parallel()
	one, other := centre(t, settings(t), asItIs).URL(), centre(t, settings(t), asItIs).URL()
	out, err := tool(t, "--centre", one, "--centre", other, "books", "verify")
	fails(t, err, "the books are wrong", "different journals")
	if !errors.Is(err, ops.ErrWrong) {
		t.Errorf("got %v, want ErrWrong", err)
	}
	if strings.Contains(out, "in order") || strings.Count(out, "\nc1 ") != 2 {
		t.Errorf("want a line for each node and no praise:\n%s", out)
	}
}

func TestWhoIsAsked(t *testing.T) {
	t.Parallel()
	shop := httptest.NewServer(http.NotFoundHandler())
	defer shop.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for name, c := range map[string]struct {
		args []string
		want []string
	}{
		"no scheme":         {[]string{"--centre", "127.0.0.1:8470"}, []string{`"127.0.0.1:8470"`, "want http://host:port"}},
		"no host":           {[]string{"--centre", "http://"}, []string{"want http://host:port"}},
		"nobody there":      {[]string{"--centre", gone.URL}, []string{gone.URL, "--centre URL", "--endpoints FILE"}},
		"another server":    {[]string{"--centre", shop.URL}, []string{"404 Not Found", "not a centre node's admin API"}},
		"both":              {[]string{"--centre", gone.URL, "--endpoints", "x"}, []string{"can't be used together"}},
		"no endpoints file": {[]string{"--endpoints", "gone.json"}, []string{"read endpoints", "gone.json"}},
		"not JSON":          {[]string{"--endpoints", file(t, "centre: c1")}, []string{"want the file that the demo wrote"}},
		"no centre in it":   {[]string{"--endpoints", file(t, `{"stores":[]}`)}, []string{"no node of the centre is named"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, cmd := range [][]string{{"status"}, {"streams", "apply"}, {"books", "verify"}} {
				_, err := tool(t, append(c.args, cmd...)...)
				fails(t, err, c.want...)
			}
		})
	}
}
