package pricing

// Code says why a promotion does not apply. Codes are stable; there may be more of them one day.
type Code string

// Why-not codes. Those of a coupon are "coupon_" and its state.
const (
	NeedsQuantity     Code = "needs_quantity"
	NeedsSpend        Code = "needs_spend"
	NextTier          Code = "next_tier" // applied, and more would give more
	AddItem           Code = "add_item"
	NeedsCard         Code = "needs_card"
	NotInAudience     Code = "not_in_audience" // never shown to the shopper
	NeedsCoupon       Code = "needs_coupon"
	NeedsTender       Code = "needs_tender"
	NotNow            Code = "not_now"
	NotYet            Code = "not_yet"
	Ended             Code = "ended"
	NotInThisStore    Code = "not_in_this_store"
	NotInThisChannel  Code = "not_in_this_channel"
	LimitReached      Code = "limit_reached"
	BudgetUsedUp      Code = "budget_used_up"
	BudgetShort       Code = "budget_short"
	ExcludedBy        Code = "excluded_by"
	BetterAlternative Code = "better_alternative"
	FloorReached      Code = "floor_reached"
	CapReached        Code = "cap_reached"
	NoEffect          Code = "no_effect"
	NoItems           Code = "no_items"
	ItemsExcluded     Code = "items_excluded"
)

// reason is a why-not on its way. The zero reason says that nothing is in the way.
type reason struct {
	code         Code
	missing      int64 // thousandths of a quantity, or minor units
	set          int32 // of missing and of AddItem
	by           []int32
	would, given int64
}

type whyNot struct {
	rule int32
	reason
	shown    bool // a coupon of its pool was shown
	distance int  // how far it was from being applied; see distanceOf
}

func (s *state) because(rule int32, why reason) {
	s.whys = append(s.whys, whyNot{rule: rule, reason: why})
}

// idle says why there is nothing in a set for a promotion to work on.
func (s *state) idle(sets ...int32) reason {
	var by []int32
	found, barred := false, true
	for _, set := range sets {
		for _, n := range s.linesOf(set) {
			l := &s.lines[n]
			found = true
			if l.barred {
				continue
			}
			barred = false
			if l.locked != 0 {
				by = append(by, l.locked-1)
			}
			for _, r := range l.runs {
				if r.claim != 0 {
					by = append(by, r.claim-1)
				}
			}
		}
	}
	switch {
	case !found:
		return reason{code: NoItems}
	case barred:
		return reason{code: ItemsExcluded}
	case len(by) > 0:
		return reason{code: ExcludedBy, by: by}
	}
	return reason{code: NoEffect}
}
