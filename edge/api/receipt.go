package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// commitWait bounds the wait for the disk.
const commitWait = 5 * time.Second

// States of a document.
const (
	stateCommitted = "committed"
	stateTraining  = "training"
)

// sale is a receipt read and priced: what the journal is to keep, and what the POS is told of it.
type sale struct {
	draft    record.Receipt
	kept     *record.Receipt // the same was sent before
	told     *Committed
	training bool
	taken    record.RID // the hold that was taken for it; settled has to follow
}

// commitReceipt keeps a sale.
func (a *API) commitReceipt(ctx context.Context, q question) (answer, error) {
	if err := a.mayKeep(&q); err != nil {
		return answer{}, err
	}
	s, err := a.readSale(ctx, &q)
	if err != nil {
		return answer{}, err
	}
	if s.kept != nil {
		return a.again(s.kept)
	}
	return a.finish(ctx, q, s)
}

// again answers by what is kept.
func (a *API) again(kept *record.Receipt) (answer, error) {
	a.meters.receipt(kept.Kind, true)
	c := a.tellKept(kept)
	return answer{status: http.StatusOK, replayed: true, body: c}, nil
}

// mayKeep refuses what needs a till's own journal.
func (a *API) mayKeep(q *question) error {
	switch {
	case a.cfg.Till.IsZero():
		return errNotATill
	case q.key == "":
		return errMissingKey
	}
	return nil
}

// readSale reads a receipt and prices it.
func (a *API) readSale(ctx context.Context, q *question) (s sale, err error) {
	body, err := a.read.basket(q.body, new(desk))
	if err != nil {
		return s, err
	}
	if q.body, err = withoutManager(q.body, body.ManagerCode); err != nil {
		return s, err
	}
	if s.training, err = trains(q.caller, body.Training); err != nil {
		return s, err
	}
	s.draft.Kind, s.draft.Data = record.KindSale, q.body
	if err := a.read.read(body.head(), &s.draft.Header); err != nil {
		return s, err
	}
	if body.Quote != nil {
		err := a.readQuoted(ctx, &s, *q, body)
		if _, wrong := errors.AsType[*pricing.FieldError](err); wrong && body.Happened {
			return s, a.readAsItIs(&s, *q, body) // the engine does not take it, and it has happened
		}
		return s, err
	}
	if err := body.checkRest(); err != nil {
		return s, err
	}
	return s, a.readPlain(&s, *q, body)
}

// readPlain is the part of readSale for a receipt without a quote. It is kept as it came. Where an item earns
// nothing it is kept with what each line got, because a return may come when the item earns again.
func (a *API) readPlain(s *sale, q question, body *Basket) error {
	sum, err := pricePlain(record.KindSale, body.Currency, body.Lines, a.cfg.Rules.Now())
	if err != nil {
		return err
	}
	s.draft.Rules = sum.Revision
	if !s.draft.Account.IsZero() {
		s.draft.Points = sum.Points
	}
	s.told = &Committed{Currency: sum.Currency, Total: &sum.Total}
	if s.draft.Points == 0 || !sum.someEarnNothing() {
		return nil
	}
	p := pricedOf(sum.Quote(sum.lines, s.draft.Points), q.body, s.draft.At, "", nil)
	data, err := withMember(q.body, "priced", p)
	if err != nil {
		return err
	}
	if len(data) > record.MaxBody {
		return nil // better to give points back by the lines' prices than to refuse the sale
	}
	s.draft.Data, s.told = data, new(Committed)
	s.told.tell(body.Currency, p)
	return nil
}

// readQuoted is the part of readSale for a receipt with a quote.
func (a *API) readQuoted(ctx context.Context, s *sale, q question, body *Basket) (err error) {
	if err := body.checkRest(); err != nil {
		return err
	}
	if !s.training {
		if s.kept, err = a.replay(s.draft.RID, q.body); s.kept != nil || err != nil {
			return err
		}
	}
	o := &offer{basket: body, account: s.draft.Account, desk: new(desk)}
	differs, err := a.settle(ctx, o, s.training)
	if err != nil {
		return err
	}
	if !s.training {
		s.taken, err = a.cover(ctx, o)
		s.draft.Hold = s.taken
		switch {
		case err != nil && !body.Happened:
			return err
		case err != nil:
			// What was paid with is a fact, covered or not: the books settle it, by the hold if it stands.
			differs = append(differs, Difference{What: "hold"})
			s.draft.Hold, _ = record.ParseRID(body.Hold)
		}
	}
	s.draft.Rules = o.quote.Revision
	if !o.account.IsZero() {
		s.draft.Points, s.draft.Spent = o.quote.Points.Earned, o.quote.Points.Spent
	}
	p := pricedOf(o.quote, q.body, o.facts.at, o.digest, differs)
	if o.facts.known {
		p.Before = &o.facts.available
	}
	if s.draft.Data, err = withMember(q.body, "priced", p); err != nil {
		a.settled(s, nil, err)
		return err
	}
	s.told = new(Committed)
	s.told.tell(body.Currency, p)
	return nil
}

