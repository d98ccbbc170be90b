package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// priced is what came of a quoted receipt. It is kept in the journal as the last member of the receipt's
// own JSON: whoever reads the body upstream finds what was given for what, and a return a month later
// needs no rules of then. Its lines are short: a receipt of 2,000 lines has to fit into record.MaxBody
// beside them.
type priced struct {
	Request    string         `json:"request"` // SHA-256 of the bytes that the POS sent
	Engine     string         `json:"engine"`
	Revision   uint32         `json:"revision"`
	Digest     string         `json:"digest"`
	At         time.Time      `json:"at"` // for which it was priced
	Lines      []pricedLine   `json:"lines"`
	Promotions []gave         `json:"promotions"`
	Totals     pricing.Totals `json:"totals"`
	Points     pricing.Points `json:"points"`
	Before     *int64         `json:"points_before,omitempty"` // that could be spent, as the quote had it
	Differs    []Difference   `json:"differs,omitempty"`       // flagged by these
}

// gave is a promotion that took money off.
type gave struct {
	Promotion    string `json:"promotion"`
	Revision     int64  `json:"revision"`
	Amount       int64  `json:"amount"`
	Applications int64  `json:"applications"`
	Coupon       string `json:"coupon,omitempty"` // its code
}

// pricedLine is what one line got. Quantity and item are the request's.
type pricedLine struct {
	LineID string     `json:"line_id"`
	Gross  int64      `json:"gross"`
	Off    [][2]int64 `json:"off,omitempty"` // place among the promotions, or posOff, and what it took off
	Paid   int64      `json:"points_paid,omitempty"`
	Spent  int64      `json:"points_spent,omitempty"`
	Earned int64      `json:"points_earned,omitempty"`
}

// posOff is the place of the POS's own discounts.
const posOff = -1

// pricedOf is what is kept of a quote.
func pricedOf(q *pricing.Quote, request []byte, at int64, digest string, differs []Difference) *priced {
	p := &priced{
		Request: sumOf(request), Engine: q.Engine, Revision: q.Revision, Digest: digest, At: time.UnixMilli(at).UTC(),
		Lines: make([]pricedLine, len(q.Lines)), Promotions: make([]gave, len(q.Promotions)),
		Totals: q.Totals, Points: q.Points, Differs: differs,
	}
	place := map[string]int64{pricing.ManualPromotion: posOff}
	for i := range q.Promotions {
		a := &q.Promotions[i]
		place[a.Promotion] = int64(i)
		p.Promotions[i] = gave{a.Promotion, a.Revision, a.Amount, a.Applications, a.Coupon}
	}
	for i := range q.Lines {
		l := &q.Lines[i]
		p.Lines[i] = pricedLine{LineID: l.LineID, Gross: l.Gross, Paid: l.PointsPaid, Spent: l.PointsSpent, Earned: l.PointsEarned}
		for _, d := range l.Discounts {
			p.Lines[i].Off = append(p.Lines[i].Off, [2]int64{place[d.Promotion], d.Amount})
		}
	}
	return p
}

// quote gives back what was kept of a quote, as far as a return needs it.
func (p *priced) quote(currency string, lines []Line) (*pricing.Quote, error) {
	q := &pricing.Quote{
		Currency: currency, Revision: p.Revision, Engine: p.Engine, Lines: make([]pricing.QuoteLine, len(p.Lines)),
		Promotions: make([]pricing.Applied, len(p.Promotions)), Totals: p.Totals, Points: p.Points,
	}
	sold := make(map[string]*Line, len(lines))
	for i := range lines {
		sold[lines[i].LineID] = &lines[i]
	}
	for i, g := range p.Promotions {
		q.Promotions[i] = pricing.Applied{Promotion: g.Promotion, Revision: g.Revision, Amount: g.Amount, Applications: g.Applications, Coupon: g.Coupon}
	}
	for i := range p.Lines {
		l, of := &p.Lines[i], sold[p.Lines[i].LineID]
		if of == nil {
			return nil, fmt.Errorf("a kept receipt was priced with a line %s that it has not", l.LineID)
		}
		out := pricing.QuoteLine{
			LineID: l.LineID, Quantity: of.Quantity, Pieces: of.Unit == "pc", Gross: l.Gross, Net: l.Gross,
			PointsPaid: l.Paid, PointsSpent: l.Spent, PointsEarned: l.Earned,
		}
		for _, off := range l.Off {
			name := pricing.ManualPromotion
			if off[0] >= 0 && off[0] < int64(len(q.Promotions)) {
				a := &q.Promotions[off[0]]
				name = a.Promotion
				a.Lines = append(a.Lines, pricing.LineShare{LineID: l.LineID, Amount: off[1]})
			}
			out.Discounts = append(out.Discounts, pricing.Discount{Promotion: name, Amount: off[1]})
			out.Net -= off[1]
		}
		out.ToPay = out.Net - out.PointsPaid
		q.Lines[i] = out
	}
	return q, nil
}

