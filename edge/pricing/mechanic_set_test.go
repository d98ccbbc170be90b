package pricing

import "testing"

func TestMixMatch(t *testing.T) {
	mix := func(components, more string) string {
		return "- {id: p, mechanic: {type: mix_and_match, components: [" + components + "], " + more + "}}"
	}
	three := "{set: a, quantity: 1}, {set: b, quantity: 1}, {set: c, quantity: 1}"
	checkAll(t, []quoteCase{
		{name: "dearest first", promos: mix(three, "price: 499"), lines: "a1 1 350; a2 1 290; b 1 180; c 1 190", want: "p=221(a1:108,b:55,c:58) pay=789"},
		{name: "cheapest first", promos: mix(three, "price: 499, choose: cheapest"), lines: "a1 1 350; a2 1 290; b 1 180; c 1 190", want: "p=161(a2:71,b:44,c:46) pay=849"},
		{name: "a part is missing", promos: mix(three, "price: 499"), lines: "a 1 350; c 1 190", want: "p!needs_quantity:1:b pay=540"},
		{name: "nothing is there", promos: mix(three, "price: 499"), lines: "d 1 350", want: "p!no_items pay=350"},
		{name: "never raises", promos: mix(three, "price: 999"), lines: "a 1 350; b 1 180; c 1 190", want: "p!no_effect pay=720"},
		{name: "percent once a set", promos: mix("{set: ab, quantity: 2}", `percent: "50"`), lines: "a 3 33; b 1 33", want: "p=66x2(a:50,b:16) pay=66"},
		{name: "amount", promos: mix("{set: ab, quantity: 2}", `amount: 15`), lines: "a 3 33; b 2 20", want: "p=30x2(a:24,b:6) pay=109"},
		{name: "two for 1.50 twice", promos: mix("{set: abc, quantity: 2}", "price: 150"), lines: "a 2 99; b 1 89; c 2 79", want: "p=66x2(a:48,b:10,c:8) pay=379"},
		{name: "weighed is one piece", promos: mix("{set: ab, quantity: 3}", "price: 500"), lines: "a 0.826kg 299; b 2 250", want: "p=247(a:82,b:165) pay=500"},
		{name: "a piece that two parts could use goes where it is needed", promos: mix("{set: ab, quantity: 1}, {set: bc, quantity: 1}", "price: 100"), lines: "a 1 100; b 1 500", want: "p=500(a:83,b:417) pay=100"},
		{name: "and the other way round", promos: mix("{set: ab, quantity: 1}, {set: a, quantity: 1}", "price: 100"), lines: "a 1 500; b 1 400", want: "p=800(a:444,b:356) pay=100"},
		{name: "as many sets as there are", promos: mix("{set: ab, quantity: 1}, {set: bc, quantity: 1}", "price: 100"), lines: "a 2 100; b 2 500; c 1 50", want: "p=950x2(a:33,b:900,c:17) pay=300"},
		{name: "dear sets only as long as the others can still be formed", promos: mix("{set: ab, quantity: 1}, {set: bc, quantity: 1}", "price: 100"), lines: "a 2 100; b 4 500", want: "p=1900x3(a:166,b:1734) pay=300"},
		{name: "dear sets only", promos: mix("{set: ab, quantity: 2}", "price: 150"), lines: "a 2 99; b 2 60", want: "p=48(a:48) pay=270"},
		{name: "millions of sets", promos: mix("{set: a, quantity: 2}, {set: b, quantity: 1}", "price: 250"), lines: "a 9000001 100; b 4000000 100", want: "p=200000000x4000000(a:136000000,b:64000000) pay=1100000100"},
		{
			name: "a cap ends in the middle of a set", lines: "a 6 100", want: "p=120x3(a:120) capped:per_basket:150 pay=480",
			promos: "- {id: p, mechanic: {type: mix_and_match, components: [{set: a, quantity: 2}], price: 150}, caps: {per_basket: 120}}",
		},
		{
			name: "a line at its cap leaves its share to the others", lines: "a 2 100; b 2 100", want: "p=100x2(a:30,b:70) capped:per_line:200 pay=300",
			promos: "- {id: p, mechanic: {type: mix_and_match, components: [{set: a, quantity: 1}, {set: b, quantity: 1}], price: 100}, caps: {per_line: 70}}",
			with:   func(b *Basket) { b.Lines[0].Facts.FloorPrice = 85 },
		},
		{
			name: "no more than allowed", lines: "a 6 100", want: "p=100x2(a:100) pay=500",
			promos: "- {id: p, mechanic: {type: mix_and_match, components: [{set: a, quantity: 2}], price: 150}, limits: {per_basket: 2}}",
		},
	})
}
