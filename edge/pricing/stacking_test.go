package pricing

import "testing"

func TestStacking(t *testing.T) {
	percent := func(id, percent, more string) string {
		return "- {id: " + id + ", mechanic: {type: percentage, percent: '" + percent + "'" + more + "}\n"
	}
	checkAll(t, []quoteCase{
		{
			name: "a group's best for each line", lines: "a 1 500; b 1 1000; c 1 1000", want: "p=100(a:100) q=600(b:300,c:300) pay=1800",
			promos: percent("p", "20", ", set: ab}, stacking: {mode: best_of, group: g}") + percent("q", "30", ", set: bc}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "who gets nothing in a group", lines: "a 1 500", want: "q=150(a:150) p!better_alternative:q pay=350",
			promos: percent("p", "20", "}, stacking: {mode: best_of, group: g}") + percent("q", "30", "}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "a tie in a group goes to priority, then to the id", lines: "a 1 500", want: "q=100(a:100) p!better_alternative:q r!better_alternative:q pay=400",
			promos: percent("p", "20", "}, stacking: {mode: best_of, group: g}") + percent("q", "20", "}, stacking: {mode: best_of, group: g, priority: 60}") +
				percent("r", "20", "}, stacking: {mode: best_of, group: g, priority: 60}"),
		},
		{
			name: "a cap holds over the lines of a group", lines: "a 1 1000; b 1 1000; c 1 1000", want: "p=500(a:500) q=100(b:50,c:50) pay=2400",
			promos: percent("p", "50", "}, stacking: {mode: best_of, group: g}, caps: {per_basket: 520}") + percent("q", "5", "}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "sets and lines of a group: sets first", lines: "a 3 100; b 1 100", want: "k=100(a:100) p=20(a:10,b:10) pay=280",
			promos: "- {id: k, mechanic: {type: nth_item, set: a, n: 2, percent: '100'}, stacking: {mode: best_of, group: g}}\n" +
				percent("p", "10", "}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "sets and lines of a group: lines first when they give more", lines: "a 2 100; b 1 100", want: "p=270(a:180,b:90) k!better_alternative:p pay=30",
			promos: "- {id: k, mechanic: {type: nth_item, set: a, n: 2, percent: '100'}, stacking: {mode: best_of, group: g}}\n" +
				percent("p", "90", "}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "sets and lines of a group: a tie goes to sets first", lines: "a 2 100", want: "k=100(a:100) p!better_alternative:k pay=100",
			promos: "- {id: k, mechanic: {type: nth_item, set: a, n: 2, percent: '100'}, stacking: {mode: best_of, group: g}}\n" +
				percent("p", "50", "}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "the brand's cap over sets of one promotion", lines: "a 2 100; b 2 90", want: "p=38(a:38) capped:policy:190 pay=342",
			promos: "- {id: p, mechanic: {type: mix_and_match, components: [{set: ab, quantity: 2}], percent: '50'}}\n", policy: Policy{MaxBasketDiscount: hundredths(10)},
		},
		{
			name: "the brand's cap over lines of a group", lines: "a 1 100; b 1 100", want: "p=50(a:50) q=10(b:10) capped:policy:50 pay=140",
			promos: percent("p", "50", ", set: a}, stacking: {mode: best_of, group: g}") + percent("q", "50", ", set: b}, stacking: {mode: best_of, group: g}"),
			policy: Policy{MaxBasketDiscount: hundredths(30)},
		},
		{
			name: "a group's best for the basket", lines: "a 1 30000", want: "q=1500(a:1500) p!better_alternative:q pay=28500",
			promos: percent("p", "10", ", level: basket}, stacking: {mode: best_of, group: g}, caps: {per_basket: 800}") + percent("q", "5", ", level: basket}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "one offer of a group for a line, whatever the phase", lines: "a 1 1000; b 1 1000", want: "p=100(a:100) q=50(b:50) pay=1850",
			promos: percent("p", "10", ", set: a}, stacking: {mode: best_of, group: g}") + percent("q", "5", ", level: basket}, stacking: {mode: best_of, group: g}"),
		},
		{
			name: "an exclusive line is out of reach", lines: "a 1 8000; b 1 2000", want: "x=4000(a:4000) p=200(b:200) s=1000(b:1000) pay=4800",
			promos: percent("x", "50", ", set: a}, stacking: {mode: exclusive}") + percent("p", "10", "}") +
				"- {id: s, mechanic: {type: spend_threshold, tiers: [{spend: 5000, amount: 1000}]}}\n",
		},
		{
			name: "exclusive ones by priority", lines: "a 1 1000", want: "q=100(a:100) x!excluded_by:q pay=900",
			promos: percent("x", "50", "}, stacking: {mode: exclusive}") + percent("q", "10", "}, stacking: {mode: exclusive, priority: 60}"),
		},
		{
			name: "an exclusive set locks its triggers", lines: "a 1 100; b 1 100; c 1 100", want: "k=50(b:50) p=10(c:10) pay=240",
			promos: "- {id: k, mechanic: {type: buy_x_get_y, buy: {set: a, quantity: 1}, get: {set: b, quantity: 1, percent: '50'}}, stacking: {mode: exclusive}}\n" + percent("p", "10", "}"),
		},
		{
			name: "an exclusive of the basket loses", lines: "a 1 2000", want: "p=500(a:500) x!better_alternative:p pay=1500",
			promos: percent("x", "20", ", level: basket}, stacking: {mode: exclusive, scope: basket}") + "- {id: p, mechanic: {type: amount, per: basket, amount: 500}}\n",
		},
		{
			name: "an exclusive of the basket wins, also a tie", lines: "a 1 2000", want: "x=400(a:400) p!excluded_by:x q!needs_spend:1000 pay=1600",
			promos: percent("x", "20", ", level: basket}, stacking: {mode: exclusive, scope: basket}") + "- {id: p, mechanic: {type: amount, per: basket, amount: 400}}\n" +
				"- {id: q, mechanic: {type: spend_threshold, tiers: [{spend: 2600, amount: 1}]}}\n",
		},
		{
			name: "the better of two exclusives of the basket", lines: "a 1 2000", want: "z=600(a:600) p!excluded_by:z x!better_alternative:z pay=1400",
			promos: percent("x", "20", ", level: basket}, stacking: {mode: exclusive, scope: basket, priority: 90}") +
				percent("z", "30", "}, stacking: {mode: exclusive, scope: basket}") + percent("p", "10", "}"),
		},
		{
			name: "an exclusive of the basket without effect", lines: "a 1 2000", want: "p=200(a:200) x!no_items pay=1800",
			promos: percent("x", "20", ", set: b}, stacking: {mode: exclusive, scope: basket}") + percent("p", "10", "}"),
		},
		{
			name: "the brand's cap on the basket", lines: "a 1 1000; b 1 1000", want: "p=400(a:200,b:200) capped:policy:1000 q!cap_reached pay=1600",
			promos: percent("p", "50", "}") + percent("q", "10", ", level: basket}"),
			policy: Policy{MaxBasketDiscount: hundredths(20)},
		},
		{
			name: "the POS's own discount counts for the brand's cap", lines: "a 1 1000", want: "p=150(a:150) capped:policy:475 pay=800",
			promos: percent("p", "50", "}"), policy: Policy{MaxBasketDiscount: hundredths(20)},
			with: func(b *Basket) { b.Lines[0].ManualDiscount = &ManualDiscount{50, "dent"} },
		},
		{
			name: "the brand's cap on a line", lines: "a 1 1000; b 1 333", want: "p=799(a:600,b:199) capped:floor:933 pay=534",
			promos: percent("p", "70", "}"), policy: Policy{MaxLineDiscount: hundredths(60)},
		},
		{
			name: "a budget that is short skips", lines: "a 1 1000", want: "p!budget_short pay=1000",
			promos: percent("p", "10", "}, budget: {amount: 5000}"), with: left("p", 99),
		},
		{
			name: "a budget that gives what is left", lines: "a 1 1000", want: "p=99(a:99) capped:budget:100 pay=901",
			promos: percent("p", "10", "}, budget: {amount: 5000, on_short: partial}"), with: left("p", 99),
		},
		{
			name: "a budget that is used up", lines: "a 1 1000", want: "p!budget_used_up pay=1000",
			promos: percent("p", "10", "}, budget: {amount: 5000, on_short: partial}"), with: left("p", 0),
		},
		{
			name: "a budget that is enough", lines: "a 1 1000", want: "p=100(a:100) pay=900",
			promos: percent("p", "10", "}, budget: {amount: 5000}"), with: left("p", 100),
		},
		{
			name: "a member that cannot give does not move its group", lines: "a 1 1000", want: "w=100(a:100) p=180(a:180) z!no_items pay=720",
			promos: percent("p", "20", "}, stacking: {mode: best_of, group: g}") + percent("w", "10", "}, stacking: {priority: 60}") +
				percent("z", "30", ", set: b}, stacking: {mode: best_of, group: g, priority: 90}"),
		},
	})
}

func hundredths(percent int64) *int64 {
	percent *= 100
	return &percent
}

// left says what is left of a promotion's budget.
func left(id string, budget int64) func(*Basket) {
	return func(b *Basket) { b.Limits = map[string]Limit{id: {Budget: &budget}} }
}

// remaining says how many applications are left of a promotion.
func remaining(id, limit string, n int64) func(*Basket) {
	return func(b *Basket) { b.Limits = map[string]Limit{id: {Remaining: &n, Limit: limit}} }
}
