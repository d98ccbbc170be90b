package books

import (
	"encoding/binary"

	"tillstream/kv/record"
)

// round goes over things, again and again, so that each is visited once in a day of the journal.
type round struct {
	at   uint32 // the next
	paid int64  // the time for which it has made its visits, Unix milliseconds
}

// sweepMost bounds the visits of one entry: after an hour without any, the fold shall not stand still for what
// is due by then. What is left is made up for with the next entries.
const sweepMost = 1 << 15

// visit calls fn for those of n things whose turn has come.
func (r *round) visit(now int64, n uint32, fn func(i uint32)) {
	if n == 0 {
		r.paid = now
		return
	}
	r.paid = max(r.paid, now-dayMS) // nobody is owed more than one visit
	k := min(int64(n)*max(now-r.paid, 0)/dayMS, sweepMost)
	for range k {
		if r.at >= n {
			r.at = 0
		}
		fn(r.at)
		r.at++
	}
	r.paid += k * dayMS / int64(n)
}

func (r *round) append(b []byte) []byte {
	return record.AppendU64(binary.AppendUvarint(b, uint64(r.at)), uint64(r.paid))
}

func readRound(r *record.Reader) round { return round{number(r), r.I64()} }

// pass lets the journal's time pass to the entry's: holds become due, and of all that waits for a day some is
// looked at, so that within a day all is. Nothing here is done at a clock's bidding, nor for all at once.
func (s *step) pass() {
	b, now := s.b, s.e.At
	b.entry, b.at = s.e.Number, now
	s.dueNow()
	b.holds.sweep(now, func(i uint32, h *hold) {
		if h.state != record.HoldPlaced && h.state != record.HoldUsed && s.today-h.ended > keepDays {
			b.holds.drop(i)
		}
	})
	b.deals.sweep(now, func(i uint32, d *deal) {
		if n, ok := b.rids.number(&d.rid); !ok || n != d.number {
			b.dropDeal(i)
		}
	})
	b.waits.sweep(now, s.giveUp)
	if !b.dated {
		return
	}
	b.swept.visit(now, uint32(b.accounts.len()), func(i uint32) {
		if acc := b.accounts.at(i); acc.lots != 0 && b.dueLots(acc, s.today) {
			s.done(s.change(i))
		}
	})
}
