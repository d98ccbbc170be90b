package pricing

import (
	"slices"
	"strconv"
	"strings"

	"tillstream/kv/promotion"
)

// far is the distance of what was not near: it is told only when all is.
const far = 9

// distanceOf sorts reasons: a coupon that was shown is answered first, then what the shopper could still
// do something about, then what only explains.
func (s *state) distanceOf(w *whyNot) int {
	if w.shown {
		return 0
	}
	switch w.code {
	case AddItem, NeedsQuantity, NeedsSpend:
		if s.near(w) {
			return 1
		}
		return 4
	case NeedsCard, NeedsTender:
		return 2
	case LimitReached, BudgetUsedUp, BudgetShort, NotNow:
		return 3
	case NoItems, NotInAudience, NotInThisStore, NotInThisChannel, Ended:
		return far
	}
	return 5
}

// near reports whether so little is missing that the shopper may want to know: one piece, or a tenth of
// the basket.
func (s *state) near(w *whyNot) bool {
	switch w.code {
	case AddItem:
		return true
	case NeedsQuantity:
		return w.missing <= thousand
	case NeedsSpend:
		return w.missing <= s.gross/10
	}
	return false
}

// whyNot tells one reason, with its numbers.
func (s *state) whyNot(w *whyNot) WhyNot {
	doc := s.p.rules[w.rule].doc
	out := WhyNot{
		Promotion: doc.ID, Revision: doc.Revision, Text: doc.TextIn(s.basket.Languages),
		Code: w.code, WouldGive: w.would, Given: w.given, Upsell: s.near(w),
	}
	for _, n := range w.by {
		out.By = append(out.By, s.p.rules[n].doc.ID)
	}
	slices.Sort(out.By)
	out.By = slices.Compact(out.By)
	switch w.code {
	case NeedsQuantity:
		out.Missing, out.Set = &Missing{Quantity: decimal(w.missing)}, s.p.sets[w.set].id
	case NeedsSpend:
		out.Missing = &Missing{Money: w.missing}
	case AddItem:
		out.Set = s.p.sets[w.set].id
	case NotNow, NotYet, Ended:
		out.Schedule, out.From, out.Until = windows(doc.Schedule), doc.From.String(), doc.Until.String()
	case LimitReached:
		l := s.basket.Limits[doc.ID]
		out.Limit, out.ResetsAt = l.Limit, l.ResetsAt
		if c := countOf(doc, l.Limit); c != nil {
			out.Period = c.Period
		}
	}
	if doc.Coupon != nil && strings.HasPrefix(string(w.code), "coupon_") || w.code == NeedsCoupon {
		out.Pool = doc.Coupon.Pool
	}
	out.CashierText = s.say(w, &out)
	return out
}

// windows writes a schedule as documents have it, without what goes without saying.
func windows(schedule []promotion.Window) (out []Window) {
	for _, w := range schedule {
		var x Window
		if x.Days = w.DayNames(); len(x.Days) == 7 {
			x.Days = nil
		}
		if w.From > 0 {
			x.From = promotion.Clock(w.From)
		}
		if w.Until < 24*60 {
			x.Until = promotion.Clock(w.Until)
		}
		out = append(out, x)
	}
	return out
}

func countOf(doc *promotion.Promotion, limit string) *promotion.Count {
	switch limit {
	case "per_shopper":
		return doc.Limits.PerShopper
	case "per_household":
		return doc.Limits.PerHousehold
	case "per_store":
		return doc.Limits.PerStore
	case "total":
		return doc.Limits.Total
	}
	return nil
}

// say puts a reason in words for the cashier. Programs branch on the code.
func (s *state) say(w *whyNot, out *WhyNot) string {
	switch w.code {
	case NeedsQuantity:
		return "needs " + decimal(w.missing) + " more of " + out.Set
	case NeedsSpend:
		return s.money(w.missing) + " more needed"
	case AddItem:
		return "add one of " + out.Set
	case NotNow:
		return sayWhen(s.p.rules[w.rule].doc.Schedule)
	case NotYet:
		return joined("from", out.From, "not yet")
	case Ended:
		return joined("ended", out.Until, "ended")
	case LimitReached:
		return joined("limit reached:", strings.ReplaceAll(out.Limit, "_", " "), "limit reached")
	case ExcludedBy:
		return joined("excluded by", strings.Join(out.By, ", "), "excluded")
	case BetterAlternative:
		return joined("better:", strings.Join(out.By, ", "), "a better offer was used")
	}
	return plainText(w.code)
}

// plainText says a reason that has no numbers.
func plainText(c Code) string {
	switch c {
	case NeedsCard:
		return "with a card"
	case NotInAudience:
		return "not for this shopper"
	case NeedsCoupon:
		return "with a coupon"
	case NeedsTender:
		return "with another payment"
	case NotInThisStore:
		return "not in this store"
	case NotInThisChannel:
		return "not here, elsewhere"
	case BudgetUsedUp:
		return "all given away"
	case BudgetShort:
		return "not enough left to give"
	case FloorReached:
		return "already at its lowest price"
	case CapReached:
		return "the most is given already"
	case NoEffect:
		return "already cheaper"
	case NoItems:
		return "nothing of it in the basket"
	case ItemsExcluded:
		return "these goods take no discount"
	}
	return strings.ReplaceAll(string(c), "_", " ") // coupon_used: "coupon used"
}

func joined(before, what, without string) string {
	if what == "" {
		return without
	}
	return before + " " + what
}

func sayWhen(schedule []promotion.Window) string {
	var parts []string
	for _, w := range schedule {
		if text := w.Say(); text != "" {
			parts = append(parts, text)
		}
	}
	return joined("only", strings.Join(parts, "; "), "not now")
}

// money writes an amount with the currency's decimals.
func (s *state) money(amount int64) string {
	exponent, _ := Exponent(s.basket.Currency)
	text := strconv.FormatInt(amount, 10)
	if exponent == 0 {
		return text
	}
	if n := exponent + 1 - len(text); n > 0 {
		text = strings.Repeat("0", n) + text
	}
	return text[:len(text)-exponent] + "." + text[len(text)-exponent:]
}

// decimal writes thousandths as a decimal number without spare zeros.
func decimal(n int64) string {
	whole, rest := strconv.FormatInt(n/thousand, 10), n%thousand
	if rest == 0 {
		return whole
	}
	return whole + "." + strings.TrimRight(strconv.FormatInt(thousand+rest, 10)[1:], "0")
}
