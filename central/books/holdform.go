package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// holdForm is how a hold is written.
func holdForm(ls *lists) form[hold] {
	return form[hold]{
		part: partHolds,
		key:  func(h *hold) *[16]byte { return (*[16]byte)(&h.id) },
		sum: func(h *hold) digest {
			d := holdSeed().id((*[16]byte)(&h.id)).id((*[16]byte)(&h.rid)).with(uint64(h.points)).with(uint64(h.expires))
			d = d.with(uint64(h.account)<<32 | uint64(h.state)<<1 | b2u(h.past)).with(h.from)
			return d.words(ls, h.lots).words(ls, h.coupons)
		},
		put: func(b []byte, h *hold) []byte {
			b = append(append(b, h.id[:]...), h.rid[:]...)
			for _, v := range [...]uint64{uint64(h.points), uint64(h.expires), h.from} {
				b = record.AppendU64(b, v)
			}
			for _, v := range [...]uint32{h.account, h.chain, h.lane} {
				b = binary.BigEndian.AppendUint32(b, v)
			}
			b = appendWords(appendWords(b, ls, h.lots), ls, h.coupons)
			return append(binary.BigEndian.AppendUint16(b, h.ended), byte(h.state), byte(b2u(h.past)))
		},
		get: func(r *record.Reader, h *hold) bool {
			r.Fill(h.id[:])
			r.Fill(h.rid[:])
			h.points, h.expires, h.from = r.I64(), r.I64(), r.U64()
			h.account, h.chain, h.lane = r.U32(), r.U32(), r.U32()
			h.lots, h.coupons = readWords(r, ls), readWords(r, ls)
			h.ended, h.state, h.past = u16(r), record.HoldState(r.U8()), r.U8() == 1
			return h.state >= record.HoldPlaced && h.state <= record.HoldExpired
		},
		drop: func(h *hold) {
			ls.drop(h.lots)
			ls.drop(h.coupons)
		},
	}
}

// appendWords appends a list.
func appendWords(b []byte, ls *lists, head uint32) []byte {
	var few [24]uint64
	words := ls.read(few[:0], head)
	b = binary.AppendUvarint(b, uint64(len(words)))
	for _, w := range words {
		b = record.AppendU64(b, w)
	}
	return b
}

// readWords reads a list.
func readWords(r *record.Reader, ls *lists) uint32 {
	var words []uint64
	for range r.Count(8) {
		words = append(words, r.U64())
	}
	if r.Err != nil {
		return 0
	}
	return ls.write(0, words)
}
