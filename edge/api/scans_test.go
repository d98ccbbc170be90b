package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"tillstream/kv/record"
)

// scans are the good and bad questions about a code.
func scans(s *shop, g *target) []exchange {
	good := g.body(nil)
	out := []exchange{
		{name: "good", status: 200, request: good, reply: s.send(g, nil, good)},
		{name: "refused", status: 200, reply: s.send(g, nil, []byte(`{"code":"`+visa+`"}`))},
		{name: "receipt", status: 200, reply: s.send(g, nil, []byte(`{"code":"0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"}`))},
		{name: "training", status: 200, reply: s.send(g, map[string]string{"Authorization": "Bearer " + practice}, good)},
		{name: "large", status: 413, problem: "basket-too-large", reply: s.send(g, nil, make([]byte, record.MaxBody+1))},
		{name: "form", status: 415, problem: "unsupported-media-type", reply: s.send(g, map[string]string{"Content-Type": "text/plain"}, good)},
		{name: "half", status: 408, problem: "body-incomplete", reply: s.raw(fmt.Sprintf(half, g.url), true)},
	}
	for _, b := range []struct{ body, problem, field string }{
		{"", "malformed-json", ""},
		{`{"code":"1","code":"1"}`, "duplicate-key", "/code"},
		{`{}`, "invalid-field", "/code"},
		{`{"code":""}`, "invalid-field", "/code"},
		{`{"code":1}`, "invalid-field", "/code"},
		{`{"code":"` + strings.Repeat("1", maxScan+1) + `"}`, "invalid-field", "/code"},
		{`{"code":"1","entry":"heard"}`, "invalid-field", "/entry"},
		{`{"code":"1","kind":"item"}`, "invalid-field", "/kind"},
	} {
		out = append(out, exchange{name: b.body, status: 400, problem: b.problem, field: b.field, reply: s.send(g, nil, []byte(b.body))})
	}
	return out
}

// lines are what a node has logged.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A code is told as what it is: by the item master, the label's layout, the chain's cards. What cannot be
// taken is refused, each for its own reason, and a payment card's number goes nowhere.
func TestScans(t *testing.T) {
	t.Parallel()
	log := new(logged)
	s := open(t, func(c *Config) {
		c.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	amount := int64(490)
	for code, want := range map[string]Scan{
		pasta:                                  {Kind: "item", Symbology: "ean13", Item: &ScannedItem{Code: "0" + pasta, Known: true, Name: "Pasta", Category: "food/pasta", Unit: "pc"}},
		"]E0" + wine + "\r\n":                  {Kind: "item", Symbology: "ean13", Item: &ScannedItem{Code: "0" + wine, Known: true, Name: "Wine", Category: "drink/wine", Unit: "pc", MinAge: 18}},
		cheese:                                 {Kind: "item", Symbology: "instore", Amount: &amount, Item: &ScannedItem{Code: "0" + cheeseItem, Known: true, Name: "Cheese", Category: "food/cheese", Unit: "kg"}},
		"cigarette":                            {Kind: "item", Item: &ScannedItem{Code: "cigarette", Known: true, Name: "Cigarettes", Unit: "pc", MinAge: 18, NoDiscount: true, NoPoints: true}},
		"96385074":                             {Kind: "item", Symbology: "ean8", Item: &ScannedItem{Code: "00000096385074"}},
		"7777000000000006":                     {Kind: "card", CardMasked: "******0006"},
		"9912345678909":                        {Kind: "coupon", Symbology: "ean13"},
		"0199C1B2-7c40-7d7e-9a52-3f6f0b1c2d3e": {Kind: "receipt", RID: "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		"AUTUMN1":                              {Kind: "other"},
		"4006381333932":                        {Kind: "refused", Reason: "check_digit"},
		"7777000000000000":                     {Kind: "refused", Reason: "check_digit"},
		visa:                                   {Kind: "refused", Reason: "payment_card"},
		"4111 1111 1111 1111":                  {Kind: "refused", Reason: "payment_card"},
		"]C10108076800195057":                  {Kind: "refused", Reason: "not_yet"},
		"a b":                                  {Kind: "refused", Reason: "no_code"},
		"ü":                                    {Kind: "refused", Reason: "no_code"},
		strings.Repeat("x", 400):               {Kind: "refused", Reason: "no_code"},
	} {
		body, err := json.Marshal(ScanRequest{Code: code})
		if err != nil {
			t.Fatal(err)
		}
		r := s.do("POST", "/v1/scans", nil, body)
		got := into[Scan](t, r)
		if (got.Text != "") != (want.Kind == "refused") {
			t.Errorf("%s: text %q", code, got.Text)
		}
		got.Text = ""
		if g, w := string(mustEncode(got)), string(mustEncode(want)); r.status != http.StatusOK || g != w {
			t.Errorf("%s:\n got %s\nwant %s", code, g, w)
		}
		if want.Reason == "payment_card" && strings.Contains(string(r.body), "1111") {
			t.Errorf("the answer repeats the number: %s", r.body)
		}
	}
	s.do("POST", "/v1/scans", nil, []byte(`{"code":"`+visa+`","number":"`+visa+`"}`)) // a problem, which is logged
	if text := log.text(); text == "" || strings.Contains(text, "1111") || strings.Contains(text, "7777000") {
		t.Errorf("a card's number is logged: %s", text)
	}
}
