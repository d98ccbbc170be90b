package fleet_test

import (
	"fmt"
	"testing"

	"tillstream/deploy/fleet"
)

// Documents of the flow.
const (
	flowSettings = `{"revision": 1, "des_activity_types": ["COUPON"]}`
	stampCard    = `{"promo_code": "STAMPS", "revision": 1, "name": "Three stamps", "url": "https://example.com/stamps", "tags": ["loyalty"],
		"count": {"kind": "receipts"},
		"reward_schemes": [{"reward_scheme_id": "coffee", "activity_type": "COUPON", "target": 3, "products": ["coffee"],
			"reward_type": "COUPON", "product_reward_type": "A coffee", "tier_definition": "one", "valid_days": 14}]}`
	wonTemplate = `{"title": "Well done", "text": "{reward} is on us: {code}"}`
)

// flowing opens a fleet whose centre runs the flow, with a stamp card of three receipts.
func flowing(t *testing.T, cfg fleet.Config) *fleet.Fleet {
	t.Helper()
	cfg.Flow = true
	f := open(t, cfg)
	for _, d := range [][2]string{
		{"settings", flowSettings}, {"promotions", stampCard}, {"templates/REWARD_AWARDED/en", wonTemplate},
	} {
		must(t, f.PutFlow(within(t, patience), d[0], []byte(d[1])))
	}
	return f
}

// A shopper earns a reward at one till, and sees it on the screen of the next one they come to, once.
func TestRewardIsOnTheNextScreen(t *testing.T) {
	f := flowing(t, fleet.Config{Stores: 2, Tills: 1})
	const card = "2000017"
	one, two := f.Store(0).Till(0), f.Store(1).Till(0)
	for range 3 {
		give(t, one, purchase(card, 5_00))
	}
	second := messages(t, two)
	await(t, "the message", func() error {
		look(t, two, card)
		if got := second(); len(got) != 1 {
			return fmt.Errorf("the POS was sent %v", got)
		}
		return nil
	})
	look(t, two, card)
}
