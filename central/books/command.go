package books

import (
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// A command is a proposal that is no pack:
//
//	hold      2 store question    the question's binary form
//	policy    3 revision days minutes
//	release   4 id16              a hold, by ops
//
// The answer to a hold or a release is a HoldAnswer's binary form, to a policy what ReadPolicyOutcome reads.

// HoldProposal gives the form in the journal of a store's question about a hold.
func HoldProposal(store subjects.StoreID, q *record.HoldQuestion) fold.Proposal {
	return fold.Proposal{Head: q.Append(record.AppendBlob([]byte{opHold}, []byte(store.String())))}
}

// ReleaseProposal gives the form in the journal of what ops say: a hold is to be let go of.
func ReleaseProposal(id record.RID) fold.Proposal {
	return fold.Proposal{Head: append([]byte{opRelease}, id[:]...)}
}

// Command is a proposal that is no pack, taken apart: one of the three.
type Command struct {
	Store   subjects.StoreID // who asks about a hold
	Hold    *record.HoldQuestion
	Policy  *Policy
	Release record.RID
}

// IsCommand reports whether a proposal's head is to be read by ReadCommand, and not by ReadPack.
func IsCommand(head []byte) bool { return len(head) > 0 && head[0] != opReceipts }

// ReadCommand reads a command's head.
func ReadCommand(head []byte) (c Command, err error) {
	r := record.Reader{B: head}
	switch op := r.U8(); op {
	case opHold:
		name := string(r.Blob())
		if r.Err != nil {
			return c, fmt.Errorf("proposal: %w", r.Err)
		}
		if c.Store, err = subjects.ParseStoreID(name); err != nil {
			return c, fmt.Errorf("proposal: %w", err)
		}
		q, err := record.ReadHoldQuestion(r.B)
		c.Hold = &q
		return c, err
	case opPolicy:
		p := readPolicy(&r)
		c.Policy = &p
	case opRelease:
		r.Fill(c.Release[:])
	default:
		return c, fmt.Errorf("proposal: %w: unknown operation %d", record.ErrFormat, op)
	}
	if err := r.End(); err != nil {
		return c, fmt.Errorf("proposal: %w", err)
	}
	return c, nil
}

// command applies what is no pack, and gives its answer: that of an empty pack if it cannot be read.
func (s *step) command(head []byte) []byte {
	c, err := ReadCommand(head)
	switch {
	case err != nil:
		s.incident(fmt.Sprintf("proposal %d cannot be read: %v", s.proposal, err))
		return record.AppendMarks(nil, nil)
	case c.Hold != nil:
		a := s.ask(s.b.storeNumber(c.Store), c.Hold)
		return a.Append(nil)
	case c.Policy != nil:
		return s.setPolicy(*c.Policy)
	}
	a := s.release(c.Release)
	return a.Append(nil)
}

// release lets go of a hold whatever its till may still have.
func (s *step) release(id record.RID) record.HoldAnswer {
	b := s.b
	i, ok := b.holds.find((*[16]byte)(&id))
	if !ok {
		return record.HoldAnswer{State: record.HoldUnknown}
	}
	again := !b.holds.at(i).stands()
	if !again {
		s.free(i, record.HoldReleased, CauseOps)
	}
	h := b.holds.at(i)
	return h.answer(again, len(b.couponsOf(h)))
}

// Hold gives what became of a store's hold.
func (b *Books) Hold(store subjects.StoreID, id record.RID) record.HoldAnswer {
	i, ok := b.findHold(b.storeOf[store], id)
	if !ok {
		return record.HoldAnswer{State: record.HoldUnknown}
	}
	h := b.holds.at(i)
	return h.answer(true, len(b.couponsOf(h)))
}

// Held is a hold that stands, for ops.
type Held struct {
	ID, RID record.RID
	Account record.AccountID // zero: nobody's
	Store   subjects.StoreID
	Till    subjects.TillID
	Points  int64
	Coupons int
	Expires int64 // Unix milliseconds
}

// DueHolds calls fn for the holds that are past their time and stand, because their tills may still use them
// up, until it says false.
func (b *Books) DueHolds(fn func(*Held) bool) {
	for i := range b.holds.n {
		s := b.holds.slot(i)
		if !s.used || !s.v.stands() || s.v.expires > b.at {
			continue
		}
		if h := b.told(&s.v); !fn(&h) {
			return
		}
	}
}

// HoldsOf gives the holds of an account that stand.
func (b *Books) HoldsOf(id record.AccountID) (out []Held) {
	acc, _, ok := b.accounts.find(&id)
	if !ok {
		return nil
	}
	for i := acc.holds; i != 0; i = b.holds.at(i - 1).nextOf {
		out = append(out, b.told(b.holds.at(i-1)))
	}
	return out
}

func (b *Books) told(h *hold) Held {
	l := &b.lanes[h.lane]
	out := Held{
		ID: h.id, RID: h.rid, Store: b.stores[l.store].id, Till: l.till, Points: h.points,
		Coupons: len(b.couponsOf(h)), Expires: h.expires,
	}
	if h.account != 0 {
		out.Account = b.accounts.at(h.account - 1).id
	}
	return out
}

// Lot is a part of a balance.
type Lot struct {
	Points  int64
	Expires int64 // Unix milliseconds; zero: never
}

// LotsOf gives the lots of an account that have not expired, oldest first.
func (b *Books) LotsOf(id record.AccountID) (out []Lot) {
	acc, _, ok := b.accounts.find(&id)
	if !ok {
		return nil
	}
	for _, l := range b.lotsOf(nil, acc) {
		switch at := int64(l.day) * dayMS; {
		case l.day == never:
			out = append(out, Lot{Points: l.points})
		case l.points > 0 && at > b.at:
			out = append(out, Lot{l.points, at})
		}
	}
	return out
}
