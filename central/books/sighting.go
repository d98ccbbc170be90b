package books

// sighting says when a store last had a receipt of the account. Store zero: none, and none behind it.
type sighting struct {
	store uint16 // index into Books.stores, from 1
	day   uint16 // days since 1970 of the posting
}

// inline is how many sightings an account holds itself: most are seen in no more stores.
const inline = 3

// sightings are those that do not fit into their accounts, in the order in which they came. They were slices in a
// map, which was a tenth of Apply where shoppers go to many stores, and work for the garbage collector.
type sightings struct{ fars }

type fars = chunks[far, *far]

// far is some more sightings of an account.
type far struct {
	seen [7]sighting
	next uint32 // zero: no more
}

func (f *far) link() *uint32 { return &f.next }

// see notes that a store has had a receipt of the account on a day, and reports whether it had not seen the
// account before.
func (s *sightings) see(acc *account, store, day uint16) (fresh bool) {
	if k := place(acc.seen[:], store); k >= 0 {
		fresh = acc.seen[k].store == 0
		acc.seen[k] = sighting{store, day}
		return fresh
	}
	for at := &acc.far; ; {
		if *at == 0 {
			*at = s.take()
		}
		c := s.at(*at)
		if k := place(c.seen[:], store); k >= 0 {
			fresh = c.seen[k].store == 0
			c.seen[k] = sighting{store, day}
			return fresh
		}
		at = &c.next
	}
}

// place gives the index of a store's sighting, or of the first that is none; -1 if there is neither.
func place(seen []sighting, store uint16) int {
	for k := range seen {
		if s := seen[k].store; s == store || s == 0 {
			return k
		}
	}
	return -1
}

// all appends an account's sightings, in the order of the first of each store.
func (s *sightings) all(dst []sighting, acc *account) []sighting {
	add := func(seen []sighting) {
		for _, v := range seen {
			if v.store == 0 {
				return
			}
			dst = append(dst, v)
		}
	}
	add(acc.seen[:])
	for i := acc.far; i != 0; i = s.at(i).next {
		add(s.at(i).seen[:])
	}
	return dst
}

// sees reports whether the account falls to the store.
func (b *Books) sees(acc *account, store uint16) bool {
	var few [16]sighting
	for _, v := range b.far.all(few[:0], acc) {
		if v.store == store {
			return true
		}
	}
	return false
}

// watch makes a change of the account fall to the stores that see it. To one that has not seen it for
// feedDays it falls this once more, as a removal.
func (b *Books) watch(acc *account, c change) {
	all := b.far.all(b.watchers[:0], acc)
	b.watchers = all
	expired := false
	for _, v := range all {
		c.gone = int(c.day)-int(v.day) > feedDays
		expired = expired || c.gone
		b.fall(v.store, c)
	}
	if !expired {
		return
	}
	b.far.drop(acc.far)
	acc.seen, acc.far = [inline]sighting{}, 0
	for _, v := range all {
		if int(c.day)-int(v.day) <= feedDays {
			b.far.see(acc, v.store, v.day)
		}
	}
}
