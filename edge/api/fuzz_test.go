package api

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"tillstream/kv/record"
)

// FuzzDocuments holds every reader of a body to what it promises: it takes it, or says what is wrong with
// a problem of the request's, and repeats nothing of it.
func FuzzDocuments(f *testing.F) {
	s := start(f, f.TempDir(), nil)
	f.Add(basket(f, nil))
	f.Add(receipt(f, nil))
	f.Add(back(f, "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", map[string]string{"1": "1"}))
	f.Add([]byte(`{"rid":"0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e","coupon":{"code":"A"},"points":1,"shopper":{"identifier":{"kind":"phone","value":"+4930123456"}}}`))
	f.Add([]byte(`{"identifier":{"kind":"card","value":"1"},"wait_ms":0}`))
	trainee := caller{name: "fuzz", training: true} // nothing is kept
	f.Fuzz(func(t *testing.T, body []byte) {
		rid := ridIn(body)
		for _, o := range operations(s.api, nil) {
			if !o.body || o.id == "suspendBasket" {
				continue
			}
			_, err := o.answer(t.Context(), question{body: body, key: rid, id: rid, caller: trainee})
			if err == nil || errors.Is(err, errNoHold) {
				continue
			}
			if p := problemOf(err); p.Status >= 500 || p.Status < 400 {
				t.Fatalf("%s: %+v from %v", o.id, p, err)
			}
		}
	})
}

// FuzzContext gives the reader of contexts what was never sealed by a quote, sealed.
func FuzzContext(f *testing.F) {
	n := start(f, f.TempDir(), nil)
	b, err := n.api.read.basket(basket(f, func(o obj) { o["coupons"] = []any{obj{"code": "AUTUMN1"}} }), new(desk))
	if err != nil {
		f.Fatal(err)
	}
	o := func() *offer { return &offer{basket: b, account: n.cards.Account(ourCard), desk: new(desk)} }
	good := o()
	if err := n.api.gather(good, false); err != nil {
		f.Fatal(err)
	}
	good.facts.shopper = ShopperFacts{Segments: []string{"a", "b"}, Tier: "gold"}
	f.Add(good.facts.append(nil, good))
	f.Fuzz(func(t *testing.T, b []byte) {
		x := o()
		sealed := base64.RawURLEncoding.EncodeToString(n.api.cfg.Ring.Seal(nil, contextPlace(x.basket.RID), b))
		if err := n.api.unseal(x, sealed); err != nil {
			return
		}
		if len(x.facts.coupons) != len(x.basket.Coupons) {
			t.Fatalf("%x: %d coupons", b, len(x.facts.coupons))
		}
	})
}

// FuzzTokens reads files of tokens.
func FuzzTokens(f *testing.F) {
	f.Add([]byte(tokensText))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := parseTokens(b)
		if err == nil && len(k.pos) == 0 {
			t.Fatalf("%q: no POS may ask", b)
		}
		if err != nil && len(b) > 40 && strings.Contains(err.Error(), string(b)) {
			t.Fatalf("%q: the error repeats the file", b)
		}
	})
}

// A context that was opened gives what was sealed, in whatever order the lines come back.
func TestContextGivesWhatWasSealed(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	read := func(swap bool) *offer {
		b, err := s.api.read.basket(basket(t, func(o obj) {
			o["rid"], o["coupons"] = "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e", []any{obj{"code": "AUTUMN1"}, obj{"code": "OLD1"}}
			if l := o["lines"].([]any); swap {
				l[0], l[1] = l[1], l[0]
			}
		}), new(desk))
		if err != nil {
			t.Fatal(err)
		}
		return &offer{basket: b, account: s.cards.Account(ourCard), desk: new(desk)}
	}
	sealed := read(false)
	if err := s.api.gather(sealed, false); err != nil {
		t.Fatal(err)
	}
	opened := read(true)
	if err := s.api.unseal(opened, s.api.seal(sealed)); err != nil {
		t.Fatal(err)
	}
	g, w := &opened.facts, &sealed.facts
	if g.made != w.made || g.at != w.at || g.available != 1250 || g.shopper.Tier != "gold" || g.shopper.Segments[0] != "parents" ||
		g.coupons[1].State != "expired" || !g.coupons[0].SingleUse {
		t.Errorf("got %+v, want %+v", g, w)
	}
	opened.basket.RID = "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3f"
	if err := s.api.unseal(opened, s.api.seal(sealed)); !errors.Is(err, errContext) {
		t.Errorf("for another basket: %v", err)
	}
	opened.basket.RID = sealed.basket.RID
	opened.account = record.AccountID{}
	if err := s.api.unseal(opened, s.api.seal(sealed)); !errors.Is(err, errContext) {
		t.Errorf("for nobody: %v", err)
	}
}
