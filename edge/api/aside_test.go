package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tillstream/edge/journal"
	"tillstream/kv/record"
)

// forked sells a receipt and has upstream say that its chain has forked.
func forked(t *testing.T, n *node) record.RID {
	t.Helper()
	body := receipt(t, nil)
	if r := n.sell(body); r.status != http.StatusCreated {
		t.Fatalf("sell: %d %s", r.status, r.body)
	}
	for _, c := range n.journal.Chains() {
		if err := n.journal.Confirm([]record.Mark{{Chain: c.ID, Status: record.StatusFork}}); err != nil {
			t.Fatal(err)
		}
	}
	return ridOf(t, body)
}

// asides are the questions about what upstream refuses.
func asides(t *testing.T, n *node) []exchange {
	t.Helper()
	const list, move = "/v1/aside", "/v1/aside/rehome"
	none := n.do("GET", list, nil, nil)
	forked(t, n)
	post := func(body string) reply { return n.write(move, []byte(body)) }
	out := []exchange{
		{name: "nothing aside", path: list, status: 200, reply: none},
		{name: "aside", path: list, status: 200, reply: n.do("GET", list, nil, nil)},
		{name: "rehome", path: move, status: 200, request: []byte("{}"), reply: post("{}")},
		{name: "not JSON", path: move, status: 400, problem: "malformed-json", reply: post("")},
		{name: "a field", path: move, status: 400, problem: "invalid-field", field: "/all", reply: post(`{"all":true}`)},
		{name: "half", path: move, status: 408, problem: "body-incomplete", reply: n.raw(fmt.Sprintf(half, move), true)},
		{name: "large", path: move, status: 413, problem: "basket-too-large", reply: post(strings.Repeat(" ", record.MaxBody+1))},
		{name: "form", path: move, status: 415, problem: "unsupported-media-type",
			reply: n.do("POST", move, map[string]string{"Content-Type": ""}, []byte("{}"))},
	}
	w := &recorder{header: http.Header{}}
	n.api.writeProblem(w, "rehomeAside", caller{}, errors.Join(journal.ErrFull))
	return append(out, exchange{name: "full", path: move, status: w.status, problem: "disk-full", reply: reply{w.status, w.header, w.body}})
}

// What upstream refuses is listed, moved once, and laid over the shopper's balance once.
func TestAside(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	rid := forked(t, n)
	shopper := n.lookUp(ourCard, 0).body
	var all Aside
	if err := json.Unmarshal(n.do("GET", "/v1/aside", nil, nil).body, &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Aside) != 1 || len(all.Aside[0].Receipts) != 1 || all.Aside[0].Receipts[0].RID != rid || all.Aside[0].Why != "fork" {
		t.Errorf("aside: %+v", all)
	}
	for _, want := range []int{1, 0} {
		var moved Rehomed
		if err := json.Unmarshal(n.write("/v1/aside/rehome", []byte("{}")).body, &moved); err != nil || moved.Receipts != want {
			t.Errorf("moved %d receipts, want %d, %v", moved.Receipts, want, err)
		}
	}
	if again := n.lookUp(ourCard, 0).body; string(again) != string(shopper) {
		t.Errorf("the shopper has\n%s\nand had\n%s", again, shopper)
	}
	var h Health
	if err := json.Unmarshal(n.do("GET", "/v1/health", nil, nil).body, &h); err != nil || h.Aside.Records != 0 || h.Unconfirmed.Records != 2 {
		t.Errorf("health %+v, %v", h, err)
	}
}
