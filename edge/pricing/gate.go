package pricing

import (
	"math"
	"slices"
	"strings"
	"time"

	"tillstream/kv/promotion"
)

func localOf(b *Basket) promotion.Local {
	zone := b.Zone
	if zone == nil {
		zone = time.UTC
	}
	return promotion.LocalOf(b.At, zone)
}

// gate says why a rule may not apply to this basket at all, before anything is priced: the first of its
// own state, time, place, audience, coupon, limit and budget that fails. No reason is a pass.
func (s *state) gate(n int32) reason {
	r := &s.p.rules[n]
	doc := r.doc
	for _, check := range [...]func(*state, *promotion.Promotion) reason{
		(*state).gateTime, (*state).gatePlace, (*state).gateAudience, (*state).gateCoupon, (*state).gateLimit,
	} {
		if why := check(s, doc); why.code != "" {
			return why
		}
	}
	if r.phase == phasePoints && s.basket.Shopper == nil {
		return reason{code: NeedsCard} // points of nobody
	}
	return reason{}
}

func (s *state) gateTime(doc *promotion.Promotion) reason {
	switch doc.State {
	case stateActive:
	case "draft":
		return reason{code: NotYet}
	case "ended":
		return reason{code: Ended}
	default:
		return reason{code: NotNow}
	}
	switch {
	case doc.From != promotion.None && s.now < doc.From:
		return reason{code: NotYet}
	case doc.Until != promotion.None && s.now >= doc.Until:
		return reason{code: Ended}
	case len(doc.Schedule) == 0:
		return reason{}
	}
	t := s.now.Time()
	for _, w := range doc.Schedule {
		if w.Holds(t.Weekday(), t.Hour()*60+t.Minute()) {
			return reason{}
		}
	}
	return reason{code: NotNow}
}

func (s *state) gatePlace(doc *promotion.Promotion) reason {
	here := func(ids []string) bool {
		for _, id := range ids {
			if id == s.basket.Store || slices.Contains(s.basket.StoreSets, id) {
				return true
			}
		}
		return false
	}
	if here(doc.Stores.Exclude) || len(doc.Stores.Include) > 0 && !here(doc.Stores.Include) {
		return reason{code: NotInThisStore}
	}
	if len(doc.Channels) > 0 && !slices.Contains(doc.Channels, s.basket.Channel) {
		return reason{code: NotInThisChannel}
	}
	return reason{}
}

func (s *state) gateAudience(doc *promotion.Promotion) reason {
	a := &doc.Audience
	if !a.CardRequired && len(a.AnyOf) == 0 {
		return reason{}
	}
	who := s.basket.Shopper
	if who == nil {
		return reason{code: NeedsCard}
	}
	for i := range a.AnyOf {
		if belongs(who, &a.AnyOf[i]) {
			return reason{}
		}
	}
	if len(a.AnyOf) > 0 {
		return reason{code: NotInAudience}
	}
	return reason{}
}

func belongs(who *Shopper, to *promotion.Who) bool {
	switch {
	case to.Segment != "":
		return slices.Contains(who.Segments, to.Segment)
	case to.Tier != "":
		return who.Tier == to.Tier
	case to.CardPrefix != "":
		return strings.HasPrefix(who.Card, to.CardPrefix)
	}
	return to.Shopper != "" && who.ID == to.Shopper
}

func (s *state) gateCoupon(doc *promotion.Promotion) reason {
	if doc.Coupon == nil || !doc.Coupon.Required {
		return reason{}
	}
	c := s.couponOf(doc)
	switch {
	case c == nil:
		return reason{code: NeedsCoupon}
	case c.State == couponActive:
		return reason{}
	}
	return reason{code: Code("coupon_" + c.State)}
}

// couponOf gives the coupon of a promotion's pool that was shown: one that can be used before one that
// cannot, then the first by state and code. The order of scanning decides nothing.
func (s *state) couponOf(doc *promotion.Promotion) (best *Coupon) {
	if doc.Coupon == nil {
		return nil
	}
	for i := range s.basket.Coupons {
		c := &s.basket.Coupons[i]
		if c.Pool == doc.Coupon.Pool && (best == nil || c.before(best)) {
			best = c
		}
	}
	return best
}

func (c *Coupon) before(d *Coupon) bool {
	if a, b := c.State == couponActive, d.State == couponActive; a != b {
		return a
	}
	return c.State < d.State || c.State == d.State && c.Code < d.Code
}

func (s *state) gateLimit(doc *promotion.Promotion) reason {
	l := s.basket.Limits[doc.ID]
	if l.Remaining != nil && *l.Remaining <= 0 {
		return reason{code: LimitReached}
	}
	// A limit per shopper cannot be kept for nobody, unless whoever keeps limits says what is left.
	if l.Remaining == nil && s.basket.Shopper == nil && (doc.Limits.PerShopper != nil || doc.Limits.PerHousehold != nil) {
		return reason{code: NeedsCard}
	}
	if l.Budget != nil && *l.Budget <= 0 {
		return reason{code: BudgetUsedUp}
	}
	return reason{}
}

// times gives the most applications that a rule has in this basket. No limit allows more in one basket
// than in its whole period.
func (s *state) timesOf(doc *promotion.Promotion) int64 {
	most := int64(math.MaxInt64)
	if n := doc.Limits.PerBasket; n > 0 {
		most = n
	}
	for _, c := range [...]*promotion.Count{doc.Limits.PerShopper, doc.Limits.PerHousehold, doc.Limits.PerStore, doc.Limits.Total} {
		if c != nil {
			most = min(most, c.Count)
		}
	}
	if l := s.basket.Limits[doc.ID]; l.Remaining != nil {
		most = min(most, *l.Remaining)
	}
	return most
}
