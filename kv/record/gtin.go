package record

import (
	"errors"
	"fmt"
	"strings"
)

// ErrCheckDigit means that a number's last digit does not fit the others: it was misread or mistyped.
var ErrCheckDigit = errors.New("wrong check digit")

const gtinSize = 14

// CheckDigit computes the check digit of a GTIN from the digits before it (GS1 General Specifications,
// section 7.9.1): from the right, every other digit counts three times.
func CheckDigit(digits string) byte {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 3
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

// HasCheckDigit reports whether the last of some digits is the check digit of those before it.
func HasCheckDigit(digits string) bool {
	n := len(digits) - 1
	return n > 0 && digits[n] == CheckDigit(digits[:n])
}

// ItemCode gives the one form in which an item's code is kept and looked for: a GTIN of 12, 13 or 14 digits
// (UPC-A, EAN-13, GTIN-14) as 14, with zeros before it; eight digits too if their check digit is right
// (EAN-8); any other code as it is. ErrCheckDigit says that 12 to 14 digits are no GTIN; chains have
// codes of their own of eight digits, so those are taken for one.
func ItemCode(s string) (string, error) {
	if err := CheckCode(s); err != nil {
		return "", err
	}
	if !Digits(s) {
		return s, nil
	}
	switch len(s) {
	case 8:
		if !HasCheckDigit(s) {
			return s, nil
		}
	case 12, 13, gtinSize:
		if !HasCheckDigit(s) {
			return "", fmt.Errorf("code %s: %w: want %c at its end", s, ErrCheckDigit, CheckDigit(s[:len(s)-1]))
		}
	default:
		return s, nil
	}
	return strings.Repeat("0", gtinSize-len(s)) + s, nil
}

// Digits reports whether s is one or more of 0 to 9.
func Digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
