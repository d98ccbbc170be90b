package pricing

import (
	"fmt"
	"strconv"
	"time"
)

// Basket is what is bought, for whom, where and when: all that a quote depends on beside the programme.
type Basket struct {
	Store     string
	StoreSets []string // sets that the store belongs to
	Channel   string   // as promotion.Channels has them
	At        time.Time
	Zone      *time.Location // of the store's clock; nil: UTC
	Currency  string         // ISO 4217 code, such as "EUR"
	Lines     []Line         // 1 to record.MaxLines
	Shopper   *Shopper       // nil: no card
	Coupons   []Coupon       // at most MaxCoupons
	Spend     Spend
	Tenders   []string         // kinds of payment that were named so far
	Limits    map[string]Limit // by promotion: what is left of its limits and budget
	Languages []string         // of texts, best first
	// ExplainAll answers why not for every promotion of the programme, not only for those that were
	// near. It costs time that grows with the programme.
	ExplainAll bool
}

// Line is one line of a basket. Results name it by its LineID, never by its position.
type Line struct {
	LineID         string // 1 to 36 characters
	Item           string // code as scanned, or the chain's own
	Description    string
	Quantity       string // decimal, at most 3 decimals and MaxQuantity
	Unit           string // "pc", "kg", "l", "m", or "" when the POS does not say; pieces are whole
	UnitPrice      int64  // minor units for one Unit
	Amount         *int64 // minor units of the whole line as a label or scale printed it: wins over UnitPrice
	PriceOverride  bool   // the cashier keyed the price: no promotion touches it
	ManualDiscount *ManualDiscount
	Facts          Item // what the item master says; zero for an unknown item
}

// ManualDiscount is the POS's own discount on a line, taken before any of ours.
type ManualDiscount struct {
	Amount int64 // minor units, at most what the line costs
	Reason string
}

// Item is what the item master says about an item, as far as it matters here.
type Item struct {
	Category   string // path, such as "food/dairy/milk"
	Tags       []string
	FloorPrice int64 // minor units for one unit: no discount goes below
	NoDiscount bool  // takes no discount and counts for no condition
	NoPoints   bool  // earns no points and is not paid with points
	Weighed    bool  // sold by the kilo when the line names no unit
}

// Shopper is what the engine knows of the shopper. It needs no name.
type Shopper struct {
	ID            string
	Card          string // digits, for card prefixes; may be only the first ones
	Segments      []string
	Tier          string
	Available     int64  // points that can be spent
	Birthday      string // "MM-DD" or "YYYY-MM-DD"; "" when not known
	FirstPurchase bool
}

// Coupon is one code that was shown. Its pool and state come from whoever keeps coupons.
type Coupon struct {
	Code  string
	Pool  string // "" when the code is not known
	State string // "active", or why not: "used", "expired", "not_yet", "other_brand", "unknown", …
}

// couponActive is the state of a coupon that can be used.
const couponActive = "active"

// Spend says how many points the shopper wants to spend.
type Spend struct {
	Mode   string // "" or "none", "exact", "useful" (as many as buy something), "all"
	Points int64  // of "exact"
}

// Modes of Spend.
const (
	SpendNone   = "none"
	SpendExact  = "exact"
	SpendUseful = "useful"
	SpendAll    = "all"
)

// Limit is what is left of a promotion's limits and budget for this shopper in this store.
type Limit struct {
	Remaining *int64 // applications; nil: only what the promotion says of one basket bounds them
	Limit     string // which limit it is: "per_shopper", "per_household", "per_store", "total"
	ResetsAt  string // RFC 3339; told to the shopper
	Budget    *int64 // minor units; nil: no budget bounds it
}

// Limits of a basket's numbers.
const (
	MaxMoney    = 1_000_000_000_000 // minor units, either way: of a price, an amount and a total
	MaxQuantity = 1_000_000_000     // units, either way
	MaxCoupons  = 100
	maxLineID   = 36 // characters
)

// FieldError says what is wrong with which part of a basket. It repeats no value.
type FieldError struct {
	Field  string // JSON pointer (RFC 6901), such as "/lines/3/quantity"
	Reason string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

func lineError(i int, field, reason string) error {
	return &FieldError{"/lines/" + strconv.Itoa(i) + "/" + field, reason}
}
