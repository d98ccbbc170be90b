package books

import (
	"cmp"
	"fmt"
	"slices"

	"tillstream/kv/record"
)

// hold is points and coupons set aside for a basket. One that stands has points, lots and coupons; one that was
// let go of keeps its coupons and points for keepDays, so that a late receipt is told from a false one; one
// that was used stays as long as its sale is remembered.
type hold struct {
	id, rid record.RID
	points  int64  // that were set aside
	expires int64  // from then on it is due
	from    uint64 // seq of the till's newest record when it was asked for
	account uint32 // number plus one; zero: nobody's
	chain   uint32 // whose record uses it up; nothing, once it does not stand
	lane    uint32
	lots    uint32 // list: what its points were taken from, while it stands
	coupons uint32 // list
	nextOf  uint32 // of the account's that stand, plus one; like nextIn not in a snapshot
	nextIn  uint32 // of the chain's that stand, plus one
	ended   uint16 // day
	state   record.HoldState
	past    bool // a record behind from says that its till is past expires
}

// Bounds of the holds that stand: a store that goes wrong fills its own.
const (
	holdsOfStore   = 10_000
	holdsOfChain   = 256
	holdsOfAccount = 20
)

func (h *hold) stands() bool { return h.state == record.HoldPlaced }

func (h *hold) answer(again bool, coupons int) record.HoldAnswer {
	return record.HoldAnswer{
		State: h.state, Again: again, Points: h.points, Coupons: uint8(coupons), RID: h.rid, Expires: h.expires,
	}
}

// findHold gives the hold with an id if it is a store's.
func (b *Books) findHold(store uint16, id record.RID) (uint32, bool) {
	i, ok := b.holds.find((*[16]byte)(&id))
	return i, ok && b.lanes[b.holds.at(i).lane].store == store
}

// ask answers a question about a hold.
func (s *step) ask(store uint16, q *record.HoldQuestion) record.HoldAnswer {
	b := s.b
	i, known := b.findHold(store, q.ID)
	if known {
		h := b.holds.at(i)
		coupons := b.couponsOf(h)
		switch {
		case q.Verb == record.HoldPlace && !s.same(h, q, coupons):
			return record.HoldAnswer{State: record.HoldOther}
		case q.Verb == record.HoldRelease && h.stands():
			s.free(i, record.HoldReleased, CauseReleased)
			return b.holds.at(i).answer(false, len(coupons))
		}
		return h.answer(true, len(coupons))
	}
	if q.Verb != record.HoldPlace {
		return record.HoldAnswer{State: record.HoldUnknown}
	}
	return s.place(store, q)
}

// same reports whether a question is the one that a hold answers. The till's newest record is not compared:
// it may have moved on before the question was asked again.
func (s *step) same(h *hold, q *record.HoldQuestion, coupons []record.CouponID) bool {
	var account record.AccountID
	if h.account != 0 {
		account = s.b.accounts.at(h.account - 1).id
	}
	return h.rid == q.RID && account == q.Account && h.points == q.Points && slices.Equal(coupons, q.Coupons)
}

// MayHold reports whether a store may ask for a hold from a till's chain, and whether the books know enough of
// the chain to hold anything for it.
func (b *Books) MayHold(store string, id record.ChainID) (its, known bool) {
	n, ok := b.chains.find(&id)
	if !ok {
		return true, false
	}
	its = b.storeOfChain(n).String() == store
	return its, n&atRest == 0 && !b.chains.at(n).fork
}

// refused says why a hold cannot be placed, if so.
func (s *step) refused(store uint16, q *record.HoldQuestion) (why record.HoldState, refused bool) {
	b := s.b
	home := b.stores[store].id.String()
	its, known := b.MayHold(home, q.From.Chain)
	_, taken := b.holds.find((*[16]byte)(&q.ID))
	switch {
	case !its:
		s.incident(fmt.Sprintf("store %s asked for a hold from chain %s, which is not its own", home, q.From.Chain))
		return record.HoldUnavailable, true
	case taken:
		return record.HoldOther, true // another store's
	case q.ID == (record.RID{}) || q.RID == (record.RID{}) || q.Points == 0 && len(q.Coupons) == 0 || q.Points > 0 && q.Account.IsZero():
		return record.HoldUnavailable, true // the gateway lets nothing of that through
	case !known || b.rids.find(&q.RID): // or its receipt has come, and nothing would ever use the hold up
		return record.HoldUnavailable, true
	}
	n, _ := b.chains.find(&q.From.Chain)
	if b.stores[store].holds >= holdsOfStore || b.standing(b.chains.at(n).holds, inChain) >= holdsOfChain {
		return record.HoldTooMany, true
	}
	acc, _, ok := b.accounts.find(&q.Account)
	switch {
	case ok && b.standing(acc.holds, ofAccount) >= holdsOfAccount:
		return record.HoldTooMany, true
	case q.Points > 0 && (!ok || b.available(acc, s.today) < q.Points):
		return record.HoldNoPoints, true
	case !b.freeCoupons(q.Coupons):
		return record.HoldNoCoupon, true
	}
	return 0, false
}

func inChain(h *hold) uint32 { return h.nextIn }

func ofAccount(h *hold) uint32 { return h.nextOf }

// standing counts a list of holds that stand.
func (b *Books) standing(first uint32, next func(*hold) uint32) (n int) {
	for ; first != 0; first = next(b.holds.at(first - 1)) {
		n++
	}
	return n
}

