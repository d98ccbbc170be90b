package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// holdWait bounds the question to the centre: a till never waits longer for loyalty before payment.
const holdWait = 150 * time.Millisecond

// holdKeeps is how long a hold of training pretends to stand.
const holdKeeps = 30 * time.Minute

func (a *API) placeHold(ctx context.Context, q question) (answer, error) {
	if q.key == "" {
		return answer{}, errMissingKey
	}
	var body HoldRequest
	ask, training, err := a.readHold(&q, &body)
	if err != nil {
		return answer{}, err
	}
	if training {
		expires := a.cfg.Now().Add(holdKeeps).UTC()
		return answer{status: http.StatusCreated, body: &Hold{
			ID: ask.ID.String(), RID: ask.RID.String(), State: "placed", Points: ask.Points, Coupons: len(ask.Coupons),
			ExpiresAt: &expires, Training: true,
		}}, nil
	}
	a.site.basket(ask.RID, ask.Account)
	if !a.linked() || a.holds.full() {
		return answer{}, errNoHold
	}
	// A basket has one hold: its points may be what the next one asks for.
	for _, id := range a.holds.replaced(&ask) {
		if err := a.releaseSoon(ctx, id); err != nil {
			return answer{}, fmt.Errorf("%w: give back hold %s: %w", errNoHold, id, err)
		}
	}
	here, _ := a.cached(ask.Account)
	ask.From = a.cfg.Journal.Newest()
	ask.From.Hash = record.Hash{}
	a.holds.asked(&ask, here.AsOf, a.cfg.Now())
	said, err := a.askHold(ctx, ask)
	if err != nil {
		return answer{}, a.without(err, said, body.Basket, ask.Account, &body)
	}
	status := http.StatusCreated
	if said.Again {
		status = http.StatusOK
	}
	return answer{status: status, replayed: said.Again, body: told(ask.ID, said)}, nil
}

// without gives a hold that was refused its cure: the basket's quote without what cannot be set aside.
func (a *API) without(err error, said record.HoldAnswer, b *Basket, account record.AccountID, ask *HoldRequest) error {
	if !errors.Is(err, errHoldRefused) || b == nil {
		return err
	}
	less := *b
	if said.State != record.HoldNoCoupon {
		less.PointsToSpend = nil
	}
	if said.State != record.HoldNoPoints {
		less.Coupons = slices.DeleteFunc(slices.Clone(b.Coupons), func(c CouponCode) bool {
			return slices.ContainsFunc(ask.Coupons, func(h CouponCode) bool { return h.Code == c.Code })
		})
	}
	o := &offer{basket: &less, account: account, desk: new(desk)}
	if e := a.gather(o, false); e != nil {
		return err
	}
	if e := a.price(o, a.cfg.Rules.Now()); e != nil {
		return err
	}
	return &refusedError{a.tellQuote(o)}
}

// readHold reads what is to be set aside.
func (a *API) readHold(q *question, body *HoldRequest) (ask record.HoldQuestion, training bool, err error) {
	if err := a.read.decode(q.body, body); err != nil {
		return ask, false, err
	}
	d := head{rid: body.RID, shopper: body.Shopper}
	if field := d.paymentCard(a.read.own); field != "" {
		return ask, false, &cardError{field}
	}
	if field := couponCard("/coupons", body.Coupons, a.read.own); field != "" {
		return ask, false, &cardError{field}
	}
	if training, err = trains(q.caller, body.Training); err != nil {
		return ask, false, err
	}
	var h record.Header
	if err := a.read.readWho(d, &h); err != nil {
		return ask, false, err
	}
	if body.Shopper == nil && body.Points > 0 {
		return ask, false, invalid("/shopper", "is needed to set points aside")
	}
	if body.Points < 0 || body.Points > record.MaxPoints {
		return ask, false, invalid("/points", "want 0 to 1000000000000")
	}
	if err := checkCoupons("/coupons", body.Coupons); err != nil {
		return ask, false, err
	}
	if body.Points == 0 && len(body.Coupons) == 0 {
		return ask, false, invalid("/points", "want points or coupons to set aside")
	}
	if err := a.checkHeldBasket(body); err != nil {
		return ask, false, err
	}
	ask = record.HoldQuestion{Verb: record.HoldPlace, RID: h.RID, Account: h.Account, Points: body.Points}
	if ask.ID, err = record.ParseRID(q.key); err != nil {
		return ask, false, invalid("/rid", "the header Idempotency-Key is no UUID of version 7")
	}
	for _, c := range body.Coupons {
		ask.Coupons = append(ask.Coupons, a.read.cards.Coupon(c.Code))
	}
	return ask, training, nil
}

