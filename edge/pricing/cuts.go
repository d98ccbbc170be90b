package pricing

import "slices"

// Cuts, in order: the floor of each piece, what the promotion may give a line, what it may give the
// basket, what the brand lets all promotions give, the promotion's budget. What is cut from the benefit of
// a piece or a line is lost; an amount for a set or a basket is first spread again over pieces that have
// room.

// Words of capped.by.
const (
	byFloor     = "floor"
	byLine      = "per_line"
	byBasket    = "per_basket"
	byPolicy    = "policy"
	byBudget    = "budget"
	noCap       = MaxMoney
	budgetShort = "short" // the promotion gives all or nothing, and the budget has not all
)

// ceiling cuts amount to what rule n may still give to the basket, when given was given by it already and
// is not booked yet.
func (s *state) ceiling(n int32, amount, given int64) (most int64, by string) {
	doc := s.p.rules[n].doc
	most = amount
	if c := doc.Caps.PerBasket; c != nil && *c-given < most {
		most, by = max(*c-given, 0), byBasket
	}
	if left := s.most - s.given - given; left < most {
		most, by = max(left, 0), byPolicy
	}
	if l := s.basket.Limits[doc.ID]; l.Budget != nil && *l.Budget-given < most {
		if doc.Budget == nil || !doc.Budget.Partial {
			return 0, budgetShort
		}
		most, by = max(*l.Budget-given, 0), byBudget
	}
	return most, by
}

// lineCap gives the most that a line gets.
type lineCap func(line int32) int64

// lineCapOf gives the cap of rule n; nil when it has none.
func (s *state) lineCapOf(n int32) lineCap {
	perLine := s.perLine(n)
	if perLine == noCap {
		return nil
	}
	return func(int32) int64 { return perLine }
}

func (s *state) perLine(n int32) int64 {
	if c := s.p.rules[n].doc.Caps.PerLine; c != nil {
		return *c
	}
	return noCap
}

// settle books what a rule gives to pieces and lines: each part has what it wants, at most its room.
func (s *state) settle(n int32, parts []part, wanted, times int64) reason {
	sum := total(parts)
	by := ""
	if sum < wanted {
		by = byFloor
	}
	if perLine := s.perLine(n); perLine < noCap {
		var cut bool
		if parts, cut = s.cutLines(parts, perLine); cut {
			by = byLine
		}
		sum = total(parts)
	}
	if most, cut := s.ceiling(n, sum, 0); cut != "" {
		if cut == budgetShort {
			return reason{code: BudgetShort}
		}
		by = cut
		parts = s.reduce(most, parts)
		sum = most
	}
	if sum == 0 {
		return nothing(wanted, by)
	}
	s.book(application{rule: n, times: times, wanted: wanted, by: by}, parts)
	return reason{}
}

// nothing is why a rule that found pieces gives nothing.
func nothing(wanted int64, by string) reason {
	switch {
	case wanted == 0:
		return reason{code: NoEffect}
	case by == byFloor:
		return reason{code: FloorReached}
	}
	return reason{code: CapReached}
}

// cutLines takes each line down to perLine.
func (s *state) cutLines(parts []part, perLine int64) (out []part, cut bool) {
	for from := 0; from < len(parts); {
		to := lineEnd(parts, from)
		if total(parts[from:to]) > perLine {
			cut = true
			less := s.reduce(perLine, slices.Clone(parts[from:to]))
			parts = slices.Replace(parts, from, to, less...)
			to = from + len(less)
		}
		from = to
	}
	return parts, cut
}

// settleSpread books an amount for all of the parts together.
func (s *state) settleSpread(a application, parts []part) reason {
	capOf := s.lineCapOf(a.rule)
	sum, by := s.fit(a.rule, a.wanted, 0, parts, capOf)
	if by == budgetShort {
		return reason{code: BudgetShort}
	}
	if sum == 0 {
		return nothing(a.wanted, by)
	}
	a.by = by
	parts = s.spreadCapped(sum, parts, capOf)
	s.book(a, parts)
	if s.inGroup {
		for i := range parts {
			s.use(&parts[i], 0)
		}
	}
	return reason{}
}

// fit cuts an amount to what parts have room for and rule n may give, when given was given by it already
// and is not booked yet.
func (s *state) fit(n int32, amount, given int64, parts []part, capOf lineCap) (sum int64, by string) {
	sum = amount
	if room := roomOf(parts); room < sum {
		sum, by = room, byFloor
	}
	if capOf != nil {
		room := int64(0)
		for from := 0; from < len(parts); {
			to := lineEnd(parts, from)
			room += min(roomOf(parts[from:to]), capOf(parts[from].line))
			from = to
		}
		if room < sum {
			sum, by = room, byLine
		}
	}
	if most, cut := s.ceiling(n, sum, given); cut != "" {
		return most, cut
	}
	return sum, by
}

func (s *state) spreadCapped(sum int64, parts []part, capOf lineCap) []part {
	if capOf == nil {
		return s.spread(sum, parts)
	}
	return s.spreadLines(sum, parts, capOf)
}
