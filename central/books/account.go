package books

import "tillstream/kv/record"

// account is one shopper's place in the books. It holds no pointers: thirty million of them must not
// be work for the garbage collector.
type account struct {
	id      record.AccountID
	balance int64  // points that may be spent
	debt    int64  // points that later earnings repay first
	changed uint64 // entry that last changed it: where it stands in the feed
	at      int64  // time of that entry, Unix milliseconds
	last    uint64 // position in history of its last posting; zero: none
	seen    [inline]sighting
	far     uint32 // more of them; zero: none
	lots    uint32 // when its balance expires; see lotsOf
	holds   uint32 // the first of its holds that stand, plus one; not in a snapshot
}

const (
	feedDays = 90 // an account falls to the stores that saw it so lately (DESIGN §5)
	dayMS    = 24 * 3600 * 1000
	slabSize = 4096 // accounts to a slab
)

// accounts lie in slabs, in the order in which they were opened: growing never moves one.
type accounts struct {
	index index
	slabs []*[slabSize]account
	n     int
}

func newAccounts() accounts { return accounts{index: newIndex()} }

func (a *accounts) len() int { return a.n }

func (a *accounts) at(i uint32) *account { return &a.slabs[i/slabSize][i%slabSize] }

func (a *accounts) find(id *record.AccountID) (*account, uint32, bool) {
	i, ok := a.index.find(a.index.hash((*[16]byte)(id)), func(i uint32) bool { return a.at(i).id == *id })
	if !ok {
		return nil, 0, false
	}
	return a.at(i), i, true
}

// open gives the account, making it if this is its first receipt.
func (a *accounts) open(id *record.AccountID) (acc *account, i uint32, opened bool) {
	if acc, i, ok := a.find(id); ok {
		return acc, i, false
	}
	acc, i = a.push()
	acc.id = *id
	a.index.put(a.index.hash((*[16]byte)(id)), i, func(uint32) bool { return false })
	return acc, i, true
}

func (a *accounts) push() (*account, uint32) {
	i := uint32(a.n)
	if int(i/slabSize) == len(a.slabs) {
		a.slabs = append(a.slabs, new([slabSize]account))
	}
	a.n++
	return a.at(i), i
}

// shopper is what falls to the edge of an account.
func (b *Books) shopper(acc *account) record.Shopper {
	out := record.Shopper{Balance: acc.balance, Debt: acc.debt, AsOf: acc.at}
	for i := acc.holds; i != 0; i = b.holds.at(i - 1).nextOf {
		out.Held += b.holds.at(i - 1).points
	}
	if acc.lots == 0 {
		return out
	}
	n := 0
	var few [8]lot
	for _, l := range b.lotsOf(few[:0], acc) {
		switch at := int64(l.day) * dayMS; {
		case l.points < 0 || l.day == never:
		case at <= b.at: // and nobody has taken it out yet
			out.Balance -= l.points
		case n < record.MaxExpires:
			out.Expires[n] = record.Lot{Points: l.points, At: at}
			n++
		}
	}
	return out
}
