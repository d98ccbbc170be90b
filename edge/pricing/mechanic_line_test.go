package pricing

import "testing"

func TestLineMechanics(t *testing.T) {
	percent := func(s string) string { return "- {id: p, mechanic: {type: percentage, " + s + "}}" }
	checkAll(t, []quoteCase{
		{name: "percent once a line", promos: percent(`percent: "33"`), lines: "a 3 99", want: "p=98(a:98) pay=199"},
		{name: "half a cent goes to the shopper", promos: percent(`percent: "50"`), lines: "a 1 1; b 1 3", want: "p=3(a:1,b:2) pay=1"},
		{name: "percent with decimals", promos: percent(`percent: "12.55"`), lines: "a 1 10000", want: "p=1255(a:1255) pay=8745"},
		{name: "percent of nothing", promos: percent(`percent: "0"`), lines: "a 1 100", want: "p!no_effect pay=100"},
		{name: "percent of a set", promos: percent(`percent: "10", set: ab`), lines: "a 1 100; c 1 100", want: "p=10(a:10) pay=190"},
		{name: "no item of the set", promos: percent(`percent: "10", set: ab`), lines: "c 1 100", want: "p!no_items pay=100"},
		{name: "weighed", promos: percent(`percent: "10"`), lines: "a 0.412kg 1190", want: "p=49(a:49) pay=441"},
		{
			name: "shelf price as base", lines: "a 1 1000", want: "p=200(a:200) q=100(a:100) pay=700",
			promos: "- {id: p, mechanic: {type: percentage, percent: '20', base: regular}}\n- {id: q, mechanic: {type: percentage, percent: '10', base: regular}}",
		},
		{
			name: "shelf price as base stops at nothing", lines: "a 1 1000", want: "p=700(a:700) q=300(a:300) capped:floor:400 pay=0",
			promos: "- {id: p, mechanic: {type: percentage, percent: '70', base: regular}}\n- {id: q, mechanic: {type: percentage, percent: '40', base: regular}}",
		},
		{name: "amount off a unit", promos: "- {id: p, mechanic: {type: amount, amount: 30}}", lines: "a 3 100; b 1 20", want: "p=110(a:90,b:20) capped:floor:120 pay=210"},
		{name: "amount off a kilo", promos: "- {id: p, mechanic: {type: amount, amount: 100}}", lines: "a 0.412kg 1190", want: "p=41(a:41) pay=449"},
		{name: "amount off a line", promos: "- {id: p, mechanic: {type: amount, per: line, amount: 30}}", lines: "a 3 100; b 2 50", want: "p=60(a:30,b:30) pay=340"},
		{name: "fixed price", promos: "- {id: p, mechanic: {type: fixed_price, price: 80}}", lines: "a 3 100; b 1 70", want: "p=60(a:60) pay=310"},
		{name: "fixed price never raises", promos: "- {id: p, mechanic: {type: fixed_price, price: 80}}", lines: "b 1 70", want: "p!no_effect pay=70"},
		{name: "fixed price of a kilo", promos: "- {id: p, mechanic: {type: fixed_price, price: 999}}", lines: "a 0.412kg 1190", want: "p=78(a:78) pay=412"},
		{
			name: "fixed price, then amount, then percent", lines: "a 1 1000", want: "z=100(a:100) w=100(a:100) p=80(a:80) pay=720",
			promos: percent(`percent: "10"`) + "\n- {id: w, mechanic: {type: amount, amount: 100}}\n- {id: z, mechanic: {type: fixed_price, price: 900}}",
		},
		{
			name: "priority goes before the mechanic", lines: "a 1 1000", want: "p=100(a:100) w=100(a:100) pay=800",
			promos: "- {id: p, mechanic: {type: percentage, percent: '10'}, stacking: {priority: 60}}\n- {id: w, mechanic: {type: amount, amount: 100}}",
		},
		{
			name: "floor price of each piece", lines: "a 2 100", want: "p=60(a:60) capped:floor:100 pay=140",
			promos: percent(`percent: "50"`), with: func(b *Basket) { b.Lines[0].Facts.FloorPrice = 70 },
		},
		{
			name: "floor price of a kilo is rounded up", lines: "a 0.333kg 1000", want: "p=66(a:66) capped:floor:167 pay=267",
			promos: percent(`percent: "50"`), with: func(b *Basket) { b.Lines[0].Facts.FloorPrice = 800 },
		},
		{
			name: "what is cut from a piece is lost", lines: "a 2 100", want: "k=50(a:50) p=30(a:30) capped:floor:45 pay=120",
			promos: "- {id: k, mechanic: {type: nth_item, n: 2, percent: '50'}}\n- {id: p, mechanic: {type: percentage, percent: '30'}, stacking: {priority: 10}}",
			with:   func(b *Basket) { b.Lines[0].Facts.FloorPrice = 50 },
		},
		{name: "cap of a line", promos: "- {id: p, mechanic: {type: percentage, percent: '50'}, caps: {per_line: 40}}", lines: "a 1 100; b 1 60", want: "p=70(a:40,b:30) capped:per_line:80 pay=90"},
		{name: "cap of the basket is shared", promos: "- {id: p, mechanic: {type: percentage, percent: '50'}, caps: {per_basket: 40}}", lines: "a 1 100; b 1 60", want: "p=40(a:25,b:15) capped:per_basket:80 pay=120"},
		{
			name: "category and tag", lines: "a 1 100; b 1 100; c 1 100", want: "d=10(a:10) o=20(b:20) pay=270",
			promos: "- {id: d, mechanic: {type: percentage, set: dairy, percent: '10'}}\n- {id: o, mechanic: {type: percentage, set: bio, percent: '20'}}",
			with: func(b *Basket) {
				b.Lines[0].Facts.Category = "food/dairy/milk"
				b.Lines[1].Facts.Tags = []string{"x", "bio"}
				b.Lines[2].Facts.Category = "food/dairyfree"
			},
		},
		{
			name: "what no promotion may touch", lines: "a 1 100; b 1 100; c 1 100", want: "p=10(c:10) pay=290",
			promos: percent(`percent: "10"`), with: func(b *Basket) { b.Lines[0].PriceOverride, b.Lines[1].Facts.NoDiscount = true, true },
		},
		{
			name: "nothing but what no promotion may touch", lines: "a 1 100", want: "p!items_excluded pay=100",
			promos: percent(`percent: "10"`), with: func(b *Basket) { b.Lines[0].PriceOverride = true },
		},
		{
			name: "the POS's own discount goes first", lines: "a 1 100; b 1 100", want: "p=18(a:8,b:10) pay=162",
			promos: percent(`percent: "10"`), with: func(b *Basket) { b.Lines[0].ManualDiscount = &ManualDiscount{20, "dent"} },
		},
		{
			name: "the POS's own discount may go below the floor", lines: "a 1 100", want: "p!floor_reached pay=60",
			promos: percent(`percent: "10"`),
			with: func(b *Basket) {
				b.Lines[0].ManualDiscount, b.Lines[0].Facts.FloorPrice = &ManualDiscount{40, "dent"}, 90
			},
		},
		{name: "a thousand million pieces", promos: percent(`percent: "10"`), lines: "a 1000000000 100", want: "p=10000000000(a:10000000000) pay=90000000000"},
	})
}
