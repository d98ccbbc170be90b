package books

import (
	"crypto/sha256"
	"fmt"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

func sumOf(b []byte) record.Hash { return sha256.Sum256(b) }

// Apply folds an entry. The outcome of a pack is the binary form of its marks.
func (b *Books) Apply(e *fold.Entry, fx *fold.Effects) {
	b.rids.forget(e.At)
	step := step{b: b, e: e, fx: fx, today: uint16(e.At / dayMS)}
	step.earns = b.policy.expires(step.today)
	step.rest()
	n, size := len(e.Proposals), 0
	for i := range e.Proposals {
		size += len(e.Proposals[i].Head)
	}
	// A line is less than half of a header, and most marks are one for a pack.
	fx.Framed = make([]byte, 0, size/2)
	step.pass()
	var out []byte
	if fx.Asked {
		fx.Outcomes, fx.Took = make([][]byte, n), make([]fold.Took, 0, n)
		out = make([]byte, 0, n*markSize)
	}
	if e.Begins() {
		step.incident(fmt.Sprintf("the journal was restored from a backup: generation %s ends at entry %d, %s begins", e.Ends, e.Number-1, e.Generation))
	}
	for from := 0; from < n; from += atOnce {
		b.unpack(e.Proposals[from:min(from+atOnce, n)])
		b.warm()
		for i := range b.packs {
			step.proposal = from + i
			if cmd := b.packs[i].command; cmd != nil {
				if said := step.command(cmd); fx.Asked {
					fx.Outcomes[from+i] = said
				}
				continue
			}
			marks := step.pack(&b.packs[i])
			if fx.Asked {
				begin := len(out)
				out = record.AppendMarks(out, marks)
				fx.Outcomes[from+i] = out[begin:len(out):len(out)]
			}
		}
	}
}

// atOnce is how many proposals are taken apart together: with more, what was fetched for the first is gone
// from the processor's cache before the last is applied.
const atOnce = 128

// markSize is the binary form of one mark; a guess too low costs an allocation.
const markSize = 67

// step is one Apply under way.
type step struct {
	b        *Books
	e        *fold.Entry
	fx       *fold.Effects
	proposal int
	lane     uint32 // of the record that is posted
	today    uint16 // days since 1970
	earns    uint16 // day on which points expire that are earned now
}

// tell appends a line to history.
func (s *step) tell(l *line) uint64 {
	s.b.line = l.append(s.b.line[:0])
	return s.fx.Line(s.b.line)
}

// unpacked is a proposal that was taken apart, or why it cannot be.
type unpacked struct {
	readPack
	command []byte // what is no pack
	err     error
}

// unpack takes proposals apart.
func (b *Books) unpack(ps []fold.Proposal) {
	b.in.next()
	b.packs = b.packs[:0]
	for i := range ps {
		if IsCommand(ps[i].Head) {
			b.packs = append(b.packs, unpacked{command: ps[i].Head})
			continue
		}
		p, err := b.in.read(ps[i].Head)
		b.packs = append(b.packs, unpacked{readPack: p, err: err})
	}
}

// warm looks at the memory that records will need, one kind after the other: so the processor waits for many
// places at once, and not for each in turn. That takes a fifth off Apply.
func (b *Books) warm() {
	b.hashes = b.hashes[:0]
	accounts, warmth := &b.accounts.index, uint64(0)
	for i := range b.in.recs {
		r := &b.in.recs[i]
		h := accounts.hash((*[16]byte)(&r.Account))
		b.hashes = append(b.hashes, h)
		warmth += accounts.peek(h) + b.rids.index.peek(b.rids.index.hash((*[16]byte)(&r.RID)))
	}
	for _, h := range b.hashes {
		if slot := accounts.peek(h); slot != 0 {
			warmth += b.accounts.at(uint32(slot)).changed
		}
	}
	for _, h := range b.hashes {
		if slot := accounts.peek(h); slot != 0 {
			if far := b.accounts.at(uint32(slot)).far; far != 0 {
				warmth += uint64(b.far.at(far).next)
			}
		}
	}
	b.warmth = warmth // or the compiler would find out that nobody wants it
}

// pack applies a pack of receipts and gives its marks, until the next. What cannot be read never was a pack:
// ingest lets nothing else through, and a journal written by a later version stops nobody.
func (s *step) pack(in *unpacked) []record.Mark {
	b := s.b
	err := in.err
	var store uint16
	if err == nil {
		store, err = b.storeNamed(in.store)
	}
	if err != nil {
		s.incident(fmt.Sprintf("proposal %d cannot be read: %v", s.proposal, err))
		return nil
	}
	marks := b.marks[:0]
	n := 0
	for _, size := range in.runs {
		if run := in.recs[n : n+size]; size > 0 {
			m := s.run(store, run, &in.readPack, n)
			if k := len(marks) - 1; k >= 0 && marks[k].Chain == m.Chain {
				marks[k] = m
			} else {
				marks = append(marks, m)
			}
		}
		n += size
	}
	b.marks = marks
	return marks
}

// chain gives the number of a run's chain, which begins or wakes if need be, and how many of the run's
// records that took. If nothing is taken of the run, it gives its mark.
func (s *step) chain(store uint16, run []record.Receipt) (i uint32, taken int, m record.Mark) {
	b, h := s.b, &run[0].Header
	i, known := b.chains.find(&h.Chain)
	switch {
	case !known && h.Kind != record.KindStart:
		return 0, 0, record.Mark{Chain: h.Chain, Status: record.StatusGap}
	case !known:
		if i, known = s.begin(store, &run[0]); !known {
			return 0, 0, record.Mark{Chain: h.Chain, Status: record.StatusRefused}
		}
		return i, 1, m
	case b.laneOf(i).store != store:
		return 0, 0, record.Mark{Chain: h.Chain, Status: record.StatusRefused}
	case i&atRest == 0:
		return i, 0, m
	}
	r := b.chains.resting(i &^ atRest)
	if taken, m = r.extends(run); m.Status == 0 {
		i = s.wake(r, &run[taken])
	}
	return i, taken, m
}

// run moves a chain's mark over the records that extend it. first is the index of the run's first
// record within its pack. That the records follow each other within the run, the node that took the
// pack has checked; that the run follows the chain is checked here, where the chain is known.
func (s *step) run(store uint16, run []record.Receipt, of *readPack, first int) record.Mark {
	b := s.b
	i, taken, m := s.chain(store, run)
	if m.Status != 0 {
		return m
	}
	run, first = run[taken:], first+taken
	c := b.chains.at(i)
	skip := 0
	for skip < len(run) && run[skip].Seq <= c.seq {
		skip++
	}
	if !c.fork && b.differs(c, run[:skip], s.today-c.begun <= keepDays) {
		s.fork(i, c, fmt.Sprintf("another record for a seq of chain %s that is held", c.id))
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
		s.fork(i, c, fmt.Sprintf("seq %d of chain %s does not follow what is held", run[0].Seq, c.id))
		return c.mark()
	}
	b.keepChain(i)
	b.digest.sub(c.sum())
	s.lane = c.lane
	for k := range run {
		s.receipt(c, i, &run[k].Header, first+k)
		if c.holds != 0 {
			s.progress(c, &run[k].Header)
		}
	}
	c.seq, c.hash = run[len(run)-1].Seq, of.hash(first+len(run)-1)
	c.changed, c.moved = s.e.Number, s.today
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
			if !b.rids.find(&r.RID) {
				return true
			}
		}
	}
	return false
}

