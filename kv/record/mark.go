package record

import (
	"encoding/binary"
	"fmt"
)

// Status says what became of a chain's runs in a pack.
type Status uint8

// Statuses of a chain.
const (
	StatusHeld    Status = 1 // all that was sent is held, now or before
	StatusGap     Status = 2 // records are missing before it: send again from Held+1
	StatusFork    Status = 3 // another record is held at that seq: the chain is refused for good
	StatusRefused Status = 4 // not this sender's chain, or malformed: refused, ask ops
	StatusUnknown Status = 5 // nothing of this chain is held
)

func (s Status) String() string {
	switch s {
	case StatusHeld:
		return "held"
	case StatusGap:
		return "gap"
	case StatusFork:
		return "fork"
	case StatusRefused:
		return "refused"
	case StatusUnknown:
		return "unknown"
	}
	return fmt.Sprintf("status-%d", uint8(s))
}

// Mark is how far a chain has come: the answer to a pack, per chain.
type Mark struct {
	Chain  ChainID
	Status Status
	Held   uint64 // last seq that is durable where the answer comes from
	Posted uint64 // last seq that the centre has posted, as far as is known there
	Hash   Hash   // of the header at Held
}

const marksVersion = 1

const markSize = 16 + 1 + 8 + 8 + 32

func (m *Mark) append(b []byte) []byte {
	b = append(b, m.Chain[:]...)
	b = append(b, byte(m.Status))
	b = binary.BigEndian.AppendUint64(b, m.Held)
	b = binary.BigEndian.AppendUint64(b, m.Posted)
	return append(b, m.Hash[:]...)
}

func readMark(r *Reader) (m Mark) {
	r.Fill(m.Chain[:])
	m.Status = Status(r.U8())
	m.Held, m.Posted = r.U64(), r.U64()
	r.Fill(m.Hash[:])
	if r.Err == nil && (m.Status < StatusHeld || m.Status > StatusUnknown) {
		r.Err = ErrFormat
	}
	return m
}

// AppendMarks appends the binary form of a pack's answer to b.
func AppendMarks(b []byte, marks []Mark) []byte {
	b = append(b, marksVersion)
	b = binary.AppendUvarint(b, uint64(len(marks)))
	for i := range marks {
		b = marks[i].append(b)
	}
	return b
}

// ReadMarks reads what AppendMarks wrote.
func ReadMarks(b []byte) ([]Mark, error) {
	r := Reader{B: b}
	if r.U8() != marksVersion && r.Err == nil {
		return nil, fmt.Errorf("marks: %w: unknown version", ErrFormat)
	}
	marks := make([]Mark, r.Count(markSize))
	for i := range marks {
		marks[i] = readMark(&r)
	}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("marks: %w", err)
	}
	return marks, nil
}
