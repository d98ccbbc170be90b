package fold

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"tillstream/kv/record"
)

// A history is a file of lines that the fold appends and nobody changes: a pure function of the journal,
// the same bytes on every node. It begins with LinesHead. A line is
//
//	CRC-32C of all that follows, xor bits 32 to 63 of position x 0x9e3779b97f4a7c15; 4 bytes, big-endian
//	length of the payload, varint
//	payload
//
// The position is in the sum so that a line that lies elsewhere than it was written, as in pages that
// were swapped, is not taken for the one that was asked for.

// LinesHead is what a history begins with: a name and the version of the lines' frame.
const LinesHead = "tshist\x00\x01"

// MaxLine bounds a line's payload, in bytes.
const MaxLine = 1 << 16

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// lineSum mixes the position in after the CRC: to run it through as well would take an allocation a line.
func lineSum(at uint64, framed []byte) uint32 {
	return crc32.Checksum(framed, castagnoli) ^ uint32(at*0x9e3779b97f4a7c15>>32)
}

// AppendLine appends the frame of a line that lies at a position.
func AppendLine(dst []byte, at uint64, payload []byte) []byte {
	begin := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.AppendUvarint(dst, uint64(len(payload)))
	dst = append(dst, payload...)
	binary.BigEndian.PutUint32(dst[begin:], lineSum(at, dst[begin+4:]))
	return dst
}

// LineSize gives how many bytes the line that b begins with takes, as far as its first bytes tell; zero if
// b is too short to tell. It checks nothing.
func LineSize(b []byte) (int, error) {
	if len(b) < 5 {
		return 0, nil
	}
	n, k := binary.Uvarint(b[4:min(len(b), 4+binary.MaxVarintLen32)])
	switch {
	case k == 0 && len(b) < 4+binary.MaxVarintLen32:
		return 0, nil
	case k <= 0 || n > MaxLine || k > 1 && b[3+k] == 0: // a length has one form
		return 0, fmt.Errorf("line of history: %w", record.ErrFormat)
	}
	return 4 + k + int(n), nil
}

// ReadLine reads the line at a position, with which b begins. The payload aliases b.
func ReadLine(b []byte, at uint64) (payload []byte, size int, err error) {
	size, err = LineSize(b)
	if err == nil && (size == 0 || size > len(b)) {
		err = fmt.Errorf("line of history: %w: cut short", record.ErrFormat)
	}
	if err != nil {
		return nil, 0, err
	}
	if lineSum(at, b[4:size]) != binary.BigEndian.Uint32(b) {
		return nil, 0, fmt.Errorf("line of history: %w: its checksum does not fit", record.ErrFormat)
	}
	_, k := binary.Uvarint(b[4:])
	return b[4+k : size : size], size, nil
}

// Lines is a history in memory, from its head.
type Lines []byte

// Line gives the payload of the line at a position.
func (l Lines) Line(at uint64) ([]byte, error) {
	if at < uint64(len(LinesHead)) || at >= uint64(len(l)) {
		return nil, fmt.Errorf("line of history at %d of %d: %w", at, len(l), record.ErrFormat)
	}
	p, _, err := ReadLine(l[at:], at)
	if err != nil {
		return nil, fmt.Errorf("at %d: %w", at, err)
	}
	return p, nil
}

// Lines calls fn for every line, in order, until it gives an error.
func (l Lines) Lines(fn func(at uint64, payload []byte) error) error {
	if len(l) < len(LinesHead) || string(l[:len(LinesHead)]) != LinesHead {
		return fmt.Errorf("history: %w: unknown head", record.ErrFormat)
	}
	for at := len(LinesHead); at < len(l); {
		p, n, err := ReadLine(l[at:], uint64(at))
		if err != nil {
			return fmt.Errorf("at %d: %w", at, err)
		}
		if err := fn(uint64(at), p); err != nil {
			return err
		}
		at += n
	}
	return nil
}
