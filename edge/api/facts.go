package api

import (
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// Facts are where it comes from what is known of shoppers and coupons. A nil function knows nothing; each is
// safe for many goroutines and answers from memory or the node's own disk.
type Facts struct {
	Shopper func(record.AccountID) (ShopperFacts, bool)             // beside the balance
	Coupon  func(string, record.AccountID) (c CouponFacts, ok bool) // what is known of a code
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

// quotesKept is how long a receipt can name a quote. The revisions of so many hours are on the disk.
const quotesKept = 24 * time.Hour
