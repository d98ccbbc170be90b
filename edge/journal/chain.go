package journal

import (
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// chain is a chain in memory: what the file says, and how far upstream and the centre have it.
// Confirmed and posted get to the file with the next transaction that writes the chain; a stale number
// there is harmless, as upstream is asked when the node has connected.
type chain struct {
	state
	confirmed uint64
	posted    uint64
	dirty     bool          // confirmed or posted are newer than in the file
	refused   record.Status // by upstream, in the life of this process; otherwise 0
	ahead     bool          // upstream holds more than this disk, and it was said
	recent    []recent      // newest runs, without a gap up to the tip
}

// recent is a run in memory.
type recent struct {
	run   record.Run
	kept  int64
	stamp uint64 // grows with every run: which is oldest
}

// Chain says how far a chain has come.
type Chain struct {
	ID        record.ChainID
	Start     record.Start
	Own       bool // begun on this disk; otherwise accepted
	Tip       record.Tip
	Confirmed uint64        // upstream holds it up to here; may be more than the tip after a salvage
	Posted    uint64        // the centre has posted it up to here; likewise
	Refused   record.Status // StatusFork or StatusRefused if upstream wants no more of it; otherwise 0
	Moved     uint64        // the records up to here go on in another chain too: see Rehome
}

// Chains gives all chains on this disk, oldest first.
func (j *Journal) Chains() []Chain {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make([]Chain, 0, len(j.chains))
	for _, c := range j.sorted() {
		out = append(out, Chain{c.id, c.start, c.own, c.tip, c.confirmed, c.posted, c.refused, c.moved})
	}
	return out
}

// Newest is the newest record that was committed here, by this process or an earlier one: all that is
// committed later comes after it, in its chain or in one whose first record names it. Zero: there is none.
func (j *Journal) Newest() (tip record.Tip) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var order uint64
	for _, c := range j.chains {
		if c.own && c.order > order {
			order, tip = c.order, c.tip
		}
	}
	return tip
}

// At gives the record of a chain at a seq, whoever committed it, or ErrNotFound.
func (j *Journal) At(id record.ChainID, seq uint64) (rec record.Receipt, err error) {
	err = j.file.view(func(tx *bbolt.Tx) error {
		recs, err := j.records(tx, at{id, seq})
		if err == nil {
			rec = recs[seq-recs[0].Seq]
		}
		return err
	})
	if err != nil {
		return record.Receipt{}, fmt.Errorf("read seq %d of chain %s: %w", seq, id, err)
	}
	return rec, nil
}

// Start gives whose a chain is, if it is on this disk.
func (j *Journal) Start(id record.ChainID) (record.Start, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c, ok := j.chains[id]
	if !ok {
		return record.Start{}, false
	}
	return c.start, true
}

// sorted gives the chains as they came. The caller has mu.
func (j *Journal) sorted() []*chain {
	all := make([]*chain, 0, len(j.chains))
	for _, c := range j.chains {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *chain) int { return int(int64(a.order) - int64(b.order)) })
	return all
}

// Marks says how far each chain is held here: the answer to an uplink that asks.
func (j *Journal) Marks(chains []record.ChainID) []record.Mark {
	j.mu.Lock()
	defer j.mu.Unlock()
	marks := make([]record.Mark, len(chains))
	for i, id := range chains {
		marks[i] = j.mark(id)
	}
	return marks
}

// mark is a chain's mark as memory has it. The caller has mu.
func (j *Journal) mark(id record.ChainID) record.Mark {
	c := j.chains[id]
	if c == nil {
		return record.Mark{Chain: id, Status: record.StatusUnknown}
	}
	m := record.Mark{Chain: id, Status: record.StatusHeld, Held: c.tip.Seq, Posted: c.posted, Hash: c.tip.Hash}
	switch {
	case c.closed != 0:
		m.Status = c.closed
	case c.refused != 0:
		m.Status = c.refused // what upstream will not have, the sender had better hear of
	}
	return m
}

// Confirm takes what upstream answered. A Held below what was confirmed before is accepted: upstream
// has lost its disk, and Next goes on from there. A chain that upstream refuses is no longer sent in
// the life of this process, and is kept. Chains that are not here are passed over. A mark whose hash is
// not that of the record here says that upstream holds another branch of the chain, written by a copy of
// this process: to believe it would be to take this branch's receipts for delivered. That is a fork.
func (j *Journal) Confirm(marks []record.Mark) error {
	again := false
	other := j.otherBranches(marks)
	j.mu.Lock()
	for _, m := range marks {
		c := j.chains[m.Chain]
		if c == nil {
			continue
		}
		if other[m.Chain] {
			m.Status = record.StatusFork
		}
		switch m.Status {
		case record.StatusFork, record.StatusRefused:
			if c.refused == 0 {
				c.refused = m.Status
				j.cfg.Log.Warn("upstream refuses a chain; it is kept and no longer sent", "chain", c.id,
					"status", m.Status, "till", c.start.Till, "held", m.Held, "tip", c.tip.Seq)
			}
			continue
		case record.StatusUnknown:
			m.Held, m.Posted = 0, 0
		}
		if m.Held < c.confirmed && !again {
			j.cfg.Log.Warn("upstream holds less than it had confirmed: its disk is lost or an old one; it is sent the rest again",
				"chain", c.id, "held", m.Held, "confirmed", c.confirmed)
		}
		if m.Held > c.tip.Seq && !c.ahead {
			c.ahead = true
			j.cfg.Log.Warn("upstream holds more of a chain than this disk: this disk is an old one",
				"chain", c.id, "till", c.start.Till, "held", m.Held, "tip", c.tip.Seq)
		}
		again = again || m.Held < c.confirmed
		if m.Posted > c.posted || m.Held < c.posted {
			c.posted, c.dirty = m.Posted, true
		}
		if m.Held != c.confirmed {
			c.confirmed, c.dirty = m.Held, true
		}
		j.forget(c)
	}
	j.mu.Unlock()
	if again {
		j.signal()
	}
	return j.Err()
}

