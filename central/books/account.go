package books

import (
	"crypto/sha256"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// account is one shopper's place in the books. It holds no pointers: thirty million of them must not
// be work for the garbage collector.
type account struct {
	id      record.AccountID
	balance int64  // points that may be spent
	debt    int64  // points that later earnings repay first
	changed uint64 // entry that last changed it: where it stands in the feed
	at      int64  // time of that entry, Unix milliseconds
	seen    [inline]sighting
}

// sighting says when a store last had a receipt of the account. Store zero: none.
type sighting struct {
	store uint16 // index into Books.stores, from 1
	day   uint16 // days since 1970 of the posting
}

const (
	inline   = 4  // sightings kept in the account; more go to Books.far
	feedDays = 90 // an account falls to the stores that saw it so lately (DESIGN §5)
	dayMS    = 24 * 3600 * 1000
	slabSize = 4096 // accounts to a slab
)

// accounts is a map and slabs: growing never moves an account.
type accounts struct {
	index map[record.AccountID]uint32
	slabs []*[slabSize]account
}

func (a *accounts) len() int { return len(a.index) }

func (a *accounts) at(i uint32) *account { return &a.slabs[i/slabSize][i%slabSize] }

func (a *accounts) find(id record.AccountID) (*account, uint32, bool) {
	i, ok := a.index[id]
	if !ok {
		return nil, 0, false
	}
	return a.at(i), i, true
}

// open gives the account, making it if this is its first receipt.
func (a *accounts) open(id record.AccountID) (acc *account, i uint32, opened bool) {
	if acc, i, ok := a.find(id); ok {
		return acc, i, false
	}
	i = uint32(len(a.index))
	if int(i/slabSize) == len(a.slabs) {
		a.slabs = append(a.slabs, new([slabSize]account))
	}
	a.index[id] = i
	acc = a.at(i)
	acc.id = id
	return acc, i, true
}

// shopper is what falls to the edge of an account.
func (acc *account) shopper() record.Shopper {
	return record.Shopper{Balance: acc.balance, Debt: acc.debt, AsOf: acc.at}
}

// sum is the account's share of the digest.
func (acc *account) sum() record.Hash {
	b := make([]byte, 0, 48)
	b = append(b, 'a')
	b = append(b, acc.id[:]...)
	b = record.AppendU64(b, uint64(acc.balance))
	b = record.AppendU64(b, uint64(acc.debt))
	b = record.AppendU64(b, acc.changed)
	return sha256.Sum256(b)
}

// chain is the mark of one till's chain.
type chain struct {
	id      record.ChainID
	store   uint16
	till    subjects.TillID
	seq     uint64
	hash    record.Hash
	changed uint64 // entry that last moved it
	begun   int64  // day of the entry that took its first record
	found   record.Tip
	fork    bool // another record was sent for a seq that is held: nothing more is taken
}

func (c *chain) sum() record.Hash {
	b := make([]byte, 0, 80)
	b = append(b, 'c')
	b = append(b, c.id[:]...)
	b = record.AppendU64(b, c.seq)
	b = append(b, c.hash[:]...)
	if c.fork {
		b = append(b, 1)
	}
	return sha256.Sum256(b)
}

func (c *chain) mark() record.Mark {
	m := record.Mark{Chain: c.id, Status: record.StatusHeld, Held: c.seq, Posted: c.seq, Hash: c.hash}
	if c.fork {
		m.Status = record.StatusFork
	}
	return m
}
