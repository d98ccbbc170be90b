package pricing

import (
	"math/bits"
	"slices"

	"tillstream/kv/promotion"
)

// Mix and match: several parts make a set, the set has a price. Each set's amount is rounded once and
// spread over its pieces.

// slots of a set: pieces of one run that every one of a number of equal sets takes.
type slots struct {
	pick int
	each int64 // pieces in one set
}

func (s *state) mixMatch(n int32, m *promotion.MixMatch) reason {
	r := &s.p.rules[n]
	picks := s.picks(r.sets)
	needs := make([]int64, len(m.Components))
	for i, c := range m.Components {
		needs[i] = c.Pieces
	}
	possible := fits(picks, needs)
	if possible == 0 {
		return s.missingOf(r, picks, needs)
	}
	sortPicks(picks, m.Choose)
	f := forming{s: s, m: m, app: application{rule: n}, picks: picks, needs: needs, lines: map[int32]int64{}}
	for left := min(possible, s.timesOf(r.doc)); left > 0; {
		left -= f.next(left)
	}
	switch {
	case f.app.by == budgetShort:
		return reason{code: BudgetShort}
	case f.given == 0:
		return nothing(f.app.wanted, f.app.by)
	}
	inOrder(f.gives)
	s.book(f.app, f.gives)
	s.claim(n, f.gives)
	return reason{}
}

// missingOf names the first component that is short. Where each has enough for itself, some pieces would
// have to be in the set twice.
func (s *state) missingOf(r *rule, picks []pick, needs []int64) reason {
	if len(picks) == 0 {
		return s.idle(r.sets...)
	}
	for i := range needs {
		if n := count(picks, 1<<i); n < needs[i] {
			return reason{code: NeedsQuantity, missing: (needs[i] - n) * thousand, set: r.sets[i]}
		}
	}
	worst, set := int64(0), r.sets[0]
	for in := uint32(1); in < 1<<len(needs); in++ {
		need := int64(0)
		for i := range needs {
			need += needs[i] * int64(in>>i&1)
		}
		if short := need - count(picks, in); short > worst {
			worst, set = short, r.sets[bits.TrailingZeros32(in)]
		}
	}
	return reason{code: NeedsQuantity, missing: worst * thousand, set: set}
}

// formSets forms the next set of picks, in their order, so that as many sets as possible can still be
// formed after it, and says how many sets in a row take the same runs.
func formSets(picks []pick, needs []int64, left int64) (set []slots, same int64) {
	open := make([]int64, len(needs)) // what all sets still need
	for i := range needs {
		open[i] = needs[i] * left
	}
	taken := make([]int64, len(picks))
	for c := range needs {
		for need := needs[c]; need > 0; {
			i, n := nextPick(picks, taken, open, c, need)
			taken[i] += n
			open[c] -= n
			need -= n
			set = append(set, slots{i, n})
		}
	}
	same = left
	for i, n := range taken {
		if n > 0 {
			same = min(same, picks[i].left()/n)
		}
	}
	if same > 1 && len(needs) > 1 {
		same = sameSets(picks, needs, taken, left, same)
	}
	return set, same
}

// nextPick gives the first run that component c can take pieces of, and how many: so many that what is
// open can still be met without them.
func nextPick(picks []pick, taken, open []int64, c int, need int64) (int, int64) {
	last := -1
	for i := range picks {
		k := &picks[i]
		if k.in>>c&1 == 0 || k.left() == taken[i] {
			continue
		}
		n := min(k.left()-taken[i], need)
		for in := uint32(1); in < 1<<len(open); in++ {
			if in>>c&1 == 1 || k.in&in == 0 {
				continue // those that c is one of need a piece less, too
			}
			n = min(n, spareFor(picks, taken, open, in))
		}
		if n > 0 {
			return i, n
		}
		last = i
	}
	return last, need
}

// spareFor gives how many of the pieces that any of some components can take are not needed by them.
func spareFor(picks []pick, taken, open []int64, in uint32) (n int64) {
	for i := range picks {
		if picks[i].in&in != 0 {
			n += picks[i].left() - taken[i]
		}
	}
	for i := range open {
		if in>>i&1 == 1 {
			n -= open[i]
		}
	}
	return n
}