// readAsItIs is the part of readSale for a sale that has happened and that no rules price: it is kept at
// the prices it has, and flagged.
func (a *API) readAsItIs(s *sale, q question, body *Basket) error {
	sum, err := pricePlain(record.KindSale, body.Currency, body.Lines, a.cfg.Rules.Now())
	if err != nil {
		return err
	}
	if err := body.checkRest(); err != nil {
		return err
	}
	s.draft.Rules = sum.Revision
	s.draft.Hold, _ = record.ParseRID(body.Hold) // what it has set aside goes back; none says how much was spent
	if !s.draft.Account.IsZero() {
		s.draft.Points = sum.Points
	}
	bill := sum.Quote(sum.lines, s.draft.Points)
	p := pricedOf(bill, q.body, s.draft.At, "", []Difference{{What: "digest"}})
	if s.draft.Data, err = withMember(q.body, "priced", p); err != nil {
		return err
	}
	s.told = new(Committed)
	s.told.tell(body.Currency, p)
	return nil
}

// tell tells what was priced.
func (c *Committed) tell(currency string, p *priced) {
	c.Currency, c.Total, c.Totals = currency, &p.Totals.Net, &p.Totals
	c.Flagged, c.Differences = len(p.Differs) > 0, p.Differs
	c.Points.Before = p.Before
	if p.Points.Spent > 0 {
		c.Points.Spent = &p.Points.Spent
	}
	c.Texts = textsOf(&pricing.Quote{Totals: p.Totals, Currency: currency}, false)
}

// wantKey wants the document's own rid as its key.
func (s *sale) wantKey(q *question) error {
	if key, err := record.ParseRID(q.key); err != nil || key != s.draft.RID {
		return invalid("/rid", "the header Idempotency-Key names another rid")
	}
	return nil
}

// finish keeps what was read, and answers. What is for training is answered as if it had been kept.
func (a *API) finish(ctx context.Context, q question, s sale) (answer, error) {
	if err := s.wantKey(&q); err != nil {
		a.settled(&s, nil, err)
		return answer{}, err
	}
	if s.training {
		a.tell(s.told, &s.draft)
		s.told.State, s.told.Durable, s.told.Training = stateTraining, "none", true
		s.told.Texts = &Texts{Cashier: []string{textTraining}, Trailer: []string{textTraining}}
		return answer{status: http.StatusCreated, body: s.told}, nil
	}
	kept, repeated, err := a.keep(ctx, s.draft)
	if errors.Is(err, journal.ErrOtherBody) && s.draft.Kind == record.KindSale {
		// The same request may have been kept with other words on its lines, under an older revision.
		if before, e := a.replay(s.draft.RID, q.body); e == nil && before != nil {
			a.settled(&s, &before.Header, nil)
			return a.again(before)
		}
	}
	if err != nil {
		a.settled(&s, nil, err)
		return answer{}, err
	}
	a.settled(&s, &kept.Header, nil)
	if !repeated && kept.Kind == record.KindSale {
		a.site.sold(&kept.Header)
	}
	if !repeated && kept.Kind != record.KindSale && kept.Of != (record.RID{}) {
		if err := a.past.add(&kept); err != nil {
			a.past.sale = nil // it is read again
		}
	}
	a.meters.receipt(kept.Kind, repeated)
	a.tell(s.told, &kept)
	status := http.StatusCreated
	if repeated {
		status, s.told.Posted = http.StatusOK, a.posted(&kept.Header)
	}
	return answer{status: status, replayed: repeated, body: s.told}, nil
}

// textTraining is printed on top and at the bottom of what is no receipt.
const textTraining = "*** TRAINING ***"

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

// findReceipt says what became of a receipt.
func (a *API) findReceipt(_ context.Context, q question) (answer, error) {
	rid, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/rid", "want a UUID of version 7")
	}
	kept, err := a.cfg.Journal.Find(rid)
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusOK, body: a.tellKept(&kept)}, nil
}

// tellKept tells a kept document.
func (a *API) tellKept(kept *record.Receipt) *Committed {
	c := new(Committed)
	k, err := readKept(kept.Data)
	switch {
	case err == nil && k.Priced != nil:
		c.tell(k.Currency, k.Priced)
	case err == nil && k.Returned != nil:
		c.tellReturned(k.Returned)
	case err == nil:
		c.tellLink(&kept.Header)
		var sum plainSum
		if sum, err = addUp(kept.Kind, k.Currency, k.Lines); err == nil {
			c.Currency, c.Total = sum.Currency, &sum.Total
		}
	}
	if err != nil {
		a.cfg.Log.Warn("a kept receipt does not price", "rid", kept.RID, "err", err)
	}
	a.tell(c, kept)
	c.Posted = a.posted(&kept.Header)
	return c
}

// tell fills in what is told of every kept record. Its points are the record's, so that a repeat tells
// the same ones even when the rules have changed.
func (a *API) tell(c *Committed, r *record.Receipt) {
	c.RID, c.State, c.Durable, c.Kind = r.RID, stateCommitted, "local", r.Kind.String()
	c.BusinessDate = dateOf(r.Day)
	points := r.Points
	if r.Kind == record.KindSale {
		c.Points.Earned = &points
	} else {
		c.Points.TakenBack = &points
		if spent := r.Spent; spent > 0 {
			c.Points.GivenBack = &spent
		}
	}
	if r.Account.IsZero() {
		return
	}
	switch s, ok := a.cached(r.Account); {
	case ok && s.AsOf > 0:
		a.balance(&c.Points, r.Account, &s)
	case ok: // only receipts of theirs are here: no word on what they had before
		c.Points.Pending = &s.Pending
	}
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
