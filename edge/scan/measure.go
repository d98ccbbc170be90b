package scan

import (
	"fmt"
	"strings"

	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// Measure is what a label of an item that is weighed or priced in the store says.
type Measure struct {
	Carries  setting.Carries
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

// measure takes weight or price out of a code that has one.
func (s *Scanner) measure(c Code, digits string) (Code, error) {
	if c.Symbology != EAN13 && c.Symbology != UPCA || c.AddOn != "" {
		return c, nil
	}
	if len(digits) == setting.InStoreDigits-1 {
		digits = "0" + digits
	}
	var l *setting.Layout
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
	head, rest := digits[:at], digits[at:setting.InStoreDigits-1]
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
