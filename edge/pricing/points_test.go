package pricing

import "testing"

// pointsOne is a brand that gives a point for each 1.00 and takes a hundred for 1.00.
func pointsOne() Policy {
	return Policy{Points: PointsPolicy{Earn: Rate{1, 100}, Value: Rate{100, 100}, Block: 100, MaxShare: hundredths(50)}}
}

func TestPoints(t *testing.T) {
	spend := func(available int64, mode string, points int64) func(*Basket) {
		return func(b *Basket) {
			b.Shopper, b.Spend = &Shopper{ID: "s", Available: available}, Spend{mode, points}
		}
	}
	card := spend(0, "", 0)
	three, two := int64(3), int64(2)
	odd := Policy{Points: PointsPolicy{Value: Rate{three, two}}}
	least := pointsOne()
	least.Points.MinSpend = 1000
	checkAll(t, []quoteCase{
		{name: "base", policy: pointsOne(), lines: "a 1 1299; b 1 701", with: card, want: "base+20 pay=2000"},
		{name: "nobody earns", policy: pointsOne(), lines: "a 1 1299", want: "pay=1299"},
		{name: "some goods earn nothing", policy: pointsOne(), lines: "a 1 1000; b 1 1000", want: "base+10 pay=2000", with: func(b *Basket) { card(b); b.Lines[0].Facts.NoPoints = true }},
		{name: "multiplier", policy: pointsOne(), lines: "a 1 1299; b 1 1000", with: card, want: "base+22 m+25 pay=2299", promos: "- {id: m, mechanic: {type: points_multiplier, set: a, factor: '3'}}"},
		{name: "half a factor", policy: pointsOne(), lines: "a 1 1299", with: card, want: "base+12 m+6 pay=1299", promos: "- {id: m, mechanic: {type: points_multiplier, factor: '1.5'}}"},
		{
			name: "multipliers that stack add up", policy: pointsOne(), lines: "a 1 1000", with: card, want: "base+10 l+10 m+20 pay=1000",
			promos: "- {id: m, mechanic: {type: points_multiplier, factor: '3'}}\n- {id: l, mechanic: {type: points_multiplier, factor: '2'}}",
		},
		{
			name: "of others the largest on a line counts", policy: pointsOne(), lines: "a 1 1000; b 1 1000", with: card, want: "base+20 l+10 m+20 pay=2000",
			promos: "- {id: m, mechanic: {type: points_multiplier, set: a, factor: '3'}, stacking: {mode: best_of, group: g}}\n- {id: l, mechanic: {type: points_multiplier, factor: '2'}, stacking: {mode: best_of, group: g}}",
		},
		{
			name: "a multiplier that counts nowhere", policy: pointsOne(), lines: "a 1 1000", with: card, want: "base+10 m+20 l!better_alternative:m pay=1000",
			promos: "- {id: m, mechanic: {type: points_multiplier, factor: '3'}, stacking: {mode: best_of, group: g}}\n- {id: l, mechanic: {type: points_multiplier, factor: '2'}, stacking: {mode: best_of, group: g}}",
		},
		{
			name: "of equal multipliers the first counts", policy: pointsOne(), lines: "a 1 1000", with: card, want: "base+10 l+10 m!better_alternative:l pay=1000",
			promos: "- {id: m, mechanic: {type: points_multiplier, factor: '2'}, stacking: {mode: best_of, group: g}}\n- {id: l, mechanic: {type: points_multiplier, factor: '2'}, stacking: {mode: best_of, group: g}}",
		},
		{name: "bonus", policy: pointsOne(), lines: "a 1 1000", with: card, want: "base+10 m+50 pay=1000", promos: "- {id: m, mechanic: {type: bonus_points, points: 50}}"},
		{name: "bonus a piece", policy: pointsOne(), lines: "a 3 100; b 1 100", with: card, want: "base+4 m+15 pay=400", promos: "- {id: m, mechanic: {type: bonus_points, set: a, points: 5, per: unit}}"},
		{name: "bonus a kilo", policy: pointsOne(), lines: "a 1.5kg 100", with: card, want: "base+1 m+7 pay=150", promos: "- {id: m, mechanic: {type: bonus_points, set: a, points: 5, per: unit}}"},
		{name: "bonus without its goods", policy: pointsOne(), lines: "b 1 100", with: card, want: "base+1 m!no_items pay=100", promos: "- {id: m, mechanic: {type: bonus_points, set: a, points: 5}}"},
		{name: "bonus for nobody", policy: pointsOne(), lines: "a 1 100", want: "m!needs_card pay=100", promos: "- {id: m, mechanic: {type: bonus_points, set: a, points: 5}}"},
		{name: "bonus on net", policy: pointsOne(), lines: "a 1 1000", with: card, want: "p=10(a:10) base+9 m!needs_spend:10 pay=990", promos: "- {id: p, mechanic: {type: percentage, percent: '1'}}\n- {id: m, when: [{min_spend: 1000}], mechanic: {type: bonus_points, points: 5}}"},
		{
			name: "an exclusive line has no points of promotions", policy: pointsOne(), lines: "a 1 1000; b 1 1000", with: card, want: "x=500(a:500) base+15 m+10 pay=1500",
			promos: "- {id: x, mechanic: {type: percentage, set: a, percent: '50'}, stacking: {mode: exclusive}}\n- {id: m, mechanic: {type: points_multiplier, factor: '2'}}",
		},
		{
			name: "the larger bonus of a group", policy: pointsOne(), lines: "a 1 1000", with: card, want: "base+10 l+90 m!better_alternative:l pay=1000",
			promos: "- {id: m, mechanic: {type: bonus_points, points: 50}, stacking: {mode: best_of, group: g}}\n- {id: l, mechanic: {type: bonus_points, points: 90}, stacking: {mode: best_of, group: g}}",
		},
		{name: "exact, in blocks", policy: pointsOne(), lines: "a 1 1000", with: spend(1250, SpendExact, 350), want: "spent=300:block base+7 pay=700"},
		{name: "exact, more than the share", policy: pointsOne(), lines: "a 1 1000", with: spend(1250, SpendExact, 600), want: "spent=500:max_share base+5 pay=500"},
		{name: "exact, more than there are", policy: pointsOne(), lines: "a 1 1000", with: spend(300, SpendExact, 400), want: "spent=300:balance base+7 pay=700"},
		{name: "all", policy: pointsOne(), lines: "a 1 10000", with: spend(1250, SpendAll, 0), want: "spent=1200:block base+88 pay=8800"},
		{name: "useful", policy: pointsOne(), lines: "a 1 999", with: spend(1250, SpendUseful, 0), want: "spent=400 base+5 pay=599"},
		{name: "none", policy: pointsOne(), lines: "a 1 999", with: spend(1250, SpendNone, 0), want: "base+9 pay=999"},
		{name: "of nobody", policy: pointsOne(), lines: "a 1 999", with: func(b *Basket) { b.Spend.Mode = SpendAll }, want: "spent=0:needs_card pay=999"},
		{name: "too small a basket", policy: least, lines: "a 1 999", with: spend(1250, SpendAll, 0), want: "spent=0:min_spend base+9 pay=999"},
		{name: "a point that buys nothing stays", policy: odd, lines: "a 1 999", with: spend(100, SpendExact, 100), want: "spent=99 pay=933"},
		{name: "no more than the basket costs", policy: odd, lines: "a 1 5", with: spend(100, SpendAll, 0), want: "spent=8:max_share pay=0"},
		{name: "points pay for no goods that earn none", policy: odd, lines: "a 1 5; b 1 50", want: "spent=8:max_share pay=50", with: func(b *Basket) { spend(100, SpendAll, 0)(b); b.Lines[1].Facts.NoPoints = true }},
		{name: "a brand that takes no points", lines: "a 1 500", with: spend(100, SpendAll, 0), want: "pay=500"},
	})
}
