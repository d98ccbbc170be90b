package record

import (
	"encoding/binary"
	"fmt"
)

// Shopper is what an edge node knows of an account. Contact data never falls to the edge.
type Shopper struct {
	Balance int64 // points that may be spent, as of AsOf; never negative
	Debt    int64 // points that later earnings repay first; never negative
	Pending int64 // points of receipts that the centre has not posted yet; may be negative
	AsOf    int64 // Unix milliseconds of the journal entry that made it
	Held    int64 // points set aside by holds, not in Balance; never negative

	Expires [MaxExpires]Lot // lots of Balance that expire next, oldest first; those behind the last are zero
}

// Lot is a part of a balance that expires at one time.
type Lot struct {
	Points int64 // more than 0
	At     int64 // Unix milliseconds: from then on it may not be spent
}

// MaxExpires bounds the lots that fall to the edge. One that is not among them expires later than all that
// are, and an item goes out again when its account changes.
const MaxExpires = 3

// Available is what may be spent at a time: a lot that has expired is no part of it, whether the centre
// has taken it out of the balance yet or not.
func (s *Shopper) Available(at int64) int64 {
	n := s.Balance
	for _, l := range s.Expires {
		if l.Points > 0 && l.At <= at {
			n -= l.Points
		}
	}
	return n
}

const (
	shopperVersion  = 1
	shopperVersion2 = 2 // with Held and Expires
)

// Append appends the shopper's binary form to b.
func (s *Shopper) Append(b []byte) []byte {
	n := 0
	for n < MaxExpires && s.Expires[n].Points != 0 {
		n++
	}
	more := s.Held != 0 || n != 0
	version := byte(shopperVersion)
	if more {
		version = shopperVersion2
	}
	b = append(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(s.Balance))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Debt))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Pending))
	b = binary.BigEndian.AppendUint64(b, uint64(s.AsOf))
	if !more {
		return b
	}
	b = binary.BigEndian.AppendUint64(b, uint64(s.Held))
	b = append(b, byte(n))
	for _, l := range s.Expires[:n] {
		b = binary.BigEndian.AppendUint64(b, uint64(l.Points))
		b = binary.BigEndian.AppendUint64(b, uint64(l.At))
	}
	return b
}

// ReadShopper reads what Append wrote.
func ReadShopper(b []byte) (s Shopper, err error) {
	r := Reader{B: b}
	version := r.U8()
	s = Shopper{Balance: r.I64(), Debt: r.I64(), Pending: r.I64(), AsOf: r.I64()}
	if version == shopperVersion2 {
		s.Held = r.I64()
		n := int(r.U8())
		if n > MaxExpires || s.Held == 0 && n == 0 {
			r.Err = ErrFormat
		}
		for i := 0; i < n && r.Err == nil; i++ {
			if s.Expires[i] = (Lot{Points: r.I64(), At: r.I64()}); s.Expires[i].Points <= 0 {
				r.Err = ErrFormat
			}
		}
	} else if version != shopperVersion {
		r.Err = ErrFormat
	}
	if err := r.End(); err != nil {
		return Shopper{}, fmt.Errorf("shopper: %w", err)
	}
	return s, nil
}
