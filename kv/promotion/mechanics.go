package promotion

import (
	"maps"
	"slices"
	"strings"
)

// mechanic reads the branch that its type names.
func (r *reader) mechanic(at string, v any) Mechanic {
	k := r.object(at, v)
	branches := map[string]func(*keys) Mechanic{
		typePercentage: r.percentage, typeAmount: r.amount, typeFixedPrice: r.fixedPrice,
		typeNthItem: r.nthItem, typeBuyGet: r.buyGet, typeMixMatch: r.mixMatch,
		typeThreshold: r.threshold, typeFreeItem: r.freeItem,
		typeMultiplier: r.multiplier, typeBonus: r.bonus,
	}
	t, ok := k.need("type")
	if !ok {
		return nil
	}
	name, ok := r.text(k.pointer("type"), t)
	if !ok {
		return nil
	}
	read, ok := branches[name]
	if !ok {
		r.fault(k.pointer("type"), "want one of %s", strings.Join(slices.Sorted(maps.Keys(branches)), ", "))
		return nil
	}
	m := read(k)
	k.done()
	return m
}

// of reads the set a mechanic works on.
func (r *reader) of(k *keys) string {
	if v, ok := k.take("set"); ok {
		return r.token(k.pointer("set"), v)
	}
	return All
}

func (r *reader) percentage(k *keys) Mechanic {
	m := &Percentage{}
	if v, ok := k.take("level"); ok {
		m.Basket = r.oneOf(k.pointer("level"), v, "item", "basket") == "basket"
	}
	m.Set = r.of(k)
	if v, ok := k.need("percent"); ok {
		m.Percent = r.percent(k.pointer("percent"), v)
	}
	if v, ok := k.take("base"); ok {
		m.Regular = r.oneOf(k.pointer("base"), v, "current", "regular") == "regular"
	}
	return m
}

func (r *reader) amount(k *keys) Mechanic {
	m := &Amount{Per: PerUnit}
	if v, ok := k.take("per"); ok {
		m.Per = r.oneOf(k.pointer("per"), v, PerUnit, PerLine, PerBasket)
	}
	m.Set = r.of(k)
	if v, ok := k.need("amount"); ok {
		m.Amount = r.money(k.pointer("amount"), v)
	}
	return m
}

func (r *reader) fixedPrice(k *keys) Mechanic {
	m := &FixedPrice{Set: r.of(k)}
	if v, ok := k.need("price"); ok {
		m.Price = r.money(k.pointer("price"), v)
	}
	return m
}

// benefit reads the one of percent, amount and price that there must be.
func (r *reader) benefit(k *keys) (b Benefit) {
	n := 0
	if v, ok := k.take("percent"); ok {
		p := r.percent(k.pointer("percent"), v)
		b.Percent = &p
		n++
	}
	if v, ok := k.take("amount"); ok {
		b.Amount = r.moneyAt(k.pointer("amount"), v)
		n++
	}
	if v, ok := k.take("price"); ok {
		b.Price = r.moneyAt(k.pointer("price"), v)
		n++
	}
	if n != 1 {
		r.fault(k.at, "want exactly one of percent, amount, price")
	}
	return b
}

func (r *reader) choice(k *keys, words ...string) Choice {
	v, ok := k.take("choose")
	if !ok {
		return choices()[words[0]]
	}
	return choices()[r.oneOf(k.pointer("choose"), v, words...)]
}

func choices() map[string]Choice {
	return map[string]Choice{"cheapest": Cheapest, "most_expensive": MostExpensive, "cheapest_per_set": CheapestPerSet}
}

func (r *reader) nthItem(k *keys) Mechanic {
	m := &NthItem{Set: r.of(k)}
	if v, ok := k.need("n"); ok {
		m.N = r.whole(k.pointer("n"), v, 2, maxPieces)
	}
	m.Choose = r.choice(k, "cheapest", "most_expensive", "cheapest_per_set")
	m.Benefit = r.benefit(k)
	return m
}