// checkHeldBasket checks the basket that a hold is for, which is quoted again if it is refused.
func (a *API) checkHeldBasket(body *HoldRequest) error {
	b := body.Basket
	if b == nil {
		return nil
	}
	if field := b.paymentCard(a.read.own); field != "" {
		return &cardError{"/basket" + field}
	}
	if b.RID != body.RID {
		return invalid("/basket/rid", "want the rid of the hold")
	}
	_, err := addUp(record.KindSale, b.Currency, b.Lines)
	if err == nil {
		err = b.checkRest()
	}
	if f, ok := errors.AsType[*pricing.FieldError](err); ok {
		return invalid("/basket"+f.Field, f.Reason)
	}
	return err
}

func (a *API) findHold(ctx context.Context, q question) (answer, error) {
	id, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/id", "want a UUID of version 7")
	}
	said, err := a.askHold(ctx, record.HoldQuestion{Verb: record.HoldFind, ID: id})
	if err != nil {
		return answer{}, err
	}
	if said.State == record.HoldPlaced && a.holds.used(id) {
		said.State = record.HoldUsed // the centre has not posted the receipt yet
	}
	return answer{status: http.StatusOK, body: told(id, said)}, nil
}

// releaseHold gives a hold back. One that a receipt of this till uses is used, whatever the centre knows yet.
func (a *API) releaseHold(ctx context.Context, q question) (answer, error) {
	id, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/id", "want a UUID of version 7")
	}
	x, known, used := a.holds.end(id)
	if !known {
		said, err := a.askHold(ctx, record.HoldQuestion{Verb: record.HoldFind, ID: id})
		if err != nil {
			return answer{}, err
		}
		kept, err := a.cfg.Journal.Find(said.RID)
		used = err == nil && kept.Hold == id
		x = held{rid: said.RID, points: said.Points, count: int(said.Coupons), until: said.Expires}
		a.holds.end(id)
	}
	if used {
		said := record.HoldAnswer{State: record.HoldUsed, RID: x.rid, Points: x.points, Coupons: uint8(x.count), Expires: x.until}
		return answer{status: http.StatusOK, body: told(id, said)}, nil
	}
	said, err := a.askHold(ctx, record.HoldQuestion{Verb: record.HoldRelease, ID: id})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: told(id, said)}, nil
}

// askHold asks the centre. Whatever keeps it from saying is errNoHold: nothing is lost by it. A question that
// was lost on the way back may have been heard: then the node gives back in a while what nobody uses.
func (a *API) askHold(ctx context.Context, ask record.HoldQuestion) (said record.HoldAnswer, err error) {
	if !a.linked() {
		return said, errNoHold // a dead line is not waited for
	}
	ctx, cancel := context.WithTimeout(ctx, holdWait)
	defer cancel()
	if said, err = a.cfg.Hold(ctx, ask); err != nil {
		a.holds.failed(a.cfg.Now())
		return said, fmt.Errorf("%w: %w", errNoHold, err)
	}
	if said.State == record.HoldUnavailable {
		a.holds.failed(a.cfg.Now())
		return said, errNoHold
	}
	a.holds.said(ask.ID, &said, a.cfg.Now())
	switch said.State {
	case record.HoldPlaced, record.HoldReleased, record.HoldUsed, record.HoldExpired:
		return said, nil
	case record.HoldUnknown:
		return said, errHoldUnknown
	case record.HoldNoPoints, record.HoldNoCoupon, record.HoldTooMany:
		return said, errHoldRefused
	case record.HoldOther:
		return said, errHoldKey
	}
	return said, errNoHold
}

// told tells a hold.
func told(id record.RID, said record.HoldAnswer) *Hold {
	h := &Hold{ID: id.String(), Points: said.Points, Coupons: int(said.Coupons)}
	if said.RID != (record.RID{}) {
		h.RID = said.RID.String()
	}
	switch said.State {
	case record.HoldPlaced:
		h.State = "placed"
	case record.HoldReleased:
		h.State = "released"
	case record.HoldUsed:
		h.State = "used"
	default:
		h.State = "expired"
	}
	if said.Expires > 0 {
		at := time.UnixMilli(said.Expires).UTC()
		h.ExpiresAt = &at
	}
	return h
}
