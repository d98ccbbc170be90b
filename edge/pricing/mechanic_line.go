package pricing

import "tillstream/kv/promotion"

// Mechanics that work on each line for itself: a percentage off items, an amount off a unit or a line, a
// fixed price.

// eachLine applies a line mechanic to all lines of its set.
func (s *state) eachLine(n int32) reason {
	r := &s.p.rules[n]
	parts := s.scratch[:0]
	wanted := int64(0)
	for _, line := range s.linesOf(r.sets[0]) {
		var w int64
		parts, w = s.lineParts(r, line, parts)
		wanted = min(wanted+w, MaxMoney)
	}
	s.scratch = parts
	if len(parts) == 0 {
		return s.idle(r.sets...)
	}
	return s.settle(n, parts, wanted, 1)
}

// lineParts appends what a line mechanic gives to the pieces of one line, each at most its room, and
// what it wanted to give.
func (s *state) lineParts(r *rule, line int32, parts []part) (out []part, wanted int64) {
	from := len(parts)
	parts = s.partsOf(line, parts)
	if len(parts) == from {
		return parts, 0
	}
	l := &s.lines[line]
	switch m := r.doc.Mechanic.(type) {
	case *promotion.Percentage:
		base := int64(0)
		for i := from; i < len(parts); i++ {
			if m.Regular {
				base += s.worth(&parts[i], true)
			} else {
				base += parts[i].weight * parts[i].n
			}
		}
		return s.overLine(halfUp(base, m.Percent, percentWhole), parts, from)
	case *promotion.Amount:
		switch {
		case m.Per == promotion.PerLine:
			return s.overLine(m.Amount, parts, from)
		case l.weighed:
			parts[from].each = halfUp(m.Amount, l.quantity, thousand)
		default:
			for i := from; i < len(parts); i++ {
				parts[i].each = m.Amount
			}
		}
	case *promotion.FixedPrice:
		price := m.Price
		if l.weighed {
			price = halfUp(price, l.quantity, thousand)
		}
		for i := from; i < len(parts); i++ {
			parts[i].each = max(parts[i].weight-price, 0)
		}
	}
	return parts, clamp(parts[from:])
}

// overLine spreads an amount over the parts of one line, which begin at from.
func (s *state) overLine(amount int64, parts []part, from int) (out []part, wanted int64) {
	if p := parts[from:]; len(p) == 1 && p[0].n == 1 { // the commonest line is one piece
		p[0].each = amount
		return parts, clamp(p)
	}
	for i := from; i < len(parts); i++ {
		parts[i].room = MaxMoney // shares are laid as if there were room; what does not fit is lost
	}
	out = append(parts[:from], s.spread(amount, parts[from:])...)
	clamp(out[from:])
	return out, amount
}

// clamp takes parts down to their rooms and gives what they wanted.
func clamp(parts []part) (wanted int64) {
	for i := range parts {
		wanted = min(wanted+times(parts[i].each, parts[i].n), MaxMoney)
		parts[i].each = min(parts[i].each, parts[i].limit)
	}
	return wanted
}
