package pricing

import (
	"slices"

	"tillstream/kv/promotion"
)

// Mechanics that give a benefit to some pieces for others: nth item, buy x get y, free item.

// get is such a mechanic: buy pieces of one set for a benefit on get pieces of another.
type get struct {
	buySet, getSet int32
	buy, get       int64
	choose         promotion.Choice
	benefit        promotion.Benefit
}

func (s *state) nth(n int32, m *promotion.NthItem) reason {
	set := s.p.rules[n].sets[0]
	return s.getPieces(n, get{set, set, m.N - 1, 1, m.Choose, m.Benefit})
}

func (s *state) buyGet(n int32, m *promotion.BuyGet) reason {
	sets := s.p.rules[n].sets
	return s.getPieces(n, get{sets[0], sets[1], m.Buy.Pieces, m.Get.Pieces, m.Choose, m.Benefit})
}

func (s *state) getPieces(n int32, g get) reason {
	sets := []int32{g.buySet, g.getSet}
	picks := s.picks(sets)
	possible := fits(picks, []int64{g.buy, g.get})
	if possible == 0 {
		return s.missingFor(g, picks)
	}
	applications := min(possible, s.timesOf(s.p.rules[n].doc))
	buys, gets := g.choosePieces(picks, applications)
	gets, wanted := s.benefits(gets, &g.benefit)
	why := s.settle(n, gets, wanted, applications)
	if why.code == "" {
		s.claim(n, buys, gets)
	}
	return why
}

// claim marks triggers and rewards as used by rule n.
func (s *state) claim(n int32, parts ...[]part) {
	for _, l := range parts {
		for i := range l {
			s.use(&l[i], n+1)
		}
	}
}

// missingFor says how many pieces are missing for one application. Where buy and get are one set, its
// pieces do for both.
func (s *state) missingFor(g get, picks []pick) reason {
	if len(picks) == 0 {
		return s.idle(g.buySet, g.getSet)
	}
	buys, gets := count(picks, 1), count(picks, 2)
	switch {
	case g.buySet == g.getSet:
		return reason{code: NeedsQuantity, missing: (g.buy + g.get - buys) * thousand, set: g.getSet}
	case buys < g.buy:
		return reason{code: NeedsQuantity, missing: (g.buy - buys) * thousand, set: g.buySet}
	case gets < g.get:
		return reason{code: NeedsQuantity, missing: (g.get - gets) * thousand, set: g.getSet}
	}
	// Each set has enough, but some pieces would have to be both.
	return reason{code: NeedsQuantity, missing: (g.buy + g.get - count(picks, 3)) * thousand, set: g.getSet}
}

// choosePieces picks the triggers and rewards of so many applications.
func (g *get) choosePieces(picks []pick, applications int64) (buys, gets []part) {
	if g.choose == promotion.CheapestPerSet {
		sortPicks(picks, promotion.MostExpensive)
		return g.perSet(picks, applications)
	}
	sortPicks(picks, g.choose)
	// A reward may be a piece that could be a trigger only while enough triggers are left without it.
	spare := count(picks, 1) - applications*g.buy
	gets = pickSome(picks, 2, 1, applications*g.get, spare)
	sortPicks(picks, promotion.MostExpensive)
	buys = pickSome(picks, 1, 2, applications*g.buy, applications*g.buy)
	inOrder(gets)
	return buys, gets
}

// pickSome takes need pieces that are in a set, in the order of picks; of those that the other set holds
// too at most shared.
func pickSome(picks []pick, set, other uint32, need, shared int64) (parts []part) {
	for i := range picks {
		k := &picks[i]
		if k.in&set == 0 || need == 0 {
			continue
		}
		n := min(k.left(), need)
		if k.in&other != 0 {
			n = min(n, shared)
			shared -= n
		}
		if n > 0 {
			parts = append(parts, k.takeOut(n))
			need -= n
		}
	}
	return parts
}

