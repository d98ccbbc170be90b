package pricing

import (
	"slices"
	"strconv"
	"time"
)

// when tests the conditions of a rule against the basket as it is at this moment. But leaves pieces out:
// those that the rule would make free.
func (s *state) when(n int32, but []part) reason {
	for i := range s.p.rules[n].conditions {
		c := &s.p.rules[n].conditions[i]
		var why reason
		switch {
		case c.MinQuantity > 0:
			if missing := c.MinQuantity - s.quantity(c, but); missing > 0 {
				why = reason{code: NeedsQuantity, missing: missing, set: c.set}
			}
		case c.MinSpend != nil:
			if missing := *c.MinSpend - s.spend(c.set, c.Gross, but); missing > 0 {
				why = reason{code: NeedsSpend, missing: missing}
			}
		case c.FirstPurchase:
			why = s.personal(func(who *Shopper) bool { return who.FirstPurchase }, NotInAudience)
		case c.Birthday:
			why = s.personal(func(who *Shopper) bool {
				return nearBirthday(who.Birthday, s.now.Time(), c.DaysBefore, c.DaysAfter)
			}, NotNow)
		case len(c.Tender) > 0:
			why = s.tender(c.Tender)
		}
		if why.code != "" {
			return why
		}
	}
	return reason{}
}

// quantity counts what a set has of a unit, in thousandths. A weighed line counts as one piece.
func (s *state) quantity(c *condition, but []part) (sum int64) {
	for _, n := range s.linesOf(c.set) {
		l := &s.lines[n]
		switch {
		case l.barred:
		case c.Unit == "pc":
			sum += l.pieces() * thousand
			for i := range but {
				if but[i].line == n {
					sum -= but[i].n * thousand
				}
			}
		case c.Unit == l.unit && !holds(but, n):
			sum += l.quantity
		}
	}
	return sum
}

func holds(parts []part, line int32) bool {
	return slices.ContainsFunc(parts, func(p part) bool { return p.line == line })
}

// spend adds up what a set costs: shelf prices, or what is left after discounts. Lines that an exclusive
// promotion has locked count, lines that no promotion may touch do not.
func (s *state) spend(set int32, gross bool, but []part) (sum int64) {
	for _, n := range s.linesOf(set) {
		l := &s.lines[n]
		switch {
		case l.barred:
			continue
		case gross:
			sum += l.gross
		default:
			sum += l.net()
		}
		for i := range but {
			if but[i].line == n {
				sum -= s.worth(&but[i], gross)
			}
		}
	}
	return sum
}

// worth is what the pieces of a part cost.
func (s *state) worth(p *part, gross bool) (sum int64) {
	at := int64(0)
	for _, r := range s.lines[p.line].runs {
		if n := min(at+r.n, p.at+p.n) - max(at, p.at); n > 0 {
			if gross {
				sum += n * r.shelf
			} else {
				sum += n * r.now
			}
		}
		at += r.n
	}
	return sum
}

func (s *state) personal(holds func(*Shopper) bool, otherwise Code) reason {
	switch {
	case s.basket.Shopper == nil:
		return reason{code: NeedsCard}
	case !holds(s.basket.Shopper):
		return reason{code: otherwise}
	}
	return reason{}
}

// tender holds when some payment was named and each is one of the kinds. Points are not counted: what is
// left to pay is what the condition is about.
func (s *state) tender(kinds []string) reason {
	named := false
	for _, t := range s.basket.Tenders {
		if t == "points" {
			continue
		}
		if named = true; !slices.Contains(kinds, t) {
			return reason{code: NeedsTender}
		}
	}
	if !named {
		return reason{code: NeedsTender}
	}
	return reason{}
}

// nearBirthday reports whether today is at most before days ahead of a birthday, or at most after days
// past it. Who was born on 29 February has it on the 28th in other years.
func nearBirthday(birthday string, now time.Time, before, after int) bool {
	if len(birthday) == len("2006-01-02") {
		birthday = birthday[5:]
	}
	if len(birthday) != len("01-02") || birthday[2] != '-' {
		return false
	}
	month, err1 := strconv.Atoi(birthday[:2])
	day, err2 := strconv.Atoi(birthday[3:])
	if err1 != nil || err2 != nil || month < 1 || month > 12 || day < 1 || day > 31 {
		return false
	}
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC)
	for year := now.Year() - 1; year <= now.Year()+1; year++ {
		d := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
		if d.Month() != time.Month(month) {
			d = time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC)
		}
		if away := int(today.Sub(d).Hours() / 24); -before <= away && away <= after {
			return true
		}
	}
	return false
}
