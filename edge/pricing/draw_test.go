package pricing

import (
	"fmt"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"tillstream/kv/promotion"
)

// What properties draw: small worlds in which promotions meet often.

var drawnItems = []string{"a", "b", "c", "d", "e", "f"}

func drawnSets() []promotion.Set {
	items := func(id string, items ...string) promotion.Set {
		return promotion.Set{ID: id, Revision: 1, Include: &promotion.Filter{Items: items}}
	}
	return []promotion.Set{
		items("ab", "a", "b"), items("bc", "b", "c"), items("cde", "c", "d", "e"), items("f", "f"),
		{ID: "food", Revision: 1, Include: &promotion.Filter{Categories: []string{"food"}}},
		{ID: "not-f", Revision: 1, Exclude: promotion.Filter{Items: []string{"f"}}},
		items("elsewhere", "z"),
	}
}

func drawSet(t *rapid.T) string {
	return rapid.SampledFrom([]string{"all", "ab", "bc", "cde", "f", "food", "not-f"}).Draw(t, "set")
}

func drawMoney(t *rapid.T, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, "money") }

func drawPercent(t *rapid.T) int64 {
	return rapid.SampledFrom([]int64{0, 1, 500, 1000, 2500, 3333, 5000, 7000, 10000}).Draw(t, "percent")
}

func maybe(t *rapid.T, what string) bool { return rapid.IntRange(0, 3).Draw(t, what) == 0 }

func drawBenefit(t *rapid.T) (b promotion.Benefit) {
	x := drawMoney(t, 600)
	switch rapid.IntRange(0, 2).Draw(t, "benefit") {
	case 0:
		p := drawPercent(t)
		b.Percent = &p
	case 1:
		b.Amount = &x
	default:
		b.Price = &x
	}
	return b
}

func drawMechanic(t *rapid.T) promotion.Mechanic {
	pieces := func() promotion.Quantity {
		return promotion.Quantity{Set: drawSet(t), Pieces: rapid.Int64Range(1, 3).Draw(t, "pieces")}
	}
	choose := promotion.Choice(rapid.IntRange(0, 2).Draw(t, "choose"))
	switch rapid.IntRange(0, 9).Draw(t, "mechanic") {
	case 0:
		return &promotion.Percentage{Set: drawSet(t), Percent: drawPercent(t),
			Basket: rapid.Bool().Draw(t, "basket"), Regular: maybe(t, "regular")}
	case 1:
		per := rapid.SampledFrom([]string{promotion.PerUnit, promotion.PerLine, promotion.PerBasket}).Draw(t, "per")
		return &promotion.Amount{Set: drawSet(t), Amount: drawMoney(t, 700), Per: per}
	case 2:
		return &promotion.FixedPrice{Set: drawSet(t), Price: drawMoney(t, 700)}
	case 3:
		return &promotion.NthItem{Set: drawSet(t), N: rapid.Int64Range(2, 4).Draw(t, "n"), Choose: choose, Benefit: drawBenefit(t)}
	case 4:
		return &promotion.BuyGet{Buy: pieces(), Get: pieces(), Choose: choose, Benefit: drawBenefit(t)}
	case 5:
		m := &promotion.MixMatch{Choose: choose % 2, Benefit: drawBenefit(t)}
		for range rapid.IntRange(1, 3).Draw(t, "components") {
			m.Components = append(m.Components, pieces())
		}
		return m
	case 6:
		m := &promotion.SpendThreshold{Set: drawSet(t), Gross: maybe(t, "gross"), Repeat: maybe(t, "repeat")}
		for i := range rapid.IntRange(1, 3).Draw(t, "tiers") {
			x, p := drawMoney(t, 500), drawPercent(t)
			tier := promotion.Tier{Spend: int64(i)*1000 + 1 + drawMoney(t, 900), Amount: &x}
			if maybe(t, "percent tier") {
				tier.Amount, tier.Percent = nil, &p
			}
			m.Tiers = append(m.Tiers, tier)
		}
		return m
	case 7:
		return &promotion.FreeItem{Set: drawSet(t), Pieces: rapid.Int64Range(1, 3).Draw(t, "pieces")}
	case 8:
		return &promotion.PointsMultiplier{Set: drawSet(t), Factor: rapid.Int64Range(100, 500).Draw(t, "factor")}
	default:
		return &promotion.BonusPoints{Set: drawSet(t), Points: rapid.Int64Range(1, 500).Draw(t, "points"), PerUnit: maybe(t, "unit")}
	}
}

