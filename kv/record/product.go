package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unit is what a quantity of an item counts. Its values are on disk: never change one.
type Unit uint8

// Units.
const (
	UnitPiece    Unit = 0
	UnitKilogram Unit = 1
	UnitLitre    Unit = 2
	UnitMetre    Unit = 3
)

var unitNames = [...]string{UnitPiece: "pc", UnitKilogram: "kg", UnitLitre: "l", UnitMetre: "m"}

func (u Unit) String() string {
	if int(u) < len(unitNames) {
		return unitNames[u]
	}
	return fmt.Sprintf("unit %d", uint8(u))
}

// ParseUnit reads pc, kg, l or m.
func ParseUnit(s string) (Unit, error) {
	for u, name := range unitNames {
		if s == name {
			return Unit(u), nil
		}
	}
	return 0, fmt.Errorf("unit: %w: want pc, kg, l or m", ErrProduct)
}

// ErrProduct means that a value is none that an item may have.
var ErrProduct = errors.New("not an item")

// Limits of a Product. A till prints names, and holds all of them in memory.
const (
	MaxProductName = 120 // characters
	MaxCategory    = 200 // bytes
	MaxTags        = 16
	MaxAge         = 99
	MaxFloorPrice  = 1_000_000_000_000
)

// Product is what is known of an item: by its code, which is a GTIN of 14 digits, or the chain's own.
type Product struct {
	Name       string
	Category   string // path, such as food/dairy/milk; empty: none
	Tags       []string
	Unit       Unit  // what one of it is; all but pieces are weighed or measured
	MinAge     uint8 // years that who buys it has to be; 0: any
	FloorPrice int64 // least price of one unit, in minor units; 0: none
	NoDiscount bool  // no promotion touches it
	NoPoints   bool  // it earns none, and points do not pay it
}

const productVersion = 1

const (
	flagNoDiscount = 1 << iota
	flagNoPoints
)

// Check says what is wrong with the product, by the names that an import has for its fields.
func (p *Product) Check() error {
	if n := utf8.RuneCountInString(p.Name); n == 0 || n > MaxProductName || !printable(p.Name) {
		return fmt.Errorf("name: %w: want 1 to %d printable characters", ErrProduct, MaxProductName)
	}
	if p.Category != "" {
		if err := checkCategory(p.Category); err != nil {
			return err
		}
	}
	if len(p.Tags) > MaxTags {
		return fmt.Errorf("tags: %w: want at most %d", ErrProduct, MaxTags)
	}
	for _, t := range p.Tags {
		if !word(t) {
			return fmt.Errorf("tags: %w: want words of 1 to 64 of a-z, 0-9, '_' and '-'", ErrProduct)
		}
	}
	switch {
	case int(p.Unit) >= len(unitNames):
		return fmt.Errorf("unit: %w: want pc, kg, l or m", ErrProduct)
	case p.MinAge > MaxAge:
		return fmt.Errorf("min_age: %w: want 0 to %d", ErrProduct, MaxAge)
	case p.FloorPrice < 0 || p.FloorPrice > MaxFloorPrice:
		return fmt.Errorf("floor_price: %w: want 0 to %d", ErrProduct, int64(MaxFloorPrice))
	}
	return nil
}

func checkCategory(path string) error {
	if len(path) > MaxCategory {
		return fmt.Errorf("category: %w: want at most %d bytes", ErrProduct, MaxCategory)
	}
	for part := range strings.SplitSeq(path, "/") {
		if !word(part) {
			return fmt.Errorf("category: %w: want words of 1 to 64 of a-z, 0-9, '_' and '-', parted by '/'", ErrProduct)
		}
	}
	return nil
}

// word reports whether s could be a token of a subject: what a promotion names.
func word(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// CheckCode reports whether s can be the code of an item: 1 to 64 printable ASCII characters, no blank.
func CheckCode(s string) error {
	ok := s != "" && len(s) <= MaxRefKey
	for i := 0; ok && i < len(s); i++ {
		ok = s[i] > ' ' && s[i] < 0x7f
	}
	if !ok {
		return fmt.Errorf("code: %w: want 1 to %d ASCII characters without blanks", ErrProduct, MaxRefKey)
	}
	return nil
}

// Append appends the product's binary form to b.
func (p *Product) Append(b []byte) []byte {
	flags := byte(0)
	if p.NoDiscount {
		flags |= flagNoDiscount
	}
	if p.NoPoints {
		flags |= flagNoPoints
	}
	b = append(b, productVersion, flags, byte(p.Unit), p.MinAge)
	b = binary.AppendUvarint(b, uint64(p.FloorPrice))
	b = appendText(b, p.Name)
	b = appendText(b, p.Category)
	b = binary.AppendUvarint(b, uint64(len(p.Tags)))
	for _, t := range p.Tags {
		b = appendText(b, t)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ReadProduct reads what Append wrote. The product's texts are parts of s: reading allocates nothing but
// the list of tags.
func ReadProduct(s string) (p Product, err error) {
	r := textReader{s: s}
	version, flags := r.u8(), r.u8()
	p.NoDiscount, p.NoPoints = flags&flagNoDiscount != 0, flags&flagNoPoints != 0
	p.Unit, p.MinAge = Unit(r.u8()), r.u8()
	floor := r.uvarint()
	p.FloorPrice = int64(min(floor, MaxFloorPrice))
	p.Name, p.Category = r.text(), r.text()
	n := r.uvarint()
	r.bad = r.bad || n > uint64(len(r.s))
	for i := uint64(0); i < n && !r.bad; i++ {
		p.Tags = append(p.Tags, r.text())
	}
	if r.bad || r.s != "" || version != productVersion || flags > flagNoDiscount|flagNoPoints || floor > MaxFloorPrice {
		return Product{}, fmt.Errorf("item: %w", ErrFormat)
	}
	return p, nil
}

// textReader takes fields off the front of a string.
type textReader struct {
	s   string
	bad bool
}

func (r *textReader) u8() byte {
	if r.bad || r.s == "" {
		r.bad = true
		return 0
	}
	c := r.s[0]
	r.s = r.s[1:]
	return c
}

// uvarint refuses a number that could be shorter, as Reader does.
func (r *textReader) uvarint() (v uint64) {
	for shift := 0; ; shift += 7 {
		c := r.u8()
		if r.bad || shift == 63 && c > 1 || c == 0 && shift > 0 {
			r.bad = true
			return 0
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
}

func (r *textReader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.s)) {
		r.bad = true
		return ""
	}
	s := r.s[:n]
	r.s = r.s[n:]
	return s
}
