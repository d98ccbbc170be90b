package api

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// promotionsText is what the tests' shop offers.
const promotionsText = `
- {schema: promotion/v1, id: pasta-10, revision: 3, name: "Pasta minus 10 %", text: {en: "Pasta -10%"},
   mechanic: {type: percentage, level: item, set: pasta, percent: "10"}}
- {schema: promotion/v1, id: ten-off, revision: 9, name: "5 % off, coupon", text: {en: "Coupon -5%"},
   coupon: {required: true, pool: autumn, single_use: true},
   mechanic: {type: percentage, level: basket, set: all, percent: "5"}}
- {schema: promotion/v1, id: gold-1, revision: 1, name: "1.00 off for gold", text: {en: "Gold -1.00"},
   audience: {any_of: [{tier: gold}]}, mechanic: {type: amount, per: basket, set: all, amount: 100}}
`

const setsText = `
- {id: pasta, revision: 1, include: {items: ["8076800195057"]}}
`

// documents are a text's, as they fall.
func documents(t testing.TB, kind record.RefKind, text string) (all []record.Reference) {
	t.Helper()
	var docs []obj
	if err := yaml.Unmarshal([]byte(text), &docs); err != nil {
		t.Fatal(err)
	}
	for _, d := range docs {
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record.Reference{Kind: kind, Key: d["id"].(string), Value: b})
	}
	return all
}

// goods are what the tests' shop has on its shelves, and by what it prices.
func goods(t testing.TB) []record.Reference {
	t.Helper()
	all := append(documents(t, record.RefPromotion, promotionsText), documents(t, record.RefSet, setsText)...)
	all = append(all, documents(t, record.RefSetting, `
- {id: programme, revision: 1, currencies: {EUR: {earn: {points: 1, amount: 100}, value: {points: 1, amount: 1}}}}
- {id: scan, revision: 1, country: AT, cards: [{prefix: "7777"}], layouts: [{prefix: "25", item: 5, digits: 5, carries: price}]}
`)...)
	for code, p := range map[string]record.Product{
		pasta:       {Name: "Pasta", Category: "food/pasta"},
		cheeseItem:  {Name: "Cheese", Category: "food/cheese", Tags: []string{"counter"}, Unit: record.UnitKilogram},
		wine:        {Name: "Wine", Category: "drink/wine", MinAge: 18},
		"cigarette": {Name: "Cigarettes", NoDiscount: true, NoPoints: true, MinAge: 18},
	} {
		if code != "cigarette" {
			code = "0" + code
		}
		all = append(all, record.Reference{Kind: record.RefItem, Key: code, Value: p.Append(nil)})
	}
	return all
}

// Items and coupons of the tests' shop.
const (
	pasta  = "8076800195057"
	cheese = "2512340004900" // 4.90 on its label
	wine   = "4006381333931" // from 18

	cheeseItem = "2512340000001" // the item on cheese's label
)

// shop is a till with promotions, items, a shopper of gold tier with 1,250 points, and a clock.
type shop struct {
	*node
	clock atomic.Int64 // Unix milliseconds
	hold  atomic.Pointer[record.HoldAnswer]

	policy atomic.Pointer[setting.Returns]
}

func open(t *testing.T, change func(*Config)) *shop {
	t.Helper()
	s := new(shop)
	s.clock.Store(time.Date(2026, 11, 20, 11, 0, 0, 0, time.UTC).UnixMilli())
	s.node = start(t, t.TempDir(), func(c *Config) {
		c.Now = s.now
		c.Upstream = s.now
		c.CardPrefixes = []string{"7777"}
		c.Facts = Facts{Coupon: coupon, Shopper: func(record.AccountID) (ShopperFacts, bool) {
			return ShopperFacts{Tier: "gold", Segments: []string{"parents"}}, true
		}}
		c.Hold = func(context.Context, record.HoldQuestion) (record.HoldAnswer, error) {
			if a := s.hold.Load(); a != nil {
				return *a, nil
			}
			return record.HoldAnswer{}, nil
		}
		c.Returns = func() setting.Returns {
			if p := s.policy.Load(); p != nil {
				return *p
			}
			return setting.Returns{}
		}
		if change != nil {
			change(c)
		}
	})
	s.fall(7, goods(t)...)
	if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: 1250, AsOf: s.clock.Load()}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) now() time.Time { return time.UnixMilli(s.clock.Load()).UTC() }

// without takes one of the shop's promotions away.
func (s *shop) without(entry uint64, promotion string) {
	s.t.Helper()
	s.fall(entry, record.Reference{Kind: record.RefPromotion, Key: promotion})
}

func coupon(code string, _ record.AccountID) (CouponFacts, bool) {
	state, ok := map[string]string{
		"AUTUMN1": "usable", "USED1": "used", "OLD1": "expired", "SOON1": "not_yet", "OTHER1": "other_brand",
	}[code]
	return CouponFacts{State: state, Pool: "autumn", Promotion: "ten-off", SingleUse: true}, ok
}

// basket is a basket of 5.16 and 4.90 with a fresh rid.
func basket(t testing.TB, edit func(obj)) []byte {
	t.Helper()
	o := obj{
		"rid": record.NewRID(time.Now()).String(), "currency": "EUR",
		"shopper": obj{"identifier": obj{"kind": "card", "value": ourCard, "entry": "scanned"}},
		"lines": []any{
			obj{"line_id": "1", "item": pasta, "quantity": "4", "unit": "pc", "unit_price": 129},
			obj{"line_id": "2", "item": cheese, "quantity": "0.412", "unit": "kg", "unit_price": 1190},
		},
	}
	if edit != nil {
		edit(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *shop) quote(body []byte) Quote {
	s.t.Helper()
	r := s.do("POST", "/v1/quotes", nil, body)
	if r.status != http.StatusOK {
		s.t.Fatalf("quote: %d %s", r.status, r.body)
	}
	return into[Quote](s.t, r)
}

// paid makes the receipt of a quoted basket.
func paid(t testing.TB, body []byte, q Quote, edit func(obj)) []byte {
	t.Helper()
	var o obj
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatal(err)
	}
	o["at"], o["business_date"] = "2026-11-20T12:00:00+01:00", "2026-11-20"
	o["quote"] = obj{"digest": q.Digest, "revision": q.Revision, "engine": q.Engine, "context": q.Context}
	o["tenders"] = []any{obj{"kind": "cash", "amount": q.Totals.ToPay}}
	if edit != nil {
		edit(o)
	}
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// await waits until done is true.
func (s *shop) await(what string, done func() bool) {
	s.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for !done() {
		select {
		case <-tick.C:
		case <-end:
			s.t.Fatalf("%s do not come", what)
		}
	}
}
