package api

import (
	"fmt"
	"slices"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// returned is what a linked return or a void gives back. It is kept as the last member of the document's
// own JSON, as priced is of a sale's.
type returned struct {
	Request string     `json:"request"` // SHA-256 of the bytes that the POS sent
	Of      record.RID `json:"of"`
	// Currency is the sale's: a void names none.
	Currency string       `json:"currency"`
	Coupons  []CouponBack `json:"coupons,omitempty"`
	Before   *int64       `json:"points_before,omitempty"` // that could be spent, as this node knew it
	Differs  []Difference `json:"differs,omitempty"`       // flagged by these
	pricing.Returned
}

// keptReturn is a return or void as the journal has it.
type keptReturn struct {
	Currency string        `json:"currency"`
	Of       SaleReference `json:"of"`
	Lines    []Line        `json:"lines"`
	Returned *returned     `json:"returned"`
}

// fill fills in what the header says of a return, and gives what the body is to keep of it. Earlier returns
// that were kept without the sale at hand may have taken other points than their part had: nothing beyond
// the sale's own is taken or given, and whoever gives back the last of it settles the rest.
func (a *API) fill(h *record.Receipt, sold *soldSale, bill *pricing.Quote, b *before, back *pricing.Returned, now []pricing.Return) (*returned, error) {
	left, err := bill.Left(append(slices.Clip(b.lines), now...))
	if err != nil {
		return nil, err
	}
	whole := len(left) == 0
	var earned, spent int64
	for i := range bill.Lines {
		earned += bill.Lines[i].PointsEarned
		spent += bill.Lines[i].PointsSpent
	}
	back.PointsTakenBack = bounded(back.PointsTakenBack, earned-b.points, whole)
	back.PointsGivenBack = bounded(back.PointsGivenBack, spent-b.spent, whole)
	h.Of, h.Account, h.Rules = sold.sale.RID, sold.sale.Account, sold.sale.Rules
	h.Points, h.Spent = back.PointsTakenBack, back.PointsGivenBack
	r := &returned{Of: h.Of, Returned: *back}
	policy := a.returnPolicy()
	for i := range bill.Promotions {
		code := bill.Promotions[i].Coupon
		if code == "" {
			continue
		}
		c := CouponBack{CodeMasked: maskCode(code)}
		switch {
		case !whole:
			c.Reason = "part_kept"
		case h.Kind != record.KindVoid && policy.Coupons == setting.CouponsKeep:
			c.Reason = "policy"
		case b.rearmed:
			c.Reason = "already_rearmed"
		case sold.sale.Hold == record.RID{}:
			c.Reason = "not_held" // it can be used many times, or was never set aside
		default:
			c.Rearmed, h.Rearm = true, true
		}
		r.Coupons = append(r.Coupons, c)
	}
	if sold.partial {
		r.Differs = append(r.Differs, Difference{What: differsElsewhere})
	}
	if s, ok := a.cached(h.Account); ok && s.AsOf > 0 && !h.Account.IsZero() {
		n := a.spendable(h.Account, &s)
		r.Before = &n
	}
	return r, nil
}

// bounded is a part of what is left, or all of it.
func bounded(part, left int64, whole bool) int64 {
	if whole {
		part = left
	}
	return max(min(part, left), 0)
}

func (c *Committed) tellReturned(r *returned) {
	c.Currency, c.Total, c.Lines, c.Link = r.Currency, &r.MoneyBack, r.Lines, linkVerified
	c.Points.Before, c.Coupons = r.Before, r.Coupons
	c.Flagged, c.Differences = len(r.Differs) > 0, r.Differs
}

// billOf gives what a kept sale was priced to.
func (a *API) billOf(sold *record.Receipt) (*pricing.Quote, string, error) {
	k, err := readKept(sold.Data)
	if err != nil {
		return nil, "", err
	}
	if k.Priced != nil {
		q, err := k.Priced.quote(k.Currency, k.Lines)
		if err != nil {
			return nil, "", err
		}
		if sold.Account.IsZero() { // nobody has got the points
			for i := range q.Lines {
				q.Lines[i].PointsEarned = 0
			}
		}
		return q, k.Currency, nil
	}
	sum, err := addUp(record.KindSale, k.Currency, k.Lines)
	if err != nil {
		return nil, "", fmt.Errorf("price a kept sale: %w", err)
	}
	return sum.Quote(sum.lines, sold.Points), k.Currency, nil
}
