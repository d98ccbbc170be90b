package record

import (
	"encoding/binary"
	"errors"
)

// ErrFormat means that bytes are not the record they should be: cut short, too long, or of a version
// this program does not know.
var ErrFormat = errors.New("malformed record")

// Reader takes fields off the front of B. After the first that is not there it gives zero values,
// and Err says so; check it once, at the end.
type Reader struct {
	B   []byte
	Err error
}

// Bytes takes n bytes, which alias B.
func (r *Reader) Bytes(n int) []byte {
	if r.Err != nil || n < 0 || n > len(r.B) {
		r.Err = ErrFormat
		r.B = nil
		return nil
	}
	b := r.B[:n:n]
	r.B = r.B[n:]
	return b
}

// Fill takes len(dst) bytes into dst.
func (r *Reader) Fill(dst []byte) { copy(dst, r.Bytes(len(dst))) }

// U8 takes a byte.
func (r *Reader) U8() uint8 {
	if b := r.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// U32 takes a big-endian uint32.
func (r *Reader) U32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// U64 takes a big-endian uint64.
func (r *Reader) U64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// I64 takes a big-endian int64.
func (r *Reader) I64() int64 { return int64(r.U64()) }

// Uvarint takes a varint. It refuses one that could be shorter: a record has one binary form.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.B)
	if r.Err != nil || n <= 0 || n > 1 && r.B[n-1] == 0 {
		r.Err = ErrFormat
		r.B = nil
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Count takes a varint that counts things of at least size bytes each, and refuses one that the rest
// of B could not hold: a short message cannot make a reader allocate a long slice.
func (r *Reader) Count(size int) int {
	v := r.Uvarint()
	if r.Err == nil && v > uint64(len(r.B)/max(size, 1)) {
		r.Err = ErrFormat
		r.B = nil
		return 0
	}
	return int(v)
}

// Blob takes a length and that many bytes, which alias B.
func (r *Reader) Blob() []byte { return r.Bytes(r.Count(1)) }

// End refuses what is left over, and gives Err.
func (r *Reader) End() error {
	if r.Err == nil && len(r.B) != 0 {
		r.Err = ErrFormat
	}
	return r.Err
}

// AppendBlob appends a length and b.
func AppendBlob(dst, b []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(b)))
	return append(dst, b...)
}

// AppendU64 appends a big-endian uint64.
func AppendU64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }
