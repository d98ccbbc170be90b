package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/kv/record"
)

// How far a return is tied to its sale.
const (
	linkVerified   = "verified"   // the sale is here
	linkUnverified = "unverified" // it is named, and not known here
	linkBlind      = "blind"      // it is not named
)

// returned is what a linked return or a void gives back. It is kept as the last member of the document's
// own JSON, as priced is of a sale's.
type returned struct {
	Request string     `json:"request"` // SHA-256 of the bytes that the POS sent
	Of      record.RID `json:"of"`
	// Currency is the sale's: a void names none.
	Currency string `json:"currency"`
	pricing.Returned
}

// keptReturn is a return or void as the journal has it.
type keptReturn struct {
	Currency string        `json:"currency"`
	Of       SaleReference `json:"of"`
	Lines    []Line        `json:"lines"`
	Returned *returned     `json:"returned"`
}

// commitReturn keeps a return.
func (a *API) commitReturn(ctx context.Context, q question) (answer, error) {
	if err := a.mayKeep(&q); err != nil {
		return answer{}, err
	}
	body, s, err := a.readReturn(q)
	if err != nil {
		return answer{}, err
	}
	if body.Of == nil {
		return a.finish(ctx, q, s)
	}
	of, err := record.ParseRID(body.Of.RID)
	if err != nil {
		return answer{}, invalid("/of/rid", "want a UUID of version 7")
	}
	back := make([]pricing.Return, len(body.Lines))
	for i := range body.Lines {
		back[i] = pricing.Return{LineID: body.Lines[i].LineID, Quantity: body.Lines[i].Quantity}
	}
	ans, err := a.giveBack(ctx, q, s, of, body.Currency, func(*record.Receipt, *pricing.Quote, []pricing.Return) ([]pricing.Return, error) {
		return back, nil
	})
	if !errors.Is(err, errNoSale) {
		return ans, err
	}
	// Another till's or store's: priced as it stands, and settled where both are known.
	if err := a.priceBlind(&s, body); err != nil {
		return answer{}, err
	}
	s.told.Link = linkUnverified
	return a.finish(ctx, q, s)
}

// readReturn reads a return. One that names no sale is priced too.
func (a *API) readReturn(q question) (body *Return, s sale, err error) {
	body = new(Return)
	if err := a.read.decode(q.body, body); err != nil {
		return nil, s, err
	}
	if len(body.Lines) > record.MaxLines {
		return nil, s, errTooMany
	}
	if field := body.paymentCard(a.read.own); field != "" {
		return nil, s, &cardError{field}
	}
	if s.training, err = trains(q.caller, body.Training); err != nil {
		return nil, s, err
	}
	s.draft.Kind, s.draft.Data = record.KindReturn, q.body
	if err := a.read.read(body.head(), &s.draft.Header); err != nil {
		return nil, s, err
	}
	if !isText(body.UnlinkedReason, maxText) {
		return nil, s, invalid("/unlinked_reason", "want at most 64 printable characters")
	}
	if len(body.Lines) == 0 {
		return nil, s, invalid("/lines", "want at least one line")
	}
	if body.Of == nil {
		if err := a.priceBlind(&s, body); err != nil {
			return nil, s, err
		}
	}
	return body, s, checkTenders(body.Tenders)
}

// priceBlind prices a return by its own lines.
func (a *API) priceBlind(s *sale, body *Return) error {
	sum, err := price(record.KindReturn, body.Currency, linesOf(body.Lines), a.read.programme)
	if err != nil {
		return err
	}
	s.draft.Rules = sum.Revision
	if !s.draft.Account.IsZero() {
		s.draft.Points = sum.Points
	}
	s.told = &Committed{Currency: sum.Currency, Total: &sum.Total, Link: linkBlind}
	return nil
}

