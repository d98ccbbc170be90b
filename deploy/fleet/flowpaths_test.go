package fleet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/kv"
	"tillstream/kv/record"
)

// patron is a card's holder in a fleet whose centre runs the flow.
type patron struct {
	t    *testing.T
	f    *fleet.Fleet
	card string
}

// queued counts the messages that wait for them.
func (p *patron) queued() (n int, err error) {
	return p.keys(kv.WaitKey(p.f.Cards().Account(p.card), "*"))
}

// keys counts what of the bucket of shoppers on site has such a key.
func (p *patron) keys(pattern string) (int, error) {
	p.t.Helper()
	w := p.f.Writer()
	if w == nil || w.Node() == nil {
		return 0, errors.New("nobody writes the journal")
	}
	js, err := jetstream.New(w.Node().Conn())
	must(p.t, err)
	ctx := within(p.t, patience)
	b, err := kv.Open(ctx, js, kv.Onsite(p.f.Net().Brand))
	if err != nil {
		return 0, err
	}
	all, err := b.Keys(ctx, pattern)
	return len(all), err
}

// waits waits until so many messages are in the queue.
func (p *patron) waits(want int) {
	p.t.Helper()
	await(p.t, "the queue", func() error {
		n, err := p.queued()
		if err == nil && n != want {
			err = fmt.Errorf("%d messages wait, want %d", n, want)
		}
		return err
	})
}

// code waits for their reward, and gives its code.
func (p *patron) code() (code string) {
	p.t.Helper()
	type standing struct {
		Promo record.PromoCode    `json:"promoCode"`
		Codes map[string][]string `json:"rewardIds"`
	}
	await(p.t, "the reward", func() error {
		w := p.f.Writer()
		if w == nil || w.Node() == nil {
			return errors.New("nobody writes the journal")
		}
		url := w.Node().URL() + "/v1/flow/progress/" + p.f.Cards().Account(p.card).String()
		req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
		must(p.t, err)
		res, err := caller.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		var all []standing
		if err := json.NewDecoder(res.Body).Decode(&all); err != nil {
			return fmt.Errorf("%s: %w", res.Status, err)
		}
		for _, s := range all {
			for _, codes := range s.Codes {
				if s.Promo.String() == "STAMPS" && len(codes) == 1 {
					code = codes[0]
					return nil
				}
			}
		}
		return fmt.Errorf("there is %+v", all)
	})
	return code
}

// redeem buys something with a coupon.
func (p *patron) redeem(at *fleet.Till, code string) {
	p.t.Helper()
	r := purchase(p.card, 7_00)
	place := at.Place()
	body := r.Body(place.Store.String(), place.Till.String(), p.card)
	body = append(bytes.TrimSuffix(body, []byte("}")), fmt.Sprintf(`,"coupons":[{"code":%q}]}`, code)...)
	p.f.Sent().Send(laws.NewSale(&r, place, p.f.Cards().Account(p.card), body))
	a, err := fleet.Post(within(p.t, patience), caller, at.URL(), false, r.RID, body)
	must(p.t, err)
	if a.Status != http.StatusCreated {
		p.t.Fatalf("receipt with a coupon at till %s: %d %s", at.Name(), a.Status, a.Body)
	}
	p.f.Sent().Answered(r.RID, place)
}

// trouble is what befalls a fleet between a shopper's second receipt and their third.
type trouble struct {
	name       string
	begin, end func(t *testing.T, f *fleet.Fleet)
}

func troubles() []trouble {
	nothing := func(*testing.T, *fleet.Fleet) {}
	return []trouble{
		{"nothing", nothing, nothing},
		{"a crash of the node that writes", func(t *testing.T, f *fleet.Fleet) { must(t, writer(t, f).Crash()) }, startCentre},
		{"a crash of a node that does not write", func(t *testing.T, f *fleet.Fleet) { must(t, follower(t, f).Crash()) }, startCentre},
		{"a store's line cut", func(_ *testing.T, f *fleet.Fleet) { f.Store(0).Cut() }, func(_ *testing.T, f *fleet.Fleet) { f.Store(0).Heal() }},
		{"a till's line cut", func(_ *testing.T, f *fleet.Fleet) { f.Store(0).Till(0).Cut() },
			func(_ *testing.T, f *fleet.Fleet) { f.Store(0).Till(0).Heal() }},
	}
}

// Document 004, paths 1 and 2, at real tills: a reward is on the next till's screen, once; and one whose code is redeemed
// at a till before the shopper is known anywhere again is on none.
func TestRewardInTrouble(t *testing.T) {
	for _, trouble := range troubles() {
		t.Run(trouble.name, func(t *testing.T) {
			f := flowing(t, fleet.Config{Stores: 2, Tills: 1})
			must(t, f.PutFlow(within(t, patience), "promotions", []byte(otherCard)))
			knownEverywhere(t, f, "OTHER")
			one, two := f.Store(0).Till(0), f.Store(1).Till(0)
			seen, spent := &patron{t, f, "2000017"}, &patron{t, f, "2000024"}
			for n := range 3 {
				if n == 2 {
					trouble.begin(t, f)
				}
				give(t, one, purchase(seen.card, 5_00))
				give(t, one, purchase(spent.card, 5_00))
			}
			trouble.end(t, f)
			code := spent.code()
			spent.waits(1)
			seen.waits(1)
			spent.redeem(one, code)
			spent.waits(0)
			if n, err := spent.keys("gone.>"); err != nil || n != 1 {
				t.Errorf("%d rewards of which nothing must be shown any more, %v; want 1", n, err)
			}
			give(t, one, purchase(spent.card, 5_00)) // the fifth: a reward of another promotion
			spent.waits(1)
			screen := messages(t, two)
			for i, p := range []*patron{seen, spent} {
				await(t, "the message", func() error {
					look(t, two, p.card)
					if got := screen(); len(got) < i+1 {
						return fmt.Errorf("the POS was sent %v", got)
					}
					return nil
				})
				p.waits(0)
			}
			if got := screen(); len(got) != 2 {
				t.Errorf("the POS was sent %v, want one message of each shopper", got)
			}
			must(t, f.Settle(within(t, patience)))
			if _, err := f.CheckBooks(within(t, patience)); err != nil {
				t.Error(err)
			}
		})
	}
}

// otherCard gives a reward with the fifth receipt.
const otherCard = `{"promo_code": "OTHER", "revision": 1, "name": "Five stamps", "tags": ["loyalty"], "count": {"kind": "receipts"},
	"reward_schemes": [{"reward_scheme_id": "cake", "activity_type": "COUPON", "target": 5,
		"reward_type": "COUPON", "product_reward_type": "A cake", "valid_days": 14}]}`

// knownEverywhere waits until every node of the centre has a promotion: whoever writes counts by its own copy.
func knownEverywhere(t *testing.T, f *fleet.Fleet, promo string) {
	t.Helper()
	for _, c := range f.Centre() {
		await(t, "node "+c.Name()+" knows the promotion", func() error {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.Node().URL()+"/v1/flow/promotions/"+promo, nil)
			must(t, err)
			res, err := caller.Do(req)
			if err != nil {
				return err
			}
			res.Body.Close() //nolint:errcheck // its status says it
			if res.StatusCode != http.StatusOK {
				return errors.New(res.Status)
			}
			return nil
		})
	}
}
