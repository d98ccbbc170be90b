package pos

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"tillstream/edge/api"
	"tillstream/edge/pricing"
)

// width is that of a receipt's paper.
const width = 40

func (s *session) row(text string, amount int64, currency string) {
	value := money(amount, currency)
	s.say("%-*s%s", width-len(value), text, value)
}

func (s *session) printShopper(p api.Shopper) {
	switch {
	case !p.Known:
		s.say("%s: nobody could say in time; a receipt with this card counts", p.CardMasked)
	case p.Points != nil && p.Points.Available != nil:
		s.say("%s: %d points, said by %s", p.CardMasked, *p.Points.Available, p.Source)
		for _, more := range []struct {
			n    *int64
			said string
		}{{p.Points.Held, "set aside for a basket"}, {p.Points.Pending, "to follow"}, {p.Points.Debt, "owed"}} {
			if more.n != nil && *more.n != 0 {
				s.say("  %d %s", *more.n, more.said)
			}
		}
	default:
		s.say("%s: known, said by %s", p.CardMasked, p.Source)
	}
	if p.Stale {
		s.say("(not fresh: upstream is not heard)")
	}
}

func (s *session) printHold(h api.Hold) {
	until := ""
	if h.ExpiresAt != nil {
		until = " until " + h.ExpiresAt.Format(time.TimeOnly)
	}
	s.say("Set aside%s: %d points, %d coupons", until, h.Points, h.Coupons)
}

func (s *session) printQuote(b *api.Basket, q *api.Quote) {
	if q.Training {
		s.say("*** TRAINING ***")
	}
	texts := map[string]string{pricing.ManualPromotion: "Discount"}
	for i := range q.Promotions {
		texts[q.Promotions[i].Promotion] = q.Promotions[i].Text
	}
	items := map[string]*api.Line{}
	for i := range b.Lines {
		items[b.Lines[i].LineID] = &b.Lines[i]
	}
	for i := range q.Lines {
		l := &q.Lines[i]
		s.row(items[l.LineID].Item+" x "+l.Quantity, l.Gross, q.Currency)
		for _, d := range l.Discounts {
			s.row("  "+texts[d.Promotion], -d.Amount, q.Currency)
		}
	}
	s.say("%s", strings.Repeat("-", width))
	if q.Totals.PointsPaid > 0 {
		s.row(fmt.Sprintf("Points %d", q.Points.ToSpend), -q.Totals.PointsPaid, q.Currency)
	}
	s.row("TOTAL "+q.Currency, q.Totals.ToPay, q.Currency)
	if q.Points.ToEarn > 0 {
		s.say("Points to earn: %d", q.Points.ToEarn)
	}
	if q.AgeCheck != nil && q.AgeCheck.State != "confirmed" {
		s.say("%d+ seen? Say so with --age.", q.AgeCheck.Required)
	}
	for i := range q.Coupons {
		if q.Coupons[i].State != "usable" {
			s.say("Coupon %s: %s", q.Coupons[i].CodeMasked, q.Coupons[i].Text)
		}
	}
	for i := range q.WhyNot {
		if q.WhyNot[i].CashierText != "" {
			s.say("Not given, %s: %s", q.WhyNot[i].Text, q.WhyNot[i].CashierText)
		}
	}
	for _, w := range q.Warnings {
		s.say("Note: %s", w.Text)
	}
}

func (s *session) printCommitted(k api.Committed) {
	s.say("%s %s: %s", k.Kind, k.RID, k.State)
	for i := range k.Lines {
		s.row(fmt.Sprintf("  line %s, %s back", k.Lines[i].LineID, k.Lines[i].Quantity), k.Lines[i].MoneyBack, k.Currency)
	}
	if k.Total != nil {
		s.row("  "+k.Currency, *k.Total, k.Currency)
	}
	if k.Totals != nil && k.Totals.PointsPaid > 0 {
		s.row("  paid with points", -k.Totals.PointsPaid, k.Currency)
		s.row("  paid", k.Totals.ToPay, k.Currency)
	}
	for _, p := range []struct {
		n    *int64
		said string
	}{
		{k.Points.Earned, "+%d, follow"}, {k.Points.Spent, "-%d spent"},
		{k.Points.TakenBack, "-%d taken back"}, {k.Points.GivenBack, "+%d given back, follow"},
	} {
		if p.n != nil && *p.n > 0 {
			s.say("  points: "+p.said, *p.n)
		}
	}
	for _, d := range k.Differences {
		s.say("  flagged: %s", cmp.Or(flags[d.What], d.What))
	}
	if k.Texts != nil {
		for _, t := range k.Texts.Trailer {
			s.say("%s", t)
		}
	}
}

// flags are what a kept document is flagged by.
var flags = map[string]string{
	"digest": "its numbers are not what the rules give", "revision": "the rules are others than its quote's",
	"age_check": "nobody has confirmed the age", "hold": "what it spends was not set aside",
	"sale": "nobody could give the sale", "returns_elsewhere": "others may have given back of it too",
}

// money writes minor units as a person reads them.
func money(amount int64, currency string) string {
	decimals, _ := pricing.Exponent(currency)
	digits := fmt.Sprintf("%0*d", decimals+1, max(amount, -amount))
	if decimals > 0 {
		digits = digits[:len(digits)-decimals] + "." + digits[len(digits)-decimals:]
	}
	if amount < 0 {
		return "-" + digits
	}
	return digits
}
