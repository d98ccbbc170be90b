package api

import (
	"context"

	"tillstream/kv/record"
)

// giveBlind keeps a return that names no sale, if the policy lets it pass.
func (a *API) giveBlind(ctx context.Context, q question, s sale, body *Return) (answer, error) {
	if err := a.priceBlind(&s, body); err != nil {
		return answer{}, err
	}
	policy := a.returnPolicy()
	if err := a.mayGiveBlind(&policy, body, *s.told.Total); err != nil {
		return answer{}, err
	}
	return a.finish(ctx, q, s)
}

// giveUnverified keeps a return whose sale nobody could give in time, if the policy lets it pass. It names
// the sale all the same: the books settle it when they have both.
func (a *API) giveUnverified(ctx context.Context, q question, s sale, of record.RID, body *Return) (answer, error) {
	if err := a.priceBlind(&s, body); err != nil {
		return answer{}, err
	}
	policy := a.returnPolicy()
	if err := a.mayGiveUnverified(&policy, body, *s.told.Total); err != nil {
		return answer{}, err
	}
	s.draft.Of = of
	s.told.Link, s.told.Flagged, s.told.Differences = linkUnverified, true, unverifiedDiffers()
	a.past.mu.Lock()
	defer a.past.mu.Unlock()
	return a.finish(ctx, q, s)
}

// unverifiedDiffers flags a return of which the sale was not at hand.
func unverifiedDiffers() []Difference { return []Difference{{What: differsSale}} }

// priceBlind prices a return by its own lines. One that names its sale takes points back of the sale's shopper,
// whom the books know.
func (a *API) priceBlind(s *sale, body *Return) error {
	sum, err := pricePlain(record.KindReturn, body.Currency, linesOf(body.Lines), a.cfg.Rules.Now())
	if err != nil {
		return err
	}
	s.draft.Rules = sum.Revision
	if body.Of != nil || !s.draft.Account.IsZero() {
		s.draft.Points = sum.Points
	}
	s.told = &Committed{Currency: sum.Currency, Total: &sum.Total, Link: linkBlind}
	return nil
}

// tellLink tells of a return that was kept without the sale at hand.
func (c *Committed) tellLink(h *record.Header) {
	switch {
	case h.Kind != record.KindReturn:
	case h.Of == record.RID{}:
		c.Link = linkBlind
	default:
		c.Link, c.Flagged, c.Differences = linkUnverified, true, unverifiedDiffers()
	}
}

// linesOf makes lines of those given back, where no sale says more of them.
func linesOf(back []ReturnLine) []Line {
	lines := make([]Line, len(back))
	for i := range back {
		l := &back[i]
		lines[i] = Line{
			LineID: l.LineID, Item: l.Item, Description: l.Description, Quantity: l.Quantity, Unit: l.Unit,
			UnitPrice: l.UnitPrice, Amount: l.Amount,
		}
	}
	return lines
}
