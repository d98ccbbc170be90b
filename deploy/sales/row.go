package sales

import (
	"bytes"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"tillstream/subjects"
)

var (
	errMissing = errors.New("empty")
	errLong    = fmt.Errorf("over %d characters", maxCode)
	errCard    = fmt.Errorf("a customer's number is 1 to %d printable ASCII characters without spaces", maxCode)
	errYears   = errors.New("not in the years 1970 to 9999")
)

// row is what a line of the file says.
type row struct {
	item, description, customer, store, till []byte
	quantity, amount                         int64
	at                                       time.Time
	isReturn                                 bool
}

// problem is why a row is refused.
type problem struct {
	role  role
	value []byte
	err   error
}

func (p *problem) Error() string {
	if p.role == roleCustomer {
		return fmt.Sprintf("%s: %v", p.role, p.err) // a report is logged: never a name or a card's number
	}
	return fmt.Sprintf("%s %q: %v", p.role, clip(string(p.value)), p.err)
}

// parse reads a row's fields. What it gives aliases them.
func (g *grouper) parse(fields [][]byte, number []byte) (w row, bad *problem) {
	if err := checkCode(number); err != nil {
		return w, &problem{roleReceipt, number, err}
	}
	w.item = g.field(fields, roleItem)
	if err := checkCode(w.item); err != nil {
		return w, &problem{roleItem, w.item, err}
	}
	w.description = cut(g.field(fields, roleDescription))
	w.customer = g.field(fields, roleCustomer)
	if !isCard(w.customer) {
		return w, &problem{roleCustomer, w.customer, errCard}
	}
	if bad = g.parseAmounts(fields, &w); bad != nil {
		return w, bad
	}
	if bad = g.parseTime(fields, &w); bad != nil {
		return w, bad
	}
	if bad = g.parsePlace(fields, &w); bad != nil {
		return w, bad
	}
	w.isReturn = g.Returns.Prefix != "" && bytes.HasPrefix(number, []byte(g.Returns.Prefix))
	if g.at[roleReturns] >= 0 {
		mark := g.field(fields, roleReturns)
		for _, v := range g.Returns.Values {
			w.isReturn = w.isReturn || string(mark) == v
		}
	}
	return w, nil
}

func (g *grouper) parseAmounts(fields [][]byte, w *row) *problem {
	text := g.field(fields, roleQuantity)
	var err error
	if w.quantity, err = parseDecimal(text, g.decimal, quantityPlaces); err != nil {
		return &problem{roleQuantity, text, err}
	}
	if magnitude(w.quantity) > MaxQuantity*1000 {
		return &problem{roleQuantity, text, errRange}
	}
	price := roleUnitPrice
	if g.at[price] < 0 {
		price = roleAmount
	}
	text = g.field(fields, price)
	v, err := parseDecimal(text, g.decimal, pricePlaces)
	if err != nil {
		return &problem{price, text, err}
	}
	if price == roleAmount {
		w.amount, err = roundAmount(v, g.exponent)
	} else {
		w.amount, err = lineAmount(w.quantity, v, g.exponent)
	}
	if err != nil {
		return &problem{price, text, fmt.Errorf("the line's amount is %w", err)}
	}
	return nil
}

func (g *grouper) parseTime(fields [][]byte, w *row) *problem {
	text := g.field(fields, roleTime)
	if len(g.clock) > 0 && bytes.Equal(text, g.clock) {
		w.at = g.clockAt
		return nil
	}
	at, err := time.ParseInLocation(g.layout, string(text), g.zone)
	if err != nil {
		return &problem{roleTime, text, fmt.Errorf("not a time as %q", clip(g.layout))}
	}
	if w.at = at.In(g.zone); w.at.Unix() < 0 || w.at.Year() < 1970 || w.at.Year() > 9999 {
		return &problem{roleTime, text, errYears}
	}
	g.clock, g.clockAt = append(g.clock[:0], text...), w.at
	return nil
}

func (g *grouper) parsePlace(fields [][]byte, w *row) *problem {
	if g.at[roleStore] < 0 {
		return nil
	}
	w.store = g.field(fields, roleStore)
	if _, err := subjects.ParseToken(string(w.store)); err != nil {
		return &problem{roleStore, w.store, subjects.ErrToken}
	}
	if g.at[roleTill] < 0 {
		return nil
	}
	w.till = g.field(fields, roleTill)
	if _, err := subjects.ParseToken(string(w.till)); err != nil {
		return &problem{roleTill, w.till, subjects.ErrToken}
	}
	return nil
}

// checkCode says whether a till takes a text as an item or a receipt's number.
func checkCode(s []byte) error {
	if len(s) == 0 {
		return errMissing
	}
	if len(s) > maxCode && utf8.RuneCount(s) > maxCode {
		return errLong
	}
	return nil
}

// isCard says whether a till takes a text as a card's number; none is one too.
func isCard(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return len(s) <= maxCode
}

// cut shortens a description that is too long for a till: it changes no number.
func cut(s []byte) []byte {
	if len(s) <= maxDescription {
		return s
	}
	n := 0
	for i := range string(s) {
		if n++; n > maxDescription {
			return s[:i]
		}
	}
	return s
}
