package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"tillstream/central/reference"
	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// shelves is a chain's goods, and promotions on them.
type shelves struct {
	items []pricing.Item
	sets  []document
}

const (
	shelfItems      = 12_000 // of a supermarket
	shelfCategories = 80
	shelfSets       = 1200
)

func newShelves() *shelves {
	w := &shelves{}
	for i := range shelfItems {
		w.items = append(w.items, pricing.Item{Category: category(i), Tags: []string{fmt.Sprintf("brand%d", i%300)}})
	}
	for i := range shelfSets {
		include := document{"categories": []string{category(i / 12)}}
		if i%12 != 0 {
			var items []string
			for k := range 5 + i%16 {
				items = append(items, itemCode((i*37+k*53)%shelfItems))
			}
			include = document{"items": items}
		}
		w.sets = append(w.sets, document{"id": fmt.Sprintf("s%d", i), "revision": 1, "include": include})
	}
	w.sets = append(w.sets, document{"id": "no-tobacco", "revision": 1, "exclude": document{"categories": []string{category(79)}}})
	return w
}

func category(i int) string {
	c := i % shelfCategories
	return fmt.Sprintf("g%d/c%d", c/8, c)
}

// itemCode is an EAN.
func itemCode(i int) string {
	code := fmt.Sprintf("4006381%05d", i)
	sum := 0
	for k, digit := range code {
		sum += int(digit-'0') * (1 + k%2*2)
	}
	return code + strconv.Itoa((10-sum%10)%10)
}

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

// document is a promotion, or a part of one, as marketing declares it.
type document = map[string]any

// promotions are of all mechanics, some for an audience, some with a coupon, some in groups.
func (w *shelves) promotions(n int) (out []document) {
	for i := range n {
		p := declared(fmt.Sprintf("p%04d", i), w.mechanic(i))
		switch i % 20 {
		case 3, 13:
			p["stacking"] = document{"mode": "best_of", "group": fmt.Sprintf("group%d", i%50/10)}
		case 7:
			p["stacking"] = document{"mode": "exclusive"}
		case 5:
			p["audience"] = audience("segment", fmt.Sprintf("segment%d", i/20%10))
		case 11:
			p["coupon"] = document{"required": true, "pool": fmt.Sprintf("pool%d", i/20)}
		case 17:
			p["schedule"] = []document{{"days": []string{"tue"}}}
		}
		out = append(out, p)
	}
	return out
}

// elsewhere are promotions that do not apply to the baskets: on other goods, with coupons and for
// shoppers that are not here, in other stores, over.
func (w *shelves) elsewhere(n int) (out []document) {
	tenth := func(set, level string) document {
		return document{"type": "percentage", "set": set, "level": level, "percent": "10"}
	}
	for i := range n {
		p := declared(fmt.Sprintf("x%05d", i), w.mechanic(i))
		switch i % 5 {
		case 0:
			p["mechanic"] = tenth(fmt.Sprintf("s%d", 1+i*12%1188), "item")
			p["stores"] = document{"exclude": []string{"city"}}
		case 1:
			p["mechanic"] = tenth("all", "basket")
			p["audience"] = audience("segment", fmt.Sprintf("other%d", i%100))
		case 2:
			p["coupon"] = document{"required": true, "pool": fmt.Sprintf("other%d", i)}
		case 3:
			p["mechanic"] = tenth("all", "item")
			p["audience"] = audience("shopper", fmt.Sprintf("other%d", i))
		case 4:
			p["state"] = "ended"
		}
		out = append(out, p)
	}
	return out
}

func declared(id string, mechanic document) document {
	return document{"schema": promotion.Schema, "id": id, "revision": 1, "name": id, "text": document{"en": id}, "mechanic": mechanic}
}

func audience(kind, name string) document { return document{"any_of": []document{{kind: name}}} }

