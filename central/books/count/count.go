package count

import (
	"maps"
	"math"
	"slices"
	"time"

	"tillstream/kv/record"
)

// Never is the day of a lot that does not expire.
const Never = math.MaxUint16

const (
	dayMS    = 24 * 3600 * 1000
	keepDays = 45
)

// Count is the state. Its reader may let it forget what the books have forgotten.
type Count struct {
	At          int64 // Unix milliseconds
	ExpireDays  int   // zero: points do not expire
	HoldMinutes int
	Purses      map[record.AccountID]*Purse
	Holds       map[record.RID]*Hold
	Sales       map[record.RID]*Sale
	Posted      map[record.RID]bool
	Waits       map[record.RID][]Return // by the sale that they name

	Totals    Moved
	Incidents uint64

	uses   map[record.CouponID]int
	heldBy map[record.CouponID]*Hold
	stand  map[*Hold]bool
	chains map[record.ChainID]*chain
}

// Moved is what happened to the sides of the double entry.
type Moved struct {
	Account                                                  record.AccountID // zero: nobody's
	Shopper, Debt, Held, Issued, Returned, Redeemed, Expired int64
}

// Purse is an account. Lots are by the day on which they expire.
type Purse struct {
	Lots map[uint16]int64
	Debt int64
	Held int64
	gone map[uint16]int64 // expired, and not counted as taken back yet
}

// Hold is points and coupons set aside.
type Hold struct {
	Store   string
	State   record.HoldState
	Ask     record.HoldQuestion
	Expires int64
	lots    map[uint16]int64
	chain   *chain
	past    bool
}

// Sale is what is remembered of one.
type Sale struct {
	Account                     record.AccountID
	earned, spent, taken, given int64
	lot                         uint16
	from                        map[uint16]int64
	hold                        *Hold
	rearmed                     bool
}

// Return is one that waits for its sale since a day.
type Return struct {
	record.Header
	Since uint16
}

type chain struct {
	seq, end uint64
	closed   bool
}

// New makes an empty count.
func New() *Count {
	return &Count{
		HoldMinutes: 30, Purses: map[record.AccountID]*Purse{}, Holds: map[record.RID]*Hold{}, Sales: map[record.RID]*Sale{},
		Posted: map[record.RID]bool{}, Waits: map[record.RID][]Return{}, uses: map[record.CouponID]int{},
		heldBy: map[record.CouponID]*Hold{}, stand: map[*Hold]bool{}, chains: map[record.ChainID]*chain{},
	}
}

// Today is the day, since 1970.
func (m *Count) Today() uint16 { return uint16(m.At / dayMS) }

