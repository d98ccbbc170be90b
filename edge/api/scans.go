package api

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"tillstream/edge/scan"
	"tillstream/kv/record"
	"tillstream/kv/setting"
)

const maxScan = 512 // characters

// kindRefused is the kind of what cannot be taken.
const kindRefused = "refused"

// scanCode says what a code is. That it cannot be taken is an answer: the cashier scans again, and no log of
// problems has anything of it.
func (a *API) scanCode(_ context.Context, q question) (answer, error) {
	var body ScanRequest
	if err := a.read.decode(q.body, &body); err != nil {
		return answer{}, err
	}
	if n := utf8.RuneCountInString(body.Code); n == 0 || n > maxScan {
		return answer{}, invalid("/code", "want 1 to 512 characters")
	}
	if err := oneOf("/entry", body.Entry, "", "scanned", "keyed", "tapped"); err != nil {
		return answer{}, err
	}
	told, card := a.scan(body.Code)
	if card != "" && !q.caller.training {
		a.site.looked(a.read.cards.Account(card))
	}
	told.Training = q.caller.training
	return answer{status: http.StatusOK, body: told}, nil
}

// scan reads a code, and gives the number of the card that it is, if it is one.
func (a *API) scan(text string) (told *Scan, card string) {
	rules := a.cfg.Rules.Now()
	c, err := rules.Scanner().Read(text)
	if err != nil {
		return refusedScan(err), ""
	}
	told = &Scan{Kind: string(c.Kind), Symbology: string(c.Symbology)}
	switch c.Kind {
	case scan.Card:
		told.CardMasked = mask(c.Card)
	case scan.Receipt:
		told.RID = c.Receipt.String()
	case scan.Coupon:
	case scan.Item, scan.Other:
		it := rules.Of(c.Item)
		if c.Kind == scan.Other && !it.Known {
			return told, ""
		}
		told.Kind = string(scan.Item)
		told.Item = &ScannedItem{Code: it.Code, Known: it.Known}
		if it.Known {
			told.Item.Name, told.Item.Category, told.Item.Unit = it.Name, it.Category, it.Unit.String()
			told.Item.MinAge, told.Item.NoDiscount, told.Item.NoPoints = it.MinAge, it.NoDiscount, it.NoPoints
		}
		told.measure(c.Measure)
	}
	return told, c.Card
}

// measure tells what the label says for the line.
func (s *Scan) measure(m *scan.Measure) {
	switch {
	case m == nil:
	case m.Carries == setting.Weight:
		s.Quantity = m.Kilograms()
	default:
		s.Amount = &m.Value
	}
}

// refusedScan says why a code cannot be taken, and nothing of the code.
func refusedScan(err error) *Scan {
	s := &Scan{Kind: kindRefused, Reason: "no_code", Text: "No code that can be read. Scan or key it again."}
	switch {
	case errors.Is(err, record.ErrCheckDigit):
		s.Reason, s.Text = "check_digit", "Misread. Scan it again."
	case errors.Is(err, scan.ErrPaymentCard):
		s.Reason, s.Text = "payment_card", "That is a payment card. Scan the loyalty card."
	case errors.Is(err, scan.ErrNotYet):
		s.Reason, s.Text = "not_yet", "This kind of code is not read yet. Key the item's number."
	}
	return s
}