// sameSets gives how many times a set can be repeated and leave enough for the sets after it.
func sameSets(picks []pick, needs, taken []int64, left, most int64) int64 {
	for in := uint32(1); in < 1<<len(needs); in++ {
		have, need, uses := int64(0), int64(0), int64(0)
		for i := range picks {
			if picks[i].in&in != 0 {
				have += picks[i].left()
				uses += taken[i]
			}
		}
		for i := range needs {
			need += needs[i] * int64(in>>i&1)
		}
		// have - m*uses >= (left-m)*need, for as many m as that holds for
		if uses > need {
			most = min(most, max((have-left*need)/(uses-need), 1))
		}
	}
	return most
}

// forming is sets on their way.
type forming struct {
	s     *state
	m     *promotion.MixMatch
	app   application
	picks []pick
	needs []int64
	gives []part
	given int64
	lines map[int32]int64 // given by line so far
}

// next forms the next sets that take the same runs, and says how many of them it has dealt with. A set
// without an effect, or beyond what the promotion may give, is not applied: its pieces stay free.
func (f *forming) next(left int64) int64 {
	set, same := formSets(f.picks, f.needs, left)
	one := f.onePart(set)
	wanted := f.wanted(one)
	sum, by := f.s.fit(f.app.rule, wanted, f.given, one, f.capOf())
	if by != "" && f.app.by != budgetShort {
		f.app.by = by
	}
	if sum > 0 {
		one = f.s.spreadCapped(sum, one, f.capOf())
		same = f.repeatable(one, sum, same)
		f.app.times += same
	}
	f.app.wanted = min(f.app.wanted+times(wanted, same), MaxMoney)
	for _, p := range one {
		i := slices.IndexFunc(f.picks, func(k pick) bool { return k.line == p.line && k.at <= p.at && p.at < k.at+k.n })
		taken := f.picks[i].takeOut(p.n * same)
		if taken.each = p.each; sum > 0 {
			f.gives = append(f.gives, taken)
			f.given += taken.each * taken.n
			f.lines[taken.line] += taken.each * taken.n
		}
	}
	return same
}

// onePart gives the pieces of one set, in the order of lines and pieces.
func (f *forming) onePart(set []slots) []part {
	one := make([]part, 0, len(set))
	offset := map[int]int64{}
	for _, x := range set {
		k := &f.picks[x.pick]
		one = append(one, part{line: k.line, at: k.at + k.used + offset[x.pick], n: x.each, weight: k.now, room: k.room, limit: k.room})
		offset[x.pick] += x.each
	}
	inOrder(one)
	return one
}

// wanted is what one set is to get. A set price never raises.
func (f *forming) wanted(one []part) int64 {
	price := int64(0)
	for i := range one {
		price += one[i].weight * one[i].n
	}
	switch b := f.m.Benefit; {
	case b.Percent != nil:
		return halfUp(price, *b.Percent, percentWhole)
	case b.Amount != nil:
		return *b.Amount
	default:
		return max(price-*f.m.Price, 0)
	}
}

// capOf gives what a line may still get; nil when nothing bounds it.
func (f *forming) capOf() lineCap {
	perLine := f.s.perLine(f.app.rule)
	if perLine == noCap {
		return nil
	}
	return func(line int32) int64 { return max(perLine-f.lines[line], 0) }
}

// repeatable gives how many of the same sets can have the same shares before a cap is met.
func (f *forming) repeatable(one []part, sum, same int64) int64 {
	if most, by := f.s.ceiling(f.app.rule, times(sum, same), f.given); by != "" {
		same = min(same, max(most/sum, 1))
	}
	if capOf := f.capOf(); capOf != nil {
		for from := 0; from < len(one); {
			to := lineEnd(one, from)
			if t := total(one[from:to]); t > 0 {
				same = min(same, max(capOf(one[from].line)/t, 1))
			}
			from = to
		}
	}
	return same
}
