package books

import (
	"encoding/binary"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Tables of the books' history.
const (
	// TablePostings: account, entry, index within the entry -> Posting.
	TablePostings fold.Table = 1
	// TableReceipts: chain, seq -> where the record went (Fate, entry, rid).
	TableReceipts fold.Table = 2
	// TableIncidents: entry, index -> text for ops.
	TableIncidents fold.Table = 3
)

// Posting is one transaction's lines in a shopper's account. The four sum to zero.
type Posting struct {
	Entry    uint64
	Index    uint32 // within the entry
	At       int64  // Unix milliseconds of the entry
	RID      record.RID
	Kind     record.Kind
	Shopper  int64 // into SHOPPER: + earned, - taken back
	Debt     int64 // into DEBT: + repaid, - owed
	Issued   int64 // into ISSUED: never positive
	Returned int64 // into RETURNED: never negative
}

const postingVersion = 1

func (p *Posting) key(a record.AccountID) []byte {
	k := record.AppendU64(append(make([]byte, 0, 16+8+4), a[:]...), p.Entry)
	return binary.BigEndian.AppendUint32(k, p.Index)
}

func (p *Posting) value() []byte {
	b := make([]byte, 0, 2+16+8*5)
	b = append(b, postingVersion, byte(p.Kind))
	b = append(b, p.RID[:]...)
	for _, v := range [...]int64{p.At, p.Shopper, p.Debt, p.Issued, p.Returned} {
		b = record.AppendU64(b, uint64(v))
	}
	return b
}

// ReadPosting reads a row of TablePostings.
func ReadPosting(key, value []byte) (a record.AccountID, p Posting, err error) {
	k := record.Reader{B: key}
	k.Fill(a[:])
	p.Entry, p.Index = k.U64(), k.U32()
	r := record.Reader{B: value}
	if r.U8() != postingVersion && r.Err == nil {
		r.Err = record.ErrFormat
	}
	p.Kind = record.Kind(r.U8())
	r.Fill(p.RID[:])
	p.At, p.Shopper, p.Debt, p.Issued, p.Returned = r.I64(), r.I64(), r.I64(), r.I64(), r.I64()
	if err := k.End(); err != nil {
		return a, p, err
	}
	return a, p, r.End()
}

// Fate is what became of a record.
type Fate byte

// Fates of a record.
const (
	FatePosted Fate = 1
	FateRepeat Fate = 2 // its rid had been posted: only the mark moved
	FateStart  Fate = 3 // begins a chain
)

func receiptRow(h *record.Header, fate Fate, entry uint64) fold.Row {
	key := record.AppendU64(append(make([]byte, 0, 16+8), h.Chain[:]...), h.Seq)
	value := record.AppendU64(append(make([]byte, 0, 1+8+16), byte(fate)), entry)
	return fold.Row{Table: TableReceipts, Key: key, Value: append(value, h.RID[:]...)}
}

// ReadFate reads a row of TableReceipts.
func ReadFate(key, value []byte) (c record.ChainID, seq uint64, fate Fate, entry uint64, rid record.RID, err error) {
	k := record.Reader{B: key}
	k.Fill(c[:])
	seq = k.U64()
	r := record.Reader{B: value}
	fate, entry = Fate(r.U8()), r.U64()
	r.Fill(rid[:])
	if err := k.End(); err != nil {
		return c, seq, fate, entry, rid, err
	}
	return c, seq, fate, entry, rid, r.End()
}
