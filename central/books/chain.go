package books

import (
	"tillstream/kv/record"
	"tillstream/subjects"
)

// lane is a till of a store.
type lane struct {
	store uint16 // index into Books.stores
	till  subjects.TillID
}

// chain is the mark of one till's chain.
type chain struct {
	id      record.ChainID
	hash    record.Hash
	seq     uint64
	changed uint64 // entry that last moved it
	lane    uint32 // index into Books.lanes
	begun   uint16 // day of the entry that took its first record; zero: it was at rest since
	moved   uint16 // day of the entry that last moved it
	closed  uint16 // day on which a chain was begun behind it; zero: none
	fork    bool   // another record was sent for a seq that is held: nothing more is taken
	holds   uint32 // the first that stands and was asked for from it, plus one; not in a snapshot
	end     uint64 // the seq that the chain behind it found at its end
	found   record.ChainID
}

// rested is what is left of a chain that was let go of: enough to say what is held of it, and to go on
// where it ended if it moves once more.
type rested struct {
	id   record.ChainID
	tail [8]byte // of the hash at seq: what its next record follows
	seq  uint32
	lane uint32
}

const (
	chainSlab = 256
	restSlab  = 4096
	atRest    = 1 << 31 // in the index: the number is that of a rested
)

// chains are numbered as they begin; history names them by these numbers. A number is not used again. A
// chain is let go of when another was begun behind it and nothing of it has come for restDays: a slab in
// which all are goes as a whole.
type chains struct {
	index index
	slabs []*[chainSlab]chain
	left  []uint16            // of each slab: chains that are not let go of
	n     uint32              // began
	up    uint32              // of them are not at rest
	rest  []*[restSlab]rested // never changed: a chain that moves again leaves its place unused
	rests uint32
}

func newChains() chains { return chains{index: newIndex()} }

func (c *chains) at(number uint32) *chain { return &c.slabs[number/chainSlab][number%chainSlab] }

func (c *chains) resting(i uint32) *rested { return &c.rest[i/restSlab][i%restSlab] }

func (c *chains) is(id *record.ChainID) func(uint32) bool {
	return func(n uint32) bool {
		if n&atRest != 0 {
			return c.resting(n&^atRest).id == *id
		}
		return c.at(n).id == *id
	}
}

// find gives the number of a chain; one at rest has atRest in it.
func (c *chains) find(id *record.ChainID) (uint32, bool) {
	return c.index.find(c.index.hash((*[16]byte)(id)), c.is(id))
}

func (c *chains) put(id *record.ChainID, number uint32) {
	c.index.put(c.index.hash((*[16]byte)(id)), number, c.is(id))
}

// begin gives a chain its number.
func (c *chains) begin(ch chain) uint32 {
	n := c.n
	c.place(n, ch)
	c.n++
	return n
}

// place puts a chain where its number says.
func (c *chains) place(n uint32, ch chain) {
	for int(n/chainSlab) >= len(c.slabs) {
		c.slabs, c.left = append(c.slabs, nil), append(c.left, 0)
	}
	k := n / chainSlab
	if c.slabs[k] == nil {
		c.slabs[k] = new([chainSlab]chain)
	}
	c.slabs[k][n%chainSlab] = ch
	c.left[k]++
	c.up++
	c.put(&ch.id, n)
}

// drop empties the place of a chain that was laid to rest.
func (c *chains) drop(n uint32) {
	k := n / chainSlab
	c.slabs[k][n%chainSlab] = chain{}
	c.up--
	if c.left[k]--; c.left[k] == 0 && n/chainSlab != c.n/chainSlab { // more will come into the newest
		c.slabs[k] = nil
	}
}

// awake reports whether a number is of a chain that is not let go of.
func (c *chains) awake(n uint32) bool {
	k := int(n / chainSlab)
	return k < len(c.slabs) && c.slabs[k] != nil && !c.at(n).id.IsZero()
}

// lay puts a chain to rest.
func (c *chains) lay(r rested) {
	i := c.rests
	if int(i/restSlab) == len(c.rest) {
		c.rest = append(c.rest, new([restSlab]rested))
	}
	*c.resting(i) = r
	c.rests++
	c.put(&r.id, i|atRest)
}

