package books

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"tillstream/kv/record"
)

// deal is what is remembered of a sale beside its account and what it earned: of one that spent points, used a
// hold, was given back from, or came again. It goes with the sale's rid.
type deal struct {
	rid      record.RID
	earned   int64
	spent    int64
	taken    int64 // of earned, by returns; what expired meanwhile counts
	given    int64 // of spent, by returns
	number   uint32
	account  uint32 // number plus one; zero: nobody's
	hold     uint32 // that it used up, plus one; zero: none
	lots     uint32 // list: where what it spent came from, less what was given back
	returns  uint32 // list: their entries
	from, to uint64 // where its record lies, if it came again; else its rid says
	lot      uint16 // likewise: of what it earned
	again    bool
	rearmed  bool
}

func dealForm(ls *lists) form[deal] {
	return form[deal]{
		part: partDeals,
		key:  func(d *deal) *[16]byte { return (*[16]byte)(&d.rid) },
		sum: func(d *deal) digest {
			s := dealSeed().id((*[16]byte)(&d.rid))
			for _, v := range [...]int64{d.earned, d.spent, d.taken, d.given} {
				s = s.with(uint64(v))
			}
			return s.with(uint64(d.hold)<<1|b2u(d.rearmed)).words(ls, d.lots).words(ls, d.returns)
		},
		put: func(b []byte, d *deal) []byte { return d.append(b, ls) },
		get: func(r *record.Reader, d *deal) bool { return d.read(r, ls) },
		drop: func(d *deal) {
			ls.drop(d.lots)
			ls.drop(d.returns)
		},
	}
}

// EntryRange says that a record lies in one of the entries From to To.
type EntryRange struct{ From, To uint64 }

// Sale says where in the journal the records of a sale and of its returns lie: the sale's first, then a
// range for each return that was applied to it, in the order in which they were, up to 2,000 of them. Unknown are a sale that has
// not been posted or is forgotten, and a rid that is not a sale's.
func (b *Books) Sale(rid record.RID) (where []EntryRange, known bool) {
	n, ok := b.rids.number(&rid)
	if !ok || b.rids.sold(n).account&notSale != 0 {
		return nil, false
	}
	i, ok := b.dealOf(&rid, n)
	if !ok {
		return []EntryRange{b.entriesOf(n)}, true
	}
	d := b.deals.at(i)
	where = append(where, EntryRange{d.from, d.to})
	if !d.again {
		where[0] = b.entriesOf(n)
	}
	for _, e := range b.lists.read(nil, d.returns) {
		where = append(where, EntryRange{e, e})
	}
	return where, true
}

// entriesOf gives the entries in which the record of a rid's number may lie.
func (b *Books) entriesOf(n uint32) EntryRange {
	bl, next := b.rids.block(n)
	if next == 0 {
		next = b.entry
	}
	return EntryRange{bl.entry, next}
}

// dealOf gives the deal of a rid that is remembered under a number. One of the same rid from before it was
// forgotten is none.
func (b *Books) dealOf(rid *record.RID, n uint32) (uint32, bool) {
	i, ok := b.deals.find((*[16]byte)(rid))
	return i, ok && b.deals.at(i).number == n
}

// deal gives the deal of a sale, made if need be.
func (b *Books) deal(rid *record.RID, n uint32) uint32 {
	i, ok := b.deals.find((*[16]byte)(rid))
	if ok {
		if b.deals.at(i).number == n {
			return i
		}
		b.dropDeal(i)
	}
	s := b.rids.sold(n)
	return b.deals.add(deal{rid: *rid, number: n, account: s.account, earned: int64(s.earned)})
}

// dropDeal forgets a sale, and the hold that it used.
func (b *Books) dropDeal(i uint32) {
	if h := b.deals.at(i).hold; h != 0 {
		b.holds.drop(h - 1)
	}
	b.deals.drop(i)
}

// remember notes who earns what with a sale.
func (b *Books) remember(h *record.Header, n uint32, account uint32) {
	if h.Kind != record.KindSale {
		b.rids.sold(n).account = notSale
		return
	}
	*b.rids.sold(n) = sold{account, uint32(min(h.Points, earnedMuch))}
	if h.Points >= earnedMuch {
		b.deals.change(b.deal(&h.RID, n), func(d *deal) { d.earned = h.Points })
	}
}

