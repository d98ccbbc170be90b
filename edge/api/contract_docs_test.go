package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/kv/setting"
	"tillstream/subjects"
)

func holds(s *shop, g *target) []exchange {
	good := g.body(nil)
	out := []exchange{
		{name: "cut off", status: 503, problem: "hold-unavailable", reply: s.send(g, nil, good)},
		{name: "no key", status: 400, problem: "missing-idempotency-key", reply: s.send(g, map[string]string{HeaderKey: ""}, good)},
		{name: "no points", status: 400, problem: "invalid-field", field: "/points", reply: s.send(g, nil, g.body(func(o obj) { o["points"] = 0 }))},
		{name: "nobody", status: 400, problem: "invalid-field", field: "/shopper", reply: s.send(g, nil, g.body(func(o obj) { delete(o, "shopper") }))},
		{name: "training", status: 201, reply: s.send(g, nil, g.body(func(o obj) { o["training"] = true }))},
		training(s, g),
	}
	for _, c := range []struct {
		said    record.HoldAnswer
		status  int
		problem string
	}{
		{record.HoldAnswer{State: record.HoldPlaced, Points: 300, Expires: 1}, 201, ""},
		{record.HoldAnswer{State: record.HoldPlaced, Again: true}, 200, ""},
		{record.HoldAnswer{State: record.HoldNoPoints}, 409, "hold-refused"},
		{record.HoldAnswer{State: record.HoldOther}, 422, "key-reused"},
	} {
		s.hold.Store(&c.said)
		out = append(out, exchange{name: fmt.Sprint("said ", c.said.State), status: c.status, problem: c.problem, reply: s.send(g, nil, good)})
	}
	of := func(edit func(obj)) []byte {
		return g.body(func(o obj) {
			var b obj
			if err := json.Unmarshal(basket(s.t, func(b obj) { b["rid"], b["points_to_spend"] = o["rid"], obj{"mode": "all"} }), &b); err != nil {
				s.t.Fatal(err)
			}
			edit(b)
			o["basket"] = b
		})
	}
	s.hold.Store(&record.HoldAnswer{State: record.HoldNoPoints})
	out = append(out, []exchange{
		{name: "with its basket", status: 409, problem: "hold-refused", reply: s.send(g, nil, of(func(obj) {}))},
		{name: "another's basket", status: 400, problem: "invalid-field", field: "/basket/rid", reply: s.send(g, nil, of(func(b obj) { b["rid"] = record.NewRID(time.Now()).String() }))},
		{name: "a wrong basket", status: 400, problem: "invalid-field", field: "/basket/lines/0/quantity", reply: s.send(g, nil, of(func(b obj) { line(b, 0)["quantity"] = "x" }))},
		{name: "a payment card in it", status: 422, problem: "payment-card-refused", field: "/basket/lines/0/description", reply: s.send(g, nil, of(func(b obj) { line(b, 0)["description"] = visa }))},
	}...)
	s.hold.Store(nil)
	s.clock.Add(holdSilence.Milliseconds())
	return out
}

func holdsByID(s *shop) (out []exchange) {
	for _, method := range []string{"GET", "DELETE"} {
		g := &target{method: method, path: "/v1/holds/{id}", url: "/v1/holds/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"}
		list := append(everywhere(s, g), exchange{name: "cut off", status: 503, problem: "hold-unavailable", reply: s.send(g, nil, nil)})
		s.hold.Store(&record.HoldAnswer{State: record.HoldUnknown})
		list = append(list, exchange{name: "unknown", status: 404, problem: "not-found", reply: s.send(g, nil, nil)})
		for _, state := range []record.HoldState{record.HoldReleased, record.HoldUsed, record.HoldExpired} {
			s.hold.Store(&record.HoldAnswer{State: state, RID: record.NewRID(time.Now())})
			list = append(list, exchange{name: "known", status: 200, reply: s.send(g, nil, nil)})
		}
		s.hold.Store(nil)
		list = append(list, exchange{name: "no id", status: 400, problem: "invalid-field", field: "/id", reply: s.do(method, "/v1/holds/17", nil, nil)})
		out = append(out, label(g, list)...)
	}
	return out
}

