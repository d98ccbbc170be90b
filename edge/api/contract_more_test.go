package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/edge/journal"
	"tillstream/kv/record"
)

// target is an operation at a place, and a body that it takes.
type target struct {
	method, path, url string
	key               bool // it wants the body's rid as Idempotency-Key
	body              func(edit func(obj)) []byte
}

func (s *shop) send(g *target, header map[string]string, body []byte) reply {
	s.t.Helper()
	h := map[string]string{}
	if g.key {
		h[HeaderKey] = ridIn(body)
	}
	for k, v := range header {
		h[k] = v
	}
	return s.do(g.method, g.url, h, body)
}

func ridIn(body []byte) string {
	var r struct {
		RID string `json:"rid"`
	}
	_ = json.Unmarshal(body, &r) // not every body has one
	return r.RID
}

// plainFaults are what every operation with a body refuses.
func plainFaults(s *shop, g *target, who string) []exchange {
	good := g.body(nil)
	out := []exchange{
		{name: "not JSON", status: 400, problem: "malformed-json", reply: s.send(g, map[string]string{HeaderKey: "x"}, []byte("<a/>"))},
		{name: "twice", status: 400, problem: "duplicate-key", field: "/rid", reply: s.send(g, map[string]string{HeaderKey: "x"}, []byte(`{"rid":"a","rid":"a"}`))},
		{name: "unknown field", status: 400, problem: "invalid-field", field: "/colour", reply: s.send(g, nil, g.body(func(o obj) { o["colour"] = 1 }))},
		{name: "large", status: 413, problem: "basket-too-large", reply: s.send(g, map[string]string{HeaderKey: "x"}, make([]byte, record.MaxBody+1))},
		{name: "form", status: 415, problem: "unsupported-media-type", reply: s.send(g, map[string]string{"Content-Type": "text/plain"}, good)},
		{name: "half", status: 408, problem: "body-incomplete", reply: s.raw(strings.Replace(fmt.Sprintf(half, g.url), "POST", g.method, 1), true)},
	}
	for problem, value := range map[string]string{"payment-card-refused": visa, "card-bad-check-digit": "7777000000000000", "phone-invalid": "+49"} {
		if who == "" {
			break
		}
		kind := "card"
		if problem == "phone-invalid" {
			kind = "phone"
		}
		out = append(out, exchange{name: problem, status: 422, problem: problem, field: who + "/value", reply: s.send(g, nil, g.body(func(o obj) {
			id := obj{"kind": kind, "value": value}
			if who == "/identifier" {
				o["identifier"] = id
			} else {
				o["shopper"] = obj{"identifier": id}
			}
		}))})
	}
	return out
}

// everywhere are the problems of callers.
func everywhere(s *shop, g *target) []exchange {
	var body []byte
	if g.body != nil {
		body = g.body(nil)
	}
	return []exchange{
		{name: "no token", status: 401, problem: "unauthorised", reply: s.send(g, map[string]string{"Authorization": ""}, body)},
		{name: "unknown token", status: 401, problem: "unauthorised", reply: s.send(g, map[string]string{"Authorization": "Bearer " + practice + "x"}, body)},
	}
}

func training(s *shop, g *target) exchange {
	return exchange{name: "live with a trainee's token", status: 409, problem: "training-mismatch", field: "/training",
		reply: s.send(g, map[string]string{"Authorization": "Bearer " + practice}, g.body(func(o obj) { o["training"] = false }))}
}

// label gives exchanges their operation.
func label(g *target, list []exchange) []exchange {
	for i := range list {
		list[i].method, list[i].path = g.method, g.path
		list[i].name = g.method + " " + g.path + " " + list[i].name
	}
	return list
}

