package pricing

import (
	"math"

	"tillstream/kv/promotion"
)

// Mechanics that take one amount off a basket: a percentage of it, an amount, a spend threshold. The
// amount is rounded once and spread over the pieces by their prices.

func (s *state) basketPercentage(n int32, m *promotion.Percentage) reason {
	r := &s.p.rules[n]
	parts := s.partsIn(r.sets[0])
	if len(parts) == 0 {
		return s.idle(r.sets...)
	}
	base := int64(0)
	for i := range parts {
		if m.Regular {
			base += s.worth(&parts[i], true)
		} else {
			base += parts[i].weight * parts[i].n
		}
	}
	return s.settleSpread(application{rule: n, times: 1, wanted: halfUp(base, m.Percent, percentWhole)}, parts)
}

func (s *state) basketAmount(n int32, m *promotion.Amount) reason {
	r := &s.p.rules[n]
	parts := s.partsIn(r.sets[0])
	if len(parts) == 0 {
		return s.idle(r.sets...)
	}
	return s.settleSpread(application{rule: n, times: 1, wanted: m.Amount}, parts)
}

// threshold takes what the highest tier reached gives. Its spend counts lines that an exclusive
// promotion has locked; they take no share.
func (s *state) threshold(n int32, m *promotion.SpendThreshold) reason {
	r := &s.p.rules[n]
	if len(s.linesOf(r.sets[0])) == 0 {
		return reason{code: NoItems}
	}
	spend := s.spend(r.sets[0], m.Gross, nil)
	reached := -1
	for i, t := range m.Tiers {
		if t.Spend <= spend {
			reached = i
		}
	}
	if reached < 0 {
		return reason{code: NeedsSpend, missing: m.Tiers[0].Spend - spend}
	}
	parts := s.partsIn(r.sets[0])
	if len(parts) == 0 {
		return s.idle(r.sets...)
	}
	t := m.Tiers[reached]
	a := application{rule: n, times: 1}
	if reached+1 < len(m.Tiers) {
		a.missing = m.Tiers[reached+1].Spend - spend
	}
	if t.Percent != nil {
		base := int64(0)
		for i := range parts {
			base += parts[i].weight * parts[i].n
		}
		a.wanted = halfUp(base, *t.Percent, percentWhole)
		return s.settleSpread(a, parts)
	}
	if m.Repeat {
		a.times = min(spend/t.Spend, s.timesOf(r.doc), math.MaxInt32)
	}
	a.wanted = times(*t.Amount, a.times)
	return s.settleSpread(a, parts)
}
