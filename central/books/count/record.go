package count

import (
	"maps"
	"slices"

	"tillstream/kv/record"
)

// Start takes the first record of a chain, which found a tip on its disk.
func (m *Count) Start(id record.ChainID, found record.Tip) {
	if before := m.chains[found.Chain]; before != nil && !before.closed {
		before.closed, before.end = true, found.Seq
	}
	m.chains[id] = &chain{seq: 1}
	m.letGo()
}

// Record takes a record that extends its chain, and gives what it moves as it comes: not what it lets move
// beside, as a return that waited for it.
func (m *Count) Record(h *record.Header) (moved Moved) {
	c := m.chains[h.Chain]
	c.seq = h.Seq
	if !m.Posted[h.RID] {
		m.Posted[h.RID] = true
		moved = m.moves(h)
		waited := m.Waits[h.RID]
		delete(m.Waits, h.RID)
		for _, r := range waited {
			if h.Kind == record.KindSale {
				m.link(&r.Header)
			} else {
				m.GiveUp(&r)
			}
		}
	}
	for o := range m.stand {
		o.past = o.past || o.chain == c && h.Seq > o.Ask.From.Seq && h.At >= o.Expires
	}
	m.letGo()
	return moved
}

// moves posts a record and gives the difference.
func (m *Count) moves(h *record.Header) Moved {
	account := h.Account
	if s := m.Sales[h.Of]; s != nil {
		account = s.Account
	}
	sides := func() Moved {
		t := m.Totals
		if a := m.Purses[account]; a != nil && !account.IsZero() {
			t.Shopper, t.Debt, t.Held = a.Balance(), -a.Debt, a.Held
		}
		return t
	}
	before := sides()
	m.post(h)
	after := sides()
	return Moved{
		account, after.Shopper - before.Shopper, after.Debt - before.Debt, after.Held - before.Held, after.Issued - before.Issued,
		after.Returned - before.Returned, after.Redeemed - before.Redeemed, after.Expired - before.Expired,
	}
}

func (m *Count) post(h *record.Header) {
	switch {
	case h.Kind == record.KindSale:
		m.sale(h)
	case h.Of != record.RID{}:
		m.back(h)
	case !h.Account.IsZero():
		m.owe(m.purse(h.Account), h.Points, 0)
		if h.Spent > 0 {
			m.Incidents++
		}
	}
}

func (m *Count) sale(h *record.Header) {
	s := &Sale{Account: h.Account, earned: h.Points, lot: m.earns(), from: map[uint16]int64{}}
	m.Sales[h.RID] = s
	if h.Spent > 0 || h.Hold != (record.RID{}) {
		m.spend(h, s)
	}
	if h.Account.IsZero() {
		s.earned = 0
		return
	}
	m.Totals.Issued -= h.Points
	m.give(m.purse(h.Account), m.earns(), h.Points)
}

func (m *Count) spend(h *record.Header, s *Sale) {
	wrong := false
	o := m.Holds[h.Hold]
	if o == nil || o.State == record.HoldUsed || o.Ask.RID != h.RID || o.Ask.Account != s.Account {
		wrong, o = true, nil
	}
	left := h.Spent
	if o != nil {
		wrong = m.use(o, h, s, &left)
	}
	if !s.Account.IsZero() {
		a := m.purse(s.Account)
		from, taken := a.take(left, 0)
		for day, n := range from {
			s.from[day] += n
		}
		a.Debt += left - taken
		s.spent = h.Spent
		m.Totals.Redeemed += h.Spent
	}
	if wrong {
		m.Incidents++
	}
}

// use uses a hold up, and reports whether something is to be said about that.
func (m *Count) use(o *Hold, h *record.Header, s *Sale, left *int64) (wrong bool) {
	wrong = o.State != record.HoldPlaced || h.Spent > o.Ask.Points
	if o.State == record.HoldPlaced && len(o.lots) > 0 {
		a := m.purse(s.Account)
		a.Held -= o.Ask.Points
		for _, day := range slices.Sorted(maps.Keys(o.lots)) {
			k := min(o.lots[day], *left)
			*left -= k
			if k > 0 {
				s.from[day] += k
			}
			m.give(a, day, o.lots[day]-k)
		}
	}
	o.State, s.hold = record.HoldUsed, o
	delete(m.stand, o)
	for _, id := range o.Ask.Coupons {
		by := m.heldBy[id]
		wrong = wrong || m.uses[id] > 0 || by != nil && by != o
		if by == o {
			delete(m.heldBy, id)
		}
		m.uses[id]++
	}
	return wrong
}

func (m *Count) back(h *record.Header) {
	switch {
	case m.Sales[h.Of] != nil:
		m.link(h)
	case m.Posted[h.Of]: // no sale
		m.Incidents++
		if !h.Account.IsZero() {
			m.owe(m.purse(h.Account), h.Points, 0)
		}
	default:
		m.Waits[h.Of] = append(m.Waits[h.Of], Return{*h, m.Today()})
	}
}

// link gives back from a sale what it gave, and no more.
func (m *Count) link(h *record.Header) {
	s := m.Sales[h.Of]
	points, spent := min(h.Points, s.earned-s.taken), min(h.Spent, s.spent-s.given)
	if points < h.Points || spent < h.Spent {
		m.Incidents++
	}
	if !h.Account.IsZero() && h.Account != s.Account {
		m.Incidents++
	}
	if h.Rearm && s.hold != nil && !s.rearmed {
		s.rearmed = true
		for _, id := range s.hold.Ask.Coupons {
			m.uses[id]--
		}
	}
	if s.Account.IsZero() {
		return
	}
	a := m.purse(s.Account)
	s.taken, s.given = s.taken+points, s.given+spent
	m.Totals.Redeemed -= spent
	for _, day := range slices.Backward(slices.Sorted(maps.Keys(s.from))) {
		k := min(s.from[day], spent)
		s.from[day] -= k
		spent -= k
		if day <= m.Today() {
			day = m.earns()
		}
		m.give(a, day, k)
	}
	m.give(a, m.earns(), spent)
	forgiven := min(a.gone[s.lot], points)
	a.gone[s.lot] -= forgiven
	m.owe(a, points-forgiven, s.lot)
}

// GiveUp ends the wait of a return: it is one without a receipt.
func (m *Count) GiveUp(r *Return) {
	m.Incidents++
	if !r.Account.IsZero() {
		m.owe(m.purse(r.Account), r.Points, 0)
	}
}

// Overdue reports whether a return has waited for so long that the books may give up, or must have.
func (m *Count) Overdue(r *Return) (may, must bool) {
	age := m.Today() - r.Since
	return age > keepDays, age > keepDays+2
}
