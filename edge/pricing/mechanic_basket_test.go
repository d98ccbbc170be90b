package pricing

import "testing"

func TestBasketMechanics(t *testing.T) {
	spend := func(s string) string { return "- {id: p, mechanic: {type: spend_threshold, " + s + "}}" }
	tiers := "tiers: [{spend: 3000, amount: 500}, {spend: 5000, amount: 1000}]"
	checkAll(t, []quoteCase{
		{name: "percent rounded once", promos: "- {id: p, mechanic: {type: percentage, level: basket, percent: '50'}}", lines: "a 1 1; b 1 1; c 1 1", want: "p=2(a:1,b:1) pay=1"},
		{name: "percent of shelf prices", promos: "- {id: p, mechanic: {type: percentage, level: basket, base: regular, percent: '10'}}\n- {id: q, mechanic: {type: percentage, percent: '50'}}", lines: "a 1 1000", want: "q=500(a:500) p=100(a:100) pay=400"},
		{name: "amount by largest remainder", promos: "- {id: p, mechanic: {type: amount, per: basket, amount: 500}}", lines: "a 1 333; b 1 333; c 1 334", want: "p=500(a:167,b:166,c:167) pay=500"},
		{name: "amount over the basket", promos: "- {id: p, mechanic: {type: amount, per: basket, amount: 500}}", lines: "a 1 300", want: "p=300(a:300) capped:floor:500 pay=0"},
		{name: "a line at its floor leaves its share to the others", promos: "- {id: p, mechanic: {type: amount, per: basket, amount: 600}}", lines: "a 1 500; b 1 500; c 1 500", with: func(b *Basket) { b.Lines[0].Facts.FloorPrice = 450 }, want: "p=600(a:50,b:275,c:275) pay=900"},
		{name: "a line at its cap leaves its share to the others", promos: "- {id: p, mechanic: {type: amount, per: basket, amount: 600}, caps: {per_line: 250}}", lines: "a 1 900; b 2 300; c 1 300", want: "p=600(a:250,b:234,c:116) pay=1200"},
		{name: "all lines at their caps", promos: "- {id: p, mechanic: {type: amount, per: basket, amount: 600}, caps: {per_line: 100}}", lines: "a 1 900; b 2 300", want: "p=200(a:100,b:100) capped:per_line:600 pay=1300"},
		{name: "highest tier", promos: spend(tiers), lines: "a 1 5200", want: "p=1000(a:1000) pay=4200"},
		{name: "next tier", promos: spend(tiers), lines: "a 1 4940", want: "p=500(a:500) next:60 pay=4440"},
		{name: "no tier", promos: spend(tiers), lines: "a 1 2940", want: "p!needs_spend:60 pay=2940"},
		{name: "no item", promos: spend("set: b, " + tiers), lines: "a 1 2940", want: "p!no_items pay=2940"},
		{name: "tiers in any order", promos: spend("tiers: [{spend: 5000, amount: 1000}, {spend: 3000, amount: 500}]"), lines: "a 1 4000", want: "p=500(a:500) next:1000 pay=3500"},
		{name: "net spend", promos: spend(tiers) + "\n- {id: q, mechanic: {type: percentage, percent: '5'}}", lines: "a 1 5200", want: "q=260(a:260) p=500(a:500) next:60 pay=4440"},
		{name: "gross spend", promos: spend("basis: gross, "+tiers) + "\n- {id: q, mechanic: {type: percentage, percent: '5'}}", lines: "a 1 5200", want: "q=260(a:260) p=1000(a:1000) pay=3940"},
		{name: "percent tier", promos: spend("tiers: [{spend: 3000, percent: '10'}]"), lines: "a 1 3005", want: "p=301(a:301) pay=2704"},
		{name: "repeats", promos: spend("repeat: true, tiers: [{spend: 3000, amount: 500}]"), lines: "a 1 9500", want: "p=1500x3(a:1500) pay=8000"},
		{name: "repeats as often as allowed", promos: "- {id: p, limits: {per_basket: 2}, mechanic: {type: spend_threshold, repeat: true, tiers: [{spend: 3000, amount: 500}]}}", lines: "a 1 9500", want: "p=1000x2(a:1000) pay=8500"},
		{name: "amounts and percents before thresholds", promos: spend(tiers) + "\n- {id: x, mechanic: {type: amount, per: basket, amount: 500}}\n- {id: w, mechanic: {type: percentage, level: basket, percent: '10'}}", lines: "a 1 5000", want: "x=500(a:500) w=450(a:450) p=500(a:500) next:950 pay=3550"},
	})
}
