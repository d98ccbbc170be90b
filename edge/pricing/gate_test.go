package pricing

import (
	"testing"
	"time"
)

func TestGates(t *testing.T) {
	p := func(more string) string {
		return "- {id: p, mechanic: {type: percentage, percent: '10'}, " + more + "}"
	}
	at := func(s string) func(*Basket) {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		athens, err := time.LoadLocation("Europe/Athens")
		if err != nil {
			t.Fatal(err)
		}
		return func(b *Basket) { b.At, b.Zone = when, athens }
	}
	who := func(s Shopper) func(*Basket) { return func(b *Basket) { b.Shopper = &s } }
	coupons := func(c ...Coupon) func(*Basket) { return func(b *Basket) { b.Coupons = c } }
	yes := "p=10(a:10) pay=90"
	no := func(code string) string { return "p!" + code + " pay=100" }
	audience := p("audience: {any_of: [{segment: parents}, {tier: gold}, {card_prefix: '2790'}, {shopper: s_1}]}")
	for _, c := range []quoteCase{
		{name: "draft", promos: p("state: draft"), want: no("not_yet")},
		{name: "paused", promos: p("state: paused"), want: no("not_now")},
		{name: "ended", promos: p("state: ended"), want: no("ended")},
		{name: "from: a second early", promos: p(`validity: {from: "2026-11-21T00:00:00"}`), with: at("2026-11-20T23:59:59+02:00"), want: no("not_yet")},
		{name: "from: to the second", promos: p(`validity: {from: "2026-11-21T00:00:00"}`), with: at("2026-11-20T22:00:00Z"), want: yes},
		{name: "until: a second before", promos: p(`validity: {until: "2026-11-21T00:00:00"}`), with: at("2026-11-20T21:59:59Z"), want: yes},
		{name: "until: is too late", promos: p(`validity: {until: "2026-11-21T00:00:00"}`), with: at("2026-11-20T22:00:00Z"), want: no("ended")},
		{name: "Tuesday in the store", promos: p("schedule: [{days: [tue]}]"), with: at("2026-11-23T23:30:00Z"), want: yes},
		{name: "not Tuesday in the store", promos: p("schedule: [{days: [tue]}]"), with: at("2026-11-24T22:30:00Z"), want: no("not_now")},
		{name: "before the window", promos: p(`schedule: [{from: "11:00", until: "15:00"}]`), with: at("2026-11-20T08:59:59Z"), want: no("not_now")},
		{name: "in the window", promos: p(`schedule: [{from: "11:00", until: "15:00"}]`), with: at("2026-11-20T09:00:00Z"), want: yes},
		{name: "after the window", promos: p(`schedule: [{from: "11:00", until: "15:00"}]`), with: at("2026-11-20T13:00:00Z"), want: no("not_now")},
		{name: "the last minute of the day", promos: p(`schedule: [{from: "20:00", until: "24:00"}]`), with: at("2026-11-20T21:59:59Z"), want: yes},
		{name: "the hour that a spring night leaves out", promos: p(`schedule: [{from: "03:00", until: "04:00"}]`), with: at("2026-03-29T01:00:00Z"), want: no("not_now")},
		{name: "store", promos: p(`stores: {include: ["0001"]}`), want: yes},
		{name: "store set", promos: p("stores: {include: [city]}"), want: yes},
		{name: "another store", promos: p("stores: {include: [village]}"), want: no("not_in_this_store")},
		{name: "exclude wins", promos: p(`stores: {include: [city], exclude: ["0001"]}`), want: no("not_in_this_store")},
		{name: "channel", promos: p("channels: [app, till]"), want: yes},
		{name: "another channel", promos: p("channels: [app]"), want: no("not_in_this_channel")},
		{name: "no card", promos: p("audience: {card_required: true}"), want: no("needs_card")},
		{name: "any card", promos: p("audience: {card_required: true}"), with: who(Shopper{}), want: yes},
		{name: "nobody", promos: audience, want: no("needs_card")},
		{name: "segment", promos: audience, with: who(Shopper{Segments: []string{"x", "parents"}}), want: yes},
		{name: "tier", promos: audience, with: who(Shopper{Tier: "gold"}), want: yes},
		{name: "card prefix", promos: audience, with: who(Shopper{Card: "2790123"}), want: yes},
		{name: "personal", promos: audience, with: who(Shopper{ID: "s_1"}), want: yes},
		{name: "none of them", promos: audience, with: who(Shopper{ID: "s_2", Card: "279", Tier: "silver"}), want: no("not_in_audience")},
		{name: "no coupon", promos: p("coupon: {pool: autumn}"), want: no("needs_coupon")},
		{name: "a coupon of another pool", promos: p("coupon: {pool: autumn}"), with: coupons(Coupon{"A", "spring", "active"}), want: no("needs_coupon")},
		{name: "a coupon", promos: p("coupon: {pool: autumn}"), with: coupons(Coupon{"A", "autumn", "active"}), want: yes},
		{name: "a used coupon", promos: p("coupon: {pool: autumn}"), with: coupons(Coupon{"A", "autumn", "used"}), want: no("coupon_used")},
		{name: "a used one and a good one", promos: p("coupon: {pool: autumn}"), with: coupons(Coupon{"A", "autumn", "used"}, Coupon{"B", "autumn", "active"}), want: yes},
		{name: "a coupon that need not be", promos: p("coupon: {pool: autumn, required: false}"), want: yes},
		{name: "limit reached", promos: p("limits: {per_shopper: {count: 1, period: day}}"), with: remaining("p", "per_shopper", 0), want: no("limit_reached")},
		{name: "a limit of shoppers for nobody", promos: p("limits: {per_shopper: {count: 1, period: day}}"), want: no("needs_card")},
		{name: "a limit with something left", promos: p("limits: {per_shopper: {count: 1, period: day}}"), with: remaining("p", "per_shopper", 1), want: yes},
		{name: "the first that fails is told", promos: p("state: ended, channels: [app], coupon: {pool: autumn}"), want: no("ended")},
		{name: "then the next", promos: p("channels: [app], coupon: {pool: autumn}"), want: no("not_in_this_channel")},
	} {
		c.lines = "a 1 100"
		t.Run(c.name, func(t *testing.T) { c.check(t) })
	}
}