// keptSale is a receipt as the journal has it.
type keptSale struct {
	Number   string  `json:"receipt_number"`
	Currency string  `json:"currency"`
	Lines    []Line  `json:"lines"`
	Priced   *priced `json:"priced"`

	Returned *returned `json:"returned"` // of a return or void
}

func sumOf(body []byte) string {
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// withMember appends a member to the JSON object that a POS has sent. A request that has such a member
// itself has been refused.
func withMember(body []byte, name string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write what was priced: %w", err)
	}
	open := bytes.TrimRight(body, " \t\r\n")
	out := make([]byte, 0, len(open)+len(b)+len(name)+8)
	out = append(out, open[:len(open)-1]...) // an object that has members
	out = append(append(append(out, `,"`...), name...), `":`...)
	return append(append(out, b...), '}'), nil
}

// readKept reads a kept sale. It is lenient: what was kept once is read for ever.
func readKept(data []byte) (k keptSale, err error) {
	if err := json.Unmarshal(data, &k); err != nil {
		return k, fmt.Errorf("read a kept receipt: %w", err)
	}
	return k, nil
}

// replay gives a receipt that is kept already; nil: it is not here.
func (a *API) replay(rid record.RID, body []byte) (*record.Receipt, error) {
	kept, err := a.cfg.Journal.Find(rid)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	k, err := readKept(kept.Data)
	if err != nil {
		return nil, err
	}
	same := k.Priced != nil && k.Priced.Request == sumOf(body) || k.Priced == nil && bytes.Equal(kept.Data, body)
	if kept.Kind != record.KindSale || !same {
		return nil, fmt.Errorf("commit receipt %s: %w", rid, journal.ErrOtherBody)
	}
	return &kept, nil
}

// settle prices a receipt under the revision that its quote names. An error is the POS's to deal with,
// unless the sale has happened: then it is kept by what it gives now, and flagged.
func (a *API) settle(ctx context.Context, o *offer, training bool) (differs []Difference, err error) {
	q := o.basket.Quote
	again, old := a.repriced(o)
	if again && o.facts.training != training {
		return nil, &atField{"/quote/context", errTraining}
	}
	if !again {
		if err := a.gather(o, training); err != nil && !o.basket.Happened {
			return nil, err
		}
		a.paidWith(ctx, o)
		if err := a.price(o, a.cfg.Rules.Now()); err != nil {
			return nil, err
		}
		if !o.basket.Happened {
			return nil, &changedError{old: old, quote: a.tellQuote(o)}
		}
		paid := o.paid()
		differs = append(differs, Difference{What: "digest", Quoted: &paid, Found: &o.quote.Totals.ToPay})
		if o.quote.Revision != q.Revision {
			was, is := int64(q.Revision), int64(o.quote.Revision)
			differs = append(differs, Difference{What: "revision", Quoted: &was, Found: &is})
		}
	}
	if c := o.ageCheck(); c != nil && c.State != "confirmed" {
		if !o.basket.Happened {
			return nil, &atField{"/confirmed", errAge}
		}
		differs = append(differs, Difference{What: "age_check"})
	}
	return differs, nil
}

// paidWith has a sale that has happened spend what it was paid with, and not what is known here of the balance: a
// till that has lost its disk knows nothing. The hold that it names says how much that was; without a word of
// it, the basket does.
func (a *API) paidWith(ctx context.Context, o *offer) {
	b := o.basket
	id, err := record.ParseRID(b.Hold)
	if err != nil || !b.Happened || !b.spends() || o.facts.training {
		return
	}
	if b.PointsToSpend.Mode == pricing.SpendExact {
		o.facts.available = b.PointsToSpend.Points
	}
	said, err := a.askHold(ctx, record.HoldQuestion{Verb: record.HoldFind, ID: id})
	if err == nil && said.RID.String() == b.RID {
		o.facts.available = said.Points
	}
}

// repriced prices an offer by the context and the rules that its quote names, and reports whether the
// same came out; old says that it is too late for that.
func (a *API) repriced(o *offer) (same, old bool) {
	q := o.basket.Quote
	if q.Engine != pricing.Engine || a.unseal(o, q.Context) != nil {
		return false, false
	}
	age := a.cfg.Now().Sub(time.UnixMilli(o.facts.made))
	if age >= quotesKept {
		return false, true
	}
	r := a.cfg.Rules.At(q.Revision)
	if r == nil {
		return false, true
	}
	if o.facts.revision != q.Revision {
		return false, false
	}
	// What was promised for a way to pay is kept when it was paid so.
	o.facts.tenders = slices.DeleteFunc(o.facts.tenders, func(kind string) bool {
		return !slices.ContainsFunc(o.basket.Tenders, func(t Tender) bool { return t.Kind == kind })
	})
	return a.price(o, r) == nil && o.digest == q.Digest, false
}

// paid is what the POS says was paid, less what it gave back.
func (o *offer) paid() (sum int64) {
	for i := range o.basket.Tenders {
		sum += *o.basket.Tenders[i].Amount // at most 100 of at most 10^12
	}
	return sum
}
