package sales

import (
	"cmp"
	"slices"
	"strconv"
)

// Offers counts, without any code of the system under test, what each receipt costs and earns under three
// promotions: what deploy/demo/promotions.yaml declares, said a second time.
//
//   - [TenthOffLunchBags]: a tenth off each line of lunch bags, half a penny to the shopper.
//   - [JumboBagFree]: of all jumbo bags in the receipt, the cheapest of each three is free.
//   - [FiveOffFifty]: 5.00 off for who shows a card and spends 50.00 on goods after the two above.
//
// Services take no discount, count for none, and earn no points; of the rest each whole unit of what is left
// to pay earns one. A return, which names no sale, takes one for each whole unit of its goods.
type Offers struct {
	goods map[string]Good
}

// The promotions, by their ids.
const (
	TenthOffLunchBags = "lunch-bags-10"
	JumboBagFree      = "jumbo-bags-3-for-2"
	FiveOffFifty      = "spend-50-save-5"
)

// Cost is what one receipt comes to.
type Cost struct {
	Quoted bool             // it can be quoted; or else no promotion reaches it
	ToPay  int64            // minor units; of a return, what is paid back
	Points int64            // earned, or of a return taken back
	Off    map[string]int64 // by promotion; nil: none
}

// NewOffers makes the count for goods.
func NewOffers(goods []Good) *Offers {
	o := &Offers{make(map[string]Good, len(goods))}
	for _, g := range goods {
		o.goods[g.Code] = g
	}
	return o
}

// Cost counts one receipt.
func (o *Offers) Cost(r *Receipt) Cost {
	switch {
	case !r.inPieces() || !r.Return && r.Total() <= 0:
		return Cost{ToPay: r.Total(), Points: r.basePoints()}
	case r.Return:
		return Cost{ToPay: r.Total(), Points: r.earns(o.worth(r))}
	}
	off := map[string]int64{}
	var jumbo []pieces
	for i := range r.Lines {
		l := &r.Lines[i]
		switch o.goods[l.Item].Category {
		case LunchBags:
			off[TenthOffLunchBags] += (l.Amount + 5) / 10
		case JumboBags:
			jumbo = append(jumbo, l.pieces()...)
		}
	}
	off[JumboBagFree] = cheapestOfThree(jumbo)
	left := o.worth(r) - off[TenthOffLunchBags] - off[JumboBagFree]
	if r.Customer != "" && left >= 5000 {
		off[FiveOffFifty] = 500
		left -= 500
	}
	c := Cost{Quoted: true, ToPay: r.Total(), Points: r.earns(left)}
	for id, amount := range off {
		if c.ToPay -= amount; amount == 0 {
			delete(off, id)
		}
	}
	if len(off) > 0 {
		c.Off = off
	}
	return c
}

// worth is what the goods of a receipt come to, all but services.
func (o *Offers) worth(r *Receipt) (sum int64) {
	for i := range r.Lines {
		if l := &r.Lines[i]; !o.goods[l.Item].Service {
			sum += l.Amount
		}
	}
	return sum
}

// inPieces reports whether a receipt is all of whole pieces that cost something or nothing: what rules price. A
// correction is not.
func (r *Receipt) inPieces() bool {
	for i := range r.Lines {
		n, err := strconv.ParseInt(r.Lines[i].Quantity, 10, 64)
		if err != nil || n <= 0 || r.Lines[i].Amount < 0 {
			return false
		}
	}
	return true
}

// pieces are some of one price.
type pieces struct{ n, price int64 }

// pieces divides a line over its pieces: where that leaves a remainder, some cost one unit more.
func (l *Line) pieces() []pieces {
	n, err := strconv.ParseInt(l.Quantity, 10, 64)
	if err != nil || n <= 0 {
		return nil // no line of a receipt in pieces
	}
	each, more := l.Amount/n, l.Amount%n
	return []pieces{{n - more, each}, {more, each + 1}}
}

// cheapestOfThree is what a third of the pieces cost, rounded down, the cheapest of all.
func cheapestOfThree(all []pieces) (off int64) {
	slices.SortFunc(all, func(a, b pieces) int { return cmp.Compare(a.price, b.price) })
	free := int64(0)
	for _, p := range all {
		free += p.n
	}
	free /= 3
	for _, p := range all {
		n := min(p.n, free)
		off += n * p.price
		free -= n
	}
	return off
}
