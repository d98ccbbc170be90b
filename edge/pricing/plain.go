package pricing

import (
	"fmt"

	"tillstream/kv/record"
)

// Plain is the rules under which a receipt is priced without promotions.
type Plain struct {
	Revision uint32 // of the rules; kept in every receipt
	Earn     Rate   // points for money; zero: none
}

// BaseRevision is the number of the base programme.
const BaseRevision = 1

// Base is the base programme: a point for each whole unit of the currency.
func Base(currency string) Plain {
	unit := int64(1)
	decimals, _ := Exponent(currency) // Price refuses another currency
	for range decimals {
		unit *= 10
	}
	return Plain{BaseRevision, Rate{1, unit}}
}

// Plain is what is left of a programme where no promotion counts: by which points are earned, and its revision.
func (p *Programme) Plain() Plain { return Plain{p.revision, p.policy.Points.Earn} }

// Sum is a sale or a return, priced by a Plain.
type Sum struct {
	Kind     record.Kind
	Currency string
	Revision uint32       // of the programme
	Lines    []PricedLine // in the order given
	Total    int64        // sum of the lines, minor units
	Points   int64        // sale: to earn; return: to take back; none for lines whose item earns none; never negative, at most record.MaxPoints
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
	if p.Earn.Points < 0 || p.Earn.Amount < 0 {
		return Sum{}, fmt.Errorf("price under revision %d: points for money are negative", p.Revision)
	}
	if _, ok := Exponent(currency); !ok {
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
	earning := int64(0)
	for i := range lines {
		gross, err := priceLine(i, &lines[i])
		if err != nil {
			return Sum{}, err
		}
		q.Lines[i] = PricedLine{lines[i].LineID, gross}
		q.Total += gross // at most MaxLines times MaxMoney: no overflow on the way
		if !lines[i].Facts.NoPoints {
			earning += gross
		}
	}
	if q.Total > MaxMoney || q.Total < -MaxMoney {
		return Sum{}, &FieldError{"/lines", "the sum of the lines is over 1000000000000 minor units"}
	}
	q.Points = p.points(kind, earning)
	return q, bound(q.Points)
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

// points of a sale are of what was paid for what earns: a sum below zero earns nothing. A return's counts
// without its sign, whichever sign its lines were written with.
func (p Plain) points(kind record.Kind, sum int64) int64 {
	if kind == record.KindReturn && sum < 0 {
		sum = -sum
	}
	if sum <= 0 || p.Earn.Amount == 0 {
		return 0
	}
	n, _ := muldiv(sum, p.Earn.Points, p.Earn.Amount)
	return n
}