// sales are receipts with a quote.
func sales(t *testing.T, s *shop, g *target) []exchange {
	body := basket(t, nil)
	good := paid(t, body, s.quote(body), nil)
	old := basket(t, nil)
	changed := basket(t, nil)
	drink := basket(t, func(o obj) { line(o, 0)["item"] = wine })
	ended := func(said *record.HoldAnswer) []byte {
		b := basket(t, func(o obj) { o["points_to_spend"] = obj{"mode": "all"} })
		bill := paid(t, b, s.quote(b), func(o obj) { o["hold"] = record.NewRID(time.Now()).String() })
		s.hold.Store(said)
		return bill
	}
	spend := basket(t, func(o obj) { o["points_to_spend"] = obj{"mode": "all"} })
	happened := basket(t, nil)
	trained := basket(t, func(o obj) { o["training"] = true })
	out := []exchange{
		{name: "quoted", status: 201, request: good, reply: s.send(g, nil, good)},
		{name: "quoted, again", status: 200, request: good, reply: s.send(g, nil, good)},
		{name: "changed", status: 409, problem: "quote-changed", reply: s.send(g, nil, paid(t, changed, s.quote(changed), func(o obj) { line(o, 0)["unit_price"] = 1 }))},
		{name: "revision gone", status: 409, problem: "quote-too-old", reply: s.send(g, nil, paid(t, old, s.quote(old), func(o obj) { o["quote"].(obj)["revision"] = 6 }))},
		{name: "no age", status: 409, problem: "age-not-confirmed", field: "/confirmed", reply: s.send(g, nil, paid(t, drink, s.quote(drink), nil))},
		{name: "no hold", status: 409, problem: "hold-needed", field: "/hold", reply: s.send(g, nil, paid(t, spend, s.quote(spend), nil))},
		{name: "happened", status: 201, reply: s.send(g, nil, paid(t, happened, s.quote(happened), func(o obj) {
			o["happened"], o["offline"] = true, obj{"since": "2026-11-20T11:00:00Z", "reason": "cable"}
			line(o, 0)["unit_price"] = 1
		}))},
		{name: "quote of training", status: 409, problem: "training-mismatch", field: "/quote/context", reply: s.send(g, nil, paid(t, trained, s.quote(trained), func(o obj) { delete(o, "training") }))},
		{name: "training", status: 201, reply: s.send(g, map[string]string{"Authorization": "Bearer " + practice}, g.body(nil))},
		training(s, g),
	}
	out = append(out,
		exchange{name: "an ended hold", status: 409, problem: "hold-expired", field: "/hold", reply: s.send(g, nil, ended(&record.HoldAnswer{State: record.HoldExpired}))},
		exchange{name: "a hold nobody can tell of", status: 503, problem: "hold-unavailable", field: "/hold", reply: s.send(g, nil, ended(nil))})
	s.clock.Add(holdSilence.Milliseconds())
	return append(out, guesses5(s, g, "/coupons", func(o obj, code string) {
		o["currency"], o["coupons"] = "EUR", []any{obj{"code": code}}
		o["quote"] = obj{"digest": "x", "revision": 7, "engine": "1", "context": "x"}
	}))
}

// returns are those of a sale that is known here.
func returns(s *shop, g *target) []exchange {
	sold := receipt(s.t, nil)
	s.sell(sold)
	back := func(line, quantity, of string) []byte {
		return g.body(func(o obj) {
			o["of"], o["lines"] = obj{"rid": of}, []any{obj{"line_id": line, "quantity": quantity, "reason": "broken"}}
			delete(o, "tenders")
		})
	}
	voided := receipt(s.t, nil)
	s.sell(voided)
	s.do("POST", "/v1/receipts/"+ridIn(voided)+"/void", map[string]string{HeaderKey: "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d99"},
		[]byte(`{"rid":"0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d99","at":"2026-11-20T12:05:00+01:00","business_date":"2026-11-20"}`))
	one := back("1", "1", ridIn(sold))
	s.policy.Store(&setting.Returns{Unlinked: setting.ReturnManager, Unverified: setting.ReturnRefuse})
	defer s.policy.Store(nil)
	said := func(reason, manager string) []byte {
		return g.body(func(o obj) { o["unlinked_reason"], o["manager_code"] = reason, manager })
	}
	return []exchange{
		{name: "no reason", status: 422, problem: "return-unlinked-not-allowed", field: "/unlinked_reason", reply: s.send(g, nil, said("", boss))},
		{name: "no manager", status: 422, problem: "return-unlinked-not-allowed", field: "/manager_code", reply: s.send(g, nil, said("gift", ""))},
		{name: "a manager", status: 201, reply: s.send(g, nil, said("gift", boss))},
		{name: "unverified", status: 422, problem: "return-unlinked-not-allowed", field: "/of/rid",
			reply: s.send(g, nil, g.body(func(o obj) { o["of"] = obj{"rid": record.NewRID(time.Now()).String()} }))},
		{name: "of a sale", status: 201, request: one, reply: s.send(g, nil, one)},
		{name: "of a sale, again", status: 200, reply: s.send(g, nil, one)},
		{name: "of a sale, other", status: 422, problem: "key-reused", reply: s.send(g, nil, bytes.Replace(one, []byte("broken"), []byte("ugly"), 1))},
		{name: "too much", status: 422, problem: "return-too-much", field: "/lines/0/quantity", reply: s.send(g, nil, back("1", "4", ridIn(sold)))},
		{name: "no such line", status: 400, problem: "invalid-field", field: "/lines/0/line_id", reply: s.send(g, nil, back("9", "1", ridIn(sold)))},
		{name: "half a piece", status: 400, problem: "invalid-field", field: "/lines/0/quantity", reply: s.send(g, nil, back("1", "0.5", ridIn(sold)))},
		{name: "void", status: 409, problem: "receipt-voided", field: "/of/rid", reply: s.send(g, nil, back("1", "1", ridIn(voided)))},
		training(s, g),
	}
}