// earns gives the day on which points expire that are earned now.
func (m *Count) earns() uint16 {
	if m.ExpireDays == 0 {
		return Never
	}
	last := time.UnixMilli(m.At).UTC().AddDate(0, 0, m.ExpireDays)
	return uint16(time.Date(last.Year(), last.Month()+1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() / dayMS)
}

func (m *Count) purse(id record.AccountID) *Purse {
	if m.Purses[id] == nil {
		m.Purses[id] = &Purse{Lots: map[uint16]int64{}, gone: map[uint16]int64{}}
	}
	return m.Purses[id]
}

// Balance is what may be spent.
func (a *Purse) Balance() (n int64) {
	for _, p := range a.Lots {
		n += p
	}
	return n
}

func (a *Purse) put(day uint16, n int64) {
	if a.Lots[day] += n; a.Lots[day] == 0 {
		delete(a.Lots, day)
	}
}

// take takes what is there, of one lot first and then of the oldest.
func (a *Purse) take(n int64, first uint16) (out map[uint16]int64, taken int64) {
	out = map[uint16]int64{}
	for _, day := range append([]uint16{first}, slices.Sorted(maps.Keys(a.Lots))...) {
		if k := min(a.Lots[day], n-taken); k > 0 {
			a.put(day, -k)
			out[day] += k
			taken += k
		}
	}
	return out, taken
}

// give brings points: to the debt first, or nowhere if their day has passed.
func (m *Count) give(a *Purse, day uint16, n int64) {
	if day <= m.Today() {
		a.gone[day] += n
		m.Totals.Expired += n
		return
	}
	repaid := min(a.Debt, n)
	a.Debt -= repaid
	a.put(day, n-repaid)
}

func (m *Count) owe(a *Purse, n int64, first uint16) {
	_, taken := a.take(n, first)
	a.Debt += n - taken
	m.Totals.Returned += n
}

// Advance lets time pass: lots expire at midnight, holds become due.
func (m *Count) Advance(at int64) {
	before := m.Today()
	m.At = at
	if m.Today() == before {
		m.letGo()
		return
	}
	for _, a := range m.Purses {
		for day, n := range a.Lots {
			if day <= m.Today() {
				delete(a.Lots, day)
				m.give(a, day, n)
			}
		}
	}
	m.letGo()
}

// letGo ends the holds that are due and whose till is known to be past them.
func (m *Count) letGo() {
	byTime := slices.SortedFunc(maps.Keys(m.stand), func(a, b *Hold) int {
		if a.Expires != b.Expires {
			return int(a.Expires - b.Expires)
		}
		return slices.Compare(a.Ask.ID[:], b.Ask.ID[:])
	})
	for _, h := range byTime {
		whole := h.chain.closed && h.chain.seq >= h.chain.end
		if h.Expires <= m.At && (h.past || whole) {
			m.free(h, record.HoldExpired)
		}
	}
}

func (m *Count) free(h *Hold, state record.HoldState) {
	h.State = state
	delete(m.stand, h)
	for _, c := range h.Ask.Coupons {
		delete(m.heldBy, c)
	}
	if len(h.lots) == 0 {
		return
	}
	a := m.purse(h.Ask.Account)
	a.Held -= h.Ask.Points
	for _, day := range slices.Sorted(maps.Keys(h.lots)) {
		m.give(a, day, h.lots[day])
	}
}

// Place asks for a hold, and gives the state that it must have then. The question's chain must be the store's.
func (m *Count) Place(store string, q *record.HoldQuestion) record.HoldState {
	switch h := m.Holds[q.ID]; {
	case h != nil && (h.Store != store || h.Ask.RID != q.RID || h.Ask.Account != q.Account || h.Ask.Points != q.Points ||
		!slices.Equal(h.Ask.Coupons, q.Coupons)):
		return record.HoldOther
	case h != nil:
		return h.State
	case m.chains[q.From.Chain] == nil || m.Posted[q.RID]:
		return record.HoldUnavailable
	case q.Points > 0 && m.purse(q.Account).Balance() < q.Points:
		return record.HoldNoPoints
	}
	for _, id := range q.Coupons {
		if m.uses[id] > 0 || m.heldBy[id] != nil {
			return record.HoldNoCoupon
		}
	}
	h := &Hold{
		Store: store, State: record.HoldPlaced, Ask: *q, Expires: m.At + int64(m.HoldMinutes)*60_000, chain: m.chains[q.From.Chain],
	}
	if q.Points > 0 {
		a := m.purse(q.Account)
		h.lots, _ = a.take(q.Points, 0)
		a.Held += q.Points
	}
	for _, id := range q.Coupons {
		m.heldBy[id] = h
	}
	m.Holds[q.ID], m.stand[h] = h, true
	return record.HoldPlaced
}

// Release lets go of a hold, asked by a store, or by ops with the name "".
func (m *Count) Release(store string, id record.RID) record.HoldState {
	h := m.Holds[id]
	if h == nil || store != "" && h.Store != store {
		return record.HoldUnknown
	}
	if h.State == record.HoldPlaced {
		m.free(h, record.HoldReleased)
	}
	return h.State
}