// repeated keeps what is remembered of a receipt under the number that its repeat gave it.
func (b *Books) repeated(rid *record.RID, n, before uint32) {
	*b.rids.sold(n) = *b.rids.sold(before)
	if b.rids.sold(n).account&notSale != 0 {
		return
	}
	i := b.deal(rid, before)
	where, lot := b.entriesOf(before), b.lotOf(i)
	b.deals.change(i, func(d *deal) {
		if d.number = n; !d.again {
			d.again, d.from, d.to, d.lot = true, where.From, where.To, lot
		}
	})
}

// lotOf gives the lot that a sale earned into.
func (b *Books) lotOf(i uint32) uint16 {
	d := b.deals.at(i)
	if d.again {
		return d.lot
	}
	bl, _ := b.rids.block(d.number)
	return bl.lot
}

// sale earns, after what it spends was spent: it cannot pay with its own points.
func (s *step) sale(acc *account, i uint32, h *record.Header, n uint32, p *Posting) {
	if h.Spent != 0 || h.Hold != (record.RID{}) {
		s.spend(acc, i+1, h, n, p)
	}
	p.Issued -= h.Points
	s.give(acc, s.earns, h.Points, p)
}

// spend uses a sale's hold up. The sale is a fact: what the hold does not give is taken from what is
// available, and the rest is debt. acc is nil if the sale names nobody.
func (s *step) spend(acc *account, account uint32, h *record.Header, n uint32, p *Posting) {
	b := s.b
	var from []lot
	i, why := s.holdFor(h, account)
	used := uint32(0)
	if i != noHold {
		o := *b.holds.at(i)
		used = i + 1
		if o.stands() {
			from = s.redeem(acc, s.end(i, record.HoldUsed), min(h.Spent, o.points), p)
			p.Held -= o.points
			if h.Spent > o.points {
				why = fmt.Sprintf("which has only %d", o.points)
			}
		} else {
			b.holds.change(i, func(o *hold) { o.state, o.ended = record.HoldUsed, s.today })
		}
		why = s.useCoupons(i, why)
	}
	spent := h.Spent
	if acc == nil {
		spent = 0
	} else if missing := spent - sum(from); missing > 0 {
		free := min(missing, acc.balance)
		from = append(from, b.take(acc, free, 0)...)
		acc.debt += missing - free
		p.Shopper -= free
		p.Debt -= missing - free
		p.Redeemed += missing
		why += fmt.Sprintf("; %d were taken from what is available, %d are debt", free, missing-free)
	}
	if why != "" {
		s.incident(fmt.Sprintf("%s: sale %s spends %d points and names hold %s, %s", s.where(), h.RID, h.Spent, h.Hold, strings.TrimPrefix(why, "; ")))
	}
	if spent != 0 || used != 0 {
		slices.SortFunc(from, func(x, y lot) int { return int(x.day) - int(y.day) })
		words := b.keepLots(from)
		b.deals.change(b.deal(&h.RID, n), func(d *deal) { d.spent, d.hold, d.lots = spent, used, words })
	}
}

func sum(ls []lot) (n int64) {
	for _, l := range ls {
		n += l.points
	}
	return n
}

// noHold is the number of none.
const noHold = 1<<32 - 1

// holdFor gives the hold that a sale may use, and what is to be said against it: without a number that it is
// not to be used.
func (s *step) holdFor(h *record.Header, account uint32) (i uint32, why string) {
	if h.Hold == (record.RID{}) {
		return noHold, "which is none"
	}
	i, ok := s.b.holds.find((*[16]byte)(&h.Hold))
	if !ok {
		return noHold, "which is not known"
	}
	switch o := s.b.holds.at(i); {
	case o.state == record.HoldUsed:
		return noHold, "which was used before"
	case o.rid != h.RID || o.account != account:
		return noHold, "which is of another basket or shopper"
	case !o.stands():
		return i, "which had been let go of"
	}
	return i, ""
}

