package pricing

import (
	"slices"

	"tillstream/kv/promotion"
)

// multiply adds what multipliers give. Those that stack all count; of the others the largest factor on a
// line counts, and of equal ones the first in the order of evaluation.
func (s *state) multiply(e *earning, rules []int32) error {
	rate := s.p.policy.Points.Earn
	owner := make([]int32, len(s.lines)) // 1 + the one that counts on the line
	factor := func(n int32) int64 { return s.p.rules[n].doc.Mechanic.(*promotion.PointsMultiplier).Factor }
	stacks := func(n int32) bool { return s.p.rules[n].doc.Stacking.Mode == promotion.Stack }
	rules = slices.DeleteFunc(slices.Clone(rules), func(n int32) bool {
		why := s.pointsGate(n)
		if why.code != "" {
			s.because(n, why)
		}
		return why.code != ""
	})
	for _, n := range rules {
		if stacks(n) {
			continue
		}
		for _, line := range s.linesOf(s.p.rules[n].sets[0]) {
			if o := owner[line]; o == 0 || factor(n) > factor(o-1) {
				owner[line] = n + 1
			}
		}
	}
	for _, n := range rules {
		parts := s.earning(s.p.rules[n].sets[0], true)
		all := len(parts)
		if !stacks(n) {
			parts = slices.DeleteFunc(parts, func(p part) bool { return owner[p.line] != n+1 })
		}
		points, err := s.pointsFor(parts, (factor(n)-100)*rate.Points, 100*rate.Amount)
		switch {
		case err != nil:
			return err
		case points > 0:
			s.credit(e, n, points, parts)
		case len(parts) < all:
			s.because(n, reason{code: BetterAlternative, by: owners(owner, s.linesOf(s.p.rules[n].sets[0]))})
		default:
			s.because(n, reason{code: NoEffect})
		}
	}
	return nil
}

func owners(owner, lines []int32) (rules []int32) {
	for _, l := range lines {
		if o := owner[l]; o > 0 && !slices.Contains(rules, o-1) {
			rules = append(rules, o-1)
		}
	}
	return rules
}

// pointsGate says why a promotion of points has nothing to work on.
func (s *state) pointsGate(n int32) reason {
	if why := s.when(n, nil); why.code != "" {
		return why
	}
	set := s.p.rules[n].sets[0]
	if len(s.earning(set, true)) > 0 {
		return reason{}
	}
	if why := s.idle(set); why.code != NoEffect {
		return why
	}
	return reason{code: ItemsExcluded}
}

// bonuses adds bonus points. Of a group the largest bonus counts.
func (s *state) bonuses(e *earning) error {
	type bonus struct {
		rule   int32
		points int64
	}
	var all []bonus
	best := map[int32]bonus{}
	for _, n := range s.pointRules() {
		m, ok := s.p.rules[n].doc.Mechanic.(*promotion.BonusPoints)
		if !ok {
			continue
		}
		if why := s.pointsGate(n); why.code != "" {
			s.because(n, why)
			continue
		}
		b := bonus{n, m.Points}
		if m.PerUnit {
			b.points, _ = muldiv(m.Points, s.units(s.p.rules[n].sets[0]), thousand)
		}
		if err := bound(b.points); err != nil {
			return err
		}
		all = append(all, b)
		if g := s.p.rules[n].group; g != 0 && b.points > best[g].points {
			best[g] = b
		}
	}
	for _, b := range all {
		switch g := s.p.rules[b.rule].group; {
		case b.points == 0:
			s.because(b.rule, reason{code: NoEffect})
		case g != 0 && best[g].rule != b.rule:
			s.because(b.rule, reason{code: BetterAlternative, by: []int32{best[g].rule}, would: b.points, given: best[g].points})
		default:
			s.credit(e, b.rule, b.points, s.earning(s.p.rules[b.rule].sets[0], true))
		}
	}
	sum := int64(0)
	for _, b := range e.by {
		sum += b.points
	}
	return bound(sum)
}

// units counts what earns in a set, in thousandths of pieces, kilos, litres or metres.
func (s *state) units(set int32) (sum int64) {
	for _, n := range s.linesOf(set) {
		if l := &s.lines[n]; !l.noPoints && l.locked == 0 {
			sum += l.quantity
		}
	}
	return sum
}
