package setting

import (
	"errors"
	"fmt"
	"slices"

	"tillstream/kv/record"
)

// Returns is what a chain lets its tills give back without the sale at hand, and what becomes of a sale's
// coupons. Without the setting everything may be given back, and coupons are good once more.
type Returns struct {
	// Unlinked is for a return that names no sale: "allow" (also when empty), "reason", "manager" (and a
	// reason) or "refuse".
	Unlinked string `json:"unlinked"`
	// UnlinkedLimit is the amount, in minor units, above which it needs a manager. Zero: none.
	UnlinkedLimit int64 `json:"unlinked_limit"`
	// Unverified is for one whose sale nobody could give in time: "allow" (also when empty), "manager" or
	// "refuse".
	Unverified string `json:"unverified"`
	// UnverifiedLimit is as UnlinkedLimit.
	UnverifiedLimit int64 `json:"unverified_limit"`
	// Coupons of a sale that has come back whole: "rearm" (also when empty), they can be used once more, or
	// "keep", they stay used.
	Coupons string `json:"coupons"`
}

// Words of a Returns.
const (
	ReturnAllow   = "allow"
	ReturnReason  = "reason"
	ReturnManager = "manager"
	ReturnRefuse  = "refuse"
	CouponsRearm  = "rearm"
	CouponsKeep   = "keep"
)

// ReadReturns reads and checks the setting ReturnsID.
func ReadReturns(document []byte) (Returns, error) {
	var v struct {
		head
		Returns
	}
	if err := read(ReturnsID, document, &v); err != nil {
		return Returns{}, err
	}
	if err := v.check(); err != nil {
		return Returns{}, fmt.Errorf("setting %s: %w", ReturnsID, err)
	}
	return v.Returns, nil
}

func (r *Returns) check() error {
	word := func(field, is string, words ...string) error {
		if is == "" || slices.Contains(words, is) {
			return nil
		}
		return fmt.Errorf("%s: want one of %q", field, words)
	}
	limit := func(field string, amount int64) error {
		if amount < 0 || amount > record.MaxFloorPrice {
			return fmt.Errorf("%s: want 0 to %d", field, int64(record.MaxFloorPrice))
		}
		return nil
	}
	return errors.Join(
		word("unlinked", r.Unlinked, ReturnAllow, ReturnReason, ReturnManager, ReturnRefuse),
		word("unverified", r.Unverified, ReturnAllow, ReturnManager, ReturnRefuse),
		word("coupons", r.Coupons, CouponsRearm, CouponsKeep),
		limit("unlinked_limit", r.UnlinkedLimit), limit("unverified_limit", r.UnverifiedLimit),
	)
}
