package pricing

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Quote is a basket, priced. All lists are in an order of their own, so that equal quotes are equal bytes.
type Quote struct {
	Currency   string      `json:"currency"`
	Revision   uint32      `json:"revision"`
	Engine     string      `json:"engine"`
	Lines      []QuoteLine `json:"lines"`      // by line id
	Promotions []Applied   `json:"promotions"` // in the order in which they were applied
	WhyNot     []WhyNot    `json:"why_not"`    // the nearest first
	Totals     Totals      `json:"totals"`
	Points     Points      `json:"points"`
}

// QuoteLine is one line. Net is Gross less its Discounts, ToPay is Net less PointsPaid.
type QuoteLine struct {
	LineID       string     `json:"line_id"`
	Quantity     string     `json:"quantity"`
	Pieces       bool       `json:"by_piece"` // not by weight or length
	Gross        int64      `json:"gross"`
	Discounts    []Discount `json:"discounts"` // in the order in which they were applied
	Net          int64      `json:"net"`
	PointsPaid   int64      `json:"points_paid"` // minor units paid with points
	ToPay        int64      `json:"to_pay"`
	PointsSpent  int64      `json:"points_spent"`
	PointsEarned int64      `json:"points_earned"`
}

// Discount is what one promotion takes off one line. The POS's own discount is called ManualPromotion.
type Discount struct {
	Promotion string `json:"promotion"`
	Amount    int64  `json:"amount"`
}

// ManualPromotion names the POS's own discounts among a line's.
const ManualPromotion = "pos"

// Applied is one promotion that takes money off.
type Applied struct {
	Promotion    string  `json:"promotion"`
	Revision     int64   `json:"revision"`
	Text         string  `json:"text"`
	Amount       int64   `json:"amount"`
	Applications int64   `json:"applications"`
	Lines        Shares  `json:"lines"`
	Capped       *Capped `json:"capped,omitempty"`
	Next         *Next   `json:"next,omitempty"`
	Coupon       string  `json:"coupon,omitempty"` // its code
}

// Capped says what kept a promotion from giving all it wanted: floor, per_line, per_basket, policy, budget.
type Capped struct {
	By     string `json:"by"`
	Wanted int64  `json:"wanted"`
}

// Next is what would make a promotion that applies give more.
type Next struct {
	Code    Code   `json:"code"`
	Missing int64  `json:"missing"` // minor units
	Text    string `json:"text"`
}

// Shares is what each line gets, by line id. In JSON it is an object.
type Shares []LineShare

// LineShare is one line's share.
type LineShare struct {
	LineID string
	Amount int64
}

