package pricing

import (
	"cmp"
	"slices"
)

// A best_of group gives each piece its best member, in the shopper's favour. Two plans are made: set
// mechanics first and then, line by line, the best of the line mechanics; and the other way round. The
// larger total is taken, a tie goes to the first plan. That is not always the best there could be (1.96 %
// of the discount money was missed in 600 hostile baskets); it is cheap, and can be told at the till.

// member is one promotion of a group whose turn it is.
type member struct {
	rule  int32
	alone int64 // what it would give if it were the only one
}

// group gives a group its turn, if rules[0], the next of its members, has something to give. Rules are
// those of the phase from there on.
func (s *state) group(group int32, rules []int32) bool {
	s.turn++
	s.inGroup = true
	defer func() { s.inGroup = false }()
	s.markEarlier(group)
	var sets, lines []member
	for i, n := range rules {
		if s.p.rules[n].group != group {
			continue
		}
		at := s.try()
		why := s.apply(n)
		alone := s.given - at.given
		s.back(at)
		switch {
		case why.code != "":
			s.because(n, why)
			if i == 0 {
				return false
			}
		case s.p.rules[n].perLine():
			lines = append(lines, member{n, alone})
		default:
			sets = append(sets, member{n, alone})
		}
	}
	if all := append(sets, lines...); len(all) == 1 { // there is nothing to choose
		s.apply(all[0].rule)
		return true
	}
	slices.SortStableFunc(sets, func(a, b member) int { return cmp.Compare(b.alone, a.alone) })
	first := len(s.apps)
	s.plan(sets, lines)
	s.losers(first, append(sets, lines...))
	return true
}

// plan applies the better of the two plans.
func (s *state) plan(sets, lines []member) {
	a := func() { s.applySets(sets); s.bestLines(lines) }
	b := func() { s.bestLines(lines); s.applySets(sets) }
	if len(sets) == 0 || len(lines) == 0 {
		a()
		return
	}
	at := s.try()
	a()
	withSets := s.given
	s.back(at)
	at = s.try()
	b()
	if s.given > withSets {
		s.keep()
		return
	}
	s.back(at)
	a()
}

// markEarlier takes lines that the group has discounted in an earlier phase as used: one offer of a group
// for each line.
func (s *state) markEarlier(group int32) {
	for _, a := range s.apps {
		if s.p.rules[a.rule].group != group {
			continue
		}
		for _, x := range s.shares[a.from:a.to] {
			l := &s.lines[x.line]
			for i := range l.runs {
				l.runs[i].mark = s.turn
			}
		}
	}
}

func (s *state) applySets(sets []member) {
	for _, m := range sets {
		s.apply(m.rule)
	}
}

// tally is what a line mechanic has given in a group's turn so far.
type tally struct {
	app   application
	parts []part
	given int64
	lines []int32 // that it works on and whose turn is still to come
}

// bestLines gives each line that is left its best member. A tie goes to the first in the order of
// evaluation. Caps of the basket bind over all lines: what a member has given on lines before counts.
func (s *state) bestLines(members []member) {
	if len(members) == 0 {
		return
	}
	tallies := make([]tally, len(members))
	for i, m := range members {
		tallies[i].app = application{rule: m.rule, times: 1}
		tallies[i].lines = s.linesOf(s.p.rules[m.rule].sets[0])
	}
	var all int64 // given in this turn by all members, not booked yet
	for n := range s.lines {
		best, amount, wants := -1, int64(0), int64(0)
		var gives []part
		cut := ""
		for i := range tallies {
			t := &tallies[i]
			if len(t.lines) == 0 || t.lines[0] != int32(n) {
				continue
			}
			t.lines = t.lines[1:]
			parts, wanted, by := s.oneLine(t, int32(n), all)
			if sum := total(parts); sum > amount {
				best, amount, wants, cut, gives = i, sum, wanted, by, parts
			}
		}
		if best < 0 {
			continue
		}
		t := &tallies[best]
		t.parts = append(t.parts, gives...)
		t.given += amount
		t.app.wanted = min(t.app.wanted+wants, MaxMoney)
		t.app.by = cmp.Or(cut, t.app.by)
		all += amount
	}
	for i := range tallies {
		if t := &tallies[i]; t.given > 0 {
			s.book(t.app, t.parts)
			for j := range t.parts {
				s.use(&t.parts[j], 0)
			}
		}
	}
}

// oneLine gives what a member gives on one line, after its cuts.
func (s *state) oneLine(t *tally, n int32, all int64) (parts []part, wanted int64, by string) {
	rule := t.app.rule
	parts, wanted = s.lineParts(&s.p.rules[rule], n, nil)
	sum := total(parts)
	if sum < wanted {
		by = byFloor
	}
	if perLine := s.perLine(rule); perLine < sum {
		parts, by = s.reduce(perLine, parts), byLine
		sum = perLine
	}
	most, cut := s.ceiling(rule, sum, t.given)
	if cut == budgetShort {
		return nil, wanted, by
	}
	if left := max(s.most-s.given-all, 0); left < most {
		most, cut = left, byPolicy
	}
	if cut != "" {
		parts, by = s.reduce(most, parts), cut
	}
	return parts, wanted, by
}

// losers says of the members that found something to do and got nothing what was taken instead.
func (s *state) losers(first int, members []member) {
	var winners []int32
	got := map[int32]int64{}
	for _, a := range s.apps[first:] {
		winners = append(winners, a.rule)
		got[a.rule] = a.amount
	}
	for _, m := range members {
		if _, ok := got[m.rule]; ok {
			continue
		}
		var given int64
		for _, amount := range got {
			given += amount
		}
		s.because(m.rule, reason{code: BetterAlternative, by: winners, would: m.alone, given: given})
	}
}
