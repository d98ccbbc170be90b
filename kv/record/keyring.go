package record

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Bounds of what an upstream keeps of one node's key rings.
const (
	MaxRingCopies = 16       // it refuses more, and forgets none
	MaxRingCopy   = 32 << 10 // bytes
)

// RingID tells key rings of one node apart, without a word about their keys.
type RingID [16]byte

func (id RingID) String() string { return hex.EncodeToString(id[:]) }

// RingCopy is a node's key ring, sealed so that only the node opens it.
type RingCopy struct {
	ID     RingID
	Sealed []byte
}

const ringVersion = 1

// AppendRingCopies appends the binary form of copies: a node sends its own, or none, and is answered with
// all that are kept of it.
func AppendRingCopies(b []byte, copies []RingCopy) []byte {
	b = append(b, ringVersion)
	b = binary.AppendUvarint(b, uint64(len(copies)))
	for i := range copies {
		b = append(b, copies[i].ID[:]...)
		b = AppendBlob(b, copies[i].Sealed)
	}
	return b
}

// ReadRingCopies reads what AppendRingCopies wrote. The copies alias b.
func ReadRingCopies(b []byte) ([]RingCopy, error) {
	r := Reader{B: b}
	if r.U8() != ringVersion && r.Err == nil {
		return nil, fmt.Errorf("key rings: %w: unknown version", ErrFormat)
	}
	n := r.Count(len(RingID{}) + 1)
	if n > MaxRingCopies {
		return nil, fmt.Errorf("key rings: %w: %d copies", ErrFormat, n)
	}
	copies := make([]RingCopy, n)
	for i := range copies {
		r.Fill(copies[i].ID[:])
		copies[i].Sealed = r.Blob()
		if len(copies[i].Sealed) > MaxRingCopy {
			r.Err = ErrFormat
		}
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("key rings: %w", err)
	}
	return copies, nil
}