// otherBranches gives the chains of which upstream holds another branch. It reads a run for each mark
// that lies before the tip: one for each pack, while receipts keep coming.
func (j *Journal) otherBranches(marks []record.Mark) map[record.ChainID]bool {
	other := map[record.ChainID]bool{}
	for _, m := range marks {
		if m.Status != record.StatusHeld && m.Status != record.StatusGap || m.Held == 0 || m.Hash == (record.Hash{}) {
			continue
		}
		j.mu.Lock()
		c := j.chains[m.Chain]
		known := c != nil && m.Held <= c.tip.Seq // beyond the tip: this disk is older than what upstream has,
		if c != nil && !known && m.Chain == j.own {
			other[m.Chain] = true // unless this process begun the chain itself
		}
		var tip record.Tip
		if known {
			tip = c.tip
		}
		j.mu.Unlock()
		switch {
		case !known:
		case m.Held == tip.Seq:
			other[m.Chain] = m.Hash != tip.Hash
		default:
			for r, err := range j.After(m.Chain, m.Held-1) {
				// What cannot be read is damage, which Err tells; it says nothing about branches.
				other[m.Chain] = err == nil && r.Header.Hash() != m.Hash
				break
			}
		}
	}
	return other
}

// SetPosted takes from the feed how far the centre has posted chains. The last word counts, also when
// it is lower: a centre may have been put back to its backup.
func (j *Journal) SetPosted(counted []record.Counted) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range counted {
		if c := j.chains[n.Chain]; c != nil && c.posted != n.Posted {
			c.posted, c.dirty = n.Posted, true
		}
	}
	return j.Err()
}

// ForgetPosted makes void what was said of what the centre has posted, on the disk too: upstream begins
// another life, of a centre that was lost and has come back from its backup, or of a store with a new disk.
// A chain that it does not know of it will never name; only asked for it, it can say so. So the uplink asks
// for all chains again, and Next goes on from what it hears. Chains that were refused are offered again.
func (j *Journal) ForgetPosted() error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	b := newBatch(j)
	j.mu.Lock()
	for id, c := range j.chains {
		b.touch(id)
		c.posted, c.refused = 0, 0
	}
	j.mu.Unlock()
	if err := j.keep(b); err != nil {
		return fmt.Errorf("forget what is posted: %w", err)
	}
	// From here on nothing is swept that the new life has not posted. If we die before, the reset comes again.
	j.life.Add(1)
	j.signal()
	return nil
}

// Life counts the lives that upstream has begun while this process ran.
func (j *Journal) Life() uint64 { return j.life.Load() }

// Unconfirmed says how many records upstream has not confirmed, and when the oldest of them was kept
// (zero if there is none). Refused chains count, as they are on this disk only, until Rehome has moved
// their records.
func (j *Journal) Unconfirmed() (records int, oldest time.Time) {
	return j.beyond(func(c *chain) uint64 { return max(c.confirmed, c.moved) })
}

// Unposted says the same of records that the centre has not posted, as far as is known here.
func (j *Journal) Unposted() (records int, oldest time.Time) {
	return j.beyond(func(c *chain) uint64 { return max(c.posted, c.moved) })
}

func (j *Journal) beyond(mark func(*chain) uint64) (records int, oldest time.Time) {
	var look []at // records whose run is not in memory
	older := func(kept int64) {
		if t := time.UnixMilli(kept); oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
	}
	j.mu.Lock()
	for _, c := range j.chains {
		m := mark(c)
		if m >= c.tip.Seq {
			continue
		}
		records += int(c.tip.Seq - m)
		if i := c.find(m + 1); i >= 0 {
			older(c.recent[i].kept)
		} else {
			look = append(look, at{c.id, m + 1})
		}
	}
	j.mu.Unlock()
	if len(look) == 0 {
		return records, oldest
	}
	err := j.file.view(func(tx *bbolt.Tx) error {
		cur := tx.Bucket(bucketRuns).Cursor()
		for _, a := range look {
			if _, v := seek(cur, a); v != nil {
				if p, err := readPrefix(v); err == nil {
					older(p.kept)
				}
			}
		}
		return nil
	})
	if err != nil {
		j.damaged(err) // the number stands, the age is of what could be read
	}
	return records, oldest
}

// find gives the run in memory that holds seq, or -1. The caller has mu.
func (c *chain) find(seq uint64) int {
	i, _ := slices.BinarySearchFunc(c.recent, seq, func(r recent, seq uint64) int {
		if r.run.Last < seq {
			return -1
		}
		return 1
	})
	if i == len(c.recent) || c.recent[i].run.First > seq {
		return -1
	}
	return i
}
