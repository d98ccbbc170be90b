package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// coupon is the state of a single-use coupon that is used or held. One that is neither is not here.
type coupon struct {
	id   record.CouponID
	uses uint32 // sales that used it and did not give it back; more than one is an incident's
	held uint32 // number of the hold that has it, plus one; zero: none
}

func couponForm() form[coupon] {
	return form[coupon]{
		part: partCoupons,
		key:  func(c *coupon) *[16]byte { return (*[16]byte)(&c.id) },
		sum: func(c *coupon) digest {
			return couponSeed().id((*[16]byte)(&c.id)).with(uint64(c.uses)<<1 | b2u(c.held != 0))
		},
		put: func(b []byte, c *coupon) []byte {
			b = binary.BigEndian.AppendUint32(append(b, c.id[:]...), c.uses)
			return binary.BigEndian.AppendUint32(b, c.held)
		},
		get: func(r *record.Reader, c *coupon) bool {
			r.Fill(c.id[:])
			c.uses, c.held = r.U32(), r.U32()
			return c.uses != 0 || c.held != 0
		},
	}
}

func b2u(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// freeCoupons reports whether a hold may have all of these, each once.
func (b *Books) freeCoupons(ids []record.CouponID) bool {
	for k := range ids {
		if _, taken := b.coupons.find((*[16]byte)(&ids[k])); taken {
			return false
		}
		for i := range k {
			if ids[i] == ids[k] {
				return false
			}
		}
	}
	return true
}

// couponsOf gives the coupons of a hold.
func (b *Books) couponsOf(h *hold) []record.CouponID {
	words := b.lists.read(nil, h.coupons)
	ids := make([]record.CouponID, len(words)/2)
	for i := range ids {
		binary.BigEndian.PutUint64(ids[i][:], words[2*i])
		binary.BigEndian.PutUint64(ids[i][8:], words[2*i+1])
	}
	return ids
}

// keepCoupons writes the coupons of a hold down, and gives where.
func (b *Books) keepCoupons(ids []record.CouponID) uint32 {
	var words []uint64
	for i := range ids {
		words = append(words, binary.BigEndian.Uint64(ids[i][:]), binary.BigEndian.Uint64(ids[i][8:]))
	}
	return b.lists.write(0, words)
}

// holdCoupon gives a free coupon to a hold.
func (b *Books) holdCoupon(id record.CouponID, number uint32) {
	b.coupons.add(coupon{id: id, held: number + 1})
}

// freeCoupon takes a coupon from a hold.
func (b *Books) freeCoupon(id record.CouponID, number uint32) {
	i, ok := b.coupons.find((*[16]byte)(&id))
	if ok && b.coupons.at(i).held == number+1 {
		b.coupons.change(i, func(c *coupon) { c.held = 0 })
		b.tidyCoupon(i)
	}
}

// useCoupon counts a use by the sale that used a hold up, and reports whether the coupon was the hold's, or
// free: not used by another sale, nor held elsewhere.
func (b *Books) useCoupon(id record.CouponID, number uint32) (its bool) {
	i, ok := b.coupons.find((*[16]byte)(&id))
	if !ok {
		b.coupons.add(coupon{id: id, uses: 1})
		return true
	}
	b.coupons.change(i, func(c *coupon) {
		its = c.uses == 0 && (c.held == 0 || c.held == number+1)
		if c.held == number+1 {
			c.held = 0
		}
		c.uses++
	})
	return its
}

// rearmCoupon takes a use back.
func (b *Books) rearmCoupon(id record.CouponID) {
	i, ok := b.coupons.find((*[16]byte)(&id))
	if ok && b.coupons.at(i).uses > 0 {
		b.coupons.change(i, func(c *coupon) { c.uses-- })
		b.tidyCoupon(i)
	}
}

// tidyCoupon forgets a coupon that is free again.
func (b *Books) tidyCoupon(i uint32) {
	if c := b.coupons.at(i); c.uses == 0 && c.held == 0 {
		b.coupons.drop(i)
	}
}
