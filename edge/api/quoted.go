package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tillstream/edge/pricing"
)

// tellQuote tells an offer. It may be called once: it masks what the engine found.
func (a *API) tellQuote(o *offer) *Quote {
	f, q := &o.facts, o.quote
	told := &Quote{
		RID: o.basket.RID, Currency: q.Currency, Revision: q.Revision, Engine: q.Engine, Digest: o.digest,
		Context: a.seal(o), At: time.UnixMilli(f.at).UTC().Format(time.RFC3339Nano),
		Lines: q.Lines, Promotions: q.Promotions, WhyNot: q.WhyNot, Totals: q.Totals,
		Points:   QuotedPoints{ToEarn: q.Points.Earned, EarnedBy: q.Points.EarnedBy, ToSpend: q.Points.Spent, SpendReason: q.Points.SpendReason},
		AgeCheck: o.ageCheck(), HoldNeeded: o.needsHold(),
		Source: sourceLocal, Stale: f.stale, Training: f.training,
	}
	for i := range told.Promotions {
		if c := &told.Promotions[i].Coupon; *c != "" {
			*c = maskCode(*c)
		}
	}
	if o.account.IsZero() {
		told.Points.ToEarn, told.Points.EarnedBy = 0, nil
	}
	if f.known {
		before := f.available
		after := before - told.Points.ToSpend + told.Points.ToEarn
		told.Points.BalanceBefore, told.Points.BalanceAfterPending = &before, &after
		at := time.UnixMilli(f.asOf).UTC()
		told.AsOf = &at
	}
	if told.AgeCheck != nil && told.AgeCheck.State != "confirmed" {
		told.BlockedBy = append(told.BlockedBy, "age_check")
	}
	told.Committable = len(told.BlockedBy) == 0
	a.tellCoupons(told, o)
	a.warn(told, o)
	told.Texts = textsOf(q, f.training)
	told.tellUnspent(o)
	told.tellCut(o)
	return told
}

// Why a shopper who wants to pay with points pays with none.
const (
	noBalance = "balance"  // as far as this node knows
	noValue   = "no_value" // the chain has not set what points are worth in this currency
)

// tellUnspent says why no points are spent where the engine had nothing to reckon with.
func (q *Quote) tellUnspent(o *offer) {
	wants := o.basket.spends() && (o.basket.PointsToSpend.Mode != pricing.SpendExact || o.basket.PointsToSpend.Points > 0)
	switch p := &q.Points; {
	case !wants || p.ToSpend > 0 || p.SpendReason != "" || q.Totals.Net == 0:
	case o.account.IsZero():
		p.SpendReason = string(pricing.NeedsCard)
	case o.facts.available <= 0:
		p.SpendReason = noBalance
	default:
		p.SpendReason = noValue
	}
}

// tellCut tells the cashier what cannot be spent while nobody can set it aside.
func (q *Quote) tellCut(o *offer) {
	var say []string
	if o.facts.cut && o.basket.spends() && !o.account.IsZero() {
		q.Points.SpendReason = offlineNotAllowed
		say = append(say, textNoPoints)
	}
	if slices.ContainsFunc(o.facts.coupons, func(c CouponFacts) bool { return c.State == couponOffline }) {
		say = append(say, textNoCoupon)
	}
	if len(say) == 0 {
		return
	}
	if q.Texts == nil {
		q.Texts = new(Texts)
	}
	q.Texts.Cashier = append(q.Texts.Cashier, say...)
}

func (a *API) tellCoupons(told *Quote, o *offer) {
	told.Coupons = o.desk.told[:0]
	for i := range o.basket.Coupons {
		c := &o.facts.coupons[i]
		told.Coupons = append(told.Coupons, Coupon{
			CodeMasked: maskCode(o.basket.Coupons[i].Code), State: c.State, Pool: c.Pool, Promotion: c.Promotion,
			Text: couponText(c.State), ValidFrom: c.From, ValidUntil: c.Until,
		})
		if c.State == couponUnknown {
			told.Warnings = append(told.Warnings, Warning{
				Code: "coupon_guess", Text: fmt.Sprintf("No such coupon: %d more may be tried.", o.facts.left),
			})
		}
	}
	o.desk.told = told.Coupons
}

// warn says what the cashier may want to know and nothing fails by.
func (a *API) warn(told *Quote, o *offer) {
	if o.rules.Items() > 0 {
		for i := range o.items {
			if !o.items[i].Known {
				told.Warnings = append(told.Warnings, Warning{
					Code: "unknown_item", LineID: o.basket.Lines[i].LineID, Text: "Not in the item master: priced by what the POS says of it.",
				})
			}
		}
	}
	if d := time.UnixMilli(o.facts.at).Sub(time.UnixMilli(o.facts.made)); d > clockSlack || d < -clockSlack {
		told.Warnings = append(told.Warnings, Warning{Code: "clock_differs", Text: "The clock of the POS is not the node's. Set it."})
	}
}

// textsOf are the lines that may be printed under a receipt.
func textsOf(q *pricing.Quote, training bool) *Texts {
	t := new(Texts)
	if training {
		t.Cashier, t.Trailer = []string{textTraining}, []string{textTraining}
	}
	if q != nil && q.Totals.Discount > 0 {
		t.Trailer = append(t.Trailer, "YOU SAVED "+money(q.Totals.Discount, q.Currency))
	}
	if t.Trailer == nil {
		return nil
	}
	return t
}

// money writes an amount as a receipt has it.
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

// order gives the places of the lines, sorted by line_id.
func (b *Basket) order() []int {
	order := make([]int, len(b.Lines))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(x, y int) int { return strings.Compare(b.Lines[x].LineID, b.Lines[y].LineID) })
	return order
}
