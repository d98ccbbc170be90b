package pricing

import (
	"fmt"
	"slices"

	"tillstream/kv/promotion"
	"tillstream/kv/record"
)

// Points: first those the shopper pays with, then those the shopper earns on what is left to pay.

// earning is the points that go with a quote, on their way.
type earning struct {
	spent  int64 // points
	pays   int64 // minor units
	reason string
	spend  []int64 // points spent, by line
	earned []int64 // by line
	by     []earnedBy
}

type earnedBy struct {
	rule   int32 // -1: the base
	points int64
}

func (s *state) points() (*earning, error) {
	e := &earning{}
	if s.basket.Shopper == nil {
		if s.basket.Spend.Mode != "" && s.basket.Spend.Mode != SpendNone {
			e.reason = string(NeedsCard)
		}
		for _, n := range s.pointRules() {
			s.because(n, reason{code: NeedsCard})
		}
		return e, nil
	}
	e.spend, e.earned = make([]int64, len(s.lines)), make([]int64, len(s.lines))
	s.payWithPoints(e)
	if err := s.earn(e); err != nil {
		return nil, err
	}
	return e, nil
}

// pointRules gives the live rules of the points phase.
func (s *state) pointRules() []int32 {
	from, _ := slices.BinarySearchFunc(s.live, phasePoints, func(n int32, phase int) int { return s.p.rules[n].phase - phase })
	return s.live[from:]
}

// payWithPoints takes what points pay off the price of the pieces that allow it.
func (s *state) payWithPoints(e *earning) {
	parts := s.scratch[:0]
	for i := range s.lines {
		if l := &s.lines[i]; !l.noPoints {
			at := int64(0)
			for _, r := range l.runs {
				parts = append(parts, part{line: int32(i), at: at, n: r.n, weight: r.now, room: r.now})
				at += r.n
			}
		}
	}
	s.scratch = parts
	e.spent, e.pays, e.reason = s.pointsToSpend(roomOf(parts))
	if e.pays == 0 {
		return
	}
	parts = s.spread(e.pays, parts)
	for i := range parts {
		p := &parts[i]
		s.take(p)
		s.lines[p.line].paid += p.each * p.n
	}
	// Which points were spent on which line, for returns.
	lines := s.scratch[:0]
	for i := range s.lines {
		lines = append(lines, part{line: int32(i), n: 1, weight: s.lines[i].paid, room: MaxMoney})
	}
	for _, p := range s.spread(e.spent, lines) {
		e.spend[p.line] = p.each
	}
}

// pointsToSpend gives how many points are taken and what they pay, and for which reason fewer than asked:
// the first of balance, max_share and block that made it fewer.
func (s *state) pointsToSpend(payable int64) (points, pays int64, why string) {
	policy, ask := &s.p.policy.Points, &s.basket.Spend
	switch ask.Mode {
	case SpendExact:
		points = ask.Points
	case SpendAll, SpendUseful:
		points = s.basket.Shopper.Available
	}
	if points == 0 || policy.Value.Points == 0 {
		return 0, 0, ""
	}
	if payable < policy.MinSpend {
		return 0, 0, "min_spend"
	}
	lower := func(most int64, reason string) {
		if most < points {
			points = most
			if why == "" {
				why = reason
			}
		}
	}
	lower(s.basket.Shopper.Available, "balance")
	if policy.MaxShare != nil {
		payable, _ = muldiv(payable, *policy.MaxShare, percentWhole)
	}
	lower(roundUp(payable, policy.Value.Points, policy.Value.Amount), "max_share")
	block := max(policy.Block, 1)
	lower(points-points%block, "block")
	pays, _ = muldiv(points, policy.Value.Amount, policy.Value.Points)
	pays = min(pays, payable)
	// Points that would buy nothing are not taken.
	points = roundUp(pays, policy.Value.Points, policy.Value.Amount)
	if ask.Mode == SpendUseful {
		why = "" // fewer than all is what was asked for
	}
	return points, pays, why
}

// earn gives points on what is left to pay, for items that earn: the base, and what promotions add.
func (s *state) earn(e *earning) error {
	rate := s.p.policy.Points.Earn
	parts := s.earning(0, false)
	if base, err := s.pointsFor(parts, rate.Points, rate.Amount); err != nil {
		return err
	} else if base > 0 {
		s.credit(e, -1, base, parts)
	}
	var multipliers []int32
	for _, n := range s.pointRules() {
		if _, ok := s.p.rules[n].doc.Mechanic.(*promotion.PointsMultiplier); ok {
			multipliers = append(multipliers, n)
		}
	}
	if err := s.multiply(e, multipliers); err != nil {
		return err
	}
	return s.bonuses(e)
}

// earning gives the pieces of a set that earn points, until it is asked again. Promotions do not reach lines
// that an exclusive one has locked.
func (s *state) earning(set int32, promotions bool) []part {
	parts := s.scratch[:0]
	for _, n := range s.linesOf(set) {
		l := &s.lines[n]
		if l.noPoints || promotions && l.locked != 0 {
			continue
		}
		at := int64(0)
		for _, r := range l.runs {
			parts = append(parts, part{line: n, at: at, n: r.n, weight: r.now, room: MaxMoney})
			at += r.n
		}
	}
	s.scratch = parts
	return parts
}

// pointsFor gives points for the price of parts, rounded down: so many for each amount.
func (s *state) pointsFor(parts []part, points, amount int64) (int64, error) {
	if amount == 0 {
		return 0, nil
	}
	sum := int64(0)
	for i := range parts {
		sum += parts[i].weight * parts[i].n
	}
	n, _ := muldiv(sum, points, amount)
	return n, bound(n)
}

func bound(points int64) error {
	if points > record.MaxPoints {
		return &FieldError{"/lines", fmt.Sprintf("would earn more than %d points", int64(record.MaxPoints))}
	}
	return nil
}

// credit spreads points over parts by what they cost: evenly where they cost nothing.
func (s *state) credit(e *earning, rule int32, points int64, parts []part) {
	if roomOf(parts) == 0 {
		for i := range parts {
			parts[i].weight = 1
		}
	}
	for _, p := range s.spread(points, parts) {
		e.earned[p.line] += p.each * p.n
	}
	e.by = append(e.by, earnedBy{rule, points})
}
