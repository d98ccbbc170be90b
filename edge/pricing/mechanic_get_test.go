package pricing

import "testing"

func TestNthItem(t *testing.T) {
	nth := func(s string) string { return "- {id: p, mechanic: {type: nth_item, set: abc, " + s + "}}" }
	five := "a1 1 1000; a2 1 800; b1 1 400; b2 1 200; c1 1 100"
	checkAll(t, []quoteCase{
		{name: "cheapest of all", promos: nth(`n: 2, percent: "50"`), lines: five, want: "p=150x2(b2:100,c1:50) pay=2350"},
		{name: "dearest of all", promos: nth(`n: 2, percent: "50", choose: most_expensive`), lines: five, want: "p=900x2(a1:500,a2:400) pay=1600"},
		{name: "cheapest of each set", promos: nth(`n: 2, percent: "50", choose: cheapest_per_set`), lines: five, want: "p=500x2(a2:400,b2:100) pay=2000"},
		{name: "one is missing", promos: nth(`n: 2, percent: "50"`), lines: "a 1 100", want: "p!needs_quantity:1:abc pay=100"},
		{name: "two are missing", promos: nth(`n: 3, percent: "50"`), lines: "a 1 100; d 1 5", want: "p!needs_quantity:2:abc pay=105"},
		{name: "none is there", promos: nth(`n: 2, percent: "50"`), lines: "d 1 5", want: "p!no_items pay=5"},
		{name: "rounded once a line", promos: nth(`n: 2, percent: "50"`), lines: "a 4 99", want: "p=99x2(a:99) pay=297"},
		{name: "amount", promos: nth(`n: 2, amount: 30`), lines: "a 4 99", want: "p=60x2(a:60) pay=336"},
		{name: "price", promos: nth(`n: 2, price: 30`), lines: "a 4 99", want: "p=138x2(a:138) pay=258"},
		{name: "a price that raises", promos: nth(`n: 2, price: 130`), lines: "a 4 99", want: "p!no_effect pay=396"},
		{name: "thousands of pieces", promos: nth(`n: 2, percent: "50", choose: cheapest_per_set`), lines: "a 5001 100; b 4000 50", want: "p=175000x4500(a:125000,b:50000) pay=525100"},
		{
			name: "no more than allowed", promos: "- {id: p, mechanic: {type: nth_item, n: 2, percent: '50'}, limits: {per_basket: 1}}",
			lines: "a 6 100", want: "p=50(a:50) pay=550",
		},
	})
}

func TestBuyGet(t *testing.T) {
	get := func(buy, get, more string) string {
		return "- {id: p, mechanic: {type: buy_x_get_y, buy: {set: " + buy + "}, get: {set: " + get + "}" + more + "}}"
	}
	checkAll(t, []quoteCase{
		{name: "seven pieces are two", promos: get("ab, quantity: 2", `ab, quantity: 1, percent: "100"`, ""), lines: "a 4 129; b 3 119", want: "p=238x2(b:238) pay=635"},
		{name: "a trigger is never a reward", promos: get("ab, quantity: 2", `b, quantity: 1, percent: "100"`, ""), lines: "a 1 300; b 1 300", want: "p!needs_quantity:1:b pay=600"},
		{name: "a trigger too few", promos: get("ab, quantity: 2", `c, quantity: 1, percent: "100"`, ""), lines: "a 1 300; c 1 300", want: "p!needs_quantity:1:ab pay=600"},
		{name: "with one more it is", promos: get("ab, quantity: 2", `b, quantity: 1, percent: "100"`, ""), lines: "a 1 300; b 2 300", want: "p=300(b:300) pay=600"},
		{name: "a reward that is needed as a trigger", promos: get("ab, quantity: 1", `bc, quantity: 1, percent: "100"`, ""), lines: "b 1 100; c 1 500", want: "p=500(c:500) pay=100"},
		{name: "cheapest of each set", promos: get("a, quantity: 1", `b, quantity: 1, percent: "50"`, ", choose: cheapest_per_set"), lines: "a 2 900; b1 1 500; b2 1 300; b3 1 100", want: "p=400x2(b1:250,b2:150) pay=2300"},
		{name: "a reward of each set leaves the triggers of the next", promos: get("ab, quantity: 1", `bc, quantity: 1, percent: "100"`, ", choose: cheapest_per_set"), lines: "b 2 500; c 2 100", want: "p=200x2(c:200) pay=1000"},
		{name: "dearest", promos: get("a, quantity: 1", `bc, quantity: 1, percent: "50"`, ", choose: most_expensive"), lines: "a 1 1500; b 1 1099; c 1 1899", want: "p=950(c:950) pay=3548"},
		{name: "two for one", promos: get("a, quantity: 1", `b, quantity: 2, amount: 100`, ""), lines: "a 1 900; b 2 90", want: "p=180(b:180) capped:floor:200 pay=900"},
		{name: "same set, both missing", promos: get("a, quantity: 2", `a, quantity: 1, percent: "100"`, ""), lines: "a 1 300", want: "p!needs_quantity:2:a pay=300"},
		{
			name: "a piece is used once", lines: "a 3 100", want: "k=50(a:50) p!needs_quantity:1:a pay=250",
			promos: "- {id: k, mechanic: {type: nth_item, set: a, n: 2, percent: '50'}, stacking: {priority: 60}}\n- {id: p, mechanic: {type: nth_item, set: a, n: 2, percent: '20'}}",
		},
		{
			name: "all pieces are used", lines: "a 2 100", want: "k=50(a:50) p!excluded_by:k pay=150",
			promos: "- {id: k, mechanic: {type: nth_item, set: a, n: 2, percent: '50'}, stacking: {priority: 60}}\n- {id: p, mechanic: {type: nth_item, set: a, n: 2, percent: '20'}}",
		},
		{name: "a thousand million sets of two goods", promos: get("a, quantity: 1", `b, quantity: 1, percent: "100"`, ", choose: cheapest_per_set"), lines: "a 1000000000 3; b 1000000000 1", want: "p=1000000000x1000000000(b:1000000000) pay=3000000000"},
		{name: "a piece of thirty million sets", promos: get("a, quantity: 2", `a, quantity: 1, percent: "100"`, ", choose: cheapest_per_set"), lines: "a 90000001 1", want: "p=30000000x30000000(a:30000000) pay=60000001"},
	})
}

func TestFreeItem(t *testing.T) {
	bag := "- {id: p, when: [{min_spend: 2500}], mechanic: {type: free_item, set: b}}"
	checkAll(t, []quoteCase{
		{name: "free", promos: bag, lines: "a 1 2500; b 1 300", want: "p=300(b:300) pay=2500"},
		{name: "does not earn itself", promos: bag, lines: "a 1 2400; b 1 300", want: "p!needs_spend:100 pay=2700"},
		{name: "another one counts", promos: bag, lines: "a 1 2400; b 2 300", want: "p=300(b:300) pay=2700"},
		{name: "is not in the basket", promos: bag, lines: "a 1 2500", want: "p!add_item:b pay=2500"},
		{name: "neither bag nor spend", promos: bag, lines: "a 1 2499", want: "p!needs_spend:1 pay=2499"},
		{name: "the cheapest", promos: "- {id: p, mechanic: {type: free_item, set: ab, quantity: 2}}", lines: "a 1 500; b 2 300", want: "p=600(b:600) pay=500"},
		{name: "fewer than allowed", promos: "- {id: p, mechanic: {type: free_item, set: b, quantity: 2}}", lines: "a 1 500; b 1 300", want: "p=300(b:300) pay=500"},
	})
}
