package pricing

import (
	"fmt"
	"slices"
)

// Return is a quantity of one line of a sale that is given back.
type Return struct {
	LineID   string
	Quantity string // decimal, over zero
}

// Returned is what a return gives back.
type Returned struct {
	Lines           []ReturnedLine `json:"lines"` // by line id
	MoneyBack       int64          `json:"money_back"`
	PointsTakenBack int64          `json:"points_taken_back"`
	PointsGivenBack int64          `json:"points_given_back"`
	Undone          []Undone       `json:"undone"` // promotions of which nothing is left now
}

// ReturnedLine is what the returned quantity of a line got in the sale. Net is Gross less its Discounts,
// MoneyBack is Net less what points paid of it, which comes back as points.
type ReturnedLine struct {
	LineID          string     `json:"line_id"`
	Quantity        string     `json:"quantity"`
	Gross           int64      `json:"gross"`
	Discounts       []Discount `json:"discounts"` // those that are not zero
	Net             int64      `json:"net"`
	PointsTakenBack int64      `json:"points_taken_back"` // what it had earned
	PointsGivenBack int64      `json:"points_given_back"` // what was spent on it
	MoneyBack       int64      `json:"money_back"`
}

// Undone is a promotion that a return has undone wholly: its limit rights can be given back, and its
// coupon armed again where its document says so.
type Undone struct {
	Promotion    string `json:"promotion"`
	Revision     int64  `json:"revision"`
	Applications int64  `json:"applications"`
	Coupon       string `json:"coupon,omitempty"`
}

// TooMuch says that more would be given back than was sold.
type TooMuch struct {
	LineID string
	Left   string // what can still be given back, a decimal number
}

func (e *TooMuch) Error() string {
	return fmt.Sprintf("return line %s: only %s of it are left", e.LineID, e.Left)
}

// Return gives back lines of the sale that q is, when before was given back already. Every number of a
// line is given back by what was returned so far: half up of its share at the quantity after this
// return, less that at the quantity before it. So the parts of a line add up to the line, to the minor
// unit and the point, in however many parts it comes back, and never to more. More than was sold is a
// *TooMuch.
func (q *Quote) Return(before, now []Return) (*Returned, error) {
	was, err := q.quantities(before, nil)
	if err != nil {
		return nil, fmt.Errorf("returned before: %w", err)
	}
	will, err := q.quantities(now, was)
	if err != nil {
		return nil, err
	}
	out := &Returned{Lines: []ReturnedLine{}, Undone: []Undone{}}
	for i := range q.Lines {
		l := &q.Lines[i]
		sold, _ := thousandths(l.Quantity) // a quote's quantities have been read before
		if will[i] == was[i] {
			continue
		}
		part := func(x int64) int64 { return halfUp(x, will[i], sold) - halfUp(x, was[i], sold) }
		back := ReturnedLine{LineID: l.LineID, Quantity: decimal(will[i] - was[i]), Gross: part(l.Gross), Discounts: []Discount{}}
		back.Net = back.Gross
		for _, d := range l.Discounts {
			if d.Amount = part(d.Amount); d.Amount != 0 {
				back.Discounts = append(back.Discounts, d)
				back.Net -= d.Amount
			}
		}
		back.MoneyBack = back.Net - part(l.PointsPaid)
		back.PointsTakenBack, back.PointsGivenBack = part(l.PointsEarned), part(l.PointsSpent)
		out.Lines = append(out.Lines, back)
		out.MoneyBack += back.MoneyBack
		out.PointsTakenBack += back.PointsTakenBack
		out.PointsGivenBack += back.PointsGivenBack
	}
	out.Undone = append(out.Undone, q.undone(was, will)...)
	return out, nil
}

// quantities adds returns up, by line, in thousandths.
func (q *Quote) quantities(returns []Return, before []int64) ([]int64, error) {
	sums := slices.Clone(before)
	if sums == nil {
		sums = make([]int64, len(q.Lines))
	}
	for i, r := range returns {
		line := slices.IndexFunc(q.Lines, func(l QuoteLine) bool { return l.LineID == r.LineID })
		if line < 0 {
			return nil, lineError(i, "line_id", "the sale has no such line")
		}
		n, reason := thousandths(r.Quantity)
		sold, _ := thousandths(q.Lines[line].Quantity)
		switch {
		case reason != "":
			return nil, lineError(i, "quantity", reason)
		case n <= 0:
			return nil, lineError(i, "quantity", "want more than zero")
		case n > sold-sums[line]:
			return nil, &TooMuch{r.LineID, decimal(sold - sums[line])}
		case sold%thousand == 0 && q.Lines[line].Pieces && n%thousand != 0:
			return nil, lineError(i, "quantity", "pieces are whole")
		}
		sums[line] += n
	}
	return sums, nil
}

// undone gives the promotions of which this return gives back the last.
func (q *Quote) undone(was, will []int64) (out []Undone) {
	whole := func(p *Applied, quantities []int64) bool {
		for _, s := range p.Lines {
			i := slices.IndexFunc(q.Lines, func(l QuoteLine) bool { return l.LineID == s.LineID })
			if sold, _ := thousandths(q.Lines[i].Quantity); quantities[i] < sold {
				return false
			}
		}
		return true
	}
	for i := range q.Promotions {
		if p := &q.Promotions[i]; whole(p, will) && !whole(p, was) {
			out = append(out, Undone{p.Promotion, p.Revision, p.Applications, p.Coupon})
		}
	}
	return out
}
