package scan

import (
	"errors"
	"fmt"
	"strings"

	"tillstream/kv/record"
	"tillstream/kv/setting"
)

// What a code can be refused for.
var (
	// ErrCode means that a text is no code: empty, too long, or with what no scanner sends.
	ErrCode = errors.New("not a code")
	// ErrPaymentCard means that it may be a payment card's number: it is never kept, sent or logged.
	ErrPaymentCard = errors.New("that is a payment card")
	// ErrNotYet means that it is of a kind that is not read yet.
	ErrNotYet = errors.New("codes of this kind are not read yet")
)

// MaxCode is the greatest length of a code, in bytes.
const MaxCode = 128

// Kind is what a code names.
type Kind string

// Kinds. Others may follow.
const (
	Item Kind = "item" // Code.Item is its code in the item master
	Card Kind = "card" // Code.Card is the number of a loyalty card
	// Coupon has an EAN-13 of the ranges that GS1 keeps for coupons (981 to 984, 99), which is in Code.Item.
	Coupon  Kind = "coupon"
	Receipt Kind = "receipt" // Code.Receipt names it
	Other   Kind = "other"   // an item's or coupon's of the chain's own numbering: Code.Item is what it says
)

// Symbology is what kind of label a code was on, as far as it can be told.
type Symbology string

// Symbologies.
const (
	EAN8    Symbology = "ean8"
	EAN13   Symbology = "ean13"
	UPCA    Symbology = "upca"
	UPCE    Symbology = "upce"
	GTIN14  Symbology = "gtin14"
	InStore Symbology = "instore" // 13 digits with a weight or price in them
	Unknown Symbology = ""
)

// Code is what was scanned.
type Code struct {
	Kind      Kind
	Symbology Symbology
	Item      string // in the form of record.ItemCode; a weight or price in it is put to zeros
	Card      string // digits
	Receipt   record.RID
	AddOn     string   // two or five digits of a magazine's or book's label
	Measure   *Measure // what the label says beyond the item; nil: nothing
}

// Config says what a chain's codes look like: the setting of that name.
type Config = setting.Scan

// Scanner reads codes. It is safe for many goroutines.
type Scanner struct {
	cfg Config
	own []string // card prefixes
}

// New makes a Scanner, or says what is wrong with the configuration.
func New(cfg Config) (*Scanner, error) {
	errs := []error{cfg.Check()}
	if cfg.Country != "" && !isCountry(cfg.Country) {
		errs = append(errs, errors.New("country: want one whose phone numbers are known, such as DE"))
	}
	s := &Scanner{cfg: cfg}
	for _, c := range cfg.Cards {
		s.own = append(s.own, c.Prefix)
	}
	return s, errors.Join(errs...)
}

// Read says what a code is.
func (s *Scanner) Read(text string) (Code, error) {
	text = strings.TrimRight(text, "\r\n\t") // what scanners send after a code
	text, symbology, err := unmark(text)
	if err != nil {
		return Code{}, err
	}
	if text == "" || len(text) > MaxCode {
		return Code{}, fmt.Errorf("%w: want 1 to %d characters", ErrCode, MaxCode)
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return Code{}, fmt.Errorf("%w: a character that no label has", ErrCode)
		}
	}
	if !record.Digits(text) {
		return s.words(text)
	}
	if c, ok, err := s.card(text); ok || err != nil {
		return c, err
	}
	if c, ok := s.item(text, symbology); ok {
		if c.Symbology == EAN13 && isCoupon(text) {
			c.Kind = Coupon
			return c, nil
		}
		return s.measure(c, text)
	}
	if HoldsPaymentCard(text, false, s.own) {
		return Code{}, ErrPaymentCard
	}
	switch len(text) {
	case 8, 12, 13, 14:
		return Code{}, fmt.Errorf("%d digits: %w", len(text), record.ErrCheckDigit)
	}
	return other(text)
}

// isCoupon reports whether 13 digits are of GS1's ranges for coupons (GS1 General Specifications, section 1.4.4).
func isCoupon(digits string) bool {
	return digits[:2] == "99" || digits[:2] == "98" && digits[2] >= '1' && digits[2] <= '4'
}

