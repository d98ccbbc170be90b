package setting

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"tillstream/kv/record"
)

// MaxRate bounds points and amounts of a Rate.
const MaxRate = 1_000_000_000

// Programme is what a brand wants of every quote beside its promotions. Without the setting, a shopper earns
// one point for each whole unit of the basket's currency, points pay nothing, and discounts are bounded by the
// items' floor prices only.
type Programme struct {
	// MaxLineDiscount is the most that all discounts together take of a piece's shelf price: a percentage,
	// "0" to "100", at most two decimals. Empty: all of it.
	MaxLineDiscount Percent `json:"max_line_discount"`
	// MaxBasketDiscount is the same of all shelf prices of a basket.
	MaxBasketDiscount Percent `json:"max_basket_discount"`
	// Currencies are those in which points are earned and pay, by their ISO 4217 code. A basket in another one
	// is priced without points. Empty: every currency, one point for each whole unit.
	Currencies map[string]Points `json:"currencies"`
}

// Points is what points are earned for and worth in one currency. Amounts are in its minor units.
type Points struct {
	Earn     Rate    `json:"earn"`      // so many points for each so much paid, in money; absent: nothing is earned
	Value    Rate    `json:"value"`     // so many points pay so much; absent: points pay nothing
	Block    int64   `json:"block"`     // points are spent in multiples of it, 1 to 1000000000; absent: 1
	MinSpend int64   `json:"min_spend"` // no points can be spent on a basket that costs less, 0 to 1000000000000
	MaxShare Percent `json:"max_share"` // the most of a basket that points pay, "0" to "100"; absent: all of it
}

// Rate is so many points for so much money, both from 1 to MaxRate. Both zero: there is none.
type Rate struct {
	Points int64 `json:"points"`
	Amount int64 `json:"amount"`
}

// ReadProgramme reads and checks the setting ProgrammeID.
func ReadProgramme(document []byte) (Programme, error) {
	var v struct {
		head
		Programme
	}
	if err := read(ProgrammeID, document, &v); err != nil {
		return Programme{}, err
	}
	return v.Programme, v.check()
}

func (p *Programme) check() error {
	errs := []error{p.MaxLineDiscount.check("max_line_discount"), p.MaxBasketDiscount.check("max_basket_discount")}
	for _, code := range slices.Sorted(maps.Keys(p.Currencies)) {
		at := "currencies/" + code
		if _, ok := record.Exponent(code); !ok {
			errs = append(errs, fmt.Errorf("%s: want the ISO 4217 code of a currency in use, such as EUR", at))
		}
		c := p.Currencies[code]
		errs = append(errs, c.Earn.check(at+"/earn"), c.Value.check(at+"/value"), c.MaxShare.check(at+"/max_share"))
		if c.Block < 0 || c.Block > MaxRate {
			errs = append(errs, fmt.Errorf("%s/block: want 1 to %d", at, MaxRate))
		}
		if c.MinSpend < 0 || c.MinSpend > record.MaxFloorPrice {
			errs = append(errs, fmt.Errorf("%s/min_spend: want 0 to %d", at, int64(record.MaxFloorPrice)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("setting %s: %w", ProgrammeID, err)
	}
	return nil
}

func (r *Rate) check(at string) error {
	if r.Points < 0 || r.Amount < 0 || r.Points > MaxRate || r.Amount > MaxRate || r.Points > 0 != (r.Amount > 0) {
		return fmt.Errorf("%s: want points and an amount, both from 1 to %d", at, MaxRate)
	}
	return nil
}

// Percent is a percentage as documents have it: "0" to "100", with at most two decimals. Empty: none.
type Percent string

func (p Percent) check(at string) error {
	if p == "" {
		return nil
	}
	if _, ok := p.hundredths(); !ok {
		return fmt.Errorf(`%s: want a percentage in quotes, "0" to "100", with at most two decimals`, at)
	}
	return nil
}

// Hundredths gives the percentage in hundredths of a percent; nil: there is none, or it is wrong.
func (p Percent) Hundredths() *int64 {
	if v, ok := p.hundredths(); ok {
		return &v
	}
	return nil
}

func (p Percent) hundredths() (v int64, ok bool) {
	const whole = 100_00
	digits, decimals, point := 0, 0, false
	for _, c := range []byte(p) {
		switch {
		case c == '.' && digits > 0 && !point:
			point = true
			continue
		case c < '0' || c > '9' || digits+decimals > 5:
			return 0, false
		case point:
			decimals++
		default:
			digits++
		}
		v = v*10 + int64(c-'0')
	}
	if digits == 0 || point && decimals == 0 || decimals > 2 {
		return 0, false
	}
	for ; decimals < 2; decimals++ {
		v *= 10
	}
	return v, v <= whole
}