// place sets aside all that is asked for, or nothing.
func (s *step) place(store uint16, q *record.HoldQuestion) record.HoldAnswer {
	b := s.b
	if why, refused := s.refused(store, q); refused {
		return record.HoldAnswer{State: why}
	}
	chain, _ := b.chains.find(&q.From.Chain)
	h := hold{
		id: q.ID, rid: q.RID, points: q.Points, expires: s.e.At + int64(b.policy.HoldMinutes)*60_000,
		from: q.From.Seq, chain: chain, lane: b.chains.at(chain).lane, state: record.HoldPlaced,
	}
	var acc *account
	var of uint32
	if !q.Account.IsZero() {
		acc, of = s.touch(&q.Account, store)
		h.account = of + 1
		h.lots = b.keepLots(b.take(acc, q.Points, 0))
	}
	h.coupons = b.keepCoupons(q.Coupons)
	i := b.holds.add(h)
	for _, id := range q.Coupons {
		b.holdCoupon(id, i)
	}
	b.stand(i)
	if acc != nil {
		s.book(acc, &line{account: of, Posting: Posting{Cause: CausePlaced, RID: h.id, Shopper: -h.points, Held: h.points}})
		s.done(acc)
	}
	return h.answer(false, len(q.Coupons))
}

// keepLots writes lots down, and gives where.
func (b *Books) keepLots(ls []lot) uint32 {
	b.words = b.words[:0]
	for _, l := range ls {
		b.words = appendLot(b.words, l)
	}
	return b.lists.write(0, b.words)
}

// stand puts a hold where those are found that stand: at its account, at its chain, and among what is due.
func (b *Books) stand(i uint32) {
	h := b.holds.at(i)
	if h.account != 0 {
		acc := b.accounts.at(h.account - 1)
		h.nextOf, acc.holds = acc.holds, i+1
	}
	c := b.chains.at(h.chain)
	h.nextIn, c.holds = c.holds, i+1
	b.stores[b.lanes[h.lane].store].holds++
	if h.expires > b.at {
		b.due.push(dueHold{h.expires, h.id, i})
	}
}

// end takes a hold that stands out of there, and gives what it had taken from the account's lots.
func (s *step) end(i uint32, state record.HoldState) []lot {
	b := s.b
	h := b.holds.at(i)
	if h.account != 0 {
		at := &b.accounts.at(h.account - 1).holds
		for *at != i+1 {
			at = &b.holds.at(*at - 1).nextOf
		}
		*at = h.nextOf
	}
	at := &b.chains.at(h.chain).holds
	for *at != i+1 {
		at = &b.holds.at(*at - 1).nextIn
	}
	*at = h.nextIn
	b.stores[b.lanes[h.lane].store].holds--
	lots := readLots(nil, b.lists.read(nil, h.lots))
	b.holds.change(i, func(h *hold) {
		b.lists.drop(h.lots)
		h.lots, h.nextOf, h.nextIn, h.state, h.ended, h.chain = 0, 0, 0, state, s.today, 0
	})
	return lots
}

// free lets go of a hold that stands: its points go back to their lots, its coupons may be used.
func (s *step) free(i uint32, state record.HoldState, why Cause) {
	b := s.b
	h := *b.holds.at(i)
	for _, id := range b.couponsOf(&h) {
		b.freeCoupon(id, i)
	}
	if h.account == 0 {
		s.end(i, state)
		return
	}
	acc := s.change(h.account - 1)
	l := line{account: h.account - 1, Posting: Posting{Cause: why, RID: h.id, Held: -h.points}}
	s.putBack(acc, s.end(i, state), &l.Posting)
	s.book(acc, &l)
	s.done(acc)
}

// putBack gives points back to the lots they were taken from. What the shopper owes by now they repay first,
// and what has expired meanwhile is gone.
func (s *step) putBack(acc *account, ls []lot, p *Posting) {
	b := s.b
	for _, l := range ls {
		if l.day <= s.today {
			b.put(acc, l.day, l.points)
			continue
		}
		s.give(acc, l.day, l.points, p)
	}
	if b.dueLots(acc, s.today) {
		p.Expired += b.expire(acc, s.today)
	}
}

// give brings points to a shopper: to the debt first, and then into a lot.
func (s *step) give(acc *account, day uint16, n int64, p *Posting) {
	repaid := min(n, acc.debt)
	acc.debt -= repaid
	p.Debt += repaid
	s.b.put(acc, day, n-repaid)
	p.Shopper += n - repaid
}

// progress lets go of the holds of a chain that are due, now that a record of it has come.
func (s *step) progress(c *chain, h *record.Header) {
	b := s.b
	for i := c.holds; i != 0; i = b.holds.at(i - 1).nextIn {
		if o := b.holds.at(i - 1); !o.past && h.Seq > o.from && h.At >= o.expires {
			b.holds.change(i-1, func(o *hold) { o.past = true })
		}
	}
	s.letGo(c, c.closed != 0 && h.Seq >= c.end)
}

// letGo lets go of a chain's holds that are past their time, if the till is known to be past it too: all of
// them if the whole of the chain has come.
func (s *step) letGo(c *chain, whole bool) {
	b := s.b
	var due []uint32
	for i := c.holds; i != 0; i = b.holds.at(i - 1).nextIn {
		if o := b.holds.at(i - 1); o.expires <= s.e.At && (whole || o.past) {
			due = append(due, i-1)
		}
	}
	slices.SortFunc(due, func(x, y uint32) int { // the list has another order on a node that was started again
		a, b := b.holds.at(x), b.holds.at(y)
		return cmp.Or(cmp.Compare(a.expires, b.expires), slices.Compare(a.id[:], b.id[:]))
	})
	for _, i := range due {
		s.free(i, record.HoldExpired, CauseLetGo)
	}
}