func voids(t *testing.T, s *shop, of func(obj) func(func(obj)) []byte) []exchange {
	sold := receipt(t, nil)
	s.sell(sold)
	body := of(obj{"at": "2026-11-20T12:05:00+01:00", "business_date": "2026-11-20", "reason": "wrong shopper"})
	g := &target{method: "POST", path: "/v1/receipts/{rid}/void", url: "/v1/receipts/" + ridIn(sold) + "/void", key: true, body: body}
	unknown := *g
	unknown.url = "/v1/receipts/0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d11/void"
	good := body(nil)
	out := append(everywhere(s, g), plainFaults(s, g, "")...)
	out = append(out, []exchange{
		{name: "no key", status: 400, problem: "missing-idempotency-key", reply: s.send(g, map[string]string{HeaderKey: ""}, good)},
		{name: "payment card", status: 422, problem: "payment-card-refused", field: "/reason", reply: s.send(g, nil, body(func(o obj) { o["reason"] = visa }))},
		{name: "other store", status: 403, problem: "wrong-store-or-brand", field: "/store", reply: s.send(g, nil, body(func(o obj) { o["store"] = "0018" }))},
		{name: "unknown", status: 404, problem: "not-found", reply: s.send(&unknown, nil, good)},
		{name: "other day", status: 409, problem: "void-too-late", reply: s.send(g, nil, body(func(o obj) { o["business_date"] = "2026-11-21" }))},
		{name: "training", status: 201, reply: s.send(g, nil, body(func(o obj) { o["training"] = true }))},
		training(s, g),
		{name: "good", status: 201, request: good, reply: s.send(g, nil, good)},
		{name: "good again", status: 200, reply: s.send(g, nil, good)},
		{name: "other body", status: 422, problem: "key-reused", reply: s.send(g, nil, bytes.Replace(good, []byte("wrong"), []byte("right"), 1))},
		{name: "twice", status: 409, problem: "receipt-voided", field: "/of/rid", reply: s.send(g, nil, body(nil))},
	}...)
	for slug, err := range faults() {
		out = append(out, exchange{name: slug, status: problemOf(err).Status, problem: slug, reply: s.failing("voidReceipt", g, err)})
	}
	n := start(t, t.TempDir(), func(c *Config) { c.Till = subjects.TillID{} })
	out = append(out, exchange{name: "store", status: 409, problem: "not-a-till", reply: n.do("POST", g.url, map[string]string{HeaderKey: ridIn(good)}, good)})
	return label(g, out)
}