// giveBack keeps what is given back of a sale that is here. which says what: it is called with the sale
// and what was given back before. Two returns of one sale follow each other, so that no piece of it comes
// back twice.
func (a *API) giveBack(ctx context.Context, q question, s sale, of record.RID, currency string,
	which func(*record.Receipt, *pricing.Quote, []pricing.Return) ([]pricing.Return, error)) (answer, error) {
	a.past.mu.Lock()
	defer a.past.mu.Unlock()
	if !s.training {
		if kept, err := a.cfg.Journal.Find(s.draft.RID); err == nil {
			return a.sameReturn(&kept, &s, q.body)
		} else if !errors.Is(err, journal.ErrNotFound) {
			return answer{}, err
		}
	}
	sold, err := a.cfg.Journal.Find(of)
	switch {
	case errors.Is(err, journal.ErrNotFound), err == nil && sold.Kind != record.KindSale:
		return answer{}, errNoSale
	case err != nil:
		return answer{}, err
	}
	bill, saleCurrency, err := a.billOf(&sold)
	if err != nil {
		return answer{}, err
	}
	if currency != "" && currency != saleCurrency {
		return answer{}, invalid("/currency", "the sale has another")
	}
	before, err := a.past.of(a.cfg.Journal, of)
	if err != nil {
		return answer{}, err
	}
	if before.void {
		return answer{}, &atField{"/of/rid", errVoided}
	}
	now, err := which(&sold, bill, before.lines)
	if err != nil {
		return answer{}, err
	}
	back, err := bill.Return(before.lines, now)
	if err != nil {
		return answer{}, leftOf(err, now)
	}
	s.draft.Account, s.draft.Points, s.draft.Rules = sold.Account, back.PointsTakenBack, sold.Rules
	r := &returned{Request: sumOf(q.body), Of: of, Currency: saleCurrency, Returned: *back}
	if s.draft.Data, err = withMember(q.body, "returned", r); err != nil {
		return answer{}, err
	}
	s.told = new(Committed)
	s.told.tellReturned(r)
	ans, err := a.finish(ctx, q, s)
	if err == nil && !s.training {
		a.past.add(of, now, s.draft.Kind == record.KindVoid)
	}
	return ans, err
}

// sameReturn answers a return that is kept already.
func (a *API) sameReturn(kept *record.Receipt, s *sale, body []byte) (answer, error) {
	var k keptReturn
	if err := json.Unmarshal(kept.Data, &k); err != nil {
		return answer{}, fmt.Errorf("read a kept return: %w", err)
	}
	if kept.Kind != s.draft.Kind || k.Returned == nil || k.Returned.Request != sumOf(body) {
		return answer{}, fmt.Errorf("commit %s %s: %w", s.draft.Kind, s.draft.RID, journal.ErrOtherBody)
	}
	a.meters.receipt(kept.Kind, true)
	return answer{status: http.StatusOK, replayed: true, body: a.tellKept(kept)}, nil
}

func (c *Committed) tellReturned(r *returned) {
	c.Currency, c.Total, c.Lines, c.Link = r.Currency, &r.MoneyBack, r.Lines, linkVerified
	if r.PointsGivenBack > 0 {
		c.Points.GivenBack = &r.PointsGivenBack
	}
}

// leftOf names the field of a return of which too much is given back.
func leftOf(err error, now []pricing.Return) error {
	much, ok := errors.AsType[*pricing.TooMuch](err)
	if !ok {
		return err
	}
	for i := range now {
		if now[i].LineID == much.LineID {
			return &leftError{"/lines/" + strconv.Itoa(i) + "/quantity", much.Left}
		}
	}
	return err
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
	sum, err := price(record.KindSale, k.Currency, k.Lines, a.read.programme)
	if err != nil {
		return nil, "", fmt.Errorf("price a kept sale: %w", err)
	}
	lines := make([]pricing.Line, len(k.Lines))
	for i := range k.Lines {
		lines[i] = k.Lines[i].priced(new(programme.Item))
	}
	return sum.Quote(lines, sold.Points), k.Currency, nil
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

func (b *Return) paymentCard(own []string) string {
	d := b.head()
	if field := d.paymentCard(own); field != "" {
		return field
	}
	if b.Of != nil && holdsPaymentCard(b.Of.ReceiptNumber, false, own) {
		return "/of/receipt_number"
	}
	for _, f := range [...]struct{ field, text string }{{"/currency", b.Currency}, {"/unlinked_reason", b.UnlinkedReason}} {
		if holdsPaymentCard(f.text, false, own) {
			return f.field
		}
	}
	lines := linesOf(b.Lines)
	for i := range lines {
		name := lines[i].paymentCard(own)
		if name == "" && holdsPaymentCard(b.Lines[i].Reason, false, own) {
			name = "reason"
		}
		if name != "" {
			return "/lines/" + strconv.Itoa(i) + "/" + name
		}
	}
	return tenderCard(b.Tenders, own)
}
