package books

import "slices"

// see notes that a store has had a receipt of the account today.
func (b *Books) see(acc *account, i uint32, store, today uint16) {
	for k := range acc.seen {
		if acc.seen[k].store == store {
			acc.seen[k].day = today
			return
		}
	}
	far := b.far[i]
	for k := range far {
		if far[k].store == store {
			far[k].day = today
			return
		}
	}
	for k := range acc.seen {
		if acc.seen[k].store == 0 {
			acc.seen[k] = sighting{store, today}
			return
		}
	}
	b.far[i] = append(far, sighting{store, today})
}

// sees reports whether the account falls to the store.
func (b *Books) sees(acc *account, i uint32, store uint16) bool {
	for _, s := range acc.seen {
		if s.store == store && store != 0 {
			return true
		}
	}
	for _, s := range b.far[i] {
		if s.store == store {
			return true
		}
	}
	return false
}

// watch calls fn for the stores to which a change of the account falls. One that has not seen the account
// for feedDays is among them this once more, and gone: what falls to it is a removal.
func (b *Books) watch(acc *account, i uint32, today uint16, fn func(store uint16, gone bool)) {
	for k := range acc.seen {
		s := &acc.seen[k]
		if s.store == 0 {
			continue
		}
		store, gone := s.store, s.gone(today)
		if gone {
			*s = sighting{}
		}
		fn(store, gone)
	}
	if len(b.far) == 0 {
		return
	}
	far, left := b.far[i], 0
	for k := range far {
		gone := far[k].gone(today)
		if !gone {
			left++
		}
		fn(far[k].store, gone)
	}
	switch {
	case left == len(far):
	case left == 0:
		delete(b.far, i)
	default:
		b.far[i] = slices.DeleteFunc(far, func(s sighting) bool { return s.gone(today) })
	}
}

// gone reports whether a store has not seen the account for so long that it falls there no more.
func (s *sighting) gone(today uint16) bool { return int(today)-int(s.day) > feedDays }
