package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

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
	ask, training, err := a.readHold(&q)
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
	said, err := a.askHold(ctx, ask)
	if err != nil {
		return answer{}, err
	}
	status := http.StatusCreated
	if said.Again {
		status = http.StatusOK
	}
	return answer{status: status, replayed: said.Again, body: told(ask.ID, said)}, nil
}

// readHold reads what is to be set aside.
func (a *API) readHold(q *question) (ask record.HoldQuestion, training bool, err error) {
	var body HoldRequest
	if err := a.read.decode(q.body, &body); err != nil {
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
	if body.Shopper == nil {
		return ask, false, invalid("/shopper", "is needed")
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
	ask = record.HoldQuestion{Verb: record.HoldPlace, RID: h.RID, Account: h.Account, Points: body.Points}
	if ask.ID, err = record.ParseRID(q.key); err != nil {
		return ask, false, invalid("/rid", "the header Idempotency-Key is no UUID of version 7")
	}
	for _, c := range body.Coupons {
		ask.Coupons = append(ask.Coupons, a.read.cards.Coupon(c.Code))
	}
	return ask, training, nil
}

func (a *API) findHold(ctx context.Context, q question) (answer, error) {
	return a.aboutHold(ctx, q, record.HoldFind)
}

func (a *API) releaseHold(ctx context.Context, q question) (answer, error) {
	return a.aboutHold(ctx, q, record.HoldRelease)
}

func (a *API) aboutHold(ctx context.Context, q question, verb record.HoldVerb) (answer, error) {
	id, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/id", "want a UUID of version 7")
	}
	said, err := a.askHold(ctx, record.HoldQuestion{Verb: verb, ID: id})
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: told(id, said)}, nil
}

// askHold asks the centre. Whatever keeps it from saying is errNoHold: nothing is lost by it.
func (a *API) askHold(ctx context.Context, ask record.HoldQuestion) (said record.HoldAnswer, err error) {
	if a.cfg.Hold == nil {
		return said, errNoHold
	}
	ctx, cancel := context.WithTimeout(ctx, holdWait)
	defer cancel()
	if said, err = a.cfg.Hold(ctx, ask); err != nil {
		return said, fmt.Errorf("%w: %w", errNoHold, err)
	}
	switch said.State {
	case record.HoldPlaced, record.HoldReleased, record.HoldUsed, record.HoldExpired:
		return said, nil
	case record.HoldUnknown:
		return said, errHoldUnknown
	case record.HoldNoPoints, record.HoldNoCoupon:
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
