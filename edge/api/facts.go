package api

import (
	"sync"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// Facts are where a quote's facts come from. A nil function knows nothing; each is safe for many
// goroutines and answers from memory or the node's own disk.
type Facts struct {
	Rules     *Rules         // promotions; nil: none
	StoreSets []string       // sets that the store belongs to
	Zone      *time.Location // of the store's clock; nil: UTC

	Item    func(code string) (Item, bool)                          // the item master
	Shopper func(record.AccountID) (ShopperFacts, bool)             // beside the balance
	Coupon  func(string, record.AccountID) (c CouponFacts, ok bool) // what is known of a code
}

// Item is what the item master says.
type Item struct {
	pricing.Item
	Name   string
	MinAge int // years; 0: none
	known  bool
}

// ShopperFacts are what is known of a shopper beside the balance.
type ShopperFacts struct {
	Segments      []string
	Tier          string
	Birthday      string // "MM-DD" or "YYYY-MM-DD"; "" when not known
	FirstPurchase bool
	Limits        map[string]pricing.Limit // by promotion
}

// CouponFacts are what is known of a coupon's code.
type CouponFacts struct {
	State       string // as the document's Coupon has it: "usable", "used", "expired", …
	Pool        string
	Promotion   string
	From, Until string // store-local
	SingleUse   bool
}

// rulesKept is how long a revision can still be named by a receipt after another has come.
const rulesKept = 24 * time.Hour

// Rules are the promotions of now and of the last 24 hours.
type Rules struct {
	mu   sync.RWMutex
	kept []keptRules // oldest first; the last are those of now
}

type keptRules struct {
	revision  uint32
	programme *pricing.Programme
	until     time.Time // zero: they are those of now
}

// Set makes a programme of a revision the one that quotes are made under.
func (r *Rules) Set(revision uint32, p *pricing.Programme, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.kept); n > 0 {
		r.kept[n-1].until = now.Add(rulesKept)
	}
	for len(r.kept) > 0 && r.kept[0].until.Before(now) {
		r.kept = r.kept[1:]
	}
	r.kept = append(r.kept, keptRules{revision: revision, programme: p})
}

// newest gives the programme of now, nil if there is none.
func (r *Rules) newest() *pricing.Programme {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	if n := len(r.kept); n > 0 {
		return r.kept[n-1].programme
	}
	return nil
}

// at gives the programme of a revision, nil if it is not kept any more.
func (r *Rules) at(revision uint32, now time.Time) *pricing.Programme {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := len(r.kept) - 1; i >= 0; i-- {
		if k := &r.kept[i]; k.revision == revision && (k.until.IsZero() || now.Before(k.until)) {
			return k.programme
		}
	}
	return nil
}

// plainRules are what a node prices by while it has no promotions: one point for each whole unit of the
// currency, as Base has it.
type plainRules [5]*pricing.Programme // by the currency's decimals

func newPlainRules() (p plainRules, err error) {
	unit := int64(1)
	for i := range p {
		p[i], err = pricing.Compile(pricing.Rules{Revision: pricing.Base().Revision, Policy: pricing.Policy{
			Points: pricing.PointsPolicy{Earn: pricing.Rate{Points: 1, Amount: unit}},
		}})
		if err != nil {
			return p, err
		}
		unit *= 10
	}
	return p, nil
}

// rules gives the programme of now.
func (a *API) rules(currency string) *pricing.Programme {
	if p := a.cfg.Facts.Rules.newest(); p != nil {
		return p
	}
	decimals, _ := pricing.Exponent(currency) // another currency is refused by what prices
	return a.plain[decimals]
}

// rulesOf gives the programme of a revision, nil if it is gone.
func (a *API) rulesOf(revision uint32, currency string) *pricing.Programme {
	if p := a.cfg.Facts.Rules.at(revision, a.cfg.Now()); p != nil {
		return p
	}
	if a.cfg.Facts.Rules.newest() == nil && revision == pricing.Base().Revision {
		return a.rules(currency)
	}
	return nil
}
