package books

import "tillstream/kv/record"

// lots counts each account's lots against its balance.
func (v *verdict) lots() {
	b := v.b
	for i := range uint32(b.accounts.len()) {
		acc := b.accounts.at(i)
		if acc.lots == 0 {
			continue
		}
		n, last := int64(0), uint16(0)
		for _, l := range b.lotsOf(nil, acc) {
			if l.day < last || l.points == 0 || l.points < 0 && l.day > b.day {
				v.wrong("account %s: a lot of %d points on day %d is out of place", acc.id, l.points, l.day)
			}
			n, last = n+max(l.points, 0), l.day
		}
		if n != acc.balance {
			v.wrong("account %s: balance %d, its lots sum to %d", acc.id, acc.balance, n)
		}
	}
}

// holds counts the holds that stand against what the postings say is held, and the coupons against them.
func (v *verdict) holds() {
	b := v.b
	held := map[uint32]int64{}
	coupons := map[record.CouponID]uint32{}
	b.holds.all(func(i uint32, h *hold) {
		if !h.stands() {
			return
		}
		if h.account != 0 {
			held[h.account-1] += h.points
		}
		if n := sum(readLots(nil, b.lists.read(nil, h.lots))); n != h.points {
			v.wrong("hold %s has %d points, its lots sum to %d", h.id, h.points, n)
		}
		for _, id := range b.couponsOf(h) {
			coupons[id] = i + 1
		}
	})
	total := int64(0)
	for i := range uint32(b.accounts.len()) {
		acc := b.accounts.at(i)
		if v.of[i].held != held[i] {
			v.wrong("account %s: its holds have %d points, its postings say %d", acc.id, held[i], v.of[i].held)
		}
		if s := b.shopper(acc); s.Held != held[i] {
			v.wrong("account %s: %d points are shown as held, its holds have %d", acc.id, s.Held, held[i])
		}
		total += held[i]
	}
	if total != b.totals.Held {
		v.wrong("the holds have %d points, the totals say %d", total, b.totals.Held)
	}
	b.coupons.all(func(_ uint32, c *coupon) {
		if c.held != coupons[c.id] {
			v.wrong("coupon %x is held by hold number %d, by the holds it should be %d", c.id[:], c.held, coupons[c.id])
		}
		delete(coupons, c.id)
	})
	for id := range coupons {
		v.wrong("coupon %x is of a hold and not held", id[:])
	}
	b.deals.all(func(_ uint32, d *deal) {
		if d.taken < 0 || d.taken > d.earned || d.given < 0 || d.given > d.spent {
			v.wrong("sale %s earned %d and spent %d, returns took %d and gave %d", d.rid, d.earned, d.spent, d.taken, d.given)
		}
	})
}

// verifyPool counts a pool's digest again.
func verifyPool[T any](v *verdict, what string, p *pool[T]) {
	var d digest
	n := 0
	p.all(func(_ uint32, x *T) {
		d.add(p.form.sum(x))
		n++
	})
	if d != p.sums || n != p.live {
		v.wrong("the digest is not that of the %s", what)
	}
}
