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
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/setting"
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

// commitReturn keeps a return.
func (a *API) commitReturn(ctx context.Context, q question) (answer, error) {
	if err := a.mayKeep(&q); err != nil {
		return answer{}, err
	}
	body, s, err := a.readReturn(q)
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

// What a return is flagged by.
const (
	differsSale      = "sale"              // nobody could give it
	differsElsewhere = "returns_elsewhere" // the centre could not say what others have given back
)

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
	if !isText(body.ManagerCode, maxText) {
		return nil, s, invalid("/manager_code", "want at most 64 printable characters")
	}
	return body, s, checkTenders(body.Tenders)
}

// priceBlind prices a return by its own lines. One that names its sale takes points back of the sale's shopper,
// whom the books know.
func (a *API) priceBlind(s *sale, body *Return) error {
	sum, err := price(record.KindReturn, body.Currency, linesOf(body.Lines), a.read.programme)
	if err != nil {
		return err
	}
	s.draft.Rules = sum.Revision
	if body.Of != nil || !s.draft.Account.IsZero() {
		s.draft.Points = a.wouldEarn(body, sum.Points)
	}
	s.told = &Committed{Currency: sum.Currency, Total: &sum.Total, Link: linkBlind}
	return nil
}

// wouldEarn is what lines that are given back without their sale would earn now, at the prices that they have:
// what is to be taken back for them. Where the rules do not take the lines it is what the base programme says.
func (a *API) wouldEarn(body *Return, base int64) int64 {
	o := &offer{
		basket:  &Basket{RID: body.RID, Currency: body.Currency, Lines: linesOf(body.Lines), Shopper: &Who{Identifier: &Identifier{}}},
		account: record.AccountID{1}, // anybody
		facts:   facts{at: a.cfg.Now().UnixMilli()},
	}
	for i := range o.basket.Lines {
		o.basket.Lines[i].PriceOverride = true // no promotion
	}
	if err := a.price(o, a.cfg.Rules.Now()); err != nil {
		return base
	}
	return o.quote.Points.Earned
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
	b := sumOfParts(bill, merge(own, sold.parts))
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

func (c *Committed) tellReturned(r *returned) {
	c.Currency, c.Total, c.Lines, c.Link = r.Currency, &r.MoneyBack, r.Lines, linkVerified
	c.Points.Before, c.Coupons = r.Before, r.Coupons
	c.Flagged, c.Differences = len(r.Differs) > 0, r.Differs
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
