package setting

import (
	"errors"
	"fmt"

	"tillstream/kv/record"
)

// Scan says what a chain's codes look like.
type Scan struct {
	Layouts []Layout `json:"layouts"` // codes with a weight or price; of several that fit, the longest prefix counts
	Cards   []Cards  `json:"cards"`   // none: no number is taken for a card
	UPCE    bool     `json:"upce"`    // eight digits that begin with 0 or 1 are UPC-E, not EAN-8: North America
	Country string   `json:"country"` // by whose rules phone numbers without + are read, such as DE; empty: none are
}

// CardCheck is how the last digit of a card number is made.
type CardCheck string

// Checks.
const (
	CheckLuhn CardCheck = "luhn"
	CheckEAN  CardCheck = "ean"
	CheckNone CardCheck = "none"
)

// Cards are the numbers of one kind of loyalty card.
type Cards struct {
	Prefix string    `json:"prefix"` // digits
	Digits int       `json:"digits"` // of a whole number; 0: 8 to 19
	Check  CardCheck `json:"check"`  // empty: CheckLuhn
}

// Digits of a card number.
const (
	MinCardDigits = 8
	MaxCardDigits = 19
)

// Carries is what a layout's digits are.
type Carries string

// What digits can be.
const (
	Weight Carries = "weight"
	Price  Carries = "price"
)

// Layout says where codes of 13 digits that begin with a prefix have the item and its weight or price:
// prefix, item, perhaps a check digit of the price, the digits of weight or price, check digit. A code of 12
// digits is read with a zero before it, so North America's 2 is 02 here.
type Layout struct {
	Prefix     string  `json:"prefix"`      // 02 or 20 to 29, and more digits if only some of those carry something
	Item       int     `json:"item"`        // digits of the item's number
	PriceCheck bool    `json:"price_check"` // a check digit before four or five digits of a price (GS1 General Specifications, 7.9.4)
	Digits     int     `json:"digits"`      // of the weight or price: 3 to 6
	Carries    Carries `json:"carries"`
	Decimals   int     `json:"decimals"` // of a weight in kilograms: 0 to 3
	Zeros      int     `json:"zeros"`    // that a price of a currency without minor units, or in whole units, wants after it: 0 to 3
}

// InStoreDigits is the length of a code that a Layout describes.
const InStoreDigits = 13

// ReadScan reads and checks the setting ScanID.
func ReadScan(document []byte) (Scan, error) {
	var v struct {
		head
		Scan
	}
	if err := read(ScanID, document, &v); err != nil {
		return Scan{}, err
	}
	if err := v.Check(); err != nil {
		return Scan{}, fmt.Errorf("setting %s: %w", ScanID, err)
	}
	return v.Scan, nil
}

// Check says what is wrong with it.
func (s *Scan) Check() error {
	var errs []error
	if s.Country != "" && !isCountry(s.Country) {
		errs = append(errs, errors.New("country: want two capital letters of a country, such as DE"))
	}
	for i := range s.Layouts {
		if err := s.Layouts[i].check(); err != nil {
			errs = append(errs, fmt.Errorf("layouts[%d]: %w", i, err))
		}
		for k := range i {
			if s.Layouts[k].Prefix == s.Layouts[i].Prefix {
				errs = append(errs, fmt.Errorf("layouts[%d].prefix: layouts[%d] has it too", i, k))
			}
		}
	}
	for i, c := range s.Cards {
		if !record.Digits(c.Prefix) { // an empty one would begin every number
			errs = append(errs, fmt.Errorf("cards[%d].prefix: want digits", i))
		}
		if c.Digits != 0 && (c.Digits < max(MinCardDigits, len(c.Prefix)+1) || c.Digits > MaxCardDigits) {
			errs = append(errs, fmt.Errorf("cards[%d].digits: want %d to %d, and more than its prefix", i, MinCardDigits, MaxCardDigits))
		}
		if c.Check != "" && c.Check != CheckLuhn && c.Check != CheckEAN && c.Check != CheckNone {
			errs = append(errs, fmt.Errorf("cards[%d].check: want luhn, ean or none", i))
		}
	}
	return errors.Join(errs...)
}

func (l *Layout) check() error {
	want := func(ok bool, field, text string) error {
		if ok {
			return nil
		}
		return fmt.Errorf("%s: want %s", field, text)
	}
	size := len(l.Prefix) + l.Item + l.Digits + 1
	if l.PriceCheck {
		size++
	}
	in := record.Digits(l.Prefix) && len(l.Prefix) >= 2 && (l.Prefix[:2] == "02" || l.Prefix[0] == '2')
	return errors.Join(
		want(in, "prefix", "digits that begin with 02 or 20 to 29"),
		want(l.Item >= 1, "item", "1 digit at least"),
		want(l.Digits >= 3 && l.Digits <= 6, "digits", "3 to 6"),
		want(size == InStoreDigits, "digits", fmt.Sprintf("13 with prefix, item and check digits: they are %d", size)),
		want(l.Carries == Weight || l.Carries == Price, "carries", "weight or price"),
		want(l.Decimals >= 0 && l.Decimals <= 3 && (l.Carries == Weight || l.Decimals == 0), "decimals", "0 to 3, of a weight"),
		want(l.Zeros >= 0 && l.Zeros <= 3 && (l.Carries == Price || l.Zeros == 0), "zeros", "0 to 3, of a price"),
		want(!l.PriceCheck || l.Carries == Price && (l.Digits == 4 || l.Digits == 5), "price_check", "4 or 5 digits of a price"),
	)
}
