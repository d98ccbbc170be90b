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
	Points   int64  // sale: earned; return and void: taken back; never negative
	Spent    int64  // sale: points that paid a part of it; return and void: given back; never negative
	Chain    ChainID
	RID      RID // a start record has none
	Account  AccountID
	Prev     Hash   // Hash of the header before; zero for seq 1
	Body     Hash   // SHA-256 of the body
	BodySize uint32 // bytes
	Hold     RID    // sale: the hold that it uses up, by its id; zero: none
	Of       RID    // return and void: the sale that it gives back from; zero: it names none
	Rearm    bool   // return and void: the coupons of the sale's hold may be used again
}

// A header's binary form is HeaderSize bytes, and up to MaxHeaderSize where points or a coupon were spent
// or the record names a sale: few do.
const (
	HeaderSize    = 4 + 4 + 4 + 8 + 8 + 8 + 16*3 + 32*2 + 4
	MaxHeaderSize = HeaderSize + 8 + 16 + 16
)

const (
	headerVersion  = 1
	headerVersion2 = 2 // with what a record spends, uses up, or gives back from
)

// Parts of a header of version 2.
const (
	headerSpends = 1 << iota // Spent and Hold
	headerOf
	headerRearms
)

// parts says what the header has beside what all have.
func (h *Header) parts() (p byte) {
	if h.Spent != 0 || h.Hold != (RID{}) {
		p |= headerSpends
	}
	if h.Of != (RID{}) {
		p |= headerOf
	}
	if h.Rearm {
		p |= headerRearms
	}
	return p
}

// Size is the length of the header's binary form.
func (h *Header) Size() int {
	n, p := HeaderSize, h.parts()
	if p&headerSpends != 0 {
		n += 8 + 16
	}
	if p&headerOf != 0 {
		n += 16
	}
	return n
}

// Append appends the header's binary form to b.
func (h *Header) Append(b []byte) []byte {
	version, p := byte(headerVersion), h.parts()
	if p != 0 {
		version = headerVersion2
	}
	b = append(b, version, byte(h.Kind), p, 0)
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
	b = binary.BigEndian.AppendUint32(b, h.BodySize)
	if p&headerSpends != 0 {
		b = append(binary.BigEndian.AppendUint64(b, uint64(h.Spent)), h.Hold[:]...)
	}
	if p&headerOf != 0 {
		b = append(b, h.Of[:]...)
	}
	return b
}

// Hash is what the next header's Prev must be.
func (h *Header) Hash() Hash {
	var buf [MaxHeaderSize]byte
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
	if r.Err == nil && v == headerVersion2 {
		if pad[0]&headerSpends != 0 {
			h.Spent = r.I64()
			r.Fill(h.Hold[:])
		}
		if pad[0]&headerOf != 0 {
			r.Fill(h.Of[:])
		}
		h.Rearm = pad[0]&headerRearms != 0
	}
	switch {
	case r.Err != nil:
	case v != headerVersion && v != headerVersion2, (v == headerVersion2) != (pad[0] != 0),
		pad[0] != h.parts() || pad[1] != 0, // a record has one binary form
		h.Spent < 0 || h.Spent > MaxPoints,
		h.Kind != KindSale && h.Hold != RID{}, h.Kind == KindSale && h.Of != RID{}, h.Rearm && h.Of == RID{},
		k == KindStart && pad[0] != 0,
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
