package pricing

import (
	"fmt"
	"strconv"

	"tillstream/kv/record"
)

// Basket is what is bought, or given back.
type Basket struct {
	Currency string      // ISO 4217 code, such as "EUR"
	Kind     record.Kind // KindSale or KindReturn
	Lines    []Line      // at most record.MaxLines
}

// Line is one line of a basket. Results name it by its LineID, never by its position.
type Line struct {
	LineID      string
	Item        string // code as scanned, or the chain's own
	Description string
	Quantity    string // decimal, at most 3 decimals and MaxQuantity either way; a return's is positive as given back
	Unit        string // "pc", "kg", "l", "m", or "" when the POS does not say; pieces are whole
	UnitPrice   int64  // minor units for one Unit
	Amount      *int64 // minor units of the whole line as a label or scale printed it: wins over UnitPrice
}

// Limits of a basket's numbers.
const (
	MaxMoney    = 1_000_000_000_000 // minor units, either way: of a price, an amount and a total
	MaxQuantity = 1_000_000_000     // units, either way
)

// FieldError says what is wrong with which part of a basket. It repeats no value.
type FieldError struct {
	Field  string // JSON pointer (RFC 6901), such as "/lines/3/quantity"
	Reason string
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Reason) }

func lineError(i int, field, reason string) error {
	return &FieldError{"/lines/" + strconv.Itoa(i) + "/" + field, reason}
}