// MarshalJSON writes an object.
func (s Shares) MarshalJSON() ([]byte, error) {
	b := make([]byte, 0, 2+16*len(s))
	b = append(b, '{')
	for i := range s {
		if i > 0 {
			b = append(b, ',')
		}
		id, err := json.Marshal(s[i].LineID)
		if err != nil {
			return nil, err
		}
		b = append(append(b, id...), ':')
		b = strconv.AppendInt(b, s[i].Amount, 10)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads the object that MarshalJSON writes.
func (s *Shares) UnmarshalJSON(b []byte) error {
	var byLine map[string]int64
	if err := json.Unmarshal(b, &byLine); err != nil {
		return err
	}
	*s = make(Shares, 0, len(byLine))
	for _, id := range slices.Sorted(maps.Keys(byLine)) {
		*s = append(*s, LineShare{id, byLine[id]})
	}
	return nil
}

// Totals are sums over the lines.
type Totals struct {
	Gross      int64 `json:"gross"`
	Discount   int64 `json:"discount"`
	Net        int64 `json:"net"`
	PointsPaid int64 `json:"points_paid"`
	ToPay      int64 `json:"to_pay"`
}

// Points are the points that go with a quote.
type Points struct {
	Earned      int64      `json:"to_earn"`
	EarnedBy    []EarnedBy `json:"earned_by"`
	Spent       int64      `json:"to_spend"`
	SpendReason string     `json:"spend_reason,omitempty"` // why fewer than asked: balance, max_share, min_spend, block, needs_card
}

// EarnedBy is what one rule gives. The rule that every brand has is called BaseRule.
type EarnedBy struct {
	Rule     string `json:"rule"`
	Revision int64  `json:"revision,omitempty"`
	Text     string `json:"text,omitempty"`
	Points   int64  `json:"points"`
}

// BaseRule names the base points.
const BaseRule = "base"

// Paper is what a quote is written on. Whoever keeps no quotes uses it again: a full basket's takes 60 KB, and to
// allocate and collect them took a fifth of pricing. One quote at a time lies on it.
type Paper struct {
	quote     Quote
	discounts []Discount
	shares    Shares
	counts    []int // by line
}

// sized gives a list of n zeros, where the list was if it has room. It is never nil, which would be null in JSON.
func sized[T any](list []T, n int) []T {
	if list == nil || cap(list) < n {
		return make([]T, n)
	}
	list = list[:n]
	clear(list)
	return list
}

// quote writes down what was found.
func (s *state) quote(e *earning, on *Paper) *Quote {
	q := &on.quote
	*q = Quote{Currency: s.basket.Currency, Revision: s.p.revision, Engine: Engine,
		Lines: sized(q.Lines, len(s.lines)), Promotions: sized(q.Promotions, len(s.apps)), WhyNot: q.WhyNot, Points: q.Points}
	s.writeLines(e, q)
	s.writeDiscounts(on)
	on.shares = sized(on.shares, len(s.shares))
	for i, x := range s.shares {
		on.shares[i] = LineShare{s.lines[x.line].src.LineID, x.amount}
	}
	for i := range s.apps {
		s.writeApplied(&s.apps[i], on.shares, &q.Promotions[i])
	}
	s.writePoints(e, &q.Points)
	q.WhyNot = s.whyNots(q.WhyNot)
	return q
}

func (s *state) writeLines(e *earning, q *Quote) {
	for i := range s.lines {
		l, out := &s.lines[i], &q.Lines[i]
		*out = QuoteLine{LineID: l.src.LineID, Quantity: l.src.Quantity, Pieces: !l.weighed, Gross: l.gross,
			Net: l.net(), PointsPaid: l.paid, ToPay: l.now}
		if e.spend != nil {
			out.PointsSpent, out.PointsEarned = e.spend[i], e.earned[i]
		}
		q.Totals.Gross += l.gross
		q.Totals.Net += l.net()
		q.Totals.PointsPaid += l.paid
		q.Totals.ToPay += l.now
	}
	q.Totals.Discount = q.Totals.Gross - q.Totals.Net
}

// writeDiscounts gives each line its discounts, the POS's own first. They are pieces of one array.
func (s *state) writeDiscounts(on *Paper) {
	lines := on.quote.Lines
	counts := sized(on.counts, len(lines))
	n := len(s.shares)
	for i := range lines {
		if s.lines[i].manual > 0 {
			counts[i]++
			n++
		}
	}
	for _, x := range s.shares {
		counts[x.line]++
	}
	array := sized(on.discounts, n)
	on.counts, on.discounts = counts, array
	at := 0
	for i := range lines {
		of := array[at : at : at+counts[i]]
		at += counts[i]
		if m := s.lines[i].manual; m > 0 {
			of = append(of, Discount{ManualPromotion, m})
		}
		lines[i].Discounts = of
	}
	for i := range s.apps {
		a := &s.apps[i]
		id := s.p.rules[a.rule].doc.ID
		for _, x := range s.shares[a.from:a.to] {
			of := &lines[x.line].Discounts
			*of = append(*of, Discount{id, x.amount})
		}
	}
}

func (s *state) writeApplied(a *application, shares Shares, out *Applied) {
	doc := s.p.rules[a.rule].doc
	*out = Applied{
		Promotion: doc.ID, Revision: doc.Revision, Text: doc.TextIn(s.basket.Languages),
		Amount: a.amount, Applications: a.times, Lines: shares[a.from:a.to:a.to],
	}
	if a.by != "" {
		out.Capped = &Capped{a.by, a.wanted}
	}
	if a.missing > 0 {
		out.Next = &Next{NextTier, a.missing, s.money(a.missing) + " more for the next step"}
	}
	if c := s.couponOf(doc); c != nil && c.State == couponActive {
		out.Coupon = c.Code
	}
}

func (s *state) writePoints(e *earning, p *Points) {
	*p = Points{Spent: e.spent, SpendReason: e.reason, EarnedBy: sized(p.EarnedBy, len(e.by))}
	for i, b := range e.by {
		p.Earned += b.points
		p.EarnedBy[i] = EarnedBy{Rule: BaseRule, Points: b.points}
		if b.rule >= 0 {
			doc := s.p.rules[b.rule].doc
			p.EarnedBy[i] = EarnedBy{doc.ID, doc.Revision, doc.TextIn(s.basket.Languages), b.points}
		}
	}
}

// WhyNot is one promotion that does not apply.
type WhyNot struct {
	Promotion   string   `json:"promotion"`
	Revision    int64    `json:"revision"`
	Text        string   `json:"text"`
	Code        Code     `json:"code"`
	Missing     *Missing `json:"missing,omitempty"`
	Set         string   `json:"set,omitempty"`
	Pool        string   `json:"pool,omitempty"`
	Schedule    []Window `json:"schedule,omitempty"`
	From        string   `json:"from,omitempty"`  // on the store's clock
	Until       string   `json:"until,omitempty"` // on the store's clock
	Limit       string   `json:"limit,omitempty"`
	Period      string   `json:"period,omitempty"`
	ResetsAt    string   `json:"resets_at,omitempty"`
	By          []string `json:"by,omitempty"`
	WouldGive   int64    `json:"would_give,omitempty"`
	Given       int64    `json:"given,omitempty"`
	CashierText string   `json:"cashier_text"`
	Upsell      bool     `json:"upsell"` // near enough to tell the shopper
}

// Missing is what a shopper lacks: a quantity, which is a decimal string in JSON, or money, an integer.
type Missing struct {
	Quantity string // "" for money
	Money    int64  // minor units
}

// MarshalJSON writes the one or the other.
func (m Missing) MarshalJSON() ([]byte, error) {
	if m.Quantity != "" {
		return json.Marshal(m.Quantity)
	}
	return strconv.AppendInt(nil, m.Money, 10), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Missing) UnmarshalJSON(b []byte) error {
	*m = Missing{}
	if len(b) > 0 && b[0] == '"' {
		return json.Unmarshal(b, &m.Quantity)
	}
	return json.Unmarshal(b, &m.Money)
}

// Window is a part of the week, as documents have it.
type Window struct {
	Days  []string `json:"days,omitempty"`
	From  string   `json:"from,omitempty"`
	Until string   `json:"until,omitempty"`
}

// maxWhyNots is how many are told when not all are asked for.
const maxWhyNots = 20

func (s *state) whyNots(out []WhyNot) []WhyNot {
	whys := s.whys
	for i := range whys {
		w := &whys[i]
		w.shown = s.couponOf(s.p.rules[w.rule].doc) != nil
		w.distance = s.distanceOf(w)
	}
	if !s.basket.ExplainAll {
		whys = slices.DeleteFunc(whys, func(w whyNot) bool { return w.distance == far })
	}
	slices.SortFunc(whys, func(a, b whyNot) int {
		return cmp.Or(cmp.Compare(a.distance, b.distance), cmp.Compare(a.missing, b.missing), cmp.Compare(a.rule, b.rule))
	})
	if !s.basket.ExplainAll && len(whys) > maxWhyNots {
		whys = whys[:maxWhyNots]
	}
	out = sized(out, len(whys))
	for i := range whys {
		out[i] = s.whyNot(&whys[i])
	}
	return out
}
