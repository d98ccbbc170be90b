package books

import (
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Books is the state. It is not safe for concurrent use: package replica holds the lock.
type Books struct {
	accounts accounts
	chains   []chain
	byChain  map[record.ChainID]uint32
	byStore  map[uint16][]uint32 // chains of a store
	rids     rids
	stores   []subjects.StoreID // index 0 is nobody
	storeOf  map[subjects.StoreID]uint16
	far      map[uint32][]sighting // of accounts seen in more stores than fit
	totals   Totals
	digest   digest
}

// Totals are sums over the whole brand, since the journal began.
type Totals struct {
	Posted       uint64 // receipts that took effect
	Repeats      uint64 // records whose rid had been posted
	Anonymous    uint64 // posted receipts without a shopper
	Transactions uint64 // posted receipts with one
	Incidents    uint64

	// The four sides of the double entry; they sum to zero.
	Shopper  int64 // balances of all shoppers
	Debt     int64 // what shoppers owe, negative
	Issued   int64 // earned by receipts, negative
	Returned int64 // taken back by returns, debt included
}

// New makes empty books.
func New() *Books {
	return &Books{
		accounts: accounts{index: map[record.AccountID]uint32{}},
		byChain:  map[record.ChainID]uint32{},
		byStore:  map[uint16][]uint32{},
		stores:   make([]subjects.StoreID, 1),
		storeOf:  map[subjects.StoreID]uint16{},
		far:      map[uint32][]sighting{},
	}
}

// Digest sums up accounts, chains and totals.
func (b *Books) Digest() record.Hash {
	d := b.digest
	d.add(b.totals.sum())
	return d.hash()
}

// Totals gives the sums.
func (b *Books) Totals() Totals { return b.totals }

// Accounts gives how many accounts are open.
func (b *Books) Accounts() int { return b.accounts.len() }

// Shopper gives what falls to the edge of an account.
func (b *Books) Shopper(id record.AccountID) (record.Shopper, bool) {
	acc, _, ok := b.accounts.find(id)
	if !ok {
		return record.Shopper{}, false
	}
	return acc.shopper(), true
}

// Mark tells how far a chain has come, to the store whose chain it is; StatusRefused to another.
func (b *Books) Mark(id record.ChainID, store subjects.StoreID) record.Mark {
	i, ok := b.byChain[id]
	switch {
	case !ok:
		return record.Mark{Chain: id, Status: record.StatusUnknown}
	case b.stores[b.chains[i].store] != store:
		return record.Mark{Chain: id, Status: record.StatusRefused}
	}
	return b.chains[i].mark()
}

// Held gives the mark of a run's chain, and whether the books would learn nothing from the run: it is
// held already, or its chain is refused. It needs the run's records, since a chain that forked is held as
// far by its mark alone.
func (b *Books) Held(store subjects.StoreID, run []record.Receipt) (record.Mark, bool) {
	i, ok := b.byChain[run[0].Chain]
	if !ok || b.stores[b.chains[i].store] != store {
		return record.Mark{}, false
	}
	c := &b.chains[i]
	return c.mark(), c.fork || run[len(run)-1].Seq <= c.seq && !b.differs(c, run, true)
}

// Posted reports whether a receipt has been posted, as far as is remembered.
func (b *Books) Posted(rid record.RID) bool {
	_, ok := b.rids.find(rid)
	return ok
}

// Till gives the till whose chain it is.
func (b *Books) Till(id record.ChainID) (subjects.StoreID, subjects.TillID, bool) {
	i, ok := b.byChain[id]
	if !ok {
		return subjects.StoreID{}, subjects.TillID{}, false
	}
	return b.stores[b.chains[i].store], b.chains[i].till, true
}

// Item gives what falls to a store of one key of its feed: a removal if the store has not seen the
// account for feedDays.
func (b *Books) Item(store subjects.StoreID, kind record.ItemKind, key [16]byte) record.Item {
	it := record.Item{Kind: kind, Key: key[:]}
	acc, i, ok := b.accounts.find(record.AccountID(key))
	if !ok || kind != record.ItemShopper || !b.sees(acc, i, b.storeOf[store]) {
		return it
	}
	s := acc.shopper()
	it.Value = s.Append(nil)
	return it
}

// Counted lists the chains of a store that have moved after an entry.
func (b *Books) Counted(store subjects.StoreID, after uint64) []record.Counted {
	var out []record.Counted
	for _, i := range b.byStore[b.storeOf[store]] {
		if c := &b.chains[i]; c.changed > after {
			out = append(out, record.Counted{Chain: c.id, Counted: c.seq, Posted: c.seq})
		}
	}
	return out
}

func (t *Totals) sum() record.Hash { return sumOf(t.append([]byte{'t'})) }
