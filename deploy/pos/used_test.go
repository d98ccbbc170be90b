package pos

import (
	"testing"

	"tillstream/edge/api"
	"tillstream/edge/pricing"
)

// Only what the quote used is set aside: with the used-up coupon the centre would refuse the points too.
func TestOnlyCouponsOfTheQuoteAreSetAside(t *testing.T) {
	t.Parallel()
	b := &api.Basket{Coupons: []api.CouponCode{{Code: "SPRING1"}, {Code: "AUTUMN1"}}}
	q := &api.Quote{
		Coupons:    []api.Coupon{{CodeMasked: "SP***", State: "used"}, {CodeMasked: "AU***", State: "usable"}},
		Promotions: []pricing.Applied{{Promotion: "pasta-10"}, {Promotion: "ten-off", Coupon: "AU***"}},
	}
	if got := used(b, q); len(got) != 1 || got[0].Code != "AUTUMN1" {
		t.Errorf("sets aside %+v", got)
	}
}
