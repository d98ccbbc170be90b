package books

import "tillstream/kv/record"

// pass lets the journal's time pass to the entry's: holds become due, and of all that waits for a day some is
// looked at, so that within a day all is. Nothing here is done at a clock's bidding, nor for all at once.
func (s *step) pass() {
	b := s.b
	t := turn{now: s.e.At, day: s.e.At/dayMS != b.at/dayMS}
	b.entry, b.at = s.e.Number, s.e.At
	s.dueNow()
	b.holds.sweep(t, func(i uint32, h *hold) {
		if h.state != record.HoldPlaced && h.state != record.HoldUsed && s.today-h.ended > keepDays {
			b.holds.drop(i)
		}
	})
	b.deals.sweep(t, func(i uint32, d *deal) {
		if n, ok := b.rids.number(&d.rid); !ok || n != d.number {
			b.dropDeal(i)
		}
	})
	b.waits.sweep(t, s.giveUp)
	if !b.dated {
		return
	}
	t.visit(&b.swept, uint32(b.accounts.len()), func(i uint32) {
		if acc := b.accounts.at(i); acc.lots != 0 && b.dueLots(acc, s.today) {
			s.done(s.change(i))
		}
	})
}