// redeem takes so many of a hold's points, oldest first, and gives the rest back; it says which it took.
func (s *step) redeem(acc *account, ls []lot, n int64, p *Posting) (from []lot) {
	p.Redeemed += n
	var rest []lot
	for _, l := range ls {
		k := min(l.points, n)
		n -= k
		if k > 0 {
			from = append(from, lot{l.day, k})
		}
		if l.points > k {
			rest = append(rest, lot{l.day, l.points - k})
		}
	}
	if acc != nil {
		s.putBack(acc, rest, p)
	}
	return from
}

// useCoupons counts the coupons of a hold as used, and adds to why those that were used or held elsewhere.
func (s *step) useCoupons(i uint32, why string) string {
	b := s.b
	for _, id := range b.couponsOf(b.holds.at(i)) {
		if !b.useCoupon(id, i) {
			why += fmt.Sprintf("; its coupon %x is used by another sale, or held for one", id[:])
		}
	}
	return why
}

// rearm lets the coupons be used again that a sale used, once.
func (s *step) rearm(i uint32) {
	b := s.b
	d := b.deals.at(i)
	if d.hold == 0 || d.rearmed {
		return
	}
	for _, id := range b.couponsOf(b.holds.at(d.hold - 1)) {
		b.rearmCoupon(id)
	}
	b.deals.change(i, func(d *deal) { d.rearmed = true })
}

// giveBack gives spent points back to the lots they came from, those first that are good for longest; what
// came from none, or from one that has expired, is as if earned today.
func (s *step) giveBack(acc *account, i uint32, n int64, p *Posting) {
	b := s.b
	p.Redeemed -= n
	b.deals.change(i, func(d *deal) {
		d.given += n
		from := readLots(nil, b.lists.read(nil, d.lots))
		for _, l := range slices.Backward(from) {
			k := min(l.points, n)
			if n -= k; l.day <= s.today {
				l.day = s.earns
			}
			s.give(acc, l.day, k, p)
			if from[len(from)-1].points -= k; from[len(from)-1].points == 0 {
				from = from[:len(from)-1]
			}
		}
		b.words = b.words[:0]
		for _, l := range from {
			b.words = appendLot(b.words, l)
		}
		d.lots = b.lists.write(d.lots, b.words)
	})
	s.give(acc, s.earns, n, p)
}

// takeBack takes earned points back: from the lot of their sale, from the others, oldest first, and what is
// not there becomes debt. What has expired with the sale's lot is gone already.
func (s *step) takeBack(acc *account, i uint32, n int64, p *Posting) {
	b := s.b
	lot := b.lotOf(i)
	b.deals.change(i, func(d *deal) { d.taken += n })
	s.owe(acc, n-b.forgive(acc, lot, n), lot, p)
}

// owe takes points back from what is there, and the rest becomes debt.
func (s *step) owe(acc *account, n int64, first uint16, p *Posting) {
	taken := min(n, acc.balance)
	s.b.take(acc, taken, first)
	acc.debt += n - taken
	p.Shopper -= taken
	p.Debt -= n - taken
	p.Returned += n
}

func (d *deal) append(b []byte, ls *lists) []byte {
	b = append(b, d.rid[:]...)
	for _, v := range [...]uint64{uint64(d.earned), uint64(d.spent), uint64(d.taken), uint64(d.given), d.from, d.to} {
		b = record.AppendU64(b, v)
	}
	for _, v := range [...]uint32{d.number, d.account, d.hold} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	b = appendWords(appendWords(b, ls, d.lots), ls, d.returns)
	return append(binary.BigEndian.AppendUint16(b, d.lot), byte(b2u(d.again)), byte(b2u(d.rearmed)))
}

func (d *deal) read(r *record.Reader, ls *lists) bool {
	r.Fill(d.rid[:])
	d.earned, d.spent, d.taken, d.given, d.from, d.to = r.I64(), r.I64(), r.I64(), r.I64(), r.U64(), r.U64()
	d.number, d.account, d.hold = r.U32(), r.U32(), r.U32()
	d.lots, d.returns = readWords(r, ls), readWords(r, ls)
	d.lot, d.again, d.rearmed = u16(r), r.U8() == 1, r.U8() == 1
	return true
}