// fork closes a chain: nothing more of it is taken.
func (s *step) fork(number uint32, c *chain, why string) {
	s.b.keepChain(number)
	s.b.digest.sub(c.sum())
	c.fork = true
	s.b.digest.add(c.sum())
	l := &s.b.lanes[c.lane]
	s.incident(fmt.Sprintf("store %s till %s: %s; the chain is refused from now on", s.b.stores[l.store].id, l.till, why))
}

// begin takes the first record of a chain.
func (s *step) begin(store uint16, r *record.Receipt) (uint32, bool) {
	b := s.b
	home := b.stores[store]
	start, err := record.ReadStart(r.Data)
	if err != nil || start.Store != home.id {
		s.incident(fmt.Sprintf("store %s sent the start of a chain that is not its own: %s", home.id, r.Chain))
		return 0, false
	}
	if held := b.held(&start.Found.Chain); held > start.Found.Seq {
		s.incident(fmt.Sprintf("store %s till %s started from an old disk image or a copy: it found chain %s at %d, which is held up to %d",
			start.Store, start.Till, start.Found.Chain, start.Found.Seq, held))
	} else if other, ok := b.successor(home, start.Found.Chain); ok {
		s.incident(fmt.Sprintf("store %s till %s started from an old disk image or a copy: it found chain %s, behind which chain %s was begun before",
			start.Store, start.Till, start.Found.Chain, other))
	}
	s.close(store, &start.Found)
	i := s.number(chain{
		id: r.Chain, lane: b.laneNumber(lane{store, start.Till}), begun: s.today, seq: r.Seq, hash: r.Header.Hash(), found: start.Found.Chain,
	}, 0)
	s.tell(&line{kind: lineFate, fate: FateStart, Posting: Posting{Entry: s.e.Number}, chain: i, seq: r.Seq})
	return i, true
}

// number gives a chain a number, under which history tells of its records after a seq.
func (s *step) number(c chain, after uint64) uint32 {
	b := s.b
	c.changed, c.moved = s.e.Number, s.today
	i := b.chains.begin(c)
	l := &b.lanes[c.lane]
	home := b.stores[l.store]
	home.chains = append(home.chains, i)
	b.digest.add(c.sum())
	s.tell(&line{kind: lineChain, number: i, after: after, id: c.id, store: home.id, till: l.till})
	return i
}

// held gives how far a chain is held; zero if it is not known.
func (b *Books) held(id *record.ChainID) uint64 {
	n, ok := b.chains.find(id)
	switch {
	case !ok:
		return 0
	case n&atRest != 0:
		return uint64(b.chains.resting(n &^ atRest).seq)
	}
	return b.chains.at(n).seq
}

// successor gives the chain of a store that was begun behind another. A disk has one newest chain: two
// that found the same one were begun on the disk and on its copy, or its image.
func (b *Books) successor(home *store, found record.ChainID) (record.ChainID, bool) {
	if found.IsZero() {
		return record.ChainID{}, false
	}
	for _, i := range home.chains {
		if c := b.chains.at(i); c.found == found {
			return c.id, true
		}
	}
	return record.ChainID{}, false
}

func (s *step) incident(text string) {
	b := s.b
	b.totals.Incidents++
	l := line{kind: lineIncident, text: text, Posting: Posting{Entry: s.e.Number}}
	if b.incident != 0 {
		l.back = s.fx.Next() - b.incident
	}
	b.incident = s.tell(&l)
}
