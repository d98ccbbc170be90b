package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

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
	return a.giveBack(ctx, q, s, of, "", func(sold *record.Receipt, bill *pricing.Quote, before []pricing.Return) ([]pricing.Return, error) {
		if sold.Day != s.draft.Day {
			return nil, errVoidLate
		}
		left, err := bill.Left(before)
		if err == nil && len(left) == 0 {
			err = errVoided
		}
		return left, err
	})
}

// past is what was given back of sales that are here. It is read from the journal when it is first
// needed: most processes see no return.
type past struct {
	mu   sync.Mutex
	sale map[record.RID]given // nil: not read yet
}

// given is what was given back of one sale.
type given struct {
	lines []pricing.Return
	void  bool
}

// of gives what was given back of a sale. The mutex is held.
func (p *past) of(j *journal.Journal, sale record.RID) (given, error) {
	if p.sale == nil {
		if err := p.read(j); err != nil {
			return given{}, err
		}
	}
	return p.sale[sale], nil
}

// add notes what has been given back. The mutex is held, and of has been called.
func (p *past) add(sale record.RID, lines []pricing.Return, void bool) {
	g := p.sale[sale]
	g.lines = append(g.lines, lines...)
	g.void = g.void || void
	p.sale[sale] = g
}

func (p *past) read(j *journal.Journal) error {
	p.sale = map[record.RID]given{}
	for _, c := range j.Chains() {
		for r, err := range j.After(c.ID, 0) {
			if err == nil && (r.Kind == record.KindReturn || r.Kind == record.KindVoid) {
				err = p.take(&r)
			}
			if err != nil {
				p.sale = nil // the next one tries again
				return fmt.Errorf("read what was given back: %w", err)
			}
		}
	}
	return nil
}

func (p *past) take(r *record.Receipt) error {
	var k keptReturn
	if err := json.Unmarshal(r.Data, &k); err != nil {
		return fmt.Errorf("receipt %s: %w", r.RID, err)
	}
	if k.Returned == nil {
		return nil
	}
	var lines []pricing.Return
	for i := range k.Returned.Lines {
		lines = append(lines, pricing.Return{LineID: k.Returned.Lines[i].LineID, Quantity: k.Returned.Lines[i].Quantity})
	}
	p.add(k.Returned.Of, lines, r.Kind == record.KindVoid)
	return nil
}
