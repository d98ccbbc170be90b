package bench

import (
	"fmt"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
)

// shelves is a chain's goods, and promotions on them.
type shelves struct {
	items []pricing.Item
	sets  []promotion.Set
}

const (
	shelfItems      = 12_000 // of a supermarket
	shelfCategories = 80
	shelfSets       = 1200
)

func newShelves() *shelves {
	w := &shelves{}
	for i := range shelfItems {
		c := i % shelfCategories
		w.items = append(w.items, pricing.Item{Category: fmt.Sprintf("g%d/c%d", c/8, c), Tags: []string{fmt.Sprintf("brand%d", i%300)}})
	}
	for i := range shelfSets {
		s := promotion.Set{ID: fmt.Sprintf("s%d", i), Revision: 1, Include: &promotion.Filter{}}
		if i%12 == 0 {
			s.Include.Categories = []string{fmt.Sprintf("g%d/c%d", i/12%shelfCategories/8, i/12%shelfCategories)}
		} else {
			for k := range 5 + i%16 {
				s.Include.Items = append(s.Include.Items, itemCode((i*37+k*53)%shelfItems))
			}
		}
		w.sets = append(w.sets, s)
	}
	w.sets = append(w.sets, promotion.Set{ID: "no-tobacco", Revision: 1, Exclude: promotion.Filter{Categories: []string{"g9/c79"}}})
	return w
}

func itemCode(i int) string { return fmt.Sprintf("40063813%05d", i) }

func (w *shelves) policy() pricing.Policy {
	most := int64(70_00)
	return pricing.Policy{MaxLineDiscount: &most, Points: pricing.PointsPolicy{
		Earn: pricing.Rate{Points: 1, Amount: 100}, Value: pricing.Rate{Points: 100, Amount: 100}, Block: 100}}
}

// basket is a shopper's with 5 segments and 20 coupons.
func (w *shelves) basket(lines int) *pricing.Basket {
	b := &pricing.Basket{
		Store: "0017", StoreSets: []string{"city"}, Channel: "till", Currency: "EUR",
		At:      time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC),
		Shopper: &pricing.Shopper{ID: "s_7f3k", Tier: "gold", Available: 1250},
		Spend:   pricing.Spend{Mode: pricing.SpendExact, Points: 300}, Limits: map[string]pricing.Limit{},
	}
	for i := range 5 {
		b.Shopper.Segments = append(b.Shopper.Segments, fmt.Sprintf("segment%d", i))
	}
	for i := range 20 {
		b.Coupons = append(b.Coupons, pricing.Coupon{Code: fmt.Sprintf("AU7K%02d", i), Pool: fmt.Sprintf("pool%d", i), State: "active"})
	}
	for i := range lines {
		n := i * 41 % shelfItems
		l := pricing.Line{
			LineID: fmt.Sprint(i + 1), Item: itemCode(n), Quantity: fmt.Sprint(1 + i%3), Unit: "pc",
			UnitPrice: int64(79 + i*97%1500), Facts: w.items[n],
		}
		if i%10 == 9 {
			l.Quantity, l.Unit = "0.412", "kg"
		}
		b.Lines = append(b.Lines, l)
	}
	return b
}

// promotions are of all mechanics, some for an audience, some with a coupon, some in groups.
func (w *shelves) promotions(n int) (out []promotion.Promotion) {
	for i := range n {
		p := declared(fmt.Sprintf("p%04d", i), w.mechanic(i))
		switch i % 20 {
		case 3, 13:
			p.Stacking.Mode, p.Stacking.Group = promotion.BestOf, fmt.Sprintf("group%d", i%50/10)
		case 7:
			p.Stacking.Mode = promotion.Exclusive
		case 5:
			p.Audience.AnyOf = []promotion.Who{{Segment: fmt.Sprintf("segment%d", i/20%10)}}
		case 11:
			p.Coupon = &promotion.Coupon{Required: true, Pool: fmt.Sprintf("pool%d", i/20)}
		case 17:
			p.Schedule = []promotion.Window{{Days: 1 << time.Tuesday, Until: 24 * 60}}
		}
		out = append(out, p)
	}
	return out
}

