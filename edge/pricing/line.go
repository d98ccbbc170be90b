package pricing

import (
	"cmp"
	"fmt"
	"slices"
	"unicode/utf8"

	"tillstream/kv/promotion"
	"tillstream/kv/record"
)

// A line is pieces. Equal pieces that lie next to each other are a run, so that a thousand million of
// them cost what a handful costs. A weighed line is one piece of its own amount.
type run struct {
	n     int64 // pieces
	shelf int64 // minor units a piece: the line's gross divided over its pieces
	floor int64 // a piece's price goes no lower
	now   int64 // a piece's price after the discounts so far; never below floor
	claim int32 // 1 + the rule that used the pieces as trigger or reward; 0: none
	mark  int32 // the turn of a group in which the group used the pieces
}

func (r *run) room() int64 { return r.now - r.floor }

// line is a basket's line on its way to being priced.
type line struct {
	src      *Line
	quantity int64 // thousandths
	unit     string
	weighed  bool
	gross    int64
	manual   int64
	now      int64 // sum of its runs
	paid     int64 // with points, already taken off now
	barred   bool  // takes no discount and counts for no condition
	noPoints bool
	locked   int32 // 1 + the exclusive rule that locked it; 0: none
	touched  bool  // is in the undo log of the trial under way
	runs     []run
}

// net is what the line costs after discounts.
func (l *line) net() int64 { return l.now + l.paid }

// pieces is how many the line has.
func (l *line) pieces() int64 {
	if l.weighed {
		return 1
	}
	return l.quantity / thousand
}

// split makes the pieces at..at+n-1 runs of their own, and gives where these runs begin and end.
func (l *line) split(at, n int64) (from, to int) {
	from = l.boundary(at)
	for to = from; n > 0; to++ {
		if n < l.runs[to].n {
			l.cut(to, n)
		}
		n -= l.runs[to].n
	}
	return from, to
}

// boundary gives the run that begins at piece at, cutting one where there is none.
func (l *line) boundary(at int64) int {
	i := 0
	for ; at > 0; i++ {
		if at < l.runs[i].n {
			l.cut(i, at)
		}
		at -= l.runs[i].n
	}
	return i
}

// cut makes two runs of one; the first gets n pieces.
func (l *line) cut(i int, n int64) {
	rest := l.runs[i]
	rest.n -= n
	l.runs[i].n = n
	l.runs = slices.Insert(l.runs, i+1, rest)
}

// readLine checks line i of a basket and fills l with it.
func (l *line) readLine(i int, src *Line, p *Policy) error {
	if src.LineID == "" || len(src.LineID) > maxLineID && utf8.RuneCountInString(src.LineID) > maxLineID {
		return lineError(i, "line_id", "want 1 to 36 characters")
	}
	if src.Item == "" {
		return lineError(i, "item", "is needed")
	}
	quantity, reason := thousandths(src.Quantity)
	switch {
	case reason != "":
		return lineError(i, "quantity", reason)
	case quantity <= 0:
		return lineError(i, "quantity", "want more than zero: what is given back is a return")
	}
	unit := src.Unit
	if unit == "" {
		unit = "pc"
		if src.Facts.Weighed {
			unit = "kg"
		}
	}
	gross, err := readGross(i, src, unit, quantity)
	if err != nil {
		return err
	}
	*l = line{
		src: src, quantity: quantity, unit: unit, weighed: unit != "pc", gross: gross, now: gross,
		barred: src.PriceOverride || src.Facts.NoDiscount, noPoints: src.Facts.NoPoints, runs: l.runs[:0],
	}
	l.lay(p)
	return l.takeManual(i)
}

func readGross(i int, src *Line, unit string, quantity int64) (int64, error) {
	switch unit {
	case "kg", "l", "m":
	case "pc":
		if quantity%thousand != 0 {
			return 0, lineError(i, "quantity", "pieces are whole")
		}
	default:
		return 0, lineError(i, "unit", "want pc, kg, l or m")
	}
	if src.UnitPrice < 0 || src.UnitPrice > MaxMoney {
		return 0, lineError(i, "unit_price", "want 0 to 1000000000000 minor units")
	}
	if src.Facts.FloorPrice < 0 || src.Facts.FloorPrice > MaxMoney {
		return 0, lineError(i, "facts/floor_price", "want 0 to 1000000000000 minor units")
	}
	if src.Amount != nil {
		if *src.Amount < 0 || *src.Amount > MaxMoney {
			return 0, lineError(i, "amount", "want 0 to 1000000000000 minor units")
		}
		return *src.Amount, nil
	}
	gross, ok := extend(src.UnitPrice, quantity)
	if !ok {
		return 0, lineError(i, "unit_price", "times the quantity is over 1000000000000 minor units")
	}
	return gross, nil
}

