package books

import (
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// receipt posts one record that extends its chain, or notes that it is a repeat.
func (s *step) receipt(c *chain, number uint32, h *record.Header, at int) {
	b := s.b
	l := line{kind: lineFate, fate: FatePosted, chain: number, seq: h.Seq, Posting: Posting{Entry: s.e.Number, RID: h.RID}}
	store := b.lanes[c.lane].store
	n, before, known := b.rids.add(&h.RID, s.e.At, block{entry: s.e.Number, lot: s.earns})
	if known { // a repeat is remembered as long as the record that repeats it
		b.totals.Repeats++
		b.repeated(&h.RID, n, before)
		if !h.Account.IsZero() {
			// The item goes out again, or the edge's overlay of this record would never end.
			acc, _ := s.touch(&h.Account, store)
			s.done(acc)
		}
		l.fate = FateRepeat
		s.tell(&l)
		return
	}
	b.totals.Posted++
	if s.fx.Asked {
		s.fx.Took = append(s.fx.Took, fold.Took{Proposal: s.proposal, Record: at, Number: b.totals.Posted})
	}
	switch {
	case h.Of != (record.RID{}):
		b.remember(h, n, 0)
		s.returned(store, h, &l)
	case h.Account.IsZero():
		b.remember(h, n, 0)
		b.totals.Anonymous++
		if h.Kind == record.KindSale && (h.Spent != 0 || h.Hold != (record.RID{})) {
			s.spend(nil, 0, h, n, &l.Posting)
		}
		s.tell(&l)
	default:
		b.totals.Transactions++
		acc, i := s.touch(&h.Account, store)
		b.remember(h, n, i+1)
		l.kind, l.account, l.Kind = linePosting, i, h.Kind
		s.post(acc, h, n, &l)
		s.done(acc)
	}
	if b.waits.live > 0 {
		s.cameTo(h, n)
	}
}

// post moves points. Earnings repay debt first; a return that names no sale takes from the balance, and the
// rest is debt.
func (s *step) post(acc *account, h *record.Header, n uint32, l *line) {
	switch h.Kind {
	case record.KindSale:
		s.sale(acc, l.account, h, n, &l.Posting)
	case record.KindReturn, record.KindVoid:
		s.owe(acc, h.Points, 0, &l.Posting)
		if h.Spent != 0 {
			s.incident(fmt.Sprintf("%s: return %s names no sale, and gives %d points back that nobody is known to have spent: it gives none", s.where(), h.RID, h.Spent))
		}
	}
	s.book(acc, l)
}

// book counts a posting to the totals, and tells it in the account's history.
func (s *step) book(acc *account, l *line) {
	p, t := &l.Posting, &s.b.totals
	p.Entry, p.At = s.e.Number, s.e.At
	if p.Cause != 0 || p.Held != 0 || p.Redeemed != 0 || p.Expired != 0 {
		l.kind = lineMore
	}
	if !l.OfRecord() {
		t.Moves++
	}
	t.Shopper += p.Shopper
	t.Debt += p.Debt
	t.Issued += p.Issued
	t.Returned += p.Returned
	t.Held += p.Held
	t.Redeemed += p.Redeemed
	t.Expired += p.Expired
	if l.back = 0; acc.last != 0 {
		l.back = s.fx.Next() - acc.last
	}
	acc.last = s.tell(l)
}

// touch gives the account of a receipt, opening it if need be, notes that the store has seen it, and tells
// the stores that see it, once in an entry. The account's share leaves the digest until done puts it back.
func (s *step) touch(id *record.AccountID, number uint16) (*account, uint32) {
	b := s.b
	acc, i, opened := b.accounts.open(id)
	if opened {
		s.tell(&line{kind: lineAccount, number: i, id: *id})
	} else {
		b.keepAccount(i)
		b.digest.sub(b.accountSum(acc))
	}
	if fresh := b.far.see(acc, number, s.today); fresh && acc.changed == s.e.Number {
		b.fall(number, change{s.e.Number, i, s.today, false})
	}
	s.changed(acc, i)
	return acc, i
}

// change is touch for what no record of a store does to an account.
func (s *step) change(i uint32) *account {
	acc := s.b.accounts.at(i)
	s.b.keepAccount(i)
	s.b.digest.sub(s.b.accountSum(acc))
	s.changed(acc, i)
	return acc
}

// changed tells the stores that see an account, once in an entry, and takes out of it what has expired.
func (s *step) changed(acc *account, i uint32) {
	b := s.b
	if acc.changed != s.e.Number {
		acc.changed, acc.at = s.e.Number, s.e.At
		b.watch(acc, change{s.e.Number, i, s.today, false})
	}
	if acc.lots == 0 || !b.dueLots(acc, s.today) {
		return
	}
	if gone := b.expire(acc, s.today); gone > 0 {
		s.book(acc, &line{account: i, Posting: Posting{Cause: CauseExpired, Shopper: -gone, Expired: gone}})
	}
}

// done puts what touch and change took back into the digest.
func (s *step) done(acc *account) { s.b.digest.add(s.b.accountSum(acc)) }

// where names the till whose record is posted.
func (s *step) where() string {
	l := &s.b.lanes[s.lane]
	return fmt.Sprintf("store %s till %s", s.b.stores[l.store].id, l.till)
}