func TestConditions(t *testing.T) {
	p := func(when string) string {
		return "- {id: p, mechanic: {type: percentage, percent: '10'}, when: [" + when + "]}"
	}
	who := func(s Shopper) func(*Basket) { return func(b *Basket) { b.Shopper = &s } }
	paid := func(kinds ...string) func(*Basket) { return func(b *Basket) { b.Tenders = kinds } }
	birthday := p("{birthday: {days_before: 2, days_after: 3}}")
	checkAll(t, []quoteCase{
		{name: "pieces", promos: p(`{min_quantity: "3", set: ab}`), lines: "a 1 100; b 2 100", want: "p=30(a:10,b:20) pay=270"},
		{name: "pieces are missing", promos: p(`{min_quantity: "3", set: ab}`), lines: "a 2 100; c 2 100", want: "p!needs_quantity:1:ab pay=400"},
		{name: "a weighed line is a piece", promos: p(`{min_quantity: "2"}`), lines: "a 0.412kg 100; b 1 100", want: "p=14(a:4,b:10) pay=127"},
		{name: "kilos over lines", promos: p(`{min_quantity: "1.2", unit: kg}`), lines: "a1 0.7kg 100; a2 0.5kg 100; b 5 100", want: "p=62(a1:7,a2:5,b:50) pay=558"},
		{name: "kilos are missing", promos: p(`{min_quantity: "1.25", unit: kg}`), lines: "a1 0.7kg 100; a2 0.45kg 100", want: "p!needs_quantity:0.1:all pay=115"},
		{name: "kilos are not litres", promos: p(`{min_quantity: "1", unit: l}`), lines: "a 2kg 100", want: "p!needs_quantity:1:all pay=200"},
		{name: "spend", promos: p(`{min_spend: 300, set: a}`), lines: "a 3 100", want: "p=30(a:30) pay=270"},
		{name: "spend is missing", promos: p(`{min_spend: 301, set: a}`), lines: "a 3 100; b 5 100", want: "p!needs_spend:1 pay=800"},
		{
			name: "net spend after what came before", lines: "a 3 100", want: "q=60(a:60) p!needs_spend:60 pay=240",
			promos: p(`{min_spend: 300}`) + "\n- {id: q, mechanic: {type: percentage, percent: '20'}, stacking: {priority: 60}}",
		},
		{
			name: "gross spend", lines: "a 3 100", want: "q=60(a:60) p=24(a:24) pay=216",
			promos: p(`{min_spend: 300, basis: gross}`) + "\n- {id: q, mechanic: {type: percentage, percent: '20'}, stacking: {priority: 60}}",
		},
		{
			name: "barred lines count for no condition", lines: "a 3 100; b 1 100", want: "p!needs_spend:200 pay=400",
			promos: p(`{min_spend: 300}`), with: func(b *Basket) { b.Lines[0].PriceOverride = true },
		},
		{
			name: "nor do their pieces", lines: "a 3 100; b 1 100", want: "p!needs_quantity:2:all pay=400",
			promos: p(`{min_quantity: "3"}`), with: func(b *Basket) { b.Lines[0].Facts.NoDiscount = true },
		},
		{name: "all must hold", promos: p(`{min_spend: 100}, {min_quantity: "9"}`), lines: "a 3 100", want: "p!needs_quantity:6:all pay=300"},
		{name: "first purchase", promos: p("{first_purchase: true}"), lines: "a 1 100", with: who(Shopper{FirstPurchase: true}), want: "p=10(a:10) pay=90"},
		{name: "second purchase", promos: p("{first_purchase: true}"), lines: "a 1 100", with: who(Shopper{}), want: "p!not_in_audience pay=100"},
		{name: "whose purchase", promos: p("{first_purchase: true}"), lines: "a 1 100", want: "p!needs_card pay=100"},
		{name: "birthday today", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "1980-11-20"}), want: "p=10(a:10) pay=90"},
		{name: "birthday in two days", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "11-22"}), want: "p=10(a:10) pay=90"},
		{name: "birthday in three days", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "11-23"}), want: "p!not_now pay=100"},
		{name: "birthday three days ago", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "11-17"}), want: "p=10(a:10) pay=90"},
		{name: "birthday four days ago", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "11-16"}), want: "p!not_now pay=100"},
		{name: "birthday over the new year", promos: birthday, lines: "a 1 100", want: "p=10(a:10) pay=90", with: func(b *Basket) {
			b.At, b.Shopper = time.Date(2026, 12, 31, 9, 0, 0, 0, time.UTC), &Shopper{Birthday: "01-02"}
		}},
		{name: "born on 29 February", promos: birthday, lines: "a 1 100", want: "p=10(a:10) pay=90", with: func(b *Basket) {
			b.At, b.Shopper = time.Date(2027, 2, 26, 9, 0, 0, 0, time.UTC), &Shopper{Birthday: "02-29"}
		}},
		{name: "no birthday", promos: birthday, lines: "a 1 100", with: who(Shopper{Birthday: "soon"}), want: "p!not_now pay=100"},
		{name: "paid with a card", promos: p("{tender: [card]}"), lines: "a 1 100", with: paid("card", "points"), want: "p=10(a:10) pay=90"},
		{name: "paid with cash too", promos: p("{tender: [card]}"), lines: "a 1 100", with: paid("card", "cash"), want: "p!needs_tender pay=100"},
		{name: "payment not named yet", promos: p("{tender: [card]}"), lines: "a 1 100", want: "p!needs_tender pay=100"},
	})
}