// mechanic gives the i-th promotion's. Those on the whole basket are few, as in a real chain.
func (w *shelves) mechanic(i int) document {
	set := func(k int) string { return fmt.Sprintf("s%d", (i*7+k)%shelfSets) }
	switch i % 25 {
	case 0:
		if i%100 == 0 {
			return document{"type": "spend_threshold", "set": "no-tobacco",
				"tiers": []document{{"spend": 3000, "amount": 50}, {"spend": 90_000, "percent": "10"}}}
		}
		return document{"type": "points_multiplier", "set": set(0), "factor": "3"}
	case 1:
		return document{"type": "bonus_points", "set": set(0), "points": 20}
	case 2:
		return document{"type": "free_item", "set": set(0)}
	case 3, 4:
		return document{"type": "mix_and_match", "choose": "most_expensive", "percent": "10",
			"components": []document{{"set": set(0), "quantity": 1}, {"set": set(1), "quantity": 1}}}
	case 5, 6, 7:
		return document{"type": "buy_x_get_y", "buy": document{"set": set(0), "quantity": 2},
			"get": document{"set": set(0), "quantity": 1, "percent": "10"}}
	case 8, 9:
		return document{"type": "nth_item", "set": set(0), "n": 2, "choose": "cheapest_per_set", "percent": "10"}
	case 10, 11, 12:
		return document{"type": "amount", "set": set(0), "amount": 20, "per": "unit"}
	case 13, 14:
		return document{"type": "fixed_price", "set": set(0), "price": 199}
	case 15:
		if i%100 == 15 {
			return document{"type": "percentage", "level": "basket", "set": "no-tobacco", "percent": "5"}
		}
		return document{"type": "amount", "set": set(0), "amount": 100, "per": "basket"}
	}
	return document{"type": "percentage", "level": "item", "set": set(0), "percent": "10"}
}

// compile reads promotions, and the sets that they name.
func (w *shelves) compile(promotions []document) (*pricing.Programme, error) {
	text, err := json.Marshal(promotions)
	if err != nil {
		return nil, fmt.Errorf("write promotions: %w", err)
	}
	sets, err := json.Marshal(w.sets)
	if err != nil {
		return nil, fmt.Errorf("write sets: %w", err)
	}
	r := pricing.Rules{Revision: 1, Policy: w.policy()}
	if r.Promotions, err = promotion.ReadJSON(text); err != nil {
		return nil, err
	}
	if r.Sets, err = promotion.ReadSetsJSON(sets); err != nil {
		return nil, err
	}
	return pricing.Compile(r)
}

// fill puts it all at a centre, and gives the revision.
func (w *shelves) fill(ctx context.Context, set *reference.Set) (revision uint64, err error) {
	goods := make([]reference.Line, len(w.items))
	for i := range w.items {
		code, err := record.ItemCode(itemCode(i))
		if err != nil {
			return 0, err
		}
		goods[i] = reference.Line{Code: code, Product: record.Product{
			Name: fmt.Sprintf("Item %d", i), Category: w.items[i].Category, Tags: w.items[i].Tags}}
	}
	if _, err := set.Change(ctx, reference.Import(goods, false)); err != nil {
		return 0, err
	}
	for _, put := range []struct {
		kind record.RefKind
		docs []document
	}{
		{record.RefSet, w.sets}, {record.RefPromotion, w.promotions(activeRules)},
		{record.RefSetting, []document{
			{"id": setting.StoresID, "revision": 1, "sets": document{"city": []string{"0001"}}},
			{"id": setting.ProgrammeID, "revision": 1, "max_line_discount": "70", "currencies": document{"EUR": document{
				"earn": document{"points": 1, "amount": 100}, "value": document{"points": 100, "amount": 100}, "block": 100}}},
		}},
	} {
		text, err := json.Marshal(put.docs)
		if err != nil {
			return 0, fmt.Errorf("write documents: %w", err)
		}
		docs, err := reference.ReadDocuments(put.kind, text)
		if err != nil {
			return 0, err
		}
		result, err := set.Change(ctx, reference.Put(put.kind, docs))
		if err != nil {
			return 0, err
		}
		revision = result.Entry
	}
	return revision, nil
}
