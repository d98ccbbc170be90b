package books

// see notes that a store has had a receipt of the account today, and reports whether it had not seen
// the account before.
func (b *Books) see(acc *account, i uint32, store, today uint16) bool {
	for k := range acc.seen {
		if acc.seen[k].store == store {
			acc.seen[k].day = today
			return false
		}
	}
	far := b.far[i]
	for k := range far {
		if far[k].store == store {
			far[k].day = today
			return false
		}
	}
	for k := range acc.seen {
		if acc.seen[k].store == 0 {
			acc.seen[k] = sighting{store, today}
			return true
		}
	}
	b.far[i] = append(far, sighting{store, today})
	return true
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

// watchers gives the stores to which a change of the account falls. One that has not seen the account
// for feedDays is among them this once more, and forgotten: what it pulls is a removal.
func (b *Books) watchers(acc *account, i uint32, today uint16) []uint16 {
	var out []uint16
	for k := range acc.seen {
		s := &acc.seen[k]
		if s.store == 0 {
			continue
		}
		out = append(out, s.store)
		if int(today)-int(s.day) > feedDays {
			*s = sighting{}
		}
	}
	far := b.far[i]
	kept := far[:0]
	for _, s := range far {
		out = append(out, s.store)
		if int(today)-int(s.day) <= feedDays {
			kept = append(kept, s)
		}
	}
	if len(far) > 0 && len(kept) == 0 {
		delete(b.far, i)
	} else if len(kept) < len(far) {
		b.far[i] = kept
	}
	return out
}
