package api

import (
	"sync"

	"tillstream/edge/pricing"
	"tillstream/edge/programme"
)

// desk is where a quote is made: what is as long as the basket. A quote is read, priced and written down within one
// call, and nothing of it is kept; so the next one is made at the same desk. With new lists for each, 100 KB, the
// collector ran once in 300 full baskets, and the ten or so that it met were the slow 1 %.
type desk struct {
	lines   []Line       // as they came
	coupons []CouponCode // as they came
	items   []programme.Item
	facts   []CouponFacts
	basket  pricing.Basket // its lines and coupons
	paper   pricing.Paper
	told    []Coupon
}

type desks struct{ pool sync.Pool }

func (d *desks) take() *desk {
	if t, ok := d.pool.Get().(*desk); ok {
		return t
	}
	return new(desk)
}

// give takes a desk back of which nobody reads any more, and wipes it: who reads on finds coupons without a name. One
// at which something went wrong is not given back.
func (d *desks) give(t *desk) {
	t.lines, t.coupons, t.items = wiped(t.lines), wiped(t.coupons), wiped(t.items)
	t.facts, t.told = wiped(t.facts), wiped(t.told)
	t.basket = pricing.Basket{Lines: wiped(t.basket.Lines), Coupons: wiped(t.basket.Coupons)}
	d.pool.Put(t)
}

func wiped[T any](list []T) []T {
	clear(list)
	return list[:0]
}
