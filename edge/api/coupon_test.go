package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"tillstream/kv/record"
)

// A shopper without a card may use a coupon all the same: it is held for the basket, and for no other shopper's
// receipt. Points are always somebody's.
func TestCouponWithoutACard(t *testing.T) {
	t.Parallel()
	s, b := openBank(t)
	nobody := func(o obj) {
		delete(o, "shopper")
		o["coupons"] = []any{obj{"code": "AUTUMN1"}}
	}
	body := basket(t, nobody)
	q := s.quote(body)
	if !q.HoldNeeded || q.Totals.ToPay >= 1006-51 {
		t.Fatalf("got %+v, hold needed: %t", q.Totals, q.HoldNeeded)
	}
	place := func(of []byte, more obj) (string, reply) {
		more["rid"] = ridIn(of)
		ask, err := json.Marshal(more)
		if err != nil {
			t.Fatal(err)
		}
		id := record.NewRID(time.Now()).String()
		return id, s.do("POST", "/v1/holds", map[string]string{HeaderKey: id}, ask)
	}
	_, r := place(body, obj{"points": 10})
	if p := wantProblem(t, r, "invalid-field", http.StatusBadRequest); p.Field != "/shopper" {
		t.Errorf("nobody's points: field %s", p.Field)
	}
	id, r := place(body, obj{"coupons": []any{obj{"code": "AUTUMN1"}}})
	if r.status != http.StatusCreated || len(b.asked) != 1 || !b.asked[0].Account.IsZero() {
		t.Fatalf("hold: %d %s, asked %+v", r.status, r.body, b.asked)
	}

	// The same basket with a card after all: the books would not let its receipt use nobody's hold.
	named := basket(t, func(o obj) {
		nobody(o)
		o["rid"] = ridIn(body)
		o["shopper"] = obj{"identifier": obj{"kind": "card", "value": ourCard}}
	})
	wantProblem(t, s.sell(paid(t, named, s.quote(named), func(o obj) { o["hold"] = id })), "hold-needed", http.StatusConflict)

	r = s.sell(paid(t, body, q, func(o obj) { o["hold"] = id }))
	if c := into[Committed](t, r); r.status != http.StatusCreated || c.Flagged {
		t.Errorf("got %d %s", r.status, r.body)
	}
}
