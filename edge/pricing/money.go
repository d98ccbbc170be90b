package pricing

import "math/bits"

const percentWhole = 100_00 // a hundred percent in hundredths of one

// muldiv gives a times b by c, rounded down, and what is left. None of them is below zero, c is above
// it. What does not fit is math.MaxInt64: more than any amount of money.
func muldiv(a, b, c int64) (quotient, rest int64) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi == 0 && lo>>63 == 0 { // one division is enough, and nearly always is
		return int64(lo) / c, int64(lo) % c
	}
	if hi >= uint64(c) {
		return 1<<63 - 1, 0
	}
	q, r := bits.Div64(hi, lo, uint64(c))
	if q>>63 != 0 {
		return 1<<63 - 1, 0
	}
	return int64(q), int64(r)
}

// halfUp gives a times b by c, rounded to the nearest, a half up: towards the larger discount.
func halfUp(a, b, c int64) int64 {
	q, r := muldiv(a, b, c)
	if r >= c-r {
		q++
	}
	return q
}

// roundUp gives a times b by c, rounded up.
func roundUp(a, b, c int64) int64 {
	q, r := muldiv(a, b, c)
	if r > 0 {
		q++
	}
	return q
}

// times gives a times n, and MaxMoney where it is more: nothing is ever worth more than that.
func times(a, n int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(n))
	if hi > 0 || lo > MaxMoney {
		return MaxMoney
	}
	return int64(lo)
}
