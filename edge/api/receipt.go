package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// Committed is what became of a receipt.
type Committed struct {
	RID          record.RID `json:"rid"`
	State        string     `json:"state"`   // "committed"
	Durable      string     `json:"durable"` // "local": on this node's disk
	Posted       bool       `json:"posted"`  // by the centre, as far as is known here
	Kind         string     `json:"kind"`
	BusinessDate string     `json:"business_date"`
	Currency     string     `json:"currency,omitempty"`
	Total        *int64     `json:"total,omitempty"` // minor units
	Points       Points     `json:"points"`
}

// commitWait bounds the wait for the disk.
const commitWait = 5 * time.Second

// commit keeps a sale or a return.
func (a *API) commit(kind record.Kind) operation {
	return func(ctx context.Context, q question) (answer, error) {
		if a.cfg.Till.IsZero() {
			return answer{}, errNotATill
		}
		if q.key == "" {
			return answer{}, errMissingKey
		}
		draft, quote, err := a.read.receipt(kind, q.body)
		if err != nil {
			return answer{}, err
		}
		if key, err := record.ParseRID(q.key); err != nil || key != draft.RID {
			return answer{}, invalid("/rid", "the header Idempotency-Key names another rid")
		}
		kept, repeated, err := a.keep(ctx, draft)
		if err != nil {
			return answer{}, err
		}
		a.meters.receipt(kind, repeated)
		c := a.committed(&kept, &quote)
		status := http.StatusCreated
		if repeated {
			status, c.Posted = http.StatusOK, a.posted(&kept.Header)
		}
		return answer{status: status, replayed: repeated, body: c}, nil
	}
}

// keep commits the draft. A POS that hangs up meanwhile does not undo it: it asks again by rid.
func (a *API) keep(ctx context.Context, draft record.Receipt) (record.Receipt, bool, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitWait)
	defer cancel()
	start := time.Now()
	kept, repeated, err := a.cfg.Journal.Commit(ctx, draft)
	if err != nil {
		return kept, false, err
	}
	a.meters.committed(time.Since(start))
	// The same bytes sent as a return after they were sent as a sale are another receipt.
	if kept.Kind != draft.Kind {
		return kept, false, fmt.Errorf("commit %s %s: %w: it is a %s", draft.Kind, draft.RID, journal.ErrOtherBody, kept.Kind)
	}
	return kept, repeated, nil
}

// find says what became of a receipt.
func (a *API) find(_ context.Context, q question) (answer, error) {
	rid, err := record.ParseRID(q.rid)
	if err != nil {
		return answer{}, invalid("/rid", "want a UUID of version 7")
	}
	kept, err := a.cfg.Journal.Find(rid)
	if err != nil {
		return answer{}, err
	}
	var quote *pricing.Sum
	if q, err := a.reprice(&kept); err == nil {
		quote = q
	} else {
		a.cfg.Log.Warn("a kept receipt does not price", "rid", rid, "err", err)
	}
	c := a.committed(&kept, quote)
	c.Posted = a.posted(&kept.Header)
	return answer{status: http.StatusOK, body: c}, nil
}

// reprice prices a kept body again, for its total; its points are the record's.
func (a *API) reprice(r *record.Receipt) (*pricing.Sum, error) {
	var body receiptBody
	if err := decode(r.Data, &body); err != nil {
		return nil, err
	}
	q, err := price(r.Kind, &body, a.read.programme)
	return &q, err
}

// committed tells a kept record. Its points are the record's, so that a repeat tells the same ones
// even when the rules have changed.
func (a *API) committed(r *record.Receipt, q *pricing.Sum) *Committed {
	c := &Committed{
		RID: r.RID, State: "committed", Durable: "local", Kind: r.Kind.String(),
		BusinessDate: fmt.Sprintf("%04d-%02d-%02d", r.Day/10000, r.Day/100%100, r.Day%100),
	}
	if q != nil {
		c.Currency, c.Total = q.Currency, &q.Total
	}
	points := r.Points
	if r.Kind == record.KindSale {
		c.Points.Earned = &points
	} else {
		c.Points.TakenBack = &points
	}
	if !r.Account.IsZero() {
		switch s, ok := a.cached(r.Account); {
		case ok && s.AsOf > 0:
			c.Points.balance(s)
		case ok: // only receipts of theirs are here: no word on what they had before
			c.Points.Pending = &s.Pending
		}
	}
	return c
}

// posted reports whether the centre has posted the record. A chain that is no longer here was posted
// before it was let go.
func (a *API) posted(h *record.Header) bool {
	for _, c := range a.cfg.Journal.Chains() {
		if c.ID == h.Chain {
			return h.Seq <= c.Posted
		}
	}
	return true
}
