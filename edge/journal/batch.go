package journal

import (
	"fmt"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// batch is what one transaction will write. It is planned against the file and memory, which nobody
// else changes meanwhile, so planning can refuse and answer without having to take anything back.
type batch struct {
	j        *Journal
	now      int64
	own      record.ChainID
	ownSince int64
	order    uint64

	chains   map[record.ChainID]*state
	marks    map[record.ChainID]record.Mark // confirmed (as Held) and posted, as written
	touched  []record.ChainID
	runs     []record.Run
	rids     map[record.RID]*record.Receipt // committed in this batch
	indexing bool                           // these rids, and those that wait in memory, go to the file's index
	homes    map[subjects.TillID]*state     // chains that a store has begun for its tills in this batch
	moving   bool                           // a step of Rehome is in it
	released [][]byte                       // keys of runs that leave bucketAside
	aside    []record.Run                   // of forked chains
	headers  []record.Header                // new here, in chain order
	warnings []warning

	part []record.Receipt // of the chain of this process, not yet a run
	size int              // raw bytes of part
}

func newBatch(j *Journal) *batch {
	return &batch{
		j: j, now: j.now(), own: j.own, ownSince: j.ownSince, order: j.order,
		chains: map[record.ChainID]*state{},
		marks:  map[record.ChainID]record.Mark{},
		rids:   map[record.RID]*record.Receipt{},
	}
}

func (b *batch) plan(tx *bbolt.Tx, entries []*entry) error {
	for _, e := range entries {
		switch {
		case e.commit:
			if err := b.commit(tx, e); err != nil {
				return err
			}
		case e.packs != nil:
			if err := b.accept(tx, e); err != nil {
				return err
			}
		case e.rehome:
			if err := b.rehome(tx, e); err != nil {
				return err
			}
		}
	}
	b.closeRun()
	return nil
}

// answer fills in what only the end of the batch tells. The batch is kept.
func (b *batch) answer(e *entry) {
	if e.packs == nil {
		return
	}
	b.j.mu.Lock()
	defer b.j.mu.Unlock()
	for i := range e.marks {
		m := b.j.mark(e.marks[i].Chain)
		if s := e.marks[i].Status; s != record.StatusHeld {
			m.Status = s // of this pack, whatever else the batch did
		}
		e.marks[i] = m
	}
}

// state gives a chain as it stands in this batch, or nil.
func (b *batch) state(id record.ChainID) *state {
	if s := b.chains[id]; s != nil {
		return s
	}
	if c := b.j.chains[id]; c != nil { // only who has the turn changes the map or a state
		return &c.state
	}
	return nil
}

// touch makes the chain one that this batch writes. It gives nil if there is no such chain.
func (b *batch) touch(id record.ChainID) *state {
	if s := b.chains[id]; s != nil {
		return s
	}
	c := b.j.chains[id]
	if c == nil {
		return nil
	}
	s := c.state
	b.chains[id] = &s
	b.touched = append(b.touched, id)
	return &s
}

// begin adds a chain.
func (b *batch) begin(id record.ChainID, start record.Start, own bool) *state {
	b.order++
	s := &state{id: id, start: start, own: own, order: b.order}
	b.chains[id] = s
	b.touched = append(b.touched, id)
	return s
}

// extend moves a chain past records that are new here.
func (b *batch) extend(s *state, recs ...record.Receipt) {
	for i := range recs {
		b.headers = append(b.headers, recs[i].Header)
	}
	last := &recs[len(recs)-1]
	s.tip = record.Tip{Chain: s.id, Seq: last.Seq, Hash: last.Hash()}
	s.kept = b.now
}

// write is the body of the transaction. It changes nothing but the file.
func (b *batch) write(tx *bbolt.Tx) error {
	runs, ring := tx.Bucket(bucketRuns), b.j.cfg.Ring
	runs.FillPercent = fill
	for i := range b.runs {
		r := &b.runs[i]
		if err := putNew(runs, runKey(r.Chain, r.First), sealRun(ring, bucketRuns, *r, b.now)); err != nil {
			return fmt.Errorf("keep run of chain %s at seq %d: %w", r.Chain, r.First, err)
		}
	}
	if err := b.writeRIDs(tx); err != nil {
		return err
	}
	for i := range b.aside {
		r := &b.aside[i]
		if err := tx.Bucket(bucketAside).Put(runKey(r.Chain, r.First), sealRun(ring, bucketAside, *r, b.now)); err != nil {
			return fmt.Errorf("set run of chain %s aside: %w", r.Chain, err)
		}
	}
	for _, k := range b.released {
		if err := tx.Bucket(bucketAside).Delete(k); err != nil {
			return fmt.Errorf("take a run from aside: %w", err)
		}
	}
	return b.writeChains(tx)
}

func (b *batch) writeChains(tx *bbolt.Tx) error {
	b.j.mu.Lock()
	for _, id := range b.touched {
		if c := b.j.chains[id]; c != nil {
			b.marks[id] = record.Mark{Held: c.confirmed, Posted: c.posted}
		}
	}
	b.j.mu.Unlock()
	chains := tx.Bucket(bucketChains)
	for _, id := range b.touched {
		m := b.marks[id]
		if err := chains.Put(id[:], sealChain(b.j.cfg.Ring, b.chains[id], m.Held, m.Posted)); err != nil {
			return fmt.Errorf("keep tip of chain %s: %w", id, err)
		}
	}
	return nil
}

// putNew puts a run where none is: whatever memory says, a run that is kept is never written over.
func putNew(runs *bbolt.Bucket, k, v []byte) error {
	if runs.Get(k) != nil {
		return fmt.Errorf("%w: it is there already", ErrDamaged)
	}
	return runs.Put(k, v)
}
