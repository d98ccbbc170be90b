package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// How far a return is tied to its sale.
const (
	linkVerified   = "verified"   // the sale is here
	linkUnverified = "unverified" // it is named, and not known here
	linkBlind      = "blind"      // it is not named
)

// commitReturn keeps a return.
func (a *API) commitReturn(ctx context.Context, q question) (answer, error) {
	if err := a.mayKeep(&q); err != nil {
		return answer{}, err
	}
	body, s, err := a.readReturn(&q)
	if err != nil {
		return answer{}, err
	}
	if !s.training {
		if kept, err := a.keptBefore(&s, &q); kept != nil || err != nil {
			return a.sameReturn(kept, err)
		}
	}
	if body.Of == nil {
		return a.giveBlind(ctx, q, s, body)
	}
	of, err := record.ParseRID(body.Of.RID)
	if err != nil {
		return answer{}, invalid("/of/rid", "want a UUID of version 7")
	}
	back := make([]pricing.Return, len(body.Lines))
	for i := range body.Lines {
		back[i] = pricing.Return{LineID: body.Lines[i].LineID, Quantity: body.Lines[i].Quantity}
	}
	sold, err := a.findSale(ctx, of)
	if err == nil {
		return a.giveBack(ctx, q, s, sold, body.Currency, func(*pricing.Quote, []pricing.Return) ([]pricing.Return, error) {
			return back, nil
		})
	}
	if !errors.Is(err, errNoSale) {
		return answer{}, err
	}
	return a.giveUnverified(ctx, q, s, of, body)
}

// What a return is flagged by.
const (
	differsSale      = "sale"              // nobody could give it
	differsElsewhere = "returns_elsewhere" // the centre could not say what others have given back
)

// readReturn reads a return. One that names no sale is priced too.
func (a *API) readReturn(q *question) (body *Return, s sale, err error) {
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
	if q.body, err = withoutManager(q.body, body.ManagerCode); err != nil {
		return nil, s, err
	}
	s.draft.Kind, s.draft.Data = record.KindReturn, q.body
	if err := a.read.read(body.head(), &s.draft.Header); err != nil {
		return nil, s, err
	}
	return body, s, body.checkRest()
}

// checkRest checks what is neither head nor priced.
func (b *Return) checkRest() error {
	texts := []struct{ field, text string }{{"/unlinked_reason", b.UnlinkedReason}, {"/manager_code", b.ManagerCode}}
	if b.Of != nil {
		texts = append(texts, struct{ field, text string }{"/of/receipt_number", b.Of.ReceiptNumber})
		if _, err := subjects.ParseToken(b.Of.Store); b.Of.Store != "" && err != nil {
			return invalid("/of/store", notToken)
		}
	}
	for _, f := range texts {
		if !isText(f.text, maxText) {
			return invalid(f.field, "want at most 64 printable characters")
		}
	}
	if len(b.Lines) == 0 {
		return invalid("/lines", "want at least one line")
	}
	for i := range b.Lines {
		if !isText(b.Lines[i].Reason, maxText) {
			return invalid("/lines/"+strconv.Itoa(i)+"/reason", "want at most 64 printable characters")
		}
	}
	return checkTenders(b.Tenders)
}

// giveBack keeps what is given back of a sale. which says what: it is called with what the sale was priced
// to and what was given back before. Two returns of one sale follow each other, so that no piece of it comes
// back twice at this till.
func (a *API) giveBack(ctx context.Context, q question, s sale, sold *soldSale, currency string,
	which func(*pricing.Quote, []pricing.Return) ([]pricing.Return, error)) (answer, error) {
	bill, saleCurrency, err := a.billOf(&sold.sale)
	if err != nil {
		return answer{}, err
	}
	if currency != "" && currency != saleCurrency {
		return answer{}, invalid("/currency", "the sale has another")
	}
	a.past.mu.Lock()
	defer a.past.mu.Unlock()
	if !s.training { // meanwhile the same may have come twice
		if kept, err := a.keptBefore(&s, &q); kept != nil || err != nil {
			return a.sameReturn(kept, err)
		}
	}
	own, err := a.past.of(a.cfg.Journal, sold.sale.RID)
	if err != nil {
		return answer{}, err
	}
	// A till that has lost its disk is sent the same return again, which others have from before: it is none of those
	// that came before it.
	b := sumOfParts(bill, slices.DeleteFunc(merge(own, sold.parts), func(p part) bool { return p.rid == s.draft.RID }))
	if b.void {
		return answer{}, &atField{"/of/rid", errVoided}
	}
	now, err := which(bill, b.lines)
	if err != nil {
		return answer{}, err
	}
	back, err := bill.Return(b.lines, now)
	if err != nil {
		return answer{}, leftOf(err, now)
	}
	r, err := a.fill(&s.draft, sold, bill, &b, back, now)
	if err != nil {
		return answer{}, err
	}
	r.Request, r.Currency = sumOf(q.body), saleCurrency
	if s.draft.Data, err = withMember(q.body, "returned", r); err != nil {
		return answer{}, err
	}
	s.told = new(Committed)
	s.told.tellReturned(r)
	return a.finish(ctx, q, s)
}

// keptBefore gives the return that is kept under a document's rid, nil if there is none.
func (a *API) keptBefore(s *sale, q *question) (*record.Receipt, error) {
	if s.wantKey(q) != nil {
		return nil, nil // finish refuses it, when the rest has been read
	}
	kept, err := a.cfg.Journal.Find(s.draft.RID)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	same := kept.Kind == s.draft.Kind
	if same && !bytes.Equal(kept.Data, q.body) {
		var k keptReturn
		if err := json.Unmarshal(kept.Data, &k); err != nil {
			return nil, fmt.Errorf("read a kept return: %w", err)
		}
		same = k.Returned != nil && k.Returned.Request == sumOf(q.body)
	}
	if !same {
		return nil, fmt.Errorf("commit %s %s: %w", s.draft.Kind, s.draft.RID, journal.ErrOtherBody)
	}
	return &kept, nil
}

// sameReturn answers a return that is kept already.
func (a *API) sameReturn(kept *record.Receipt, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	return a.again(kept)
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

func (b *Return) paymentCard(own []string) string {
	d := b.head()
	if field := d.paymentCard(own); field != "" {
		return field
	}
	if b.Of != nil && holdsPaymentCard(b.Of.ReceiptNumber, false, own) {
		return "/of/receipt_number"
	}
	for _, f := range [...]struct{ field, text string }{{"/currency", b.Currency}, {"/unlinked_reason", b.UnlinkedReason}, {"/manager_code", b.ManagerCode}} {
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
