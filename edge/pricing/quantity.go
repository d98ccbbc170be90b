package pricing

import "math/bits"

const (
	quantityReason = "want a decimal number with at most 3 decimals, as a string"
	thousand       = 1000
)

// thousandths reads a quantity: an optional minus, digits without a leading zero, at most three
// decimals. It gives a reason when s is none.
func thousandths(s string) (q int64, reason string) {
	negative := s != "" && s[0] == '-'
	if negative {
		s = s[1:]
	}
	i := 0
	for ; i < len(s) && isDigit(s[i]); i++ {
		if q = q*10 + int64(s[i]-'0'); q > MaxQuantity {
			return 0, "larger than 1000000000"
		}
	}
	if i == 0 || i > 1 && s[0] == '0' {
		return 0, quantityReason
	}
	q *= thousand
	if rest := s[i:]; rest != "" {
		if rest[0] != '.' || len(rest) < 2 || len(rest) > 4 {
			return 0, quantityReason
		}
		for k, unit := 1, int64(100); k < len(rest); k, unit = k+1, unit/10 {
			if !isDigit(rest[k]) {
				return 0, quantityReason
			}
			q += int64(rest[k]-'0') * unit
		}
	}
	if q > MaxQuantity*thousand {
		return 0, "larger than 1000000000"
	}
	if negative {
		q = -q
	}
	return q, ""
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// extend gives price times a quantity in thousandths, rounded to the minor unit, halves away from
// zero, and whether that is within MaxMoney. The product has up to 80 bits before it is divided.
func extend(price, quantity int64) (int64, bool) {
	hi, lo := bits.Mul64(magnitude(price), magnitude(quantity))
	lo, carry := bits.Add64(lo, thousand/2, 0)
	hi += carry
	if hi >= thousand { // the quotient would not fit 64 bits
		return 0, false
	}
	gross, _ := bits.Div64(hi, lo, thousand)
	if gross > MaxMoney {
		return 0, false
	}
	if (price < 0) != (quantity < 0) {
		return -int64(gross), true
	}
	return int64(gross), true
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}
