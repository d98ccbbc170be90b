package books

import (
	"math"
	"slices"

	"tillstream/kv/record"
)

// restDays is how long a chain must have been closed, and have moved no more, before it is let go of.
const restDays = 45

// close notes that a chain was begun behind another of the same store, which then moves no more: but for
// what is still on its way.
func (s *step) close(store uint16, found *record.Tip) {
	b := s.b
	n, ok := b.chains.find(&found.Chain)
	if !ok || n&atRest != 0 || b.laneOf(n).store != store || b.chains.at(n).closed != 0 {
		return
	}
	b.keepChain(n)
	c := b.chains.at(n)
	if c.closed, c.end = s.today, found.Seq; c.seq >= c.end {
		s.letGo(c, true)
	}
}

// rest lets go of chains, once in each day of the journal.
func (s *step) rest() {
	b := s.b
	if s.today == b.day {
		return
	}
	b.day = s.today
	homes := map[uint16]bool{}
	b.chains.all(func(n uint32, c *chain) {
		if c.closed == 0 || c.fork || c.holds != 0 || c.seq > math.MaxUint32 || s.today-max(c.closed, c.moved) <= restDays {
			return
		}
		b.keepChain(n)
		r := rested{id: c.id, tail: [8]byte(c.hash[:8]), seq: uint32(c.seq), lane: c.lane}
		b.digest.sub(c.sum())
		b.digest.add(r.sum())
		homes[b.lanes[c.lane].store] = true
		b.chains.lay(r)
		b.chains.drop(n)
	})
	for i := range homes {
		b.stores[i].chains = slices.DeleteFunc(b.stores[i].chains, func(n uint32) bool { return !b.chains.awake(n) })
	}
}

// extends gives the index of the record of a run that comes next in a chain at rest. If there is none, it
// gives the run's mark.
func (r *rested) extends(run []record.Receipt) (int, record.Mark) {
	m := r.mark()
	if run[len(run)-1].Seq <= m.Held {
		return 0, m
	}
	k := slices.IndexFunc(run, func(rec record.Receipt) bool { return rec.Seq == m.Held+1 })
	if k < 0 {
		m.Status = record.StatusGap
		return 0, m
	}
	return k, record.Mark{}
}

// wake gives a chain at rest a new number, because a record comes that may extend it. Of the hash that it
// must follow eight bytes are known, and those decide.
func (s *step) wake(r *rested, next *record.Receipt) uint32 {
	c := chain{id: r.id, lane: r.lane, seq: uint64(r.seq), closed: s.today}
	copy(c.hash[:], r.tail[:])
	if [8]byte(next.Prev[:8]) == r.tail {
		c.hash = next.Prev
	}
	s.b.digest.sub(r.sum())
	return s.number(c, c.seq)
}
