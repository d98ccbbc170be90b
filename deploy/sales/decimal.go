package sales

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
)

// What a till takes (edge/api/openapi.yaml): a row with more would be refused there.
const (
	MaxAmount      = 1_000_000_000_000 // minor units, either way: of a line and of a receipt
	MaxQuantity    = 1_000_000_000     // units, either way
	maxCode        = 64                // characters of an item, a customer or a receipt's number
	maxDescription = 200               // characters
)

// Decimals that are kept of a quantity, and of a price or a line's amount.
const (
	quantityPlaces = 3
	pricePlaces    = 4
)

var (
	errNumber   = errors.New("not a number")
	errDecimals = errors.New("too many decimals")
	errRange    = errors.New("out of range")
)

// parseDecimal reads a number as an integer of 10^-places. More decimals than that are refused,
// unless they are zeros: it never rounds.
func parseDecimal(s []byte, point byte, places int) (int64, error) {
	neg := false
	if len(s) > 0 && (s[0] == '-' || s[0] == '+') {
		neg, s = s[0] == '-', s[1:]
	}
	var v int64
	digits, decimals, after := 0, 0, false
	for _, c := range s {
		if c == point && !after {
			after = true
			continue
		}
		if c < '0' || c > '9' {
			return 0, errNumber
		}
		digits++
		if after {
			if decimals++; decimals > places {
				if c != '0' {
					return 0, errDecimals
				}
				continue
			}
		}
		if v > (math.MaxInt64-9)/10 {
			return 0, errRange
		}
		v = v*10 + int64(c-'0')
	}
	if digits == 0 {
		return 0, errNumber
	}
	for range places - min(decimals, places) {
		if v > math.MaxInt64/10 {
			return 0, errRange
		}
		v *= 10
	}
	if neg {
		v = -v
	}
	return v, nil
}

// lineAmount is quantity (thousandths) times price (ten-thousandths) in minor units of 10^-exponent,
// halves away from zero. The product is exact, in 128 bits.
func lineAmount(quantity, price int64, exponent int) (int64, error) {
	hi, lo := bits.Mul64(magnitude(quantity), magnitude(price))
	v, err := divideRound(hi, lo, quantityPlaces+pricePlaces-exponent)
	if (quantity < 0) != (price < 0) {
		v = -v
	}
	return v, err
}

// roundAmount is an amount in ten-thousandths in minor units, halves away from zero.
func roundAmount(amount int64, exponent int) (int64, error) {
	v, err := divideRound(0, magnitude(amount), pricePlaces-exponent)
	if amount < 0 {
		v = -v
	}
	return v, err
}

// divideRound is hi:lo over 10^places, halves up.
func divideRound(hi, lo uint64, places int) (int64, error) {
	by := uint64(1)
	for range places {
		by *= 10
	}
	lo, carry := bits.Add64(lo, by/2, 0)
	if hi += carry; hi >= by {
		return 0, errRange
	}
	v, _ := bits.Div64(hi, lo, by)
	if v > MaxAmount {
		return 0, errRange
	}
	return int64(v), nil
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// appendQuantity writes thousandths as a decimal without idle zeros: 6, 0.412, -2.5.
func appendQuantity(b []byte, thousandths int64) []byte {
	u := magnitude(thousandths)
	if thousandths < 0 {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, u/1000, 10)
	if u %= 1000; u != 0 {
		b = append(b, '.', byte('0'+u/100), byte('0'+u/10%10), byte('0'+u%10))
		for b[len(b)-1] == '0' {
			b = b[:len(b)-1]
		}
	}
	return b
}
