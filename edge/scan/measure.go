package scan

import (
	"errors"
	"fmt"
	"strings"

	"tillstream/kv/record"
)

// Carries is what a layout's digits are.
type Carries string

// What digits can be.
const (
	Weight Carries = "weight"
	Price  Carries = "price"
)

// Measure is what a label of an item that is weighed or priced in the store says.
type Measure struct {
	Carries  Carries
	Value    int64 // a weight in units of 10^-Decimals kilograms; a price in minor units
	Decimals int   // of a weight
}

// Kilograms gives a weight as a quantity: digits, and a point before the decimals.
func (m *Measure) Kilograms() string {
	text := fmt.Sprintf("%0*d", m.Decimals+1, m.Value)
	if m.Decimals == 0 {
		return text
	}
	return text[:len(text)-m.Decimals] + "." + text[len(text)-m.Decimals:]
}

// Layout says where codes of 13 digits that begin with a prefix have the item and its weight or price:
// prefix, item, perhaps a check digit of the price, the digits of weight or price, check digit. A code of 12
// digits is read with a zero before it, so North America's 2 is 02 here.
type Layout struct {
	Prefix     string `json:"prefix"`      // 02 or 20 to 29, and more digits if only some of those carry something
	Item       int    `json:"item"`        // digits of the item's number
	PriceCheck bool   `json:"price_check"` // a check digit before four or five digits of a price (GS1 General Specifications, 7.9.4)
	Digits     int    `json:"digits"`      // of the weight or price: 3 to 6
	Carries    Carries
	Decimals   int `json:"decimals"` // of a weight in kilograms: 0 to 3
	Zeros      int `json:"zeros"`    // that a price of a currency without minor units, or in whole units, wants after it: 0 to 3
}

const inStoreDigits = 13

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
		want(size == inStoreDigits, "digits", fmt.Sprintf("13 with prefix, item and check digits: they are %d", size)),
		want(l.Carries == Weight || l.Carries == Price, "carries", "weight or price"),
		want(l.Decimals >= 0 && l.Decimals <= 3 && (l.Carries == Weight || l.Decimals == 0), "decimals", "0 to 3, of a weight"),
		want(l.Zeros >= 0 && l.Zeros <= 3 && (l.Carries == Price || l.Zeros == 0), "zeros", "0 to 3, of a price"),
		want(!l.PriceCheck || l.Carries == Price && (l.Digits == 4 || l.Digits == 5), "price_check", "4 or 5 digits of a price"),
	)
}

// measure takes weight or price out of a code that has one.
func (s *Scanner) measure(c Code, digits string) (Code, error) {
	if c.Symbology != EAN13 && c.Symbology != UPCA || c.AddOn != "" {
		return c, nil
	}
	if len(digits) == inStoreDigits-1 {
		digits = "0" + digits
	}
	var l *Layout
	for i := range s.cfg.Layouts {
		k := &s.cfg.Layouts[i]
		if strings.HasPrefix(digits, k.Prefix) && (l == nil || len(k.Prefix) > len(l.Prefix)) {
			l = k
		}
	}
	if l == nil {
		return c, nil
	}
	at := len(l.Prefix) + l.Item
	head, rest := digits[:at], digits[at:inStoreDigits-1]
	value := rest
	if l.PriceCheck {
		value = rest[1:]
		if rest[0] != priceCheck(value) {
			return Code{}, fmt.Errorf("price in the code: %w", record.ErrCheckDigit)
		}
	}
	m := &Measure{Carries: l.Carries, Decimals: l.Decimals}
	for i := range len(value) {
		m.Value = m.Value*10 + int64(value[i]-'0')
	}
	for range l.Zeros {
		m.Value *= 10
	}
	base := head + strings.Repeat("0", len(rest))
	item, err := record.ItemCode(base + string(record.CheckDigit(base)))
	return Code{Kind: Item, Symbology: InStore, Item: item, Measure: m}, err
}

// Weighting factors of price check digits (GS1 General Specifications, section 7.9.2): what a digit counts.
const (
	twoMinus  = "0246891357"
	fivePlus  = "0516273849"
	fiveMinus = "0594837261"
	three     = "0369258147"
)

// priceCheck computes the check digit of four or five digits of a price (sections 7.9.3 and 7.9.4).
func priceCheck(price string) byte {
	factors := []string{twoMinus, twoMinus, three, fiveMinus}
	if len(price) == 5 {
		factors = []string{fivePlus, twoMinus, fiveMinus, fivePlus, twoMinus}
	}
	sum := 0
	for i, f := range factors {
		sum += int(f[price[i]-'0'] - '0')
	}
	if len(price) == 4 {
		return byte('0' + 3*sum%10)
	}
	// The digit that counts, by five-minus, what is missing to the next ten.
	return byte('0' + strings.IndexByte(fiveMinus, byte('0'+(10-sum%10)%10)))
}
