package pricing

import (
	"fmt"
	"slices"
)

// Quote gives a sale that was priced without promotions as a quote, so that it can be returned in parts:
// the points that it gave are spread over its lines by what they cost. Lines are those of the sum.
func (s *Sum) Quote(lines []Line, points int64) *Quote {
	q := &Quote{Currency: s.Currency, Revision: s.Revision, Engine: Engine, Lines: make([]QuoteLine, len(lines))}
	parts := make([]part, len(lines))
	for i := range lines {
		gross := s.Lines[i].Gross
		q.Lines[i] = QuoteLine{
			LineID: lines[i].LineID, Quantity: lines[i].Quantity, Pieces: lines[i].Unit == "pc",
			Gross: gross, Net: gross, ToPay: gross,
		}
		parts[i] = part{line: int32(i), n: 1, weight: max(gross, 0), room: points}
		if lines[i].Facts.NoPoints {
			parts[i].weight = 0
		}
	}
	for _, p := range new(spreader).spread(points, parts) {
		q.Lines[p.line].PointsEarned += p.each * p.n
	}
	q.Totals = Totals{Gross: s.Total, Net: s.Total, ToPay: s.Total}
	q.Points.Earned = points
	return q
}

// Left gives what is left of each line after what was given back before.
func (q *Quote) Left(before []Return) ([]Return, error) {
	was, err := q.quantities(before, nil)
	if err != nil {
		return nil, fmt.Errorf("returned before: %w", err)
	}
	var left []Return
	for i := range q.Lines {
		if sold, _ := thousandths(q.Lines[i].Quantity); sold > was[i] {
			left = append(left, Return{q.Lines[i].LineID, decimal(sold - was[i])})
		}
	}
	return left, nil
}

// Bounded adds returns up by line, and leaves out what the sale does not have: returns that were kept
// without the sale at hand may name other lines, or more than was sold.
func (q *Quote) Bounded(returns []Return) []Return {
	sums := make([]int64, len(q.Lines))
	for _, r := range returns {
		line := slices.IndexFunc(q.Lines, func(l QuoteLine) bool { return l.LineID == r.LineID })
		n, reason := thousandths(r.Quantity)
		if line < 0 || reason != "" || n <= 0 {
			continue
		}
		sold, _ := thousandths(q.Lines[line].Quantity)
		sums[line] = min(sums[line]+n, max(sold, 0))
	}
	var out []Return
	for i, n := range sums {
		if q.Lines[i].Pieces {
			n -= n % thousand
		}
		if n > 0 {
			out = append(out, Return{q.Lines[i].LineID, decimal(n)})
		}
	}
	return out
}
