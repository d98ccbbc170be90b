package cache

import (
	"slices"
	"sort"

	"tillstream/kv/record"
)

// told is what upstream said about a chain.
type told struct {
	counted uint64 // as the last page has it
	posted  uint64
	floor   uint64 // every receipt up to here is contained in its account's item
	change  uint64 // number of the last change by a page
	steps   []step // counts since floor, by the page that brought them; ascending
}

// step is a chain's count from a page on.
type step struct{ page, counted uint64 }

// at is how far the items of a page contain the chain.
func (t *told) at(page uint64) uint64 {
	for _, s := range slices.Backward(t.steps) {
		if s.page <= page {
			return s.counted
		}
	}
	return t.floor
}

// chain is what is known of one chain.
type chain struct {
	told
	overlaid uint64 // highest seq kept here, as far as the owner said; memory only
	moved    uint64 // number of the last change by the overlay; memory only
}

// reach is how far what lies here counts the chain: what downstream is told.
func (ch *chain) reach() uint64 { return max(ch.counted, ch.overlaid) }

func (ch *chain) changed() uint64 { return max(ch.change, ch.moved) }

// account is the overlay of one account.
type account struct {
	receipts []receipt
	sum      int64  // of their points
	moved    uint64 // number of its last change, if no page has brought its item since; else 0
}

// receipt is one that upstream has not counted yet.
type receipt struct {
	chain  record.ChainID
	seq    uint64
	points int64 // what it adds to the balance; negative: takes out of it
}

func (a *account) has(id record.ChainID, seq uint64) bool {
	return slices.ContainsFunc(a.receipts, func(r receipt) bool { return r.chain == id && r.seq == seq })
}

// Overlay adds receipts that are durable in the node's journal, whatever upstream knows of them. One
// that is here already, or that the account's item contains, is not added again. Start records and
// receipts without a shopper only move their chain's count. The receipts of one call become visible
// in one moment; those of a chain must come in the order of their seq.
func (c *Cache) Overlay(hs []record.Header) {
	c.mu.Lock()
	fires := false
	for i := range hs {
		if c.add(&hs[i]) {
			fires = true
		}
	}
	c.mu.Unlock()
	if fires {
		c.poke()
	}
}

// add reports whether it changed what downstream is told; mu is held.
func (c *Cache) add(h *record.Header) bool {
	ch := c.chain(h.Chain)
	fresh := h.Seq > ch.overlaid
	moved := h.Seq > ch.reach()
	ch.overlaid = max(ch.overlaid, h.Seq)
	if moved {
		ch.moved = c.next()
	}
	if h.Account.IsZero() || h.Kind == record.KindStart {
		return moved
	}
	a := c.overlay[h.Account]
	if !fresh && a != nil && a.has(h.Chain, h.Seq) || c.contained(h) {
		return moved
	}
	if a == nil {
		a = &account{}
		c.overlay[h.Account] = a
	}
	r := receipt{chain: h.Chain, seq: h.Seq, points: moves(h)}
	a.receipts = append(a.receipts, r)
	a.sum += r.points
	a.moved = c.next()
	c.kept++
	c.log.add(change{number: a.moved, account: h.Account}, c.current)
	return true
}

// moves is what a receipt does to its shopper's balance. What a sale spends of a hold is out of the balance
// since the hold was placed; one that has happened without a hold takes it out itself. A return or a void
// gives back what was spent, and takes back what was earned.
func moves(h *record.Header) int64 {
	switch {
	case h.Kind != record.KindSale:
		return h.Spent - h.Points
	case h.Hold == record.RID{}:
		return h.Points - h.Spent
	}
	return h.Points
}

// Leave ends the overlay of a chain's receipts up to seq: they go on in another chain, whose receipts the
// owner has given before.
func (c *Cache) Leave(id record.ChainID, seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fires := false
	for acc, a := range c.overlay {
		n := len(a.receipts)
		a.receipts = slices.DeleteFunc(a.receipts, func(r receipt) bool {
			if r.chain != id || r.seq > seq {
				return false
			}
			a.sum -= r.points
			c.kept--
			return true
		})
		if len(a.receipts) == n {
			continue
		}
		// An account without receipts stays until its item comes: downstream has to hear of the change.
		a.moved, fires = c.next(), true
		c.log.add(change{number: a.moved, account: acc}, c.current)
	}
	if fires {
		c.poke()
	}
}

// contained reports whether the item of the receipt's account, as it lies here, has the receipt in it.
func (c *Cache) contained(h *record.Header) bool {
	ch := c.chains[h.Chain]
	if h.Seq <= ch.floor {
		return true
	}
	top := ch.counted
	if c.applying != nil {
		top = max(top, c.applying.counted(h.Chain, ch))
	}
	if h.Seq > top {
		return false // the usual case: a receipt of just now
	}
	it, _, err := c.lookup(h.Account)
	if err != nil {
		// The cache is damaged and about to be made anew; nobody will see this overlay.
		return false
	}
	if c.applying != nil && it.page == c.applying.state.page {
		return h.Seq <= c.applying.counted(h.Chain, ch)
	}
	return h.Seq <= ch.at(it.page)
}

// end takes out of an account's overlay what the item that has just come contains; mu is held.
func (c *Cache) end(id record.AccountID, number uint64) {
	a := c.overlay[id]
	if a == nil {
		return
	}
	a.receipts = slices.DeleteFunc(a.receipts, func(r receipt) bool {
		if r.seq > c.chains[r.chain].counted {
			return false
		}
		a.sum -= r.points
		c.kept--
		return true
	})
	if len(a.receipts) == 0 {
		delete(c.overlay, id)
	} else if a.moved < number {
		a.moved = 0 // the item's own number is higher: it is served there
	}
}

func (c *Cache) chain(id record.ChainID) *chain {
	ch := c.chains[id]
	if ch == nil {
		ch = &chain{}
		c.chains[id] = ch
	}
	return ch
}

// changes are the overlay's changes in the order of their numbers. An entry whose account has changed
// again, or has left the overlay, is dead.
type changes struct {
	entries []change
	clean   int // length after the last sweep
}

type change struct {
	number  uint64
	account record.AccountID
}

// current reports whether an entry is its account's last change.
func (c *Cache) current(e change) bool {
	a := c.overlay[e.account]
	return a != nil && a.moved == e.number
}

// add appends an entry, and sweeps the dead ones out whenever the list has doubled.
func (l *changes) add(e change, current func(change) bool) {
	l.entries = append(l.entries, e)
	if len(l.entries) > 2*l.clean+1024 {
		l.entries = slices.DeleteFunc(l.entries, func(e change) bool { return !current(e) })
		l.clean = len(l.entries)
	}
}

func (l *changes) after(number uint64) []change {
	i := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].number > number })
	return l.entries[i:]
}
