package pricing

import (
	"fmt"

	"tillstream/kv/record"
)

// Programme is the rules under which a basket is priced.
type Programme struct {
	Revision      uint32 // of the rules; kept in every receipt
	MinorPerPoint int64  // minor units for one point; zero: one whole unit of the basket's currency
}

// Base is the base programme.
func Base() Programme { return Programme{Revision: 1} }

// Quote is a basket, priced.
type Quote struct {
	Kind     record.Kind
	Currency string
	Revision uint32       // of the programme
	Lines    []PricedLine // in the basket's order
	Total    int64        // sum of the lines, minor units
	Points   int64        // sale: to earn; return: to take back; never negative, at most record.MaxPoints
}

// PricedLine is one line of a Quote.
type PricedLine struct {
	LineID string
	Gross  int64 // the line's Amount, or else its unit price times its quantity
}

// Price gives the quote of b under p. What is wrong with b is a *FieldError.
func Price(b Basket, p Programme) (Quote, error) {
	if b.Kind != record.KindSale && b.Kind != record.KindReturn {
		return Quote{}, fmt.Errorf("price a %s: neither a sale nor a return", b.Kind)
	}
	if p.MinorPerPoint < 0 {
		return Quote{}, fmt.Errorf("price under revision %d: minor units per point are negative", p.Revision)
	}
	exponent, ok := Exponent(b.Currency)
	if !ok {
		return Quote{}, &FieldError{"/currency", "not an ISO 4217 code of a currency in use"}
	}
	if len(b.Lines) > record.MaxLines {
		return Quote{}, &FieldError{"/lines", fmt.Sprintf("more than %d lines", record.MaxLines)}
	}
	q := Quote{
		Kind: b.Kind, Currency: b.Currency, Revision: p.Revision,
		Lines: make([]PricedLine, len(b.Lines)),
	}
	if i := repeated(b.Lines); i >= 0 {
		return Quote{}, lineError(i, "line_id", "another line has it")
	}
	for i := range b.Lines {
		gross, err := priceLine(i, &b.Lines[i])
		if err != nil {
			return Quote{}, err
		}
		q.Lines[i] = PricedLine{b.Lines[i].LineID, gross}
		q.Total += gross // at most MaxLines times MaxMoney: no overflow on the way
	}
	if q.Total > MaxMoney || q.Total < -MaxMoney {
		return Quote{}, &FieldError{"/lines", "the sum of the lines is over 1000000000000 minor units"}
	}
	q.Points = points(b.Kind, q.Total, p.perPoint(exponent))
	return q, nil
}

func priceLine(i int, l *Line) (int64, error) {
	quantity, reason := thousandths(l.Quantity)
	if reason != "" {
		return 0, lineError(i, "quantity", reason)
	}
	switch l.Unit {
	case "", "kg", "l", "m":
	case "pc":
		if quantity%thousand != 0 {
			return 0, lineError(i, "quantity", "pieces are whole")
		}
	default:
		return 0, lineError(i, "unit", "want pc, kg, l or m")
	}
	if !isMoney(l.UnitPrice) {
		return 0, lineError(i, "unit_price", "over 1000000000000 minor units")
	}
	if l.Amount != nil {
		if !isMoney(*l.Amount) {
			return 0, lineError(i, "amount", "over 1000000000000 minor units")
		}
		return *l.Amount, nil
	}
	gross, ok := extend(l.UnitPrice, quantity)
	if !ok {
		return 0, lineError(i, "unit_price", "times the quantity is over 1000000000000 minor units")
	}
	return gross, nil
}

func isMoney(v int64) bool { return -MaxMoney <= v && v <= MaxMoney }

// repeated gives the first line whose id an earlier line has, or -1.
func repeated(lines []Line) int {
	seen := make(map[string]struct{}, len(lines))
	for i := range lines {
		if seen[lines[i].LineID] = struct{}{}; len(seen) != i+1 {
			return i
		}
	}
	return -1
}

// perPoint gives the minor units for one point in a currency with this many decimals.
func (p Programme) perPoint(exponent int) int64 {
	unit := p.MinorPerPoint
	if unit == 0 {
		unit = 1
		for range exponent {
			unit *= 10
		}
	}
	return unit
}

// points of a sale are of what was paid: a total below zero earns nothing. A return's total counts
// without its sign, whichever sign its lines were written with.
func points(kind record.Kind, total, unit int64) int64 {
	if kind == record.KindReturn && total < 0 {
		total = -total
	}
	return max(total, 0) / unit
}