// words reads what is not only digits.
func (s *Scanner) words(text string) (Code, error) {
	if rid, err := record.ParseRID(text); err == nil {
		return Code{Kind: Receipt, Receipt: rid}, nil
	}
	if HoldsPaymentCard(text, false, s.own) {
		return Code{}, ErrPaymentCard
	}
	return other(text)
}

func other(text string) (Code, error) {
	if record.CheckCode(text) != nil {
		return Code{}, fmt.Errorf("%w: want at most %d characters without blanks", ErrCode, record.MaxRefKey)
	}
	return Code{Kind: Other, Item: text}, nil
}

// unmark takes a scanner's symbology identifier (ISO/IEC 15424) off the front of a code.
func unmark(text string) (rest string, is Symbology, err error) {
	if len(text) < 3 || text[0] != ']' {
		return text, Unknown, nil
	}
	switch mark := text[:3]; mark {
	case "]C1", "]e0", "]e1", "]e2", "]d2", "]Q3", "]J1": // GS1-128, DataBar, Data Matrix, QR, DotCode
		return "", Unknown, ErrNotYet
	case "]E4":
		return text[3:], EAN8, nil
	default:
		return text[3:], Unknown, nil
	}
}

// card reads a number with one of the chain's prefixes. One that has the prefix and the length of a card,
// but not its check digit, is a misread card unless it is an item's code.
func (s *Scanner) card(digits string) (c Code, ok bool, err error) {
	for i := range s.cfg.Cards {
		k := &s.cfg.Cards[i]
		if !strings.HasPrefix(digits, k.Prefix) || !long(k, len(digits)) {
			continue
		}
		if checked(k, digits) {
			return Code{Kind: Card, Card: digits}, true, nil
		}
		err = fmt.Errorf("card number: %w", record.ErrCheckDigit)
	}
	if _, item := s.item(digits, Unknown); item {
		return c, false, nil
	}
	return c, false, err
}

func long(k *setting.Cards, n int) bool {
	if k.Digits != 0 {
		return n == k.Digits
	}
	return n >= setting.MinCardDigits && n <= setting.MaxCardDigits
}

func checked(k *setting.Cards, digits string) bool {
	switch k.Check {
	case setting.CheckEAN:
		return record.HasCheckDigit(digits)
	case setting.CheckNone:
		return true
	}
	return Luhn(digits)
}

// item reads the codes of items that have a check digit.
func (s *Scanner) item(digits string, is Symbology) (c Code, ok bool) {
	c = Code{Kind: Item}
	body := digits
	switch len(digits) {
	case 8:
		if wide, ok := expand(digits); ok && s.cfg.UPCE && is != EAN8 {
			c.Symbology, body = UPCE, wide
		} else {
			c.Symbology = EAN8
		}
	case 12:
		c.Symbology = UPCA
	case 13:
		c.Symbology = EAN13
	case 14:
		c.Symbology = GTIN14
	case 15, 18:
		c.Symbology, c.AddOn, body = EAN13, digits[13:], digits[:13]
		if digits[:2] != "97" { // only what is printed has them; others may be payment cards
			return c, false
		}
	case 17:
		c.Symbology, c.AddOn, body = UPCA, digits[12:], digits[:12]
		if digits[0] != '0' {
			return c, false
		}
	default:
		return c, false
	}
	if !record.HasCheckDigit(body) {
		return c, false
	}
	var err error
	c.Item, err = record.ItemCode(body)
	return c, err == nil
}

// expand gives the UPC-A number of a UPC-E number of eight digits (GS1 General Specifications, section
// 5.2.2.4.2: zero suppression), if the check digit is that number's.
func expand(e string) (string, bool) {
	if e[0] != '0' && e[0] != '1' {
		return "", false
	}
	maker, item := "", ""
	switch d := e[6]; d {
	case '0', '1', '2':
		maker, item = e[1:3]+string(d)+"00", "00"+e[3:6]
	case '3':
		maker, item = e[1:4]+"00", "000"+e[4:6]
	case '4':
		maker, item = e[1:5]+"0", "0000"+e[5:6]
	default:
		maker, item = e[1:6], "0000"+string(d)
	}
	wide := e[:1] + maker + item + e[7:]
	return wide, record.HasCheckDigit(wide)
}