func drawPromotion(t *rapid.T, i int) promotion.Promotion {
	p := promotion.Promotion{
		ID: fmt.Sprintf("p%02d", i), Revision: 1, Name: "x", Text: map[string]string{"en": "x"}, State: "active",
		From: promotion.None, Until: promotion.None, Mechanic: drawMechanic(t),
		Stacking: promotion.Stacking{Priority: rapid.SampledFrom([]int{50, 50, 50, 80, 20}).Draw(t, "priority"), Mode: promotion.Stack},
	}
	switch rapid.IntRange(0, 9).Draw(t, "mode") {
	case 0:
		p.Stacking.Mode = promotion.Exclusive
		p.Stacking.Basket = maybe(t, "of the basket")
	case 1, 2, 3:
		p.Stacking.Mode = promotion.BestOf
		p.Stacking.Group = rapid.SampledFrom([]string{"g", "h"}).Draw(t, "group")
	}
	if maybe(t, "cap of line") {
		x := drawMoney(t, 300)
		p.Caps.PerLine = &x
	}
	if maybe(t, "cap of basket") {
		x := drawMoney(t, 600)
		p.Caps.PerBasket = &x
	}
	if maybe(t, "limit") {
		p.Limits.PerBasket = rapid.Int64Range(1, 3).Draw(t, "per basket")
	}
	if maybe(t, "budget") {
		p.Budget = &promotion.Budget{Amount: 1000, Partial: rapid.Bool().Draw(t, "partial")}
	}
	switch rapid.IntRange(0, 14).Draw(t, "for whom") {
	case 0:
		p.Audience.AnyOf = []promotion.Who{{Segment: "parents"}, {Tier: "gold"}}
	case 1:
		p.Audience.AnyOf = []promotion.Who{{CardPrefix: "279"}, {Shopper: "s"}}
	case 2:
		p.Audience.CardRequired = true
	case 3:
		p.Coupon = &promotion.Coupon{Required: true, Pool: rapid.SampledFrom([]string{"good", "used", "none"}).Draw(t, "pool")}
	case 4:
		p.Schedule = []promotion.Window{{Days: uint8(rapid.IntRange(1, 127).Draw(t, "days")), Until: 1440}}
	case 5:
		p.Stores.Include = []string{rapid.SampledFrom([]string{"0001", "0002"}).Draw(t, "store")}
	}
	if maybe(t, "condition") {
		x := drawMoney(t, 3000)
		p.When = append(p.When, promotion.Condition{Set: drawSet(t), MinSpend: &x, Gross: rapid.Bool().Draw(t, "basis")})
	}
	return p
}

func drawPolicy(t *rapid.T) (p Policy) {
	if maybe(t, "line policy") {
		x := drawPercent(t)
		p.MaxLineDiscount = &x
	}
	if maybe(t, "basket policy") {
		x := drawPercent(t)
		p.MaxBasketDiscount = &x
	}
	p.Points = PointsPolicy{Earn: Rate{1, 100}, Value: Rate{rapid.Int64Range(1, 3).Draw(t, "worth"), 2}, Block: rapid.Int64Range(0, 10).Draw(t, "block")}
	return p
}

func drawRules(t *rapid.T) Rules {
	r := Rules{Revision: 1, Sets: drawnSets(), Policy: drawPolicy(t)}
	for i := range rapid.IntRange(0, 7).Draw(t, "promotions") {
		r.Promotions = append(r.Promotions, drawPromotion(t, i))
	}
	return r
}

func drawLine(t *rapid.T, i int) Line {
	l := Line{
		LineID: strconv.Itoa(i), Item: rapid.SampledFrom(drawnItems).Draw(t, "item"),
		Quantity:  strconv.Itoa(rapid.IntRange(1, 5).Draw(t, "quantity")),
		UnitPrice: rapid.SampledFrom([]int64{0, 1, 99, 100, 333, 500, 999}).Draw(t, "price"),
	}
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		l.Unit, l.Quantity = "kg", "0."+strconv.Itoa(rapid.IntRange(1, 999).Draw(t, "grams"))
	case 1:
		x := drawMoney(t, 1000)
		l.Amount = &x
	case 2:
		l.PriceOverride = true
	case 3:
		l.ManualDiscount = &ManualDiscount{Amount: min(l.UnitPrice, 40), Reason: "dent"}
	case 4:
		l.Facts.NoDiscount = true
	case 5:
		l.Facts.FloorPrice = drawMoney(t, 300)
	case 6:
		l.Facts.NoPoints = true
	}
	if l.Item <= "c" {
		l.Facts.Category = "food/" + l.Item
	}
	return l
}

func drawBasket(t *rapid.T, rules *Rules) *Basket {
	b := &Basket{Store: "0001", Channel: "till", At: time.Unix(1_800_000_000, 0), Currency: "EUR", ExplainAll: true, Limits: map[string]Limit{}}
	for i := range rapid.IntRange(1, 6).Draw(t, "lines") {
		b.Lines = append(b.Lines, drawLine(t, i))
	}
	if !maybe(t, "nobody") {
		b.Shopper = &Shopper{ID: "s", Available: rapid.Int64Range(0, 2000).Draw(t, "available")}
		b.Shopper.Segments = rapid.SampledFrom([][]string{nil, {"parents"}, {"x", "y"}}).Draw(t, "segments")
		b.Shopper.Tier, b.Shopper.Card = rapid.SampledFrom([]string{"", "gold"}).Draw(t, "tier"), rapid.SampledFrom([]string{"", "2790", "27"}).Draw(t, "card")
		b.Spend = Spend{Mode: rapid.SampledFrom([]string{"", SpendExact, SpendUseful, SpendAll}).Draw(t, "spend"), Points: drawMoney(t, 700)}
	}
	b.Coupons = rapid.SampledFrom([][]Coupon{nil, {{"A", "good", "active"}}, {{"B", "used", "used"}, {"A", "good", "active"}}}).Draw(t, "coupons")
	for i := range rules.Promotions {
		if p := &rules.Promotions[i]; p.Budget != nil {
			left := drawMoney(t, 500)
			b.Limits[p.ID] = Limit{Budget: &left}
		}
	}
	return b
}
