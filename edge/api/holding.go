package api

import (
	"slices"
	"sync"
	"time"

	"tillstream/kv/record"
)

// Times of a hold, by the node's clock.
const (
	// holdMargin is how long before its end a hold is not taken for a receipt any more, and how long after
	// it the node gives back by itself what nobody has used: the clocks of a till and of the centre differ.
	holdMargin = 2 * time.Second
	// holdLeast is how long a hold stands at least: a clock that is ahead must not end it at its birth.
	holdLeast = time.Minute
	// holdSilence is how long quotes leave points out after nobody could set them aside.
	holdSilence = 5 * time.Second
)

// holdForget is how long after a hold's end the node still tries to give it back: by then the books have let
// go of it.
const holdForget = time.Hour

// maxHolds bounds the holds that are remembered: a till has one, while a shopper pays.
const maxHolds = 1000

// holding is what this node knows of the holds that it has asked for: whether a receipt is covered, what a
// cached balance does not know yet, and what an abandoned basket has left behind. It is memory only: after
// a restart a receipt's hold is asked for at the centre, and one that nobody uses ends there.
type holding struct {
	mu     sync.Mutex
	of     map[record.RID]*held
	silent time.Time // nobody could set aside a moment ago: quotes leave points out until then
}

// held is one hold.
type held struct {
	rid     record.RID
	found   bool             // again, by asking, which does not tell the account nor which coupons
	account record.AccountID // zero: nobody's, for a basket without a card
	points  int64
	coupons []record.CouponID
	count   int   // of coupons
	until   int64 // Unix milliseconds
	was     int64 // AsOf of the shopper's item when it was asked for
	sure    bool  // the centre has said that it stands
	state   heldState
	by      record.Header // of the receipt that used it; zero: not known, or not yet kept
	next    time.Time     // when giving it back is tried again
	wait    time.Duration
}

type heldState uint8

const (
	heldOpen   heldState = iota
	heldTaken            // a receipt uses it, or may have
	heldEnding           // it is to be given back: no receipt may use it
)

// needed is what a receipt spends.
type needed struct {
	rid     record.RID
	account record.AccountID
	points  int64
	coupons []record.CouponID
}

func (n *needed) nothing() bool { return n.points == 0 && len(n.coupons) == 0 }

// full reports whether no more can be remembered.
func (h *holding) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.of) >= maxHolds
}

// asked notes a hold that is being asked for. Whether it stands is not known yet: should no answer come, it
// is given back in a while, unless somebody asks what became of it.
func (h *holding) asked(ask *record.HoldQuestion, was int64, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of[ask.ID] == nil {
		h.put(ask.ID, &held{
			rid: ask.RID, account: ask.Account, points: ask.Points, coupons: ask.Coupons, count: len(ask.Coupons),
			until: now.Add(holdLeast).UnixMilli(), was: was,
		})
	}
}

// put remembers a hold; the mutex is held.
func (h *holding) put(id record.RID, x *held) {
	if h.of == nil {
		h.of = map[record.RID]*held{}
	}
	h.of[id] = x
}

// said notes what the centre says of a hold.
func (h *holding) said(id record.RID, a *record.HoldAnswer, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = time.Time{}
	x := h.of[id]
	switch {
	case a.State == record.HoldPlaced:
	case x == nil, x.state == heldTaken, a.State == record.HoldOther: // what stands under the id stands
		return
	default:
		delete(h.of, id)
		return
	}
	if x == nil {
		if len(h.of) >= maxHolds {
			return
		}
		x = &held{found: true, rid: a.RID, points: a.Points, count: int(a.Coupons)}
		h.put(id, x)
	}
	if !x.sure {
		x.sure, x.until = true, a.Expires
		if !a.Again {
			x.until = max(x.until, now.Add(holdLeast).UnixMilli())
		}
	}
}

// failed notes that nobody could say.
func (h *holding) failed(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.silent = now.Add(holdSilence)
}

// hushed reports whether nobody could set aside a moment ago.
func (h *holding) hushed(now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return now.Before(h.silent)
}