// elsewhere are promotions that do not apply to the baskets: on other goods, with coupons and for
// shoppers that are not here, in other stores, over.
func (w *shelves) elsewhere(n int) (out []promotion.Promotion) {
	for i := range n {
		p := declared(fmt.Sprintf("x%05d", i), w.mechanic(i))
		switch i % 5 {
		case 0:
			p.Mechanic = &promotion.Percentage{Set: fmt.Sprintf("s%d", 1+i*12%1188), Percent: 10_00}
			p.Stores.Exclude = []string{"city"}
		case 1:
			p.Mechanic = &promotion.Percentage{Set: promotion.All, Percent: 10_00, Basket: true}
			p.Audience.AnyOf = []promotion.Who{{Segment: fmt.Sprintf("other%d", i%100)}}
		case 2:
			p.Coupon = &promotion.Coupon{Required: true, Pool: fmt.Sprintf("other%d", i)}
		case 3:
			p.Mechanic = &promotion.Percentage{Set: promotion.All, Percent: 10_00}
			p.Audience.AnyOf = []promotion.Who{{Shopper: fmt.Sprintf("other%d", i)}}
		case 4:
			p.State = "ended"
		}
		out = append(out, p)
	}
	return out
}

func declared(id string, m promotion.Mechanic) promotion.Promotion {
	return promotion.Promotion{
		ID: id, Revision: 1, Name: id, Text: map[string]string{"en": id}, State: "active",
		From: promotion.None, Until: promotion.None, Mechanic: m,
		Stacking: promotion.Stacking{Priority: 50, Mode: promotion.Stack},
	}
}

// mechanic gives the i-th promotion's. Those on the whole basket are few, as in a real chain.
func (w *shelves) mechanic(i int) promotion.Mechanic {
	set := func(k int) string { return fmt.Sprintf("s%d", (i*7+k)%shelfSets) }
	percent, amount := int64(10_00), int64(50)
	switch i % 25 {
	case 0:
		if i%100 == 0 {
			return &promotion.SpendThreshold{Set: "no-tobacco", Tiers: []promotion.Tier{
				{Spend: 3000, Amount: &amount}, {Spend: 90_000, Percent: &percent}}}
		}
		return &promotion.PointsMultiplier{Set: set(0), Factor: 300}
	case 1:
		return &promotion.BonusPoints{Set: set(0), Points: 20}
	case 2:
		return &promotion.FreeItem{Set: set(0), Pieces: 1}
	case 3, 4:
		return &promotion.MixMatch{Choose: promotion.MostExpensive, Benefit: promotion.Benefit{Percent: &percent},
			Components: []promotion.Quantity{{Set: set(0), Pieces: 1}, {Set: set(1), Pieces: 1}}}
	case 5, 6, 7:
		return &promotion.BuyGet{Buy: promotion.Quantity{Set: set(0), Pieces: 2}, Get: promotion.Quantity{Set: set(0), Pieces: 1},
			Benefit: promotion.Benefit{Percent: &percent}}
	case 8, 9:
		return &promotion.NthItem{Set: set(0), N: 2, Choose: promotion.CheapestPerSet, Benefit: promotion.Benefit{Percent: &percent}}
	case 10, 11, 12:
		return &promotion.Amount{Set: set(0), Amount: 20, Per: promotion.PerUnit}
	case 13, 14:
		return &promotion.FixedPrice{Set: set(0), Price: 199}
	case 15:
		if i%100 == 15 {
			return &promotion.Percentage{Set: "no-tobacco", Percent: 5_00, Basket: true}
		}
		return &promotion.Amount{Set: set(0), Amount: 100, Per: promotion.PerBasket}
	}
	return &promotion.Percentage{Set: set(0), Percent: 10_00}
}
