package laws

import (
	"fmt"

	"tillstream/central/books"
	"tillstream/central/books/count"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// model folds the journal as the books should, by code of its own that keeps everything: each record's
// hash, each rid for ever. (The books forget rids after 45 days; a history is shorter.) Nothing of what
// the nodes say is in it.
type model struct {
	chains    map[record.ChainID]*modelChain
	behind    map[behind]bool // chains behind which another was begun
	posted    map[record.RID]bool
	taken     []taken        // records that extended their chain, in the journal's order
	count     *count.Count   // of points, holds and coupons
	policy    uint64         // revision of that which counts
	totals    books.Totals   // without incidents and moves
	incidents map[uint64]int // by entry: about holds and returns
	oldDisks  []uint64       // entries whose start record found less than was held
	forks     []string
	foreign   []string // records that are not their sender's
	gaps      int      // runs that did not follow what was held
	again     int      // records that were held
}

// behind is a chain that a store's till has found on its disk.
type behind struct {
	store subjects.StoreID
	chain record.ChainID
}

type modelChain struct {
	of     Place
	hashes []record.Hash // of seq 1, 2, …
	fork   bool          // nothing more of it is taken
}

// taken is a record that extended its chain.
type taken struct {
	head  record.Header
	of    Place
	entry uint64
	at    int64
	fate  books.Fate
	start []byte // the body of a start record
	lines books.Posting
	posts bool        // it has a transaction, of these lines
	kept  *Kept       // nil: its body is as its POS sent it
	hold  *count.Hold // that it names, nil: there is none
	stood bool        // when it came
}

func newModel(journal []Entry) *model {
	m := &model{
		chains: map[record.ChainID]*modelChain{}, behind: map[behind]bool{}, posted: map[record.RID]bool{},
		count: count.New(), incidents: map[uint64]int{},
	}
	for i := range journal {
		e := &journal[i]
		m.count.Advance(e.At)
		for k := 0; k <= len(e.Packs); k++ {
			for _, c := range e.Commands {
				if c.Behind == k {
					m.command(&c.Command)
				}
			}
			if k == len(e.Packs) {
				break
			}
			for _, run := range e.Packs[k].Runs {
				m.run(e, e.Packs[k].Store, run)
			}
		}
	}
	t := &m.count.Totals
	m.totals.Issued, m.totals.Returned, m.totals.Redeemed, m.totals.Expired = t.Issued, t.Returned, t.Redeemed, t.Expired
	for _, a := range m.count.Purses {
		m.totals.Shopper += a.Balance()
		m.totals.Debt -= a.Debt
		m.totals.Held += a.Held
	}
	return m
}

// command takes a proposal that is no pack. One that a store may not make comes to nothing.
func (m *model) command(c *books.Command) {
	switch {
	case c.Policy != nil:
		if c.Policy.Revision == m.policy+1 { // one that does not follow comes to nothing
			m.policy = c.Policy.Revision
			m.count.ExpireDays, m.count.HoldMinutes = int(c.Policy.ExpireDays), int(c.Policy.HoldMinutes)
		}
	case c.Hold == nil:
		m.count.Release("", c.Release)
	case c.Hold.Verb == record.HoldRelease:
		m.count.Release(c.Store.String(), c.Hold.ID)
	case c.Hold.Verb == record.HoldPlace:
		if from := m.chains[c.Hold.From.Chain]; from == nil || from.of.Store == c.Store && !from.fork {
			m.count.Place(c.Store.String(), c.Hold)
		}
	}
}

func (m *model) run(e *Entry, store subjects.StoreID, run []record.Receipt) {
	if len(run) == 0 {
		return
	}
	c := m.chains[run[0].Chain]
	if c == nil {
		if run[0].Seq != 1 {
			m.gaps++
			return
		}
		if c = m.begin(e, store, &run[0]); c == nil {
			return
		}
		run = run[1:]
	}
	if c.of.Store != store {
		m.foreign = append(m.foreign, fmt.Sprintf("entry %d: store %s sent records of chain %s, which is of till %s", e.Number, store, run[0].Chain, c.of))
		return
	}
	for i := range run {
		h := &run[i].Header
		held := uint64(len(c.hashes))
		switch {
		case c.fork:
			return
		case h.Seq > held+1:
			m.gaps++
			return
		case h.Seq <= held:
			m.again++
			if h.Hash() != c.hashes[h.Seq-1] {
				c.fork = true
				m.forks = append(m.forks, fmt.Sprintf("entry %d: another record for seq %d of chain %s of till %s", e.Number, h.Seq, h.Chain, c.of))
				return
			}
		case h.Prev != c.hashes[held-1]:
			c.fork = true
			m.forks = append(m.forks, fmt.Sprintf("entry %d: seq %d of chain %s of till %s does not follow seq %d", e.Number, h.Seq, h.Chain, c.of, held))
			return
		default:
			c.hashes = append(c.hashes, h.Hash())
			m.take(e, c.of, h)
		}
	}
}

func (m *model) begin(e *Entry, store subjects.StoreID, r *record.Receipt) *modelChain {
	start, err := record.ReadStart(r.Data)
	if err != nil || start.Store != store {
		m.foreign = append(m.foreign, fmt.Sprintf("entry %d: store %s began chain %s of store %s: %v", e.Number, store, r.Chain, start.Store, err))
		return nil
	}
	// A disk has one newest chain: the next begins behind all that is held of it, and no second one does.
	behind := behind{store, start.Found.Chain}
	found := m.chains[start.Found.Chain]
	if found != nil && uint64(len(found.hashes)) > start.Found.Seq || !start.Found.Chain.IsZero() && m.behind[behind] {
		m.oldDisks = append(m.oldDisks, e.Number)
	}
	m.behind[behind] = true
	c := &modelChain{of: Place{start.Store, start.Till}, hashes: []record.Hash{r.Header.Hash()}}
	m.chains[r.Chain] = c
	m.count.Start(r.Chain, start.Found)
	m.taken = append(m.taken, taken{head: r.Header, of: c.of, entry: e.Number, at: e.At, fate: books.FateStart, start: r.Data})
	return c
}

func (m *model) take(e *Entry, of Place, h *record.Header) {
	t := taken{head: *h, of: of, entry: e.Number, at: e.At, fate: books.FatePosted, kept: e.Kept[h.Body], hold: m.count.Holds[h.Hold]}
	t.stood = t.hold != nil && t.hold.State == record.HoldPlaced
	before := m.count.Incidents
	defer func() {
		if n := int(m.count.Incidents - before); n > 0 {
			m.incidents[e.Number] += n
		}
	}()
	if m.posted[h.RID] {
		t.fate = books.FateRepeat
		m.totals.Repeats++
		m.count.Record(h)
		m.taken = append(m.taken, t)
		return
	}
	m.posted[h.RID] = true
	m.totals.Posted++
	moved := m.count.Record(h)
	if t.posts = !h.Account.IsZero() || !moved.Account.IsZero(); t.posts && h.Of != (record.RID{}) {
		sale := m.count.Sales[h.Of]
		t.posts = sale == nil || !sale.Account.IsZero()
	}
	if t.posts {
		m.totals.Transactions++
	} else {
		m.totals.Anonymous++
	}
	t.lines = books.Posting{
		Shopper: moved.Shopper, Debt: moved.Debt, Issued: moved.Issued, Returned: moved.Returned, Held: moved.Held,
		Redeemed: moved.Redeemed, Expired: moved.Expired,
	}
	m.taken = append(m.taken, t)
}
