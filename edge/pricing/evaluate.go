package pricing

import (
	"slices"

	"tillstream/kv/promotion"
)

// Quote prices a basket. It has no effect, and the same basket gives the same quote in whatever order its
// lines and coupons come. What is wrong with the basket is a *FieldError.
func (p *Programme) Quote(b *Basket) (*Quote, error) { return p.QuoteOn(new(Paper), b) }

// QuoteOn is Quote on paper that was used before: the quote that was on it is gone.
func (p *Programme) QuoteOn(on *Paper, b *Basket) (*Quote, error) {
	s := p.states.Get().(*state)
	defer func() {
		s.basket = nil // keeps nothing of the shopper
		p.states.Put(s)
	}()
	if err := s.begin(b); err != nil {
		return nil, err
	}
	var baskets []int32 // exclusive ones of the whole basket
	for _, n := range s.candidates() {
		if why := s.gate(n); why.code != "" {
			s.because(n, why)
			continue
		}
		r := &p.rules[n]
		if st := &r.doc.Stacking; st.Mode == promotion.Exclusive && st.Basket && r.phase != phasePoints {
			baskets = append(baskets, n)
		} else {
			s.live = append(s.live, n)
		}
	}
	s.discount(s.live)
	if len(baskets) > 0 {
		if err := s.choose(baskets); err != nil {
			return nil, err
		}
	}
	earned, err := s.points()
	if err != nil {
		return nil, err
	}
	return s.quote(earned, on), nil
}

// discount runs the phases that take money off, over rules in the order of evaluation.
func (s *state) discount(rules []int32) {
	for _, phase := range [...]int{phaseLine, phaseBasket} {
		from, _ := slices.BinarySearchFunc(rules, phase, func(n int32, phase int) int { return s.p.rules[n].phase - phase })
		to, _ := slices.BinarySearchFunc(rules, phase+1, func(n int32, phase int) int { return s.p.rules[n].phase - phase })
		s.phase(rules[from:to])
	}
}

// phase gives each rule its turn: first those that lock the lines they touch, then the others. A group has
// one turn, at the place of its first member that has something to give: one that has not must not move
// the others.
func (s *state) phase(rules []int32) {
	for _, n := range rules {
		if s.p.rules[n].doc.Stacking.Mode != promotion.Exclusive {
			continue
		}
		if why := s.apply(n); why.code != "" {
			s.because(n, why)
			continue
		}
		s.lock(n)
	}
	var turned []int32 // groups that have had their turn
	for i, n := range rules {
		r := &s.p.rules[n]
		switch {
		case r.doc.Stacking.Mode == promotion.Exclusive, slices.Contains(turned, r.group):
		case r.group == 0:
			if why := s.apply(n); why.code != "" {
				s.because(n, why)
			}
		case s.group(r.group, rules[i:]):
			turned = append(turned, r.group)
		}
	}
}

// lock keeps later promotions from the lines that an exclusive one touched: those it took money off, and
// those whose pieces it used.
func (s *state) lock(n int32) {
	a := &s.apps[len(s.apps)-1]
	for _, x := range s.shares[a.from:a.to] {
		s.lines[x.line].locked = n + 1
	}
	for i := range s.lines {
		if slices.ContainsFunc(s.lines[i].runs, func(r run) bool { return r.claim == n+1 }) {
			s.lines[i].locked = n + 1
		}
	}
}

// apply lets one rule do what it does, and says why when it does nothing.
func (s *state) apply(n int32) reason {
	r := &s.p.rules[n]
	if m, ok := r.doc.Mechanic.(*promotion.FreeItem); ok {
		return s.freeItem(n, m) // tests its conditions itself
	}
	if len(r.conditions) > 0 {
		if why := s.when(n, nil); why.code != "" {
			return why
		}
	}
	switch m := r.doc.Mechanic.(type) {
	case *promotion.Percentage:
		if m.Basket {
			return s.basketPercentage(n, m)
		}
	case *promotion.Amount:
		if m.Per == promotion.PerBasket {
			return s.basketAmount(n, m)
		}
	case *promotion.SpendThreshold:
		return s.threshold(n, m)
	case *promotion.NthItem:
		return s.nth(n, m)
	case *promotion.BuyGet:
		return s.buyGet(n, m)
	case *promotion.MixMatch:
		return s.mixMatch(n, m)
	}
	return s.eachLine(n)
}

// choose compares each promotion that wants the basket for itself with everything else together. The
// larger total wins, a tie goes to the exclusive one, among these to the first.
func (s *state) choose(baskets []int32) error {
	others, why := s.given, s.whys
	applied := s.applied()
	best, most := int32(-1), others
	s.whys = nil
	for _, n := range baskets {
		if err := s.again(); err != nil {
			return err
		}
		switch reason := s.apply(n); {
		case reason.code != "":
			why = append(why, whyNot{rule: n, reason: reason})
		case best < 0 && s.given >= most, s.given > most:
			best, most = n, s.given
		}
	}
	if err := s.again(); err != nil {
		return err
	}
	s.whys = s.whys[:0]
	if best < 0 {
		s.discount(s.live)
		s.whys = why
	} else {
		s.apply(best)
		s.whys = why
		for _, n := range s.live {
			if slices.Contains(applied, n) || s.p.rules[n].phase == phasePoints {
				s.because(n, reason{code: ExcludedBy, by: []int32{best}})
			}
		}
		s.live = s.live[:0]
		applied = []int32{best}
	}
	for _, n := range baskets {
		if n != best && !slices.ContainsFunc(s.whys, func(w whyNot) bool { return w.rule == n }) {
			s.because(n, reason{code: BetterAlternative, by: applied, given: most})
		}
	}
	return nil
}

// applied gives the rules that have given something.
func (s *state) applied() (rules []int32) {
	for i := range s.apps {
		rules = append(rules, s.apps[i].rule)
	}
	return rules
}