// pieces reads a set and how many of it; more reads what else stands with them.
func (r *reader) pieces(at string, v any, more func(*keys)) (q Quantity) {
	k := r.object(at, v)
	if v, ok := k.need("set"); ok {
		q.Set = r.token(k.pointer("set"), v)
	}
	if v, ok := k.need("quantity"); ok {
		q.Pieces = r.whole(k.pointer("quantity"), v, 1, maxPieces)
	}
	if more != nil {
		more(k)
	}
	k.done()
	return q
}

func (r *reader) buyGet(k *keys) Mechanic {
	m := &BuyGet{}
	if v, ok := k.need("buy"); ok {
		m.Buy = r.pieces(k.pointer("buy"), v, nil)
	}
	if v, ok := k.need("get"); ok {
		m.Get = r.pieces(k.pointer("get"), v, func(k *keys) { m.Benefit = r.benefit(k) })
	}
	m.Choose = r.choice(k, "cheapest", "most_expensive", "cheapest_per_set")
	return m
}

// maxComponents bounds the parts of a set, so that all their combinations can be looked at.
const maxComponents = 10

func (r *reader) mixMatch(k *keys) Mechanic {
	m := &MixMatch{}
	if v, ok := k.need("components"); ok {
		at := k.pointer("components")
		l := r.list(at, v, 1)
		if len(l) > maxComponents {
			r.fault(at, "want at most %d components", maxComponents)
		}
		for i, v := range l {
			m.Components = append(m.Components, r.pieces(index(at, i), v, nil))
		}
	}
	m.Choose = r.choice(k, "most_expensive", "cheapest")
	m.Benefit = r.benefit(k)
	return m
}

func (r *reader) threshold(k *keys) Mechanic {
	m := &SpendThreshold{Set: r.of(k)}
	if v, ok := k.take("basis"); ok {
		m.Gross = r.oneOf(k.pointer("basis"), v, "net", "gross") == "gross"
	}
	if v, ok := k.take("repeat"); ok {
		m.Repeat = r.truth(k.pointer("repeat"), v)
	}
	if v, ok := k.need("tiers"); ok {
		at := k.pointer("tiers")
		for i, v := range r.list(at, v, 1) {
			t := r.tier(index(at, i), v)
			if slices.ContainsFunc(m.Tiers, func(x Tier) bool { return x.Spend == t.Spend }) {
				r.fault(index(at, i)+"/spend", "another tier has it")
			}
			if m.Repeat && t.Spend == 0 {
				r.fault(index(at, i)+"/spend", "a tier that repeats wants a spend over zero")
			}
			m.Tiers = append(m.Tiers, t)
		}
	}
	slices.SortStableFunc(m.Tiers, func(a, b Tier) int { return int(min(max(a.Spend-b.Spend, -1), 1)) })
	return m
}

func (r *reader) tier(at string, v any) (t Tier) {
	k := r.object(at, v)
	if v, ok := k.need("spend"); ok {
		t.Spend = r.money(k.pointer("spend"), v)
	}
	n := 0
	if v, ok := k.take("amount"); ok {
		t.Amount = r.moneyAt(k.pointer("amount"), v)
		n++
	}
	if v, ok := k.take("percent"); ok {
		p := r.percent(k.pointer("percent"), v)
		t.Percent = &p
		n++
	}
	if n != 1 {
		r.fault(at, "want exactly one of amount, percent")
	}
	k.done()
	return t
}

func (r *reader) freeItem(k *keys) Mechanic {
	m := &FreeItem{Pieces: 1}
	if v, ok := k.need("set"); ok {
		m.Set = r.token(k.pointer("set"), v)
	}
	if v, ok := k.take("quantity"); ok {
		m.Pieces = r.whole(k.pointer("quantity"), v, 1, maxPieces)
	}
	return m
}

func (r *reader) multiplier(k *keys) Mechanic {
	m := &PointsMultiplier{Set: r.of(k)}
	if v, ok := k.need("factor"); ok {
		m.Factor = r.factor(k.pointer("factor"), v)
	}
	return m
}

func (r *reader) bonus(k *keys) Mechanic {
	m := &BonusPoints{Set: r.of(k)}
	if v, ok := k.need("points"); ok {
		m.Points = r.whole(k.pointer("points"), v, 1, maxPoints)
	}
	if v, ok := k.take("per"); ok {
		m.PerUnit = r.oneOf(k.pointer("per"), v, "basket", "unit") == "unit"
	}
	return m
}
