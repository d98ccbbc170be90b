package books

import (
	"math"
	"slices"
	"time"
)

// lot is a part of a balance that expires at the beginning of a day (UTC). One with negative points is what
// is left to say of a lot that expired: so many points went with it. It is kept while a sale that earned
// into the lot may be given back, since what expired counts as taken back.
type lot struct {
	day    uint16
	points int64
}

// never is the day of points that do not expire.
const never = math.MaxUint16

// What account.lots says: zero, that all of the balance never expires; a day with oneLot, that all of it
// expires then; else the list of the lots, with expired ones among them.
const oneLot = 1 << 31

// A lot is a word: its day, a bit for one that expired, and the points. One with more points than fit is
// several words.
const (
	lotBits = 47
	lotMost = 1<<lotBits - 1
	lotGone = 1 << lotBits
)

func appendLot(words []uint64, l lot) []uint64 {
	sign, points := uint64(0), l.points
	if points < 0 {
		sign, points = lotGone, -points
	}
	for points > 0 {
		n := min(points, lotMost)
		words = append(words, uint64(l.day)<<48|sign|uint64(n))
		points -= n
	}
	return words
}

// readLots puts words together to lots again.
func readLots(dst []lot, words []uint64) []lot {
	for _, w := range words {
		l := lot{uint16(w >> 48), int64(w & lotMost)}
		if w&lotGone != 0 {
			l.points = -l.points
		}
		if n := len(dst) - 1; n >= 0 && dst[n].day == l.day && (dst[n].points < 0) == (l.points < 0) {
			dst[n].points += l.points
			continue
		}
		dst = append(dst, l)
	}
	return dst
}

// lotsOf appends an account's lots, oldest first. Readers call it beside each other, so it has no memory of the
// books'.
func (b *Books) lotsOf(dst []lot, acc *account) []lot {
	switch {
	case acc.lots&oneLot != 0:
		return append(dst, lot{uint16(acc.lots), acc.balance})
	case acc.lots != 0:
		var few [24]uint64
		return readLots(dst, b.lists.read(few[:0], acc.lots))
	case acc.balance != 0:
		return append(dst, lot{never, acc.balance})
	}
	return dst
}

// setLots is lotsOf the other way round. There is one form of the same lots.
func (b *Books) setLots(acc *account, ls []lot) {
	ls = slices.DeleteFunc(ls, func(l lot) bool { return l.points == 0 })
	if len(ls) == 0 || len(ls) == 1 && ls[0].points > 0 {
		day := uint16(never)
		if len(ls) == 1 {
			day = ls[0].day
		}
		b.oneLot(acc, day)
		return
	}
	b.words = b.words[:0]
	for _, l := range ls {
		b.words = appendLot(b.words, l)
	}
	head := acc.lots
	if head&oneLot != 0 {
		head = 0
	}
	acc.lots = b.lists.write(head, b.words)
}

// oneLot says that all of an account's balance expires on a day.
func (b *Books) oneLot(acc *account, day uint16) {
	if acc.lots&oneLot == 0 {
		b.lists.drop(acc.lots)
	}
	acc.lots = 0
	if day != never {
		acc.lots = oneLot | uint32(day)
	}
}

// put adds points to an account's lot.
func (b *Books) put(acc *account, day uint16, n int64) {
	if n == 0 {
		return
	}
	acc.balance += n
	switch simple := acc.lots&oneLot != 0 || acc.lots == 0; {
	case simple && acc.balance == n:
		b.oneLot(acc, day)
		return
	case acc.lots == 0 && day == never, simple && acc.lots != 0 && uint16(acc.lots) == day:
		return
	}
	acc.balance -= n // as lotsOf has it
	ls := b.lotsOf(b.lots[:0], acc)
	acc.balance += n
	at, found := slices.BinarySearchFunc(ls, day, func(l lot, day uint16) int { return int(l.day) - int(day) })
	for found && at < len(ls) && ls[at].day == day && ls[at].points < 0 {
		at++
	}
	if at < len(ls) && ls[at].day == day {
		ls[at].points += n
	} else {
		ls = slices.Insert(ls, at, lot{day, n})
	}
	b.lots = ls
	b.setLots(acc, ls)
}