// more asks what exchanges does not: the operations beside look-ups, plain receipts and returns.
func more(t *testing.T) (out []exchange) {
	s := open(t, nil)
	who := obj{"identifier": obj{"kind": "card", "value": ourCard}}
	of := func(o obj) func(func(obj)) []byte {
		return func(edit func(obj)) []byte {
			c := obj{}
			for k, v := range o {
				c[k] = v
			}
			c["rid"] = record.NewRID(time.Now()).String()
			if edit != nil {
				edit(c)
			}
			b, err := json.Marshal(c)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
	}
	quote := target{method: "POST", path: "/v1/quotes", url: "/v1/quotes", body: func(edit func(obj)) []byte { return basket(t, edit) }}
	sale := target{method: "POST", path: "/v1/receipts", url: "/v1/receipts", key: true, body: func(edit func(obj)) []byte { return receipt(t, edit) }}
	back := target{method: "POST", path: "/v1/returns", url: "/v1/returns", key: true, body: sale.body}
	look := target{method: "POST", path: "/v1/lookups", url: "/v1/lookups", body: func(edit func(obj)) []byte {
		o := obj{"identifier": who["identifier"]}
		if edit != nil {
			edit(o)
		}
		b, _ := json.Marshal(o)
		return b
	}}
	scanned := target{method: "POST", path: "/v1/scans", url: "/v1/scans", body: func(func(obj)) []byte { return []byte(`{"code":"` + cheese + `","entry":"scanned"}`) }}
	code := target{method: "POST", path: "/v1/coupon-lookups", url: "/v1/coupon-lookups", body: of(obj{"coupon": obj{"code": "AUTUMN1"}})}
	hold := target{method: "POST", path: "/v1/holds", url: "/v1/holds", key: true, body: of(obj{"shopper": who, "points": 300})}
	find := target{method: "GET", path: "/v1/receipts/{rid}", url: "/v1/receipts/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"}
	aside := target{method: "GET", path: "/v1/aside", url: "/v1/aside"}
	rehome := target{method: "POST", path: "/v1/aside/rehome", url: "/v1/aside/rehome", body: func(func(obj)) []byte { return []byte("{}") }}
	for _, g := range []*target{&aside, &rehome, &find, &quote, &sale, &back, &look, &scanned, &code, &hold} {
		out = append(out, label(g, everywhere(s, g))...)
	}
	out = append(out, label(&quote, append(plainFaults(s, &quote, "/shopper/identifier"), quotes(s, &quote)...))...)
	out = append(out, label(&scanned, scans(s, &scanned))...)
	out = append(out, label(&code, append(plainFaults(s, &code, ""), codes(s, &code)...))...)
	out = append(out, label(&hold, append(plainFaults(s, &hold, "/shopper/identifier"), holds(s, &hold)...))...)
	out = append(out, label(&look, plainFaults(s, &look, "/identifier")[6:])...)
	out = append(out, label(&sale, append(plainFaults(s, &sale, "/shopper/identifier"), sales(t, s, &sale)...))...)
	out = append(out, label(&back, append(plainFaults(s, &back, "/shopper/identifier"), returns(s, &back)...))...)
	out = append(out, holdsByID(s)...)
	out = append(out, voids(t, s, of)...)
	out = append(out, shelves(t, s)...)
	out = append(out, messages(t, s)...)
	return append(out, ends(t, s, &quote, &scanned, &code, &hold)...)
}

func quotes(s *shop, g *target) []exchange {
	good := g.body(func(o obj) {
		o["at"], o["channel"], o["tax_included"], o["tenders"] = "2026-11-19T12:00:00Z", "self_scan", true, []any{obj{"kind": "card", "amount": 1}}
		o["coupons"], o["points_to_spend"] = []any{obj{"code": "AUTUMN1", "entry": "keyed"}, obj{"code": "OLD1"}}, obj{"mode": "useful"}
		o["confirmed"] = obj{"age": 40, "by": "op7", "method": "known"}
		o["lines"] = append(o["lines"].([]any),
			obj{"line_id": "3", "item": wine, "quantity": "1", "unit_price": 599, "entry": "keyed", "price_override": true, "tax_code": "A"},
			obj{"line_id": "4", "item": "new", "category": "misc", "quantity": "1", "unit_price": 100, "manual_discount": obj{"amount": 10, "reason": "dented"}})
	})
	out := []exchange{
		{name: "good", status: 200, request: good, reply: s.send(g, nil, good)},
		{name: "training", status: 200, reply: s.send(g, nil, g.body(func(o obj) { o["training"] = true }))},
		training(s, g),
		{name: "other store", status: 403, problem: "wrong-store-or-brand", field: "/store", reply: s.send(g, nil, g.body(func(o obj) { o["store"] = "0018" }))},
		{name: "2,001 lines", status: 413, problem: "basket-too-large", field: "/lines", reply: s.send(g, nil, g.body(func(o obj) { o["lines"] = make([]obj, record.MaxLines+1) }))},
	}
	wrong := func(field string, edit func(obj)) {
		out = append(out, exchange{name: field, status: 400, problem: "invalid-field", field: field, reply: s.send(g, nil, g.body(edit))})
	}
	wrong("/lines", func(o obj) { o["lines"] = []any{} })
	wrong("/lines/1/line_id", func(o obj) { line(o, 1)["line_id"] = "1" })
	for _, q := range []string{"0", "-1", "0.5", "1000000001", "1.2345", "1e3", "99999999999999999999"} {
		wrong("/lines/0/quantity", func(o obj) { line(o, 0)["quantity"] = q })
	}
	wrong("/lines/1/quantity", func(o obj) { line(o, 1)["quantity"] = "0.4125" })
	wrong("/lines/0/unit_price", func(o obj) { line(o, 0)["unit_price"] = -1 })
	wrong("/lines/0/unit_price", func(o obj) { line(o, 0)["unit_price"] = json.Number("9223372036854775808") })
	wrong("/lines/0/unit_price", func(o obj) { delete(line(o, 0), "unit_price") })
	wrong("/lines/0/amount", func(o obj) { line(o, 0)["amount"] = -1 })
	wrong("/lines/0/item", func(o obj) { line(o, 0)["item"] = "a\u0007" })
	wrong("/lines/0/entry", func(o obj) { line(o, 0)["entry"] = "guessed" })
	wrong("/lines/0/manual_discount/amount", func(o obj) { line(o, 0)["manual_discount"] = obj{"amount": -1} })
	wrong("/at", func(o obj) { o["at"] = "noon" })
	wrong("/currency", func(o obj) { o["currency"] = "EUX" })
	wrong("/channel", func(o obj) { o["channel"] = "fax" })
	wrong("/tax_included", func(o obj) { o["tax_included"] = false })
	wrong("/coupons/0/code", func(o obj) { o["coupons"] = []any{obj{"code": "a b"}} })
	wrong("/coupons", func(o obj) { o["coupons"] = make([]obj, maxCoupons+1) })
	wrong("/points_to_spend/mode", func(o obj) { o["points_to_spend"] = obj{"mode": "most"} })
	wrong("/points_to_spend/points", func(o obj) { o["points_to_spend"] = obj{"mode": "exact"} })
	wrong("/confirmed/age", func(o obj) { o["confirmed"] = obj{"age": 131} })
	wrong("/hold", func(o obj) { o["hold"] = "17" })
	return append(out, guesses5(s, g, "/coupons", func(o obj, code string) { o["coupons"] = []any{obj{"code": code}} }))
}

// guesses5 tries wrong codes until a manager is wanted.
func guesses5(s *shop, g *target, field string, with func(o obj, code string)) exchange {
	rid := record.NewRID(time.Now()).String()
	var r reply
	for i := range maxGuesses + 1 {
		r = s.send(g, nil, g.body(func(o obj) { o["rid"] = rid; with(o, fmt.Sprint("NO", i)) }))
	}
	return exchange{name: "guessing", status: 429, problem: "too-many-attempts", field: field, reply: r}
}

func codes(s *shop, g *target) []exchange {
	good := g.body(func(o obj) { o["shopper"] = obj{"identifier": obj{"kind": "card", "value": ourCard}} })
	return []exchange{
		{name: "good", status: 200, request: good, reply: s.send(g, nil, good)},
		{name: "payment card", status: 422, problem: "payment-card-refused", field: "/coupon/code",
			reply: s.send(g, nil, g.body(func(o obj) { o["coupon"] = obj{"code": visa} }))},
		{name: "no coupon", status: 400, problem: "invalid-field", field: "/coupon", reply: s.send(g, nil, g.body(func(o obj) { delete(o, "coupon") }))},
		guesses5(s, g, "/coupon/code", func(o obj, code string) { o["coupon"] = obj{"code": code} }),
	}
}

// faults are what only the disk and defects make.
func faults() map[string]error {
	return map[string]error{"disk-full": journal.ErrFull, "internal": errors.New("a defect"), "journal-unavailable": journal.ErrClosed}
}

// failing is the real door before an operation that fails.
func (s *shop) failing(id string, g *target, err error) reply {
	s.t.Helper()
	w := &recorder{header: http.Header{}}
	r, e := http.NewRequestWithContext(s.t.Context(), g.method, g.url, strings.NewReader("{}"))
	if e != nil {
		s.t.Fatal(e)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", bearer)
	s.api.serve(operation{id: id, body: g.body != nil, answer: func(context.Context, question) (answer, error) {
		return answer{}, fmt.Errorf("commit: %w", err)
	}}).ServeHTTP(w, r)
	return reply{w.status, w.header, w.body}
}

// ends are what a node answers that stops.
func ends(t *testing.T, s *shop, more ...*target) (out []exchange) {
	s.api.gate.shut()
	all := append(more,
		&target{method: "GET", path: "/v1/holds/{id}", url: "/v1/holds/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		&target{method: "DELETE", path: "/v1/holds/{id}", url: "/v1/holds/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		&target{method: "POST", path: "/v1/receipts/{rid}/void", url: "/v1/receipts/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e/void"},
		&target{method: "GET", path: "/v1/baskets", url: "/v1/baskets"},
		&target{method: "GET", path: "/v1/baskets/{rid}", url: "/v1/baskets/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		&target{method: "DELETE", path: "/v1/baskets/{rid}", url: "/v1/baskets/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		&target{method: "PUT", path: "/v1/baskets/{rid}", url: "/v1/baskets/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"},
		&target{method: "GET", path: "/v1/messages", url: "/v1/messages"},
		&target{method: "POST", path: "/v1/messages/{id}/shown", url: "/v1/messages/m1/shown"})
	for _, g := range all {
		out = append(out, label(g, []exchange{{name: "stopping", status: 503, problem: "stopping", reply: s.send(g, nil, []byte("{}"))}})...)
	}
	return out
}