// all calls fn for every chain that is not at rest, by number.
func (c *chains) all(fn func(number uint32, ch *chain)) {
	for k, slab := range c.slabs {
		if slab == nil {
			continue
		}
		for i := range slab {
			if !slab[i].id.IsZero() {
				fn(uint32(k*chainSlab+i), &slab[i])
			}
		}
	}
}

// allResting calls fn for every chain that is at rest.
func (c *chains) allResting(fn func(*rested)) {
	for i := range c.rests {
		r := c.resting(i)
		if n, ok := c.find(&r.id); ok && n == i|atRest {
			fn(r)
		}
	}
}

func (c *chain) mark() record.Mark {
	m := record.Mark{Chain: c.id, Status: record.StatusHeld, Held: c.seq, Posted: c.seq, Hash: c.hash}
	if c.fork {
		m.Status = record.StatusFork
	}
	return m
}

// mark has no hash: whoever compares must take that for no answer.
func (r *rested) mark() record.Mark {
	return record.Mark{Chain: r.id, Status: record.StatusHeld, Held: uint64(r.seq), Posted: uint64(r.seq)}
}

// store is what the books know of one.
type store struct {
	id     subjects.StoreID
	chains []uint32 // numbers of those not at rest
	holds  int      // that stand
	feed   []change // oldest first
	kept   int      // rows of feed that were left when it was last put in order
	gone   uint64   // entry of the newest removal that was dropped from feed
}

// Mark tells how far a chain has come, to the store whose chain it is; StatusRefused to another. The mark
// of a chain at rest has no hash.
func (b *Books) Mark(id record.ChainID, store subjects.StoreID) record.Mark {
	n, ok := b.chains.find(&id)
	switch {
	case !ok:
		return record.Mark{Chain: id, Status: record.StatusUnknown}
	case b.storeOfChain(n) != store:
		return record.Mark{Chain: id, Status: record.StatusRefused}
	case n&atRest != 0:
		return b.chains.resting(n &^ atRest).mark()
	}
	return b.chains.at(n).mark()
}

// laneOf gives the till of a chain.
func (b *Books) laneOf(n uint32) *lane {
	if n&atRest != 0 {
		return &b.lanes[b.chains.resting(n&^atRest).lane]
	}
	return &b.lanes[b.chains.at(n).lane]
}

func (b *Books) storeOfChain(n uint32) subjects.StoreID { return b.stores[b.laneOf(n).store].id }

// Held gives the mark of a run's chain, and whether the books would learn nothing from the run: it is
// held already, or its chain is refused. It needs the run's records, since a chain that forked is held as
// far by its mark alone.
func (b *Books) Held(store subjects.StoreID, run []record.Receipt) (record.Mark, bool) {
	n, ok := b.chains.find(&run[0].Chain)
	if !ok || b.storeOfChain(n) != store {
		return record.Mark{}, false
	}
	last := run[len(run)-1].Seq
	if n&atRest != 0 {
		m := b.chains.resting(n &^ atRest).mark()
		return m, last <= m.Held
	}
	c := b.chains.at(n)
	return c.mark(), c.fork || last <= c.seq && !b.differs(c, run, true)
}

// Till gives the till whose chain it is.
func (b *Books) Till(id record.ChainID) (subjects.StoreID, subjects.TillID, bool) {
	n, ok := b.chains.find(&id)
	if !ok {
		return subjects.StoreID{}, subjects.TillID{}, false
	}
	l := b.laneOf(n)
	return b.stores[l.store].id, l.till, true
}

// Counted lists the chains of a store that have moved after an entry, but those at rest.
func (b *Books) Counted(store subjects.StoreID, after uint64) []record.Counted {
	var out []record.Counted
	for _, n := range b.stores[b.storeOf[store]].chains {
		if c := b.chains.at(n); c.changed > after {
			out = append(out, record.Counted{Chain: c.id, Counted: c.seq, Posted: c.seq})
		}
	}
	return out
}
