package books

import (
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Books is the state. It is not safe for concurrent use: package replica holds the lock.
type Books struct {
	accounts accounts
	chains   chains
	rids     rids
	stores   []*store // index 0 is nobody
	storeOf  map[subjects.StoreID]uint16
	storeIs  map[string]uint16 // the same by name, for names that have not been parsed
	lanes    []lane
	laneIs   map[lane]uint32
	far      sightings // of accounts seen in more stores than fit
	lists    *lists    // of accounts, holds, sales and returns that wait
	holds    pool[hold]
	coupons  pool[coupon]
	deals    pool[deal]
	waits    pool[waiting]
	due      dueHolds
	policy   Policy
	dated    bool // points expire, or have: accounts are swept
	swept    round
	totals   Totals
	digest   digest // of accounts and chains
	incident uint64 // position in history of the newest; zero: none
	entry    uint64 // the newest that was applied
	at       int64  // its time
	day      uint16 // on which chains were last let go of, since 1970

	frozen *image // a snapshot under way
	scratch
}

// scratch is memory that each Apply uses again. Together with one block per entry for the outcomes and one
// for the lines it took the allocations of a pack of one receipt from ten to none.
type scratch struct {
	line     []byte
	marks    []record.Mark
	in       packReader
	packs    []unpacked
	hashes   []uint64
	warmth   uint64
	watchers []sighting
	later    []uint64 // a bit for each account
	rows     []change
	words    []uint64
	lots     []lot
	taken    []lot
}

// Totals are sums over the whole brand, since the journal began.
type Totals struct {
	Posted       uint64 // receipts that took effect
	Repeats      uint64 // records whose rid had been posted
	Anonymous    uint64 // posted receipts without a shopper
	Transactions uint64 // posted receipts with one
	Incidents    uint64
	Moves        uint64 // postings that no record made as it came: of holds, of lots that expired, of returns that waited

	// The sides of the double entry; they sum to zero.
	Shopper  int64 // balances of all shoppers
	Debt     int64 // what shoppers owe, negative
	Held     int64 // set aside by holds
	Issued   int64 // earned by receipts, negative
	Returned int64 // taken back by returns, debt included
	Redeemed int64 // spent by receipts, less what returns gave back
	Expired  int64
}

// Sum is zero.
func (t *Totals) Sum() int64 {
	return t.Shopper + t.Debt + t.Held + t.Issued + t.Returned + t.Redeemed + t.Expired
}

// New makes empty books.
func New() *Books {
	ls := &lists{}
	return &Books{
		lists:    ls,
		holds:    newPool(holdForm(ls)),
		coupons:  newPool(couponForm()),
		deals:    newPool(dealForm(ls)),
		waits:    newPool(waitForm(ls)),
		policy:   Policy{HoldMinutes: holdMinutes},
		accounts: newAccounts(),
		chains:   newChains(),
		rids:     newRids(),
		stores:   []*store{{}},
		storeOf:  map[subjects.StoreID]uint16{},
		storeIs:  map[string]uint16{},
		laneIs:   map[lane]uint32{},
	}
}

// Empty is [fold.Machine]'s.
func (b *Books) Empty() fold.Machine { return New() }

// Digest sums up accounts, chains, holds, coupons, what returns gave back of sales, and totals.
func (b *Books) Digest() record.Hash {
	d := b.digest
	for _, sums := range [...]digest{b.holds.sums, b.coupons.sums, b.deals.sums, b.waits.sums} {
		d.add(sums)
	}
	return d.hash(&b.totals, &b.policy)
}

// Totals gives the sums.
func (b *Books) Totals() Totals { return b.totals }

// Accounts gives how many accounts are open.
func (b *Books) Accounts() int { return b.accounts.len() }

// Shopper gives what falls to the edge of an account.
func (b *Books) Shopper(id record.AccountID) (record.Shopper, bool) {
	acc, _, ok := b.accounts.find(&id)
	if !ok {
		return record.Shopper{}, false
	}
	return b.shopper(acc), true
}

// Posted reports whether a receipt has been posted, as far as is remembered.
func (b *Books) Posted(rid record.RID) bool { return b.rids.find(&rid) }

// storeNumber gives a store's index, making one at its first pack.
func (b *Books) storeNumber(id subjects.StoreID) uint16 {
	i, ok := b.storeOf[id]
	if !ok {
		i = uint16(len(b.stores))
		b.stores = append(b.stores, &store{id: id})
		b.storeOf[id], b.storeIs[id.String()] = i, i
	}
	return i
}

// storeNamed gives the index of a store by its name as it stands in a proposal.
func (b *Books) storeNamed(name []byte) (uint16, error) {
	if i, ok := b.storeIs[string(name)]; ok {
		return i, nil
	}
	id, err := subjects.ParseStoreID(string(name))
	if err != nil {
		return 0, fmt.Errorf("proposal: %w", err)
	}
	return b.storeNumber(id), nil
}

// laneNumber gives a till's index, making one at its first chain.
func (b *Books) laneNumber(l lane) uint32 {
	i, ok := b.laneIs[l]
	if !ok {
		i = uint32(len(b.lanes))
		b.lanes = append(b.lanes, l)
		b.laneIs[l] = i
	}
	return i
}