// shelves are the suspended baskets.
func shelves(t *testing.T, s *shop) []exchange {
	body := basket(t, nil)
	rid := ridIn(body)
	put := &target{method: "PUT", path: "/v1/baskets/{rid}", url: "/v1/baskets/" + rid, body: func(edit func(obj)) []byte {
		return basket(t, func(o obj) {
			o["rid"] = rid
			if edit != nil {
				edit(o)
			}
		})
	}}
	get := &target{method: "GET", path: put.path, url: put.url}
	take := &target{method: "DELETE", path: put.path, url: put.url}
	list := &target{method: "GET", path: "/v1/baskets", url: "/v1/baskets"}
	store := start(t, t.TempDir(), func(c *Config) { c.Till = subjects.TillID{} })
	var out []exchange
	for _, g := range []*target{put, get, take, list} {
		all := everywhere(s, g)
		var b []byte
		if g.body != nil {
			b = g.body(nil)
		}
		all = append(all, exchange{name: "store", status: 409, problem: "not-a-till", reply: store.do(g.method, g.url, nil, b)})
		if g != list {
			all = append(all, exchange{name: "no rid", status: 400, problem: "invalid-field", field: "/rid", reply: s.do(g.method, "/v1/baskets/17", nil, b)})
		}
		out = append(out, label(g, all)...)
	}
	out = append(out, label(put, append(plainFaults(s, put, "/shopper/identifier"),
		exchange{name: "other store", status: 403, problem: "wrong-store-or-brand", field: "/store", reply: s.send(put, nil, put.body(func(o obj) { o["store"] = "0018" }))},
		training(s, put)))...)
	good := put.body(nil)
	out = append(out, label(take, []exchange{{name: "none", status: 404, problem: "not-found", reply: s.send(take, nil, nil)}})...)
	out = append(out, label(get, []exchange{{name: "none", status: 404, problem: "not-found", reply: s.send(get, nil, nil)}})...)
	out = append(out, label(put, []exchange{
		{name: "good", status: 201, request: good, reply: s.send(put, nil, good)},
		{name: "again", status: 200, reply: s.send(put, nil, good)},
		{name: "over another's", status: 412, problem: "basket-taken", reply: s.send(put, nil, put.body(func(o obj) { o["operator"] = "op8" }))},
	})...)
	out = append(out, label(list, []exchange{{name: "one", status: 200, reply: s.send(list, nil, nil)}})...)
	out = append(out, label(get, []exchange{{name: "good", status: 200, reply: s.send(get, nil, nil)}})...)
	if err := os.Chmod(s.api.cfg.Shelf.path(ridOf(t, good)), 0); err != nil { // root reads it all the same
		t.Fatal(err)
	}
	if err := os.Truncate(s.api.cfg.Shelf.path(ridOf(t, good)), 3); err != nil {
		t.Fatal(err)
	}
	out = append(out, label(get, []exchange{{name: "damaged", status: 503, problem: "basket-unavailable", reply: s.send(get, nil, nil)}})...)
	out = append(out, label(take, []exchange{
		{name: "damaged", status: 503, problem: "basket-unavailable", reply: s.send(take, nil, nil)},
		{name: "not what was seen", status: 412, problem: "basket-taken", reply: s.send(take, map[string]string{"If-Match": `"x"`}, nil)},
	})...)
	fresh := basket(t, nil)
	s.do("PUT", "/v1/baskets/"+ridIn(fresh), nil, fresh)
	out = append(out, label(take, []exchange{{name: "good", status: 200, reply: s.do("DELETE", "/v1/baskets/"+ridIn(fresh), nil, nil)}})...)
	for _, g := range []*target{list, put} {
		out = append(out, label(g, []exchange{
			{name: "no disk", status: 503, problem: "basket-unavailable", reply: s.failing(g.path, g, errNoShelf)},
		})...)
	}
	for range maxBaskets {
		b := basket(t, nil)
		s.do("PUT", "/v1/baskets/"+ridIn(b), nil, b)
	}
	last := basket(t, nil)
	return append(out, label(put, []exchange{
		{name: "full", status: 409, problem: "too-many-baskets", reply: s.do("PUT", "/v1/baskets/"+ridIn(last), nil, last)},
	})...)
}

func messages(t *testing.T, s *shop) []exchange {
	s.api.Show(Message{ID: "m1", Surface: "cashier", Style: "toast", Text: "hello", ExpiresAt: s.now().Add(time.Minute)})
	shown := &target{method: "POST", path: "/v1/messages/{id}/shown", url: "/v1/messages/m1/shown"}
	gone := *shown
	gone.url = "/v1/messages/m2/shown"
	read := &target{method: "GET", path: "/v1/messages", url: "/v1/messages"}
	out := label(shown, append(everywhere(s, shown),
		exchange{name: "good", status: 204, reply: s.send(shown, nil, nil)},
		exchange{name: "unknown", status: 404, problem: "not-found", reply: s.send(&gone, nil, nil)},
	))
	s.clock.Add(time.Minute.Milliseconds())
	out = append(out, label(shown, []exchange{{name: "expired", status: 410, problem: "message-expired", reply: s.send(shown, nil, nil)}})...)
	return append(out, label(read, append(everywhere(s, read), exchange{name: "stream", status: 200}))...)
}
