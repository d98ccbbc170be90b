package api

import (
	"testing"

	"tillstream/kv/record"
)

// A shopper who wants to pay with points and cannot is told why, whatever the reason.
func TestNoPointsAreSpentForAReason(t *testing.T) {
	t.Parallel()
	cut := open(t, func(c *Config) { c.Centre = func() Centre { return Centre{} } })
	q := cut.quote(basket(t, func(o obj) { delete(o, "shopper"); o["points_to_spend"] = obj{"mode": "all"} }))
	if q.Points.ToSpend != 0 || q.Points.SpendReason != "needs_card" {
		t.Errorf("nobody's, cut off: %+v", q.Points)
	}
	for name, c := range map[string]struct {
		balance    int64
		currencies string
		spend      obj
		pays       int64
		reason     string
	}{
		"all of none":                {0, twoPerUnit, obj{"mode": "all"}, 0, "balance"},
		"as many as useful of none":  {0, twoPerUnit, obj{"mode": "useful"}, 0, "balance"},
		"more than there are":        {100, twoPerUnit, obj{"mode": "exact", "points": 101}, 100, "balance"},
		"all where they buy nothing": {100, "EUR: {earn: {points: 1, amount: 100}}", obj{"mode": "all"}, 0, "no_value"},
		"as many as useful":          {100, twoPerUnit, obj{"mode": "useful"}, 100, ""},
		"none":                       {0, twoPerUnit, obj{"mode": "none"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openBank(t)
			if err := s.cache.Learn(s.cards.Account(ourCard), record.Shopper{Balance: c.balance, AsOf: s.clock.Load() + 1}); err != nil {
				t.Fatal(err)
			}
			s.earning(8, c.currencies)
			q := s.quote(basket(t, func(o obj) { o["points_to_spend"] = c.spend }))
			if q.Points.ToSpend != c.pays || q.Points.SpendReason != c.reason {
				t.Errorf("spends %d, reason %q; want %d, %q", q.Points.ToSpend, q.Points.SpendReason, c.pays, c.reason)
			}
		})
	}
}
