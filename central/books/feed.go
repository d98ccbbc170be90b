package books

import (
	"slices"
	"sort"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// change is a row of a store's part of the feed: an entry changed an account, or took it from the store. A
// change is dead when the account has changed since, and a removal when the store sees the account again:
// there is a later row then.
type change struct {
	entry   uint64
	account uint32
	day     uint16 // of the entry
	gone    bool   // a removal
}

// shopperSize is the length of a Shopper's binary form; a guess too low costs an allocation.
const shopperSize = 33

// feedSlack is how many rows a store's part may have that are dead, beside as many as are not.
const feedSlack = 256

// fall appends a row, and puts the part in order when half of it may be dead.
func (b *Books) fall(number uint16, c change) {
	s := b.stores[number]
	if s.feed = append(s.feed, c); len(s.feed) > 2*s.kept+feedSlack {
		b.order(s, c.day)
	}
}

// order drops what is dead, and removals older than keepDays. What is dead has a later row of the same
// account in the same list; to look at the accounts instead is a cache miss a row. Rows are never changed in
// place: a snapshot may be reading them.
func (b *Books) order(s *store, today uint16) {
	for len(b.later)*64 < b.accounts.len() {
		b.later = append(b.later, 0)
	}
	n := len(s.feed)
	if len(b.rows) < n {
		b.rows = make([]change, 2*n)
	}
	first := n
	for _, c := range slices.Backward(s.feed) {
		word, bit := &b.later[c.account/64], uint64(1)<<(c.account%64)
		switch {
		case *word&bit != 0:
			continue
		case c.gone && today-c.day > keepDays:
			s.gone = max(s.gone, c.entry)
		default:
			first--
			b.rows[first] = c
		}
		*word |= bit
	}
	for _, c := range s.feed {
		b.later[c.account/64] = 0
	}
	s.kept = n - first
	s.feed = append(make([]change, 0, 2*s.kept+feedSlack+1), b.rows[first:n]...) // until they are put in order again
}

// Feed gives what falls to a store of the changes after an entry, oldest first: at least limit items, if
// there are as many, and to the end of the entry in which the limit falls. If there are more, upTo is the
// entry to go on from.
func (b *Books) Feed(id subjects.StoreID, after uint64, limit int) (items []record.Item, upTo uint64, more bool) {
	number := b.storeOf[id]
	rows := b.stores[number].feed
	rows = rows[sort.Search(len(rows), func(i int) bool { return rows[i].entry > after }):]
	// One allocation each for keys and values: most of the time of an answer was the garbage collector's.
	n := min(len(rows), limit+limit/8)
	items = make([]record.Item, 0, n)
	bytes := make([]byte, 0, n*(16+shopperSize))
	for i := range rows {
		c := &rows[i]
		acc := b.accounts.at(c.account)
		if c.gone && b.sees(acc, number) || !c.gone && acc.changed != c.entry {
			continue
		}
		if len(items) >= limit && c.entry != upTo {
			return items, upTo, true
		}
		upTo = c.entry
		begin := len(bytes)
		bytes = append(bytes, acc.id[:]...)
		it := record.Item{Kind: record.ItemShopper, Key: bytes[begin:len(bytes):len(bytes)]}
		if !c.gone {
			begin = len(bytes)
			s := b.shopper(acc)
			bytes = s.Append(bytes)
			it.Value = bytes[begin:len(bytes):len(bytes)]
		}
		items = append(items, it)
	}
	return items, 0, false
}

// Newest gives the entry that last changed something for a store.
func (b *Books) Newest(id subjects.StoreID) uint64 {
	rows := b.stores[b.storeOf[id]].feed
	if len(rows) == 0 {
		return 0
	}
	return rows[len(rows)-1].entry
}

// Forgotten reports whether a removal that came after an entry is not told any more: whoever has come no
// further must begin anew.
func (b *Books) Forgotten(id subjects.StoreID, after uint64) bool {
	return after < b.stores[b.storeOf[id]].gone
}

// Item gives what falls to a store of one key of its feed: a removal if the store has not seen the
// account for feedDays.
func (b *Books) Item(store subjects.StoreID, kind record.ItemKind, key [16]byte) record.Item {
	it := record.Item{Kind: kind, Key: key[:]}
	id := record.AccountID(key)
	acc, _, ok := b.accounts.find(&id)
	if !ok || kind != record.ItemShopper || !b.sees(acc, b.storeOf[store]) {
		return it
	}
	s := b.shopper(acc)
	it.Value = s.Append(nil)
	return it
}