// take takes points that are there out of an account: out of the lot of a day first, then of the oldest. It
// gives what it took of which lot, until the next.
func (b *Books) take(acc *account, n int64, first uint16) []lot {
	b.taken = b.taken[:0]
	if n == 0 {
		return b.taken
	}
	if acc.lots == 0 || acc.lots&oneLot != 0 {
		day := uint16(never)
		if acc.lots != 0 {
			day = uint16(acc.lots)
		}
		if acc.balance -= n; acc.balance == 0 {
			acc.lots = 0
		}
		b.taken = append(b.taken, lot{day, n})
		return b.taken
	}
	ls := b.lotsOf(b.lots[:0], acc)
	acc.balance -= n
	some := func(l *lot) {
		if k := min(l.points, n); k > 0 {
			l.points -= k
			n -= k
			b.taken = append(b.taken, lot{l.day, k})
		}
	}
	for i := range ls {
		if ls[i].day == first {
			some(&ls[i])
		}
	}
	for i := range ls {
		some(&ls[i])
	}
	b.lots = ls
	b.setLots(acc, ls)
	slices.SortFunc(b.taken, func(x, y lot) int { return int(x.day) - int(y.day) })
	return b.taken
}

// available is how much of a balance has not expired, whether it has been taken out or not.
func (b *Books) available(acc *account, today uint16) int64 {
	if acc.lots == 0 {
		return acc.balance
	}
	n := int64(0)
	for _, l := range b.lotsOf(nil, acc) {
		if l.points > 0 && l.day > today {
			n += l.points
		}
	}
	return n
}

// dueLots reports whether an account's lots are to be looked at: one has expired, or it is time to forget
// one that has.
func (b *Books) dueLots(acc *account, today uint16) bool {
	switch {
	case acc.lots == 0:
		return false
	case acc.lots&oneLot != 0:
		return uint16(acc.lots) <= today
	}
	return uint16(b.lists.first(acc.lots)>>48) <= today
}

// expire takes out of an account what has expired, and gives how much it is.
func (b *Books) expire(acc *account, today uint16) (gone int64) {
	ls := b.lotsOf(b.lots[:0], acc)
	for i := range ls {
		l := &ls[i]
		if l.day > today {
			break
		}
		if l.points > 0 {
			gone += l.points
			l.points = -l.points
		}
		if !b.policy.mayReturn(l.day, today) {
			l.points = 0
		}
	}
	acc.balance -= gone
	b.lots = merged(ls)
	b.setLots(acc, b.lots)
	return gone
}

// merged puts what expired of one day together.
func merged(ls []lot) []lot {
	out := ls[:0]
	for _, l := range ls {
		if n := len(out) - 1; n >= 0 && l.points < 0 && out[n].points < 0 && out[n].day == l.day {
			out[n].points += l.points
			continue
		}
		out = append(out, l)
	}
	return out
}

// forgive gives how many of n points went with a lot that expired, and forgets so many of them.
func (b *Books) forgive(acc *account, day uint16, n int64) (gone int64) {
	if acc.lots == 0 || acc.lots&oneLot != 0 || n == 0 {
		return 0
	}
	ls := b.lotsOf(b.lots[:0], acc)
	for i := range ls {
		if ls[i].day == day && ls[i].points < 0 {
			gone = min(n, -ls[i].points)
			ls[i].points += gone
		}
	}
	b.lots = ls
	if gone > 0 {
		b.setLots(acc, ls)
	}
	return gone
}

// endOfMonth gives the day on which points expire that are good for so many days at least: the first of the
// month behind. So an account has one lot for a month, and not one for a day.
func endOfMonth(today uint16, days int) uint16 {
	y, m, _ := time.Unix((int64(today)+int64(days))*dayMS/1000, 0).UTC().Date()
	day := time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC).Unix() * 1000 / dayMS
	return uint16(min(day, never-1))
}
