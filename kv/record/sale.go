package record

import "fmt"

// SaleAnswer says what the centre knows of a sale that some till or store asks for by its rid: the record,
// and those of all that was given back of it, in the order of the journal. Without records the sale is
// unknown here.
type SaleAnswer struct {
	Records []Receipt // the sale first
	More    bool      // not all of it fits: what is left of the sale cannot be told from it
}

const saleVersion = 1

// MaxSale bounds the raw bytes of the records of an answer.
const MaxSale = MaxPack

// Append appends the answer's binary form to b: raw, for a sale is asked for once in a while.
func (a *SaleAnswer) Append(b []byte) []byte {
	b = append(b, saleVersion, flag(a.More), byte(len(a.Records)>>8), byte(len(a.Records)))
	for i := range a.Records {
		b = a.Records[i].Append(b)
	}
	return b
}

// ReadSaleAnswer reads what Append wrote, and holds each body to its header. Bodies alias b.
func ReadSaleAnswer(b []byte) (a SaleAnswer, err error) {
	r := Reader{B: b}
	version, more := r.U8(), r.U8()
	n := int(r.U8())<<8 | int(r.U8())
	if version != saleVersion || more > 1 || n > len(b)/HeaderSize {
		r.Err = ErrFormat
	}
	a.More = more == 1
	for i := 0; i < n && r.Err == nil; i++ {
		rec := ReadReceipt(&r)
		if r.Err == nil && !rec.CheckBody() {
			r.Err = ErrFormat
		}
		a.Records = append(a.Records, rec)
	}
	if err := r.End(); err != nil {
		return SaleAnswer{}, fmt.Errorf("read answer about a sale: %w", err)
	}
	return a, nil
}
