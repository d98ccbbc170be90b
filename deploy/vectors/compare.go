package vectors

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"tillstream/edge/pricing"
)

// expected is what a quote must be.
type expected struct {
	Lines      []expectedLine             `json:"lines"`
	Promotions []expectedPromotion        `json:"promotions"`
	WhyNot     map[string]json.RawMessage `json:"why_not"`
	Totals     pricing.Totals             `json:"totals"`
	Points     *expectedPoints            `json:"points"`
}

type expectedLine struct {
	LineID       string             `json:"line_id"`
	Gross        int64              `json:"gross"`
	Discounts    []pricing.Discount `json:"discounts"` // by promotion
	Net          int64              `json:"net"`
	PointsEarned int64              `json:"points_earned"`
	PointsPaid   int64              `json:"points_paid"`
}

type expectedPromotion struct {
	Promotion    string           `json:"promotion"`
	Revision     int64            `json:"revision"`
	Applications int64            `json:"applications"`
	Amount       int64            `json:"amount"`
	Lines        map[string]int64 `json:"lines"`
	Capped       *pricing.Capped  `json:"capped"`
	Next         json.RawMessage  `json:"next"`
}

type expectedPoints struct {
	Earned      int64            `json:"earned"`
	EarnedBy    map[string]int64 `json:"earned_by"`
	Spent       int64            `json:"spent"`
	SpendReason string           `json:"spend_reason"`
}

// back is what a returned line must give.
type back struct {
	LineID          string             `json:"line_id"`
	Gross           int64              `json:"gross"`
	Discounts       []pricing.Discount `json:"discounts"`
	Net             int64              `json:"net"`
	PointsTakenBack int64              `json:"points_taken_back"`
	PointsGivenBack int64              `json:"points_given_back"`
	MoneyBack       int64              `json:"money_back"`
}

// differences collects what is not as expected.
type differences []string

func (d *differences) add(format string, args ...any) { *d = append(*d, fmt.Sprintf(format, args...)) }

// same compares two values that JSON can show.
func (d *differences) same(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		g, _ := json.Marshal(got) // plain structs and maps: they marshal
		w, _ := json.Marshal(want)
		d.add("%s: got %s, want %s", what, g, w)
	}
}

// compare holds a quote to what is expected.
func compare(q *pricing.Quote, want *expected) differences {
	var d differences
	lines := map[string]expectedLine{}
	for _, l := range q.Lines {
		lines[l.LineID] = expectedLine{l.LineID, l.Gross, byPromotion(l.Discounts), l.Net, l.PointsEarned, l.PointsPaid}
	}
	for _, l := range want.Lines {
		got, ok := lines[l.LineID]
		if !ok {
			d.add("line %s: there is none", l.LineID)
			continue
		}
		delete(lines, l.LineID)
		l.Discounts = byPromotion(l.Discounts)
		d.same("line "+l.LineID, got, l)
	}
	for _, id := range slices.Sorted(maps.Keys(lines)) {
		d.add("line %s: is not expected", id)
	}
	d.promotions(q, want)
	d.whyNots(q, want)
	d.same("totals", q.Totals, want.Totals)
	d.points(&q.Points, want.Points)
	return d
}

// byPromotion sorts discounts. One of nothing is none.
func byPromotion(discounts []pricing.Discount) []pricing.Discount {
	out := []pricing.Discount{}
	for _, d := range discounts {
		if d.Amount != 0 {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b pricing.Discount) int { return strings.Compare(a.Promotion, b.Promotion) })
	return out
}

func (d *differences) promotions(q *pricing.Quote, want *expected) {
	got := map[string]expectedPromotion{}
	next := map[string]*pricing.Next{}
	for _, p := range q.Promotions {
		shares := map[string]int64{}
		for _, s := range p.Lines {
			shares[s.LineID] = s.Amount
		}
		got[p.Promotion] = expectedPromotion{
			Promotion: p.Promotion, Revision: p.Revision, Applications: p.Applications,
			Amount: p.Amount, Lines: shares, Capped: p.Capped,
		}
		next[p.Promotion] = p.Next
	}
	for _, p := range want.Promotions {
		g, ok := got[p.Promotion]
		if !ok {
			d.add("promotion %s: was not applied", p.Promotion)
			continue
		}
		delete(got, p.Promotion)
		if p.Next != nil {
			d.contains("promotion "+p.Promotion+" next", next[p.Promotion], p.Next)
			p.Next = nil
		}
		d.same("promotion "+p.Promotion, g, p)
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		d.add("promotion %s: was applied, amount %d", id, got[id].Amount)
	}
}

func (d *differences) whyNots(q *pricing.Quote, want *expected) {
	got := map[string]pricing.WhyNot{}
	for _, w := range q.WhyNot {
		got[w.Promotion] = w
	}
	for _, id := range slices.Sorted(maps.Keys(want.WhyNot)) {
		w, ok := got[id]
		if i := slices.IndexFunc(q.Promotions, func(p pricing.Applied) bool { return p.Promotion == id && p.Next != nil }); !ok && i >= 0 {
			d.contains("next "+id, q.Promotions[i].Next, want.WhyNot[id]) // applied, and more would give more
			continue
		}
		if !ok {
			d.add("why not %s: nothing is said", id)
			continue
		}
		delete(got, id)
		d.contains("why not "+id, w, want.WhyNot[id])
	}
	for _, id := range slices.Sorted(maps.Keys(got)) {
		d.add("why not %s: got %s, want nothing", id, got[id].Code)
	}
}

// contains holds the fields that are expected to those that are there.
func (d *differences) contains(what string, got any, want json.RawMessage) {
	var wanted, there map[string]json.RawMessage
	b, _ := json.Marshal(got) // plain structs: they marshal
	if err := json.Unmarshal(b, &there); err != nil {
		d.add("%s: got %s, want %s", what, b, want)
		return
	}
	if err := json.Unmarshal(want, &wanted); err != nil {
		d.add("%s: cannot read what is expected: %v", what, err)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(wanted)) {
		var g, w any
		gotErr, wantErr := json.Unmarshal(orNull(there[key]), &g), json.Unmarshal(wanted[key], &w)
		if gotErr != nil || wantErr != nil || !reflect.DeepEqual(g, w) {
			d.add("%s: %s: got %s, want %s", what, key, orNull(there[key]), wanted[key])
		}
	}
}

func orNull(b json.RawMessage) json.RawMessage {
	if b == nil {
		return json.RawMessage("null")
	}
	return b
}

func (d *differences) points(got *pricing.Points, want *expectedPoints) {
	if want == nil {
		want = &expectedPoints{}
	}
	g := expectedPoints{Earned: got.Earned, EarnedBy: map[string]int64{}, Spent: got.Spent, SpendReason: got.SpendReason}
	for _, e := range got.EarnedBy {
		g.EarnedBy[e.Rule] = e.Points
	}
	w := *want
	w.EarnedBy = maps.Clone(want.EarnedBy)
	maps.DeleteFunc(w.EarnedBy, func(_ string, n int64) bool { return n == 0 })
	if w.EarnedBy == nil {
		w.EarnedBy = map[string]int64{}
	}
	d.same("points", g, w)
}
