package record

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"tillstream/subjects"
)

// Limits of one receipt (DESIGN §6).
const (
	MaxLines = 2000
	MaxBody  = 512 << 10 // bytes
)

// Kind says what a record is. Its values are on disk: never change one.
type Kind uint8

// Kinds of record.
const (
	KindStart  Kind = 1 // first record of a chain; its body is a Start
	KindSale   Kind = 2
	KindReturn Kind = 3
	KindVoid   Kind = 4
)

func (k Kind) String() string {
	switch k {
	case KindStart:
		return "start"
	case KindSale:
		return "sale"
	case KindReturn:
		return "return"
	case KindVoid:
		return "void"
	}
	return fmt.Sprintf("kind-%d", uint8(k))
}

// Header is the fixed part of a record: all that the books read. The body behind it is opaque bytes
// that only its hash ties to the header.
type Header struct {
	Kind     Kind   // a start record has no rid, account, points or prev
	Day      uint32 // business date, as the number yyyymmdd
	Rules    uint32 // revision of the rules that computed Points
	Seq      uint64 // from 1, without a gap within the chain
	At       int64  // when the sale was completed, Unix milliseconds by the POS
	Points   int64  // sale: earned; return: taken back; never negative
	Chain    ChainID
	RID      RID // a start record has none
	Account  AccountID
	Prev     Hash   // Hash of the header before; zero for seq 1
	Body     Hash   // SHA-256 of the body
	BodySize uint32 // bytes
}

// HeaderSize is the length of a header's binary form.
const HeaderSize = 4 + 4 + 4 + 8 + 8 + 8 + 16*3 + 32*2 + 4

const headerVersion = 1

// Append appends the header's binary form to b.
func (h *Header) Append(b []byte) []byte {
	b = append(b, headerVersion, byte(h.Kind), 0, 0)
	b = binary.BigEndian.AppendUint32(b, h.Day)
	b = binary.BigEndian.AppendUint32(b, h.Rules)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(h.At))
	b = binary.BigEndian.AppendUint64(b, uint64(h.Points))
	b = append(b, h.Chain[:]...)
	b = append(b, h.RID[:]...)
	b = append(b, h.Account[:]...)
	b = append(b, h.Prev[:]...)
	b = append(b, h.Body[:]...)
	return binary.BigEndian.AppendUint32(b, h.BodySize)
}

// Hash is what the next header's Prev must be.
func (h *Header) Hash() Hash {
	var buf [HeaderSize]byte
	return Hash(sha256.Sum256(h.Append(buf[:0])))
}

// ReadHeader takes a header off r. It refuses kinds and versions that it does not know, and numbers
// out of range.
func ReadHeader(r *Reader) (h Header) {
	v, k := r.U8(), Kind(r.U8())
	pad := r.Bytes(2)
	h = Header{Kind: k, Day: r.U32(), Rules: r.U32(), Seq: r.U64(), At: r.I64(), Points: r.I64()}
	r.Fill(h.Chain[:])
	r.Fill(h.RID[:])
	r.Fill(h.Account[:])
	r.Fill(h.Prev[:])
	r.Fill(h.Body[:])
	h.BodySize = r.U32()
	switch {
	case r.Err != nil:
	case v != headerVersion || pad[0] != 0 || pad[1] != 0,
		k < KindStart || k > KindVoid,
		h.Seq == 0 || h.Points < 0 || h.Points > MaxPoints || h.BodySize > MaxBody,
		(k == KindStart) != (h.Seq == 1), h.Chain.IsZero(),
		// A receipt without a rid would be posted once, and every later one taken for its repeat.
		(k == KindStart) != (h.RID == RID{}),
		k == KindStart && (h.Points != 0 || !h.Account.IsZero() || h.Prev != Hash{}):
		r.Err = ErrFormat
	}
	return h
}

// MaxPoints bounds the points of one receipt, so that no sum over any chain's life overflows.
const MaxPoints = 1e12

// Receipt is a record: a header and its body.
type Receipt struct {
	Header
	Data []byte // the body
}

// Append appends the record's binary form, header then body, to b.
func (r *Receipt) Append(b []byte) []byte { return append(r.Header.Append(b), r.Data...) }

// ReadReceipt takes a record off r. Data aliases r.B; its hash is not checked.
func ReadReceipt(r *Reader) Receipt {
	h := ReadHeader(r)
	return Receipt{Header: h, Data: r.Bytes(int(h.BodySize))}
}

// CheckBody reports whether the body is the one that the header names.
func (r *Receipt) CheckBody() bool { return Hash(sha256.Sum256(r.Data)) == r.Body }

// Tip is the last record of a chain that someone holds.
type Tip struct {
	Chain ChainID
	Seq   uint64
	Hash  Hash // of that record's header
}

// Start is the body of a chain's first record: whose chain it is, and the tip of the chain that the
// till's disk held when the process started. A disk image put back names a tip that the centre has
// passed, and that is how it is noticed.
type Start struct {
	Store subjects.StoreID
	Till  subjects.TillID
	Found Tip // zero: a new disk
}

// Append appends the start's binary form to b.
func (s *Start) Append(b []byte) []byte {
	b = AppendBlob(b, []byte(s.Store.String()))
	b = AppendBlob(b, []byte(s.Till.String()))
	b = append(b, s.Found.Chain[:]...)
	b = binary.BigEndian.AppendUint64(b, s.Found.Seq)
	return append(b, s.Found.Hash[:]...)
}

// ReadStart reads what Append wrote.
func ReadStart(b []byte) (s Start, err error) {
	r := Reader{B: b}
	store, till := string(r.Blob()), string(r.Blob())
	r.Fill(s.Found.Chain[:])
	s.Found.Seq = r.U64()
	r.Fill(s.Found.Hash[:])
	if err := r.End(); err != nil {
		return Start{}, fmt.Errorf("start: %w", err)
	}
	if s.Store, err = subjects.ParseStoreID(store); err != nil {
		return Start{}, fmt.Errorf("start: %w: store %w", ErrFormat, err)
	}
	if s.Till, err = subjects.ParseTillID(till); err != nil {
		return Start{}, fmt.Errorf("start: %w: till %w", ErrFormat, err)
	}
	return s, nil
}
