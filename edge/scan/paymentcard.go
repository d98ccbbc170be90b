package scan

import (
	"strings"

	"tillstream/kv/record"
)

// issuer is a range of first digits and the lengths of the numbers that begin so.
type issuer struct {
	first, last string // of the same length
	min, max    int    // digits of the number
}

// issuers are the ranges of the payment card schemes (ISO/IEC 7812), numbers of 15 to 19 digits only.
var issuers = [...]issuer{
	{"34", "34", 15, 15}, {"37", "37", 15, 15}, // American Express
	{"4", "4", 16, 19},                             // Visa, and cards with two brands
	{"51", "55", 16, 16}, {"2221", "2720", 16, 16}, // Mastercard
	{"50", "50", 15, 19}, {"56", "58", 15, 19}, // Maestro
	{"63", "63", 15, 19}, {"67", "67", 15, 19}, // Maestro, girocard
	{"300", "305", 16, 19}, {"3095", "3095", 16, 19}, {"36", "36", 16, 19}, {"38", "39", 16, 19}, // Diners Club
	{"6011", "6011", 16, 19}, {"644", "649", 16, 19}, {"65", "65", 16, 19}, // Discover, RuPay, Elo
	{"3528", "3589", 16, 19},                   // JCB
	{"62", "62", 16, 19}, {"81", "82", 16, 19}, // UnionPay, RuPay
	{"6069", "6085", 16, 16}, // RuPay, Hipercard's neighbours
	{"2200", "2205", 16, 19}, // Mir, Borica
	{"9792", "9792", 16, 16}, // Troy
	{"1", "1", 15, 15},       // UATP
}

const (
	minCard = 15 // digits
	maxCard = 19
)

// HoldsPaymentCard reports whether text holds the number of a payment card: 15 to 19 digits, in
// groups parted by one blank or dash or in one piece, with a valid check digit, in an issuer's range.
// Numbers that begin with one of the chain's own prefixes are not. In a field for items, a number that
// is an EAN with its two or five digits of add-on (a magazine, a book) is not either. A UUID is none
// wherever it stands: one rid in some thousands has groups of digits that would pass.
func HoldsPaymentCard(text string, item bool, own []string) bool {
	if len(text) < minCard {
		return false
	}
	for i := 0; i < len(text); {
		if n := uuidAt(text, i); n > 0 {
			i += n
			continue
		}
		if !isDigit(text[i]) {
			i++
			continue
		}
		if cardFrom(text[i:], item, own) {
			return true
		}
		for i < len(text) && isDigit(text[i]) { // on to the next group
			i++
		}
	}
	return false
}

// uuidAt gives the length of the UUID that stands at text[i:], or 0.
func uuidAt(text string, i int) int {
	const size = 36
	if len(text)-i < size || text[i+8] != '-' || i > 0 && isHex(text[i-1]) {
		return 0
	}
	if len(text)-i > size && isHex(text[i+size]) {
		return 0
	}
	for k := range size {
		switch c := text[i+k]; k {
		case 8, 13, 18, 23:
			if c != '-' {
				return 0
			}
		default:
			if !isHex(c) {
				return 0
			}
		}
	}
	return size
}

func isHex(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' }

// cardFrom reports whether a payment card's number begins text: whole groups of digits, from the
// first on.
func cardFrom(text string, item bool, own []string) bool {
	var digits [maxCard]byte
	n := 0
	for i := 0; i < len(text); {
		for ; i < len(text) && isDigit(text[i]); i++ {
			if n == maxCard {
				return false
			}
			digits[n] = text[i]
			n++
		}
		if n >= minCard && isPaymentCard(string(digits[:n]), item, own) {
			return true
		}
		// One blank or dash, and digits after it, belong to the number.
		if i+1 >= len(text) || text[i] != ' ' && text[i] != '-' || !isDigit(text[i+1]) {
			return false
		}
		i++
	}
	return false
}

func isPaymentCard(number string, item bool, own []string) bool {
	for _, prefix := range own {
		if strings.HasPrefix(number, prefix) {
			return false
		}
	}
	if item && (len(number) == 15 || len(number) == 18) && record.HasCheckDigit(number[:13]) {
		return false
	}
	return inIssuerRange(number) && Luhn(number)
}

func inIssuerRange(number string) bool {
	for i := range issuers {
		r := &issuers[i]
		if head := number[:len(r.first)]; head >= r.first && head <= r.last && len(number) >= r.min && len(number) <= r.max {
			return true
		}
	}
	return false
}

// Luhn checks the last digit of a card's number (ISO/IEC 7812-1, annex B).
func Luhn(number string) bool {
	sum := 0
	for i := range len(number) {
		d := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
