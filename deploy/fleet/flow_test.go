package fleet_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
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
		putFlow(t, f, d[0], d[1])
	}
	return f
}

// putFlow gives the centre a document of the flow, as ops does.
func putFlow(t *testing.T, f *fleet.Fleet, path, document string) {
	t.Helper()
	await(t, "put "+path, func() error {
		req, err := http.NewRequestWithContext(t.Context(), "PUT", f.Centre()[0].Node().URL()+"/v1/flow/"+path, strings.NewReader(document))
		must(t, err)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		said, err := io.ReadAll(res.Body)
		must(t, err)
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", res.Status, said)
		}
		return nil
	})
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
