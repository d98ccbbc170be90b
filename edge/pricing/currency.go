package pricing

import "tillstream/kv/record"

// Exponent gives the number of decimals of a currency in use: see record.Exponent.
func Exponent(code string) (decimals int, ok bool) { return record.Exponent(code) }
