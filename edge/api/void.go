package api

import (
	"context"
	"errors"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// voidReceipt undoes what is left of a sale of this till and business date.
func (a *API) voidReceipt(ctx context.Context, q question) (answer, error) {
	if err := a.mayKeep(&q); err != nil {
		return answer{}, err
	}
	of, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/rid", "the path names no UUID of version 7")
	}
	var body Void
	if err := a.read.decode(q.body, &body); err != nil {
		return answer{}, err
	}
	d := body.head()
	field := d.paymentCard(a.read.own)
	if field == "" && holdsPaymentCard(body.Reason, false, a.read.own) {
		field = "/reason"
	}
	if field != "" {
		return answer{}, &cardError{field}
	}
	var s sale
	if s.training, err = trains(q.caller, body.Training); err != nil {
		return answer{}, err
	}
	s.draft.Kind = record.KindVoid
	if err := a.read.read(d, &s.draft.Header); err != nil {
		return answer{}, err
	}
	if !isText(body.Reason, maxText) {
		return answer{}, invalid("/reason", "want at most 64 printable characters")
	}
	if !s.training {
		if kept, err := a.keptBefore(&s, &q); kept != nil || err != nil {
			return a.sameReturn(kept, err)
		}
	}
	// Another till's sale is not voided, but given back.
	if own, err := a.cfg.Journal.Find(of); errors.Is(err, journal.ErrNotFound) || err == nil && own.Kind != record.KindSale {
		return answer{}, errNoSale
	} else if err != nil {
		return answer{}, err
	}
	sold, err := a.findSale(ctx, of)
	if err != nil {
		return answer{}, err
	}
	return a.giveBack(ctx, q, s, sold, "", func(bill *pricing.Quote, before []pricing.Return) ([]pricing.Return, error) {
		if sold.sale.Day != s.draft.Day {
			return nil, errVoidLate
		}
		left, err := bill.Left(before)
		if err == nil && len(left) == 0 {
			err = errVoided
		}
		return left, err
	})
}