// perSet forms the sets from the dearest pieces down: the triggers of each, then its rewards. Sets that
// take the same runs are taken together, so that no quantity makes it slow.
func (g *get) perSet(picks []pick, applications int64) (buys, gets []part) {
	sharedBuys := count(picks, 2) - applications*g.get
	sharedGets := count(picks, 1) - applications*g.buy
	for applications > 0 {
		same := g.sameRuns(picks, applications, sharedBuys, sharedGets)
		b := pickSome(picks, 1, 2, same*g.buy, sharedBuys)
		buys, sharedBuys = append(buys, b...), sharedBuys-shareOf(picks, b)
		r := pickSome(picks, 2, 1, same*g.get, sharedGets)
		gets, sharedGets = append(gets, r...), sharedGets-shareOf(picks, r)
		applications -= same
	}
	inOrder(gets)
	return buys, gets
}

// sameRuns gives how many sets in a row find their triggers in one run and their rewards in one, perhaps
// the same: at least 1.
func (g *get) sameRuns(picks []pick, applications, sharedBuys, sharedGets int64) int64 {
	first := func(set, other uint32, shared int64) int {
		return slices.IndexFunc(picks, func(k pick) bool {
			return k.in&set != 0 && k.left() > 0 && (k.in&other == 0 || shared > 0)
		})
	}
	i, j := first(1, 2, sharedBuys), first(2, 1, sharedGets)
	if i < 0 || j < 0 {
		return 1
	}
	same := min(applications, picks[i].left()/g.buy, picks[j].left()/g.get)
	if i == j {
		same = min(same, picks[i].left()/(g.buy+g.get))
	}
	if picks[i].in == 3 {
		same = min(same, sharedBuys/g.buy)
	}
	if picks[j].in == 3 {
		same = min(same, sharedGets/g.get)
	}
	return max(same, 1)
}

// shareOf gives how many of the parts' pieces both sets hold.
func shareOf(picks []pick, parts []part) (n int64) {
	for _, p := range parts {
		for i := range picks {
			if k := &picks[i]; k.line == p.line && k.at <= p.at && p.at < k.at+k.n && k.in == 3 {
				n += p.n
			}
		}
	}
	return n
}

// benefits gives each piece of parts its benefit, rounded once for all of a line's pieces. Parts lie in
// the order of lines.
func (s *state) benefits(parts []part, b *promotion.Benefit) (out []part, wanted int64) {
	for from := 0; from < len(parts); {
		to := lineEnd(parts, from)
		out = append(out, parts[from:to]...)
		tail := out[len(out)-(to-from):]
		switch {
		case b.Percent != nil:
			base := int64(0)
			for i := range tail {
				base += tail[i].weight * tail[i].n
			}
			var w int64
			out, w = s.overLine(halfUp(base, *b.Percent, percentWhole), out, len(out)-(to-from))
			wanted += w
		case b.Amount != nil:
			for i := range tail {
				tail[i].each = *b.Amount
			}
			wanted += clamp(tail)
		case b.Price != nil:
			for i := range tail {
				tail[i].each = max(tail[i].weight-*b.Price, 0)
			}
			wanted += clamp(tail)
		}
		from = to
	}
	return out, min(wanted, MaxMoney)
}

// freeItem makes pieces free that are in the basket, the cheapest first. They do not count for their own
// conditions: a bag cannot lift the spend to where it becomes free.
func (s *state) freeItem(n int32, m *promotion.FreeItem) reason {
	set := s.p.rules[n].sets[0]
	picks := s.picks(s.p.rules[n].sets)
	sortPicks(picks, promotion.Cheapest)
	parts := pickSome(picks, 1, 0, m.Pieces, 0)
	inOrder(parts)
	if why := s.when(n, parts); why.code != "" {
		return why
	}
	if len(parts) == 0 {
		if why := s.idle(set); why.code != NoItems {
			return why
		}
		return reason{code: AddItem, set: set}
	}
	wanted := int64(0)
	for i := range parts {
		parts[i].each = parts[i].weight
	}
	wanted = clamp(parts)
	why := s.settle(n, parts, wanted, 1)
	if why.code == "" {
		s.claim(n, parts)
	}
	return why
}
