package pricing

import (
	"fmt"

	"tillstream/kv/record"
)

// Plain is the rules under which a receipt is priced without promotions.
type Plain struct {
	Revision      uint32 // of the rules; kept in every receipt
	MinorPerPoint int64  // minor units for one point; zero: one whole unit of the basket's currency
}

// Base is the base programme.
func Base() Plain { return Plain{Revision: 1} }

// Sum is a sale or a return, priced by a Plain.
type Sum struct {
	Kind     record.Kind
	Currency string
	Revision uint32       // of the programme
	Lines    []PricedLine // in the order given
	Total    int64        // sum of the lines, minor units
	Points   int64        // sale: to earn; return: to take back; never negative, at most record.MaxPoints
}

// PricedLine is one line of a Sum.
type PricedLine struct {
	LineID string
	Gross  int64 // the line's Amount, or else its unit price times its quantity
}

// Price adds up the lines of a sale or a return under p. Quantities and prices may be below zero. What is
// wrong with the lines is a *FieldError.
func Price(kind record.Kind, currency string, lines []Line, p Plain) (Sum, error) {
	if kind != record.KindSale && kind != record.KindReturn {
		return Sum{}, fmt.Errorf("price a %s: neither a sale nor a return", kind)
	}
	if p.MinorPerPoint < 0 {
		return Sum{}, fmt.Errorf("price under revision %d: minor units per point are negative", p.Revision)
	}
	exponent, ok := Exponent(currency)
	if !ok {
		return Sum{}, &FieldError{"/currency", "not an ISO 4217 code of a currency in use"}
	}
	if len(lines) > record.MaxLines {
		return Sum{}, &FieldError{"/lines", fmt.Sprintf("more than %d lines", record.MaxLines)}
	}
	q := Sum{
		Kind: kind, Currency: currency, Revision: p.Revision,
		Lines: make([]PricedLine, len(lines)),
	}
	if i := repeated(lines); i >= 0 {
		return Sum{}, lineError(i, "line_id", "another line has it")
	}
	for i := range lines {
		gross, err := priceLine(i, &lines[i])
		if err != nil {
			return Sum{}, err
		}
		q.Lines[i] = PricedLine{lines[i].LineID, gross}
		q.Total += gross // at most MaxLines times MaxMoney: no overflow on the way
	}
	if q.Total > MaxMoney || q.Total < -MaxMoney {
		return Sum{}, &FieldError{"/lines", "the sum of the lines is over 1000000000000 minor units"}
	}
	q.Points = points(kind, q.Total, p.perPoint(exponent))
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
func (p Plain) perPoint(exponent int) int64 {
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
