package journal

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// sent is a run as it came.
type sent struct {
	run  record.Run
	recs []record.Receipt
	bad  error // it does not unpack
}

// warning is logged once in the life of a process for each of its keys.
type warning struct {
	key  string
	text string
	args []any
}

const maxWarned = 1000

func (j *Journal) warn(all []warning) {
	for _, w := range all {
		if j.warned[w.key] {
			continue
		}
		if len(j.warned) >= maxWarned { // whoever sends rubbish under ever new names fills no memory
			clear(j.warned)
		}
		j.warned[w.key] = true
		j.cfg.Log.Warn(w.text, w.args...)
	}
}

// Accept takes runs that a till has sent, and returns when what is new among them is on the disk. The
// answer has one mark for each chain in runs. Runs that do not belong where they are sent are refused
// chain by chain; one chain never stops another. An error means that nothing may have been kept: the
// sender sends again.
//
//   - StatusHeld: all of the chain's runs are held, now or before.
//   - StatusGap: they begin behind a hole: send from Held+1.
//   - StatusFork: another record is held at that place. The chain is refused for good, the runs that
//     showed it are kept aside.
//   - StatusRefused: a chain of another store, or a run that does not unpack.
func (j *Journal) Accept(ctx context.Context, runs []record.Run) ([]record.Mark, error) {
	if err := context.Cause(ctx); err != nil || len(runs) == 0 {
		return nil, err
	}
	e := &entry{packs: make([]sent, len(runs))}
	for i := range runs {
		s := &e.packs[i]
		s.run = runs[i]
		s.run.Packed = slices.Clone(runs[i].Packed) // it stays in memory; the message it came in need not
		s.recs, s.bad = s.run.Receipts(true)
	}
	if err := j.submit(ctx.Done(), e); err != nil {
		if err == errGone {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("accept %d runs: %w", len(runs), err)
	}
	return e.marks, nil
}

// accept plans the runs of one pack.
func (b *batch) accept(tx *bbolt.Tx, e *entry) error {
	verdict := map[record.ChainID]record.Status{}
	for i := range e.packs {
		p := &e.packs[i]
		id := p.run.Chain
		before, seen := verdict[id]
		if !seen {
			e.marks = append(e.marks, record.Mark{Chain: id})
		}
		if seen && before == record.StatusFork && b.forkedHere(id) {
			b.aside = append(b.aside, p.run)
		}
		if seen && before != record.StatusHeld {
			continue // what follows in this pack stands on what was refused
		}
		status, err := b.run(tx, p)
		if err != nil {
			return err
		}
		verdict[id] = status
	}
	for i := range e.marks {
		e.marks[i].Status = verdict[e.marks[i].Chain]
	}
	return nil
}

// forkedHere reports whether the chain is closed by this batch, and not before.
func (b *batch) forkedHere(id record.ChainID) bool {
	c := b.j.chains[id]
	return c == nil || c.closed == 0
}

// run plans one run.
func (b *batch) run(tx *bbolt.Tx, p *sent) (record.Status, error) {
	if p.bad != nil {
		b.refuse(p, p.bad)
		return record.StatusRefused, nil
	}
	s := b.state(p.run.Chain)
	if s == nil {
		return b.first(p), nil
	}
	first, last := p.run.First, p.run.Last
	switch {
	case s.closed != 0:
		return s.closed, nil
	case first > s.tip.Seq+1:
		return record.StatusGap, nil
	case first == s.tip.Seq+1:
		if p.recs[0].Prev != s.tip.Hash {
			return b.fork(p), nil
		}
		b.take(p, p.recs)
		return record.StatusHeld, nil
	}
	// It overlaps what is held. The hash of the last record both have covers all before it.
	end := min(last, s.tip.Seq)
	hash, err := b.hash(tx, s, end)
	if err != nil {
		return 0, err
	}
	if p.recs[end-first].Hash() != hash {
		return b.fork(p), nil
	}
	if last > end {
		b.take(p, p.recs[end-first+1:])
	}
	return record.StatusHeld, nil
}

// first plans the first run of a chain that is unknown here.
func (b *batch) first(p *sent) record.Status {
	if p.run.First != 1 || slices.Contains(b.j.swept, p.run.Chain) {
		return record.StatusGap // lost here, or swept, or being swept this moment: the sender has all of it
	}
	start, err := record.ReadStart(p.recs[0].Data) // seq 1 is a start: ReadHeader sees to that
	if err == nil && start.Store != b.j.cfg.Store {
		err = fmt.Errorf("it is of store %s", start.Store)
	}
	if err == nil && p.recs[0].Prev != (record.Hash{}) {
		err = fmt.Errorf("its first record follows another")
	}
	if err != nil {
		b.refuse(p, err)
		return record.StatusRefused
	}
	b.begin(p.run.Chain, start, false)
	b.take(p, p.recs)
	return record.StatusHeld
}

// take plans records that follow the tip: the run as it came, or what is new of it.
func (b *batch) take(p *sent, recs []record.Receipt) {
	run := p.run
	if len(recs) < len(p.recs) {
		run = record.PackRun(recs)
	}
	b.runs = append(b.runs, run)
	b.extend(b.touch(run.Chain), recs...)
}

// hash gives the hash of a record that is held, or planned in this batch.
func (b *batch) hash(tx *bbolt.Tx, s *state, seq uint64) (record.Hash, error) {
	if seq == s.tip.Seq {
		return s.tip.Hash, nil
	}
	for i := range b.runs {
		if r := &b.runs[i]; r.Chain == s.id && r.First <= seq && seq <= r.Last {
			recs, err := r.Receipts(false)
			if err != nil {
				return record.Hash{}, err
			}
			return recs[seq-r.First].Hash(), nil
		}
	}
	recs, err := b.j.records(tx, at{s.id, seq})
	if err != nil {
		return record.Hash{}, err
	}
	return recs[seq-recs[0].Seq].Hash(), nil
}

// fork closes a chain. Only copied running memory gets here (DESIGN §3).
func (b *batch) fork(p *sent) record.Status {
	s := b.touch(p.run.Chain)
	s.closed = record.StatusFork
	b.aside = append(b.aside, p.run)
	b.warnings = append(b.warnings, warning{"fork " + s.id.String(), "a chain has forked; it is refused, the records are kept aside",
		[]any{"chain", s.id, "till", s.start.Till, "seq", p.run.First, "held", s.tip.Seq}})
	return record.StatusFork
}

func (b *batch) refuse(p *sent, err error) {
	b.warnings = append(b.warnings, warning{"refused " + p.run.Chain.String(), "a run is refused",
		[]any{"chain", p.run.Chain, "seq", p.run.First, "err", err}})
}