// known reports whether the centre has said that a hold of this node stands.
func (h *holding) known(id record.RID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[id]
	return x != nil && x.sure
}

// take sets a hold apart for a receipt, if it covers it. done has to follow.
func (h *holding) take(id record.RID, n *needed, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[id]
	switch {
	case x == nil || !x.sure:
		return errHoldExpired
	case x.rid != n.rid, !x.found && x.account != n.account, x.points < n.points, !x.covers(n.coupons):
		return errHoldNeeded
	case x.state == heldTaken: // the same receipt once more, of which it is not known whether it was kept
		return nil
	case x.state == heldEnding, now.Add(holdMargin).UnixMilli() >= x.until:
		return errHoldExpired
	}
	x.state = heldTaken
	return nil
}

func (x *held) covers(coupons []record.CouponID) bool {
	if x.found {
		return x.count >= len(coupons)
	}
	for _, c := range coupons {
		if !slices.Contains(x.coupons, c) {
			return false
		}
	}
	return true
}

// done says what became of the receipt for which a hold was taken: kept, not kept, or neither is known.
func (h *holding) done(id record.RID, by *record.Header, notKept bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[id]
	switch {
	case x == nil:
	case by != nil:
		x.by = *by
	case notKept && x.by.Seq == 0:
		x.state = heldOpen
	}
}

// end keeps receipts away from a hold that is about to be given back, and reports whether one has it.
func (h *holding) end(id record.RID) (x held, known, used bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.of[id]
	if p == nil {
		return x, false, false
	}
	if p.state == heldTaken {
		return *p, true, true
	}
	p.state = heldEnding
	return *p, true, false
}

// used reports whether a receipt that is kept here uses a hold.
func (h *holding) used(id record.RID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[id]
	return x != nil && x.by.Seq != 0
}

// unseen is what holds of this node have set aside of an account, and its item does not know of: quotes must
// not offer it again. An item says how much is held in all; a hold that was used counts until its receipt is
// posted and a newer item has come.
func (h *holding) unseen(account record.AccountID, s *record.Shopper) (points int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.of) == 0 {
		return 0
	}
	for _, x := range h.of {
		if x.account == account && x.sure && x.state != heldEnding {
			points += x.points
		}
	}
	return max(points-s.Held, 0)
}

// mine is what a basket's own holds have set aside: it may spend that, now and when it is quoted again.
func (h *holding) mine(rid record.RID, account record.AccountID) (points int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.of {
		if x.sure && x.state == heldOpen && x.account == account && x.rid == rid {
			points += x.points
		}
	}
	return points
}

// replaced gives the holds of a basket that another one takes the place of, and keeps receipts away from
// them.
func (h *holding) replaced(by *record.HoldQuestion) (ids []record.RID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, x := range h.of {
		if id != by.ID && x.rid == by.RID && x.state == heldOpen {
			x.state = heldEnding
			ids = append(ids, id)
		}
	}
	return ids
}

// sweep forgets the holds that have been used and are in their shopper's item, as over says, and gives those
// that are to be given back now.
func (h *holding) sweep(now time.Time, over func(*held) bool) (due []record.RID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, x := range h.of {
		late := now.Add(-holdMargin).UnixMilli() >= x.until
		switch {
		case x.state == heldTaken && x.by.Seq != 0:
			if over(x) {
				delete(h.of, id)
			}
		case x.state == heldTaken: // in doubt for good: the books know when to let go of it
			if late {
				delete(h.of, id)
			}
		case x.state == heldOpen && late:
			x.state = heldEnding
			fallthrough
		case x.state == heldEnding:
			if now.Add(-holdForget).UnixMilli() >= x.until {
				delete(h.of, id)
			} else if !now.Before(x.next) {
				due = append(due, id)
			}
		}
	}
	return due
}

// gave says whether the centre has let go of a hold that was given back.
func (h *holding) gave(id record.RID, ok bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	x := h.of[id]
	switch {
	case x == nil:
	case ok:
		delete(h.of, id)
	default:
		x.wait = min(max(2*x.wait, time.Second), time.Minute)
		x.next = now.Add(x.wait)
	}
}
