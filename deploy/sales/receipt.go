package sales

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"tillstream/kv/record"
)

// Line is one line of a receipt.
type Line struct {
	Item        string // the chain's code, as the file has it
	Description string
	Quantity    string // a decimal of at most 3 decimals, without idle zeros; negative: a correction
	Amount      int64  // minor units; quantity x unit price, halves away from zero
}

// Receipt is a sale or a return as a file has it. The lines of a return are positive as given back.
type Receipt struct {
	Number   string
	Return   bool
	At       time.Time // of its first row, in the time zone of the stores
	Customer string    // empty: anonymous
	Store    string    // empty: the map names none, see Place
	Till     string    // empty: the map names none, see Place
	Currency string    // ISO 4217
	Lines    []Line
	RID      record.RID // the same for the same source and number, whenever it is read
}

// Total is the sum of the lines' amounts, in minor units. It cannot overflow in a receipt that Read
// or Generate made.
func (r *Receipt) Total() int64 {
	var t int64
	for i := range r.Lines {
		t += r.Lines[i].Amount
	}
	return t
}

// Place spreads receipts over stores x tills, numbered from 0, by a hash of the receipt's number.
// Receipts of one named store or till stay together. Both counts are at least 1.
func (r *Receipt) Place(stores, tills int) (store, till int) {
	h := hash(fnvBasis, r.Number)
	s, t := h, h>>32
	if r.Store != "" {
		s = hash(fnvBasis, r.Store)
	}
	if r.Till != "" {
		t = hash(s, r.Till) >> 32
	}
	return int(s % uint64(stores)), int(t % uint64(tills))
}

const fnvBasis = 14695981039346656037

// hash is FNV-1a with a finisher: numbers that differ in the last digit only must spread evenly.
func hash(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	return h ^ h>>33
}

// identify draws the receipt's rid from its time, its source and its number.
func (r *Receipt) identify(source string) {
	var b []byte
	for _, s := range []string{source, r.Number, r.Store, r.Till} {
		b = binary.AppendUvarint(b, uint64(len(s))) // so that ("a","bc") is not ("ab","c")
		b = append(b, s...)
	}
	r.RID = record.RIDFrom(r.At, record.Hash(sha256.Sum256(b)))
}
