package books

import (
	"crypto/sha256"
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

func sumOf(b []byte) record.Hash { return sha256.Sum256(b) }

// Apply folds an entry. The outcome of a pack is the binary form of its marks.
func (b *Books) Apply(e *fold.Entry, fx *fold.Effects) {
	b.rids.forget(e.At)
	step := step{b: b, e: e, fx: fx}
	for i := range e.Proposals {
		step.proposal = i
		fx.Outcomes = append(fx.Outcomes, step.pack(e.Proposals[i].Head))
	}
	step.finish()
}

// step is one Apply under way.
type step struct {
	b        *Books
	e        *fold.Entry
	fx       *fold.Effects
	proposal int
	index    uint32                 // of the next posting within the entry
	touched  map[uint32]record.Hash // accounts of this entry -> their share of the digest before
	order    []uint32               // keys of touched, in order of first touch
	sighted  []sighted
}

// sighted is a store that had not seen an account before.
type sighted struct {
	account uint32
	store   uint16
}

// pack applies a pack of receipts and gives its marks. What cannot be read never was a pack: ingest
// lets nothing else through, and a journal written by a later version stops nobody.
func (s *step) pack(head []byte) []byte {
	p, err := ReadPack(head)
	if err != nil {
		s.incident(fmt.Sprintf("proposal %d cannot be read: %v", s.proposal, err))
		return record.AppendMarks(nil, nil)
	}
	store := s.b.store(p.Store)
	marks := make([]record.Mark, 0, len(p.Runs))
	n := 0
	for _, run := range p.Runs {
		if len(run) > 0 {
			m := s.run(store, run, n)
			if k := len(marks) - 1; k >= 0 && marks[k].Chain == m.Chain {
				marks[k] = m
			} else {
				marks = append(marks, m)
			}
		}
		n += len(run)
	}
	return record.AppendMarks(nil, marks)
}

// run moves a chain's mark over the records that extend it. first is the index of the run's first
// record within the pack. That the records follow each other within the run, the node that took the
// pack has checked; that the run follows the chain is checked here, where the chain is known.
func (s *step) run(store uint16, run []record.Receipt, first int) record.Mark {
	b := s.b
	h := &run[0].Header
	i, known := b.byChain[h.Chain]
	if !known {
		if h.Kind != record.KindStart {
			return record.Mark{Chain: h.Chain, Status: record.StatusGap}
		}
		if i, known = s.begin(store, &run[0]); !known {
			return record.Mark{Chain: h.Chain, Status: record.StatusRefused}
		}
		run, first = run[1:], first+1
	}
	c := &b.chains[i]
	if c.store != store {
		return record.Mark{Chain: h.Chain, Status: record.StatusRefused}
	}
	skip := 0
	for skip < len(run) && run[skip].Seq <= c.seq {
		skip++
	}
	if !c.fork && b.differs(c, run[:skip], s.e.At/dayMS-c.begun <= keepDays) {
		s.fork(c, fmt.Sprintf("another record for a seq of chain %s that is held", c.id))
	}
	run, first = run[skip:], first+skip
	switch {
	case c.fork || len(run) == 0:
		return c.mark()
	case run[0].Seq != c.seq+1:
		m := c.mark()
		m.Status = record.StatusGap
		return m
	case run[0].Prev != c.hash:
		s.fork(c, fmt.Sprintf("seq %d of chain %s does not follow what is held", run[0].Seq, c.id))
		return c.mark()
	}
	b.digest.sub(c.sum())
	for k := range run {
		s.receipt(c, i, &run[k].Header, first+k)
	}
	c.seq, c.hash, c.changed = run[len(run)-1].Seq, run[len(run)-1].Hash(), s.e.Number
	b.digest.add(c.sum())
	return c.mark()
}

// differs reports whether records up to the mark are others than those that were taken. Of the one at
// the mark the hash is known. Of those before it, the rids: one that has never been posted lies on
// another branch, and to pass over it would lose a receipt. That says nothing once rids of the chain may
// have been forgotten: then remembered is false.
func (b *Books) differs(c *chain, held []record.Receipt, remembered bool) bool {
	for k := range held {
		r := &held[k]
		switch {
		case r.Seq == c.seq:
			if r.Hash() != c.hash {
				return true
			}
		case remembered && r.Kind != record.KindStart:
			if _, ok := b.rids.find(r.RID); !ok {
				return true
			}
		}
	}
	return false
}

// fork closes a chain: nothing more of it is taken.
func (s *step) fork(c *chain, why string) {
	s.b.digest.sub(c.sum())
	c.fork = true
	s.b.digest.add(c.sum())
	s.incident(fmt.Sprintf("store %s till %s: %s; the chain is refused from now on", s.b.stores[c.store], c.till, why))
}

// begin takes the first record of a chain.
func (s *step) begin(store uint16, r *record.Receipt) (uint32, bool) {
	b := s.b
	start, err := record.ReadStart(r.Data)
	if err != nil || start.Store != b.stores[store] {
		s.incident(fmt.Sprintf("store %s sent the start of a chain that is not its own: %s", b.stores[store], r.Chain))
		return 0, false
	}
	if i, ok := b.byChain[start.Found.Chain]; ok && b.chains[i].seq > start.Found.Seq {
		s.incident(fmt.Sprintf("store %s till %s started from an old disk image or a copy: it found chain %s at %d, which is held up to %d",
			start.Store, start.Till, start.Found.Chain, start.Found.Seq, b.chains[i].seq))
	} else if other, ok := b.successor(store, start.Found.Chain); ok {
		s.incident(fmt.Sprintf("store %s till %s started from an old disk image or a copy: it found chain %s, behind which chain %s was begun before",
			start.Store, start.Till, start.Found.Chain, other))
	}
	i := uint32(len(b.chains))
	c := chain{
		id: r.Chain, store: store, till: start.Till, seq: r.Seq, hash: r.Header.Hash(),
		changed: s.e.Number, begun: s.e.At / dayMS, found: start.Found,
	}
	b.chains = append(b.chains, c)
	b.byChain[r.Chain] = i
	b.byStore[store] = append(b.byStore[store], i)
	b.digest.add(c.sum())
	s.fx.Rows = append(s.fx.Rows, receiptRow(&r.Header, FateStart, s.e.Number))
	return i, true
}

// successor gives the chain of a store that was begun behind another. A disk has one newest chain: two
// that found the same one were begun on the disk and on its copy, or its image.
func (b *Books) successor(store uint16, found record.ChainID) (record.ChainID, bool) {
	if found.IsZero() {
		return record.ChainID{}, false
	}
	for _, i := range b.byStore[store] {
		if c := &b.chains[i]; c.found.Chain == found {
			return c.id, true
		}
	}
	return record.ChainID{}, false
}

// receipt posts one record that extends its chain, or notes that it is a repeat.
func (s *step) receipt(c *chain, index uint32, h *record.Header, at int) {
	b := s.b
	if p, known := b.rids.find(h.RID); known {
		b.totals.Repeats++
		b.rids.add(h.RID, p, s.e.At) // remembered as long as the record that repeats it
		if !h.Account.IsZero() {
			// The item goes out again, or the edge's overlay of this record would never end.
			s.touch(h.Account, c.store)
		}
		s.fx.Rows = append(s.fx.Rows, receiptRow(h, FateRepeat, s.e.Number))
		return
	}
	b.rids.add(h.RID, place{index, uint32(h.Seq)}, s.e.At)
	b.totals.Posted++
	s.fx.Took = append(s.fx.Took, fold.Took{Proposal: s.proposal, Record: at, Number: b.totals.Posted})
	s.fx.Rows = append(s.fx.Rows, receiptRow(h, FatePosted, s.e.Number))
	if h.Account.IsZero() {
		b.totals.Anonymous++
		return
	}
	b.totals.Transactions++
	s.post(s.touch(h.Account, c.store), h)
}

// post moves points. Earnings repay debt first; a return takes from the balance, and the rest is debt.
func (s *step) post(acc *account, h *record.Header) {
	p := Posting{Entry: s.e.Number, Index: s.index, At: s.e.At, RID: h.RID, Kind: h.Kind}
	s.index++
	switch h.Kind {
	case record.KindSale:
		p.Debt = min(h.Points, acc.debt)
		p.Shopper = h.Points - p.Debt
		p.Issued = -h.Points
	case record.KindReturn, record.KindVoid:
		taken := min(h.Points, acc.balance)
		p.Shopper, p.Debt = -taken, taken-h.Points
		p.Returned = h.Points
	}
	acc.balance += p.Shopper
	acc.debt -= p.Debt
	t := &s.b.totals
	t.Shopper += p.Shopper
	t.Debt += p.Debt
	t.Issued += p.Issued
	t.Returned += p.Returned
	s.fx.Rows = append(s.fx.Rows, fold.Row{Table: TablePostings, Key: p.key(acc.id), Value: p.value()})
}

// touch gives the account of a receipt, opening it if need be, notes that the store has seen it, and
// remembers its share of the digest from before this entry.
func (s *step) touch(id record.AccountID, store uint16) *account {
	acc, i, opened := s.b.accounts.open(id)
	if s.touched == nil {
		s.touched = map[uint32]record.Hash{}
	}
	if _, ok := s.touched[i]; !ok {
		var before record.Hash
		if !opened {
			before = acc.sum()
		}
		s.touched[i] = before
		s.order = append(s.order, i)
	}
	if s.b.see(acc, i, store, uint16(s.e.At/dayMS)) {
		s.sighted = append(s.sighted, sighted{i, store})
	}
	return acc
}

// finish moves the accounts of the entry in the feed of the stores that see them, and in the digest.
func (s *step) finish() {
	b := s.b
	fresh := map[sighted]bool{}
	for _, n := range s.sighted {
		fresh[n] = true
	}
	today := uint16(s.e.At / dayMS)
	for _, i := range s.order {
		acc := b.accounts.at(i)
		was := acc.changed
		acc.changed, acc.at = s.e.Number, s.e.At
		for _, store := range b.watchers(acc, i, today) {
			c := fold.Change{Store: b.stores[store], Kind: record.ItemShopper, Key: acc.id, Was: was, Now: s.e.Number}
			if fresh[sighted{i, store}] {
				c.Was = 0
			}
			s.fx.Changes = append(s.fx.Changes, c)
		}
		var none record.Hash
		if before := s.touched[i]; before != none {
			b.digest.sub(before)
		}
		b.digest.add(acc.sum())
	}
}

func (s *step) incident(text string) {
	s.b.totals.Incidents++
	key := record.AppendU64(nil, s.e.Number)
	key = record.AppendU64(key, s.b.totals.Incidents)
	s.fx.Rows = append(s.fx.Rows, fold.Row{Table: TableIncidents, Key: key, Value: []byte(text)})
}

// store gives a store's index, making one at its first pack.
func (b *Books) store(id subjects.StoreID) uint16 {
	i, ok := b.storeOf[id]
	if !ok {
		i = uint16(len(b.stores))
		b.stores = append(b.stores, id)
		b.storeOf[id] = i
	}
	return i
}
