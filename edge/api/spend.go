package api

import (
	"context"
	"errors"
	"time"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// offlineNotAllowed is why a quote spends no points while nobody could set them aside.
const offlineNotAllowed = "offline_not_allowed"

// textNoPoints and textNoCoupon tell the cashier of it.
const (
	textNoPoints = "Points cannot be spent just now: no connection. They stay safe."
	textNoCoupon = "A coupon cannot be checked just now. It stays valid."
)

// couponOffline is the state of a single-use coupon that nobody can set aside now.
const couponOffline = "needs_connection"

// spends reports whether a basket wants to pay with points.
func (b *Basket) spends() bool {
	return b.PointsToSpend != nil && b.PointsToSpend.Mode != "" && b.PointsToSpend.Mode != pricing.SpendNone
}

// cut reports whether nobody could set points and coupons aside now. What the node does not know of the way up it
// learns with the first hold that fails.
func (a *API) cut() bool { return !a.linked() || a.holds.hushed(a.cfg.Now()) }

// linked reports whether there is somebody to ask about holds, and a line all the way to them.
func (a *API) linked() bool { return a.cfg.Hold != nil && a.cfg.Centre().Linked }

// spendable is what a shopper may spend as far as this node knows: not what has expired, not what receipts
// kept here take, and not what holds of this node have set aside behind the item's back.
func (a *API) spendable(account record.AccountID, s *record.Shopper) int64 {
	return s.Available(a.cfg.Now().UnixMilli()) + min(s.Pending, 0) - a.holds.unseen(account, s)
}

// balance tells what is known of a shopper's points.
func (a *API) balance(p *Points, account record.AccountID, s *record.Shopper) {
	unseen := a.holds.unseen(account, s)
	available, pending, debt := max(s.Available(a.cfg.Now().UnixMilli())-unseen, 0), s.Pending, s.Debt
	p.Available, p.Pending, p.Debt = &available, &pending, &debt
	if held := s.Held + unseen; held > 0 {
		p.Held = &held
	}
}

// needs says what of an offer has to be set aside before it is paid.
func (a *API) needs(o *offer) needed {
	points, codes := o.takes()
	n := needed{account: o.account, points: points}
	n.rid, _ = record.ParseRID(o.basket.RID) // it has been read before
	for _, code := range codes {
		n.coupons = append(n.coupons, a.read.cards.Coupon(code))
	}
	return n
}

// cover takes the hold that a receipt names, if it covers what the receipt spends.
func (a *API) cover(ctx context.Context, o *offer) (hold record.RID, err error) {
	n := a.needs(o)
	if o.basket.Hold == "" {
		if n.nothing() {
			return hold, nil
		}
		return hold, &atField{"/hold", errHoldNeeded}
	}
	id, _ := record.ParseRID(o.basket.Hold) // it has been read before
	if !a.holds.known(id) {
		// Of before a restart, or its answer was late: the centre knows.
		_, err = a.askHold(ctx, record.HoldQuestion{Verb: record.HoldFind, ID: id})
	}
	if err == nil {
		err = a.holds.take(id, &n, a.cfg.Now())
	}
	switch {
	case err == nil:
		return id, nil
	case n.nothing(): // it spends nothing: what it has set aside comes back by itself
		return hold, nil
	case errors.Is(err, errHoldUnknown):
		err = errHoldExpired
	}
	return hold, &atField{"/hold", err}
}

// settled says what became of a receipt for which a hold was taken.
func (a *API) settled(s *sale, kept *record.Header, err error) {
	if s.taken == (record.RID{}) {
		return
	}
	_, notKept := errors.AsType[*pricing.FieldError](err)
	for _, e := range [...]error{journal.ErrFull, journal.ErrTooLarge, journal.ErrOtherBody, journal.ErrDraft, journal.ErrNoTill} {
		notKept = notKept || errors.Is(err, e)
	}
	a.holds.done(s.taken, kept, notKept)
}

// Giving back what nobody has used.
const (
	holdLook    = 200 * time.Millisecond
	releaseWait = 2 * time.Second
)

// letGo gives back holds that have ended and that no receipt has used, so that the points of an abandoned
// basket come back before the till sells again. Only this node knows that nothing of its journal uses them.
func (a *API) letGo(ctx context.Context) {
	tick := time.NewTicker(holdLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		due := a.holds.sweep(a.cfg.Now(), a.over)
		for _, id := range due {
			if !a.linked() {
				break // when the line has healed
			}
			waits, cancel := context.WithTimeout(ctx, releaseWait)
			if err := a.release(waits, id); err != nil {
				a.cfg.Log.Debug("a hold is not given back yet", "hold", id, "err", err)
			}
			cancel()
		}
	}
}

// release asks the centre to let go of a hold that no receipt has used.
func (a *API) release(ctx context.Context, id record.RID) error {
	said, err := a.cfg.Hold(ctx, record.HoldQuestion{Verb: record.HoldRelease, ID: id})
	if err == nil && said.State == record.HoldUnavailable {
		err = errNoHold
	}
	a.holds.gave(id, err == nil, a.cfg.Now())
	return err
}

// releaseSoon is release for a POS that waits.
func (a *API) releaseSoon(ctx context.Context, id record.RID) error {
	ctx, cancel := context.WithTimeout(ctx, holdWait)
	defer cancel()
	return a.release(ctx, id)
}

// over reports whether a used hold's receipt is posted and its shopper's item has come since.
func (a *API) over(x *held) bool {
	if !a.posted(&x.by) {
		return false
	}
	s, ok := a.cached(x.by.Account)
	return !ok || s.AsOf != x.was
}