// lay divides the gross over the pieces by largest remainder: the first ones get the spare minor units.
func (l *line) lay(p *Policy) {
	n := l.pieces()
	each, spare := l.gross/n, l.gross%n
	if spare > 0 {
		l.runs = append(l.runs, run{n: spare, shelf: each + 1, now: each + 1})
	}
	l.runs = append(l.runs, run{n: n - spare, shelf: each, now: each})
	for i := range l.runs {
		l.runs[i].floor = l.floorOf(l.runs[i].shelf, p)
	}
}

// floorOf gives the least that a piece may cost: the larger of its floor price and what the brand's
// policy leaves of its shelf price, and at most that price.
func (l *line) floorOf(shelf int64, p *Policy) int64 {
	floor := l.src.Facts.FloorPrice
	if l.weighed {
		floor = roundUp(floor, l.quantity, thousand)
	}
	if p.MaxLineDiscount != nil {
		floor = max(floor, roundUp(shelf, percentWhole-*p.MaxLineDiscount, percentWhole))
	}
	return min(floor, shelf)
}

// takeManual takes the POS's own discount off. It is a fact, and may go below the floor, which then is
// what is left.
func (l *line) takeManual(i int) error {
	m := l.src.ManualDiscount
	if m == nil {
		return nil
	}
	if m.Amount < 0 || m.Amount > l.gross {
		return lineError(i, "manual_discount/amount", "want 0 to what the line costs")
	}
	l.manual = m.Amount
	var parts []part
	at := int64(0)
	for _, r := range l.runs {
		parts = append(parts, part{at: at, n: r.n, weight: r.now, room: r.now})
		at += r.n
	}
	for _, p := range new(spreader).spread(m.Amount, parts) {
		from, to := l.split(p.at, p.n)
		for j := from; j < to; j++ {
			l.runs[j].now -= p.each
			l.runs[j].floor = min(l.runs[j].floor, l.runs[j].now)
		}
	}
	l.now -= m.Amount
	return nil
}

// check looks at what is not a line.
func (b *Basket) check(p *Policy) error {
	if _, ok := Exponent(b.Currency); !ok {
		return &FieldError{"/currency", "not an ISO 4217 code of a currency in use"}
	}
	if p.Currency != "" && p.Currency != b.Currency {
		return &FieldError{"/currency", "not the currency of the programme: its amounts would mean something else"}
	}
	switch {
	case b.Channel != "" && !slices.Contains(promotion.Channels(), b.Channel):
		return &FieldError{"/channel", "want till, self_checkout, self_scan, app, web or call_centre"}
	case len(b.Lines) == 0:
		return &FieldError{"/lines", "want at least one line"}
	case len(b.Lines) > record.MaxLines:
		return &FieldError{"/lines", fmt.Sprintf("more than %d lines", record.MaxLines)}
	case len(b.Coupons) > MaxCoupons:
		return &FieldError{"/coupons", fmt.Sprintf("more than %d coupons", MaxCoupons)}
	case b.Spend.Points < 0 || b.Spend.Points > record.MaxPoints:
		return &FieldError{"/points_to_spend/points", "want 0 to 1000000000000"}
	case b.Shopper != nil && (b.Shopper.Available < 0 || b.Shopper.Available > record.MaxPoints):
		return &FieldError{"/shopper/available", "want 0 to 1000000000000"}
	}
	switch b.Spend.Mode {
	case "", SpendNone, SpendExact, SpendUseful, SpendAll:
	default:
		return &FieldError{"/points_to_spend/mode", "want none, exact, useful or all"}
	}
	return nil
}

// readLines lays the basket's lines out, in the order of their ids: nothing depends on the order in
// which they came.
func (s *state) readLines() error {
	b := s.basket
	s.order = s.order[:0]
	for i := range b.Lines {
		s.order = append(s.order, int32(i))
	}
	slices.SortFunc(s.order, func(x, y int32) int { return cmp.Compare(b.Lines[x].LineID, b.Lines[y].LineID) })
	s.lines = slices.Grow(s.lines[:0], len(b.Lines))[:len(b.Lines)]
	var sum int64
	for pos, i := range s.order {
		if pos > 0 && b.Lines[s.order[pos-1]].LineID == b.Lines[i].LineID {
			return lineError(int(max(i, s.order[pos-1])), "line_id", "another line has it")
		}
		if err := s.lines[pos].readLine(int(i), &b.Lines[i], &s.p.policy); err != nil {
			return err
		}
		sum += s.lines[pos].gross // at most MaxLines times MaxMoney: no overflow on the way
	}
	if sum > MaxMoney {
		return &FieldError{"/lines", "the sum of the lines is over 1000000000000 minor units"}
	}
	s.gross = sum
	return nil
}
