package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// digest sums SHA-256 values lane by lane, so that a change costs one subtraction and one addition,
// the order does not matter, and the whole is never walked.
type digest [4]uint64

func (d *digest) add(h record.Hash) {
	for i := range d {
		d[i] += binary.BigEndian.Uint64(h[8*i:])
	}
}

func (d *digest) sub(h record.Hash) {
	for i := range d {
		d[i] -= binary.BigEndian.Uint64(h[8*i:])
	}
}

func (d *digest) hash() (h record.Hash) {
	for i, v := range d {
		binary.BigEndian.PutUint64(h[8*i:], v)
	}
	return h
}
