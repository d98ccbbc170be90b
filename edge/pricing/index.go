package pricing

import (
	"slices"
	"strings"

	"tillstream/kv/promotion"
)

// The index makes a quote's cost grow with the promotions that can apply to it. From an item it is one
// step to the sets that hold it, and one more to the promotions on them. Promotions that want a coupon are
// found from the coupons that were shown, promotions on everything that are for an audience from the
// shopper: of those that nobody in front of this till can get there may be any number.

// indexRules fills the index of rules.
func (p *Programme) indexRules() {
	p.bySet = make([][]int32, len(p.sets))
	for i := range p.rules {
		r, n := &p.rules[i], int32(i)
		closed := slices.DeleteFunc(slices.Clone(r.sets), func(s int32) bool { return s == 0 || slices.Contains(p.open, s) })
		switch a := r.doc.Audience.AnyOf; {
		case r.doc.State != stateActive: // told of only when all are asked for
		case r.doc.Coupon != nil && r.doc.Coupon.Required:
			p.byPool[r.doc.Coupon.Pool] = append(p.byPool[r.doc.Coupon.Pool], n)
		case len(closed) > 0:
			p.add(closed, n)
		case len(a) > 0:
			for _, who := range a {
				p.byWho[who] = append(p.byWho[who], n)
			}
		default:
			p.add(r.sets, n)
		}
	}
}

func (p *Programme) add(sets []int32, rule int32) {
	for _, s := range sets {
		if l := p.bySet[s]; len(l) == 0 || l[len(l)-1] != rule {
			p.bySet[s] = append(l, rule)
		}
	}
}

const stateActive = "active"

// holding is one set that holds lines of the basket.
type holding struct {
	set   int32
	n     int32 // lines
	last  int32 // line
	lines []int32
}

// setLine says that a set holds a line.
type setLine struct{ holding, line int32 }

// findSets finds the sets that hold lines of the basket.
func (s *state) findSets() {
	if len(s.slots) < len(s.p.sets) {
		s.slots = make([]int32, len(s.p.sets))
	}
	for _, h := range s.holdings {
		s.slots[h.set] = 0
	}
	s.holdings, s.pairs = s.holdings[:0], s.pairs[:0]
	for i := range s.lines {
		s.hold(0, int32(i))
		for _, n := range s.p.open {
			s.holdUnlessExcluded(n, int32(i))
		}
		src := s.lines[i].src
		for _, n := range s.p.byItem[src.Item] {
			s.holdUnlessExcluded(n, int32(i))
		}
		for path := src.Facts.Category; path != "" && len(s.p.byPath) > 0; {
			for _, n := range s.p.byPath[path] {
				s.holdUnlessExcluded(n, int32(i))
			}
			path = path[:max(strings.LastIndexByte(path, '/'), 0)]
		}
		for _, tag := range src.Facts.Tags {
			for _, n := range s.p.byTag[tag] {
				s.holdUnlessExcluded(n, int32(i))
			}
		}
	}
	// Each holding's lines become a piece of one array.
	s.members = slices.Grow(s.members[:0], len(s.pairs))[:len(s.pairs)]
	at := int32(0)
	for i := range s.holdings {
		h := &s.holdings[i]
		h.lines = s.members[at : at : at+h.n]
		at += h.n
	}
	for _, x := range s.pairs {
		h := &s.holdings[x.holding]
		h.lines = append(h.lines, x.line)
	}
}

func (s *state) holdUnlessExcluded(set, line int32) {
	if x := s.p.sets[set].exclude; x != nil && matches(x, s.lines[line].src) {
		return
	}
	s.hold(set, line)
}

// hold notes that a set holds a line. The lines come in order, so a line that is there is there last.
func (s *state) hold(set, line int32) {
	slot := s.slots[set]
	if slot == 0 {
		s.holdings = append(s.holdings, holding{set: set, n: 1})
		slot = int32(len(s.holdings))
		s.slots[set] = slot
	} else {
		h := &s.holdings[slot-1]
		if h.last == line {
			return
		}
		h.n++
	}
	s.holdings[slot-1].last = line
	s.pairs = append(s.pairs, setLine{slot - 1, line})
}

func matches(f *promotion.Filter, l *Line) bool {
	if slices.Contains(f.Items, l.Item) {
		return true
	}
	for _, c := range f.Categories {
		if rest, ok := strings.CutPrefix(l.Facts.Category, c); ok && (rest == "" || rest[0] == '/') {
			return true
		}
	}
	for _, t := range l.Facts.Tags {
		if slices.Contains(f.Tags, t) {
			return true
		}
	}
	return false
}

// linesOf gives the lines that a set holds, in order.
func (s *state) linesOf(set int32) []int32 {
	if slot := s.slots[set]; slot > 0 {
		return s.holdings[slot-1].lines
	}
	return nil
}

// candidates gives the rules that could concern this basket, in the order of evaluation.
func (s *state) candidates() []int32 {
	out := s.found[:0]
	if s.basket.ExplainAll {
		for i := range s.p.rules {
			out = append(out, int32(i))
		}
		s.found = out
		return out
	}
	for _, h := range s.holdings {
		out = append(out, s.p.bySet[h.set]...)
	}
	for i := range s.basket.Coupons {
		out = append(out, s.p.byPool[s.basket.Coupons[i].Pool]...)
	}
	if who := s.basket.Shopper; who != nil {
		out = append(out, s.p.byWho[promotion.Who{Shopper: who.ID}]...)
		if who.Tier != "" {
			out = append(out, s.p.byWho[promotion.Who{Tier: who.Tier}]...)
		}
		for _, segment := range who.Segments {
			out = append(out, s.p.byWho[promotion.Who{Segment: segment}]...)
		}
		for n := 3; n <= min(len(who.Card), 12); n++ {
			out = append(out, s.p.byWho[promotion.Who{CardPrefix: who.Card[:n]}]...)
		}
	}
	slices.Sort(out)
	s.found = out
	return slices.Compact(out)
}
