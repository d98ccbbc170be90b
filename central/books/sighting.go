package books

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
// for feedDays is among them this once more, and forgotten before: what it pulls is a removal.
func (b *Books) watch(acc *account, i uint32, today uint16, fn func(store uint16)) {
	for k := range acc.seen {
		s := acc.seen[k]
		if s.store == 0 {
			continue
		}
		if int(today)-int(s.day) > feedDays {
			acc.seen[k] = sighting{}
		}
		fn(s.store)
	}
	far := b.far[i]
	if len(far) == 0 {
		return
	}
	kept := make([]sighting, 0, len(far))
	for _, s := range far {
		if int(today)-int(s.day) <= feedDays {
			kept = append(kept, s)
		}
	}
	switch {
	case len(kept) == 0:
		delete(b.far, i)
	case len(kept) < len(far):
		b.far[i] = kept
	}
	for _, s := range far {
		fn(s.store)
	}
}
