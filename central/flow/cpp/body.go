package cpp

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"tillstream/kv/record"
)

// document is what CPP reads of a kept receipt's body: the JSON that the POS sent, and what the edge node added as its
// last member (the edge's OpenAPI: Receipt, Return, Void). Everything else is left alone, and what is not there is zero:
// what was kept once is read for ever.
type document struct {
	Currency string  `json:"currency"`
	Lines    []line  `json:"lines"`
	Coupons  []code  `json:"coupons"`  // of a sale, as scanned
	Priced   *priced `json:"priced"`   // of a sale that was quoted
	Returned *back   `json:"returned"` // of a return that names its sale, and of a void
}

type code struct {
	Code string `json:"code"`
}

// line is a line of a sale or, with less, of a return.
type line struct {
	LineID   string `json:"line_id"`
	Item     string `json:"item"`     // as scanned
	Category string `json:"category"` // of an item that the master does not know
	Quantity string `json:"quantity"` // a decimal number
	Unit     string `json:"unit"`     // empty: the item's
	Price    int64  `json:"unit_price"`
	Amount   *int64 `json:"amount"` // of the line, where a label or scale printed it
	Manual   *struct {
		Amount int64 `json:"amount"`
	} `json:"manual_discount"`
}

// priced is what the lines of a quoted sale came to.
type priced struct {
	Lines []struct {
		LineID string     `json:"line_id"`
		Gross  int64      `json:"gross"`
		Off    [][2]int64 `json:"off"` // promotion's place, and what it took off
		Paid   int64      `json:"points_paid"`
	} `json:"lines"`
	Promotions []struct {
		Coupon string `json:"coupon"` // its code
	} `json:"promotions"`
}

// back is what a return gives back, by the lines of its sale.
type back struct {
	Lines []struct {
		LineID   string `json:"line_id"`
		Quantity string `json:"quantity"`
		Money    int64  `json:"money_back"`
	} `json:"lines"`
}

func readDocument(r *record.Receipt) (*document, error) {
	var d document
	if err := json.Unmarshal(r.Data, &d); err != nil {
		return nil, fmt.Errorf("read the body of %s %s: %w", r.Kind, r.RID, err)
	}
	return &d, nil
}

// redeemed gives the codes of the coupons that a sale used up: those that gave something, or, of a sale that was not
// quoted, all that were scanned.
func (d *document) redeemed() (codes []string) {
	if d.Priced == nil {
		for _, c := range d.Coupons {
			codes = append(codes, strings.ToUpper(strings.TrimSpace(c.Code)))
		}
		return codes
	}
	for _, p := range d.Priced.Promotions {
		if p.Coupon != "" {
			codes = append(codes, strings.ToUpper(strings.TrimSpace(p.Coupon)))
		}
	}
	return codes
}

// sold is a line of a sale, or what is left of it.
type sold struct {
	item, category string
	weighed        bool    // or measured: it has no pieces
	quantity       big.Rat // negative: the cashier took a line back
	paid           int64   // with money, in minor units
}

// left gives the lines of a sale less what was given back of them, in the order of the returns. A return takes what it
// names and is there, and never more.
func (d *document) left(returns []given) map[string]*sold {
	lines := make(map[string]*sold, len(d.Lines))
	for i := range d.Lines {
		l := &d.Lines[i]
		s := &sold{item: l.Item, category: l.Category, weighed: l.Unit != "" && l.Unit != "pc", paid: l.paid()}
		if _, ok := s.quantity.SetString(decimal(l.Quantity)); !ok {
			continue
		}
		lines[l.LineID] = s
	}
	if d.Priced != nil {
		for i := range d.Priced.Lines {
			l := &d.Priced.Lines[i]
			if s := lines[l.LineID]; s != nil {
				s.paid = l.Gross - l.Paid
				for _, off := range l.Off {
					s.paid -= off[1]
				}
			}
		}
	}
	for i := range returns {
		returns[i].takeFrom(lines)
	}
	return lines
}

// paid is what a line of a sale without a quote came to.
func (l *line) paid() int64 {
	var sum int64
	if l.Amount != nil {
		sum = *l.Amount
	} else {
		var q big.Rat
		if _, ok := q.SetString(decimal(l.Quantity)); !ok {
			return 0
		}
		sum = round(q.Mul(&q, new(big.Rat).SetInt64(l.Price)))
	}
	if l.Manual != nil {
		sum -= l.Manual.Amount
	}
	return sum
}

// decimal gives a quantity as it was written, or what is no number if it is another form that big.Rat would read, of
// any length.
func decimal(s string) string {
	if len(s) > 32 || strings.Trim(s, "-0123456789.") != "" {
		return ""
	}
	return s
}

// round rounds half away from zero, to an int64.
func round(r *big.Rat) int64 {
	two := big.NewInt(2)
	n := new(big.Int).Mul(r.Num(), two)
	d := new(big.Int).Mul(r.Denom(), two)
	if r.Sign() < 0 {
		n.Sub(n, r.Denom())
	} else {
		n.Add(n, r.Denom())
	}
	n.Quo(n, d)
	if !n.IsInt64() {
		return 0
	}
	return n.Int64()
}

// given is a return or void of a sale.
type given struct {
	rid record.RID
	all bool // a void
	doc *document
}

// takeFrom takes what was given back from a sale's lines.
func (g *given) takeFrom(lines map[string]*sold) {
	if g.all {
		clear(lines)
		return
	}
	if b := g.doc.Returned; b != nil {
		for i := range b.Lines {
			lines[b.Lines[i].LineID].take(b.Lines[i].Quantity, &b.Lines[i].Money)
		}
		return
	}
	for i := range g.doc.Lines { // kept without the sale at hand: by the lines that the POS named
		lines[g.doc.Lines[i].LineID].take(g.doc.Lines[i].Quantity, nil)
	}
}

// take takes a quantity from a line, and the money that came back for it: nil, its part.
func (s *sold) take(quantity string, money *int64) {
	var q big.Rat
	if s == nil {
		return
	}
	if _, ok := q.SetString(decimal(quantity)); !ok || q.Sign() <= 0 || s.quantity.Sign() <= 0 {
		return
	}
	if q.Cmp(&s.quantity) >= 0 {
		s.quantity.SetInt64(0)
		s.paid = 0
		return
	}
	part := new(big.Rat).Quo(&q, &s.quantity)
	taken := round(part.Mul(part, new(big.Rat).SetInt64(s.paid)))
	if money != nil {
		taken = *money
	}
	s.quantity.Sub(&s.quantity, &q)
	s.paid = max(s.paid-max(taken, 0), 0)
}
