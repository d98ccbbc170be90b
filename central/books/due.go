package books

import (
	"bytes"

	"tillstream/kv/record"
)

// dueHold says when a hold is past its time. It may have ended before.
type dueHold struct {
	at   int64
	id   record.RID
	hold uint32
}

func (d *dueHold) before(o *dueHold) bool {
	return d.at < o.at || d.at == o.at && bytes.Compare(d.id[:], o.id[:]) < 0
}

// dueHolds is a heap: what is due first lies at its top. It is no part of the state, but made from it.
type dueHolds []dueHold

func (q *dueHolds) push(d dueHold) {
	*q = append(*q, d)
	h := *q
	for i := len(h) - 1; i > 0; {
		up := (i - 1) / 2
		if !h[i].before(&h[up]) {
			return
		}
		h[i], h[up] = h[up], h[i]
		i = up
	}
}

func (q *dueHolds) pop() dueHold {
	h := *q
	top, last := h[0], len(h)-1
	h[0] = h[last]
	h = h[:last]
	*q = h
	for i := 0; ; {
		least := i
		for k := 2*i + 1; k <= 2*i+2 && k < len(h); k++ {
			if h[k].before(&h[least]) {
				least = k
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}

// dueNow lets go of the holds whose time this entry is past, where the till is known to be past it already.
func (s *step) dueNow() {
	b := s.b
	for len(b.due) > 0 && b.due[0].at <= s.e.At {
		d := b.due.pop()
		i, ok := b.holds.find((*[16]byte)(&d.id))
		if !ok || i != d.hold || !b.holds.at(i).stands() {
			continue
		}
		h := b.holds.at(i)
		if c := b.chains.at(h.chain); h.past || c.closed != 0 && c.seq >= c.end {
			s.free(i, record.HoldExpired, CauseLetGo)
		}
	}
}
