package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
	"tillstream/kv/seal"
	"tillstream/subjects"
)

// rehomeStep is how many packed bytes one transaction of Rehome moves: commits wait for it.
const rehomeStep = 1 << 20

// Aside is what lies on this disk and does not rise by itself: the records of a chain that upstream
// refuses, or that came here behind the place where their chain had forked.
type Aside struct {
	Chain    record.ChainID
	Till     subjects.TillID
	Status   record.Status   // StatusFork or StatusRefused
	Receipts []record.Header // in order, starts left out
}

// Aside lists it, oldest chain first. That upstream refuses a chain is known in the life of a process
// that has asked it.
func (j *Journal) Aside() (all []Aside, err error) {
	err = j.file.view(func(tx *bbolt.Tx) error {
		all = nil
		for _, r := range j.refused() {
			a := Aside{Chain: r.id, Till: r.till, Status: r.status}
			for seq := r.from + 1; seq <= r.tip; {
				recs, err := j.records(tx, at{r.id, seq})
				if err != nil {
					return err
				}
				a.add(recs, r.from)
				seq = recs[len(recs)-1].Seq + 1
			}
			all = append(all, a)
		}
		return j.setAside(tx, func(_ []byte, till subjects.TillID, run *record.Run, recs []record.Receipt) bool {
			a := Aside{Chain: run.Chain, Till: till, Status: record.StatusFork}
			a.add(recs, 0)
			all = append(all, a)
			return true
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read what is set aside: %w", err)
	}
	return slices.DeleteFunc(all, func(a Aside) bool { return len(a.Receipts) == 0 }), nil
}

// AsideRecords counts them, starts included, without reading them.
func (j *Journal) AsideRecords() (n int, err error) {
	for _, r := range j.refused() {
		n += int(r.tip - r.from)
	}
	err = j.file.view(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketAside).ForEach(func(k, v []byte) error {
			_, first, _ := splitRunKey(k)
			p, err := readPrefix(v)
			n += int(p.last - first + 1)
			return err
		})
	})
	if err != nil {
		return 0, fmt.Errorf("count what is set aside: %w", err)
	}
	return n, nil
}

func (a *Aside) add(recs []record.Receipt, after uint64) {
	for i := range recs {
		if recs[i].Seq > after && recs[i].Kind != record.KindStart {
			a.Receipts = append(a.Receipts, recs[i].Header)
		}
	}
}

// refusal is a chain that upstream refuses, and the seqs of it that may be on this disk only.
type refusal struct {
	id     record.ChainID
	till   subjects.TillID
	status record.Status
	from   uint64 // exclusive
	tip    uint64
}

// refused gives them as they came. What upstream had confirmed, by the hash, and the centre has posted
// is not theirs to refuse any more.
func (j *Journal) refused() (all []refusal) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.sorted() {
		from := max(min(c.confirmed, c.posted), c.moved)
		if c.refused != 0 && from < c.tip.Seq {
			all = append(all, refusal{c.id, c.start.Till, c.refused, from, c.tip.Seq})
		}
	}
	return all
}

// setAside goes through the runs in bucketAside until yield gives false.
func (j *Journal) setAside(tx *bbolt.Tx, yield func(key []byte, till subjects.TillID, run *record.Run, recs []record.Receipt) bool) error {
	cur := tx.Bucket(bucketAside).Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		run, _, err := openRun(j.cfg.Ring, bucketAside, k, v)
		if err != nil {
			return err
		}
		recs, err := run.Receipts(false)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		start, _ := j.Start(run.Chain)
		if !yield(k, start.Till, &run, recs) {
			return nil
		}
	}
	return nil
}

// Rehome has what is set aside posted after all: its receipts go on in another chain, of this till or,
// at a store, begun in the till's name, and rise with it. Their rids say what they are, so the centre
// posts each once, however often and from how many nodes it comes, within the 45 days that it remembers
// rids. It gives the number of receipts moved. After an error some may have been moved: call it again.
func (j *Journal) Rehome(ctx context.Context) (receipts int, err error) {
	for more := true; more; {
		e := &entry{rehome: true}
		if err := j.submit(ctx.Done(), e); err != nil {
			if err == errGone {
				err = context.Cause(ctx)
			}
			return receipts, fmt.Errorf("move receipts to another chain: %w", err)
		}
		receipts, more = receipts+e.moved, e.more
	}
	return receipts, nil
}

// rehome plans a step of it.
func (b *batch) rehome(tx *bbolt.Tx, e *entry) error {
	if e.more = b.moving; e.more { // another caller's step is in this batch; it is planned against the file
		return nil
	}
	b.moving = true
	left := rehomeStep
	for _, r := range b.j.refused() {
		for seq := r.from + 1; seq <= r.tip; {
			if e.more = left <= 0; e.more {
				return nil
			}
			run, _, err := b.j.runAt(tx, at{r.id, seq})
			if err != nil {
				return err
			}
			recs, err := run.Receipts(false)
			if err != nil {
				return fmt.Errorf("%w: %w", ErrDamaged, err)
			}
			recs = recs[seq-run.First:]
			b.touch(r.id).moved = run.Last // first: what is moved is not put behind itself
			e.moved += b.move(r.till, recs)
			left -= len(run.Packed)
			seq = run.Last + 1
		}
	}
	return b.j.setAside(tx, func(key []byte, till subjects.TillID, run *record.Run, recs []record.Receipt) bool {
		if e.more = left <= 0; e.more {
			return false
		}
		e.moved += b.move(till, recs)
		b.released = append(b.released, slices.Clone(key))
		left -= len(run.Packed)
		return true
	})
}

// move plans receipts of a till as the next of a chain that rises, and gives their number.
func (b *batch) move(till subjects.TillID, recs []record.Receipt) (n int) {
	for i := range recs {
		rec := recs[i]
		if rec.Kind == record.KindStart {
			continue
		}
		s := b.home(till)
		rec.Chain, rec.Seq, rec.Prev = s.id, s.tip.Seq+1, s.tip.Hash
		b.add(s, rec)
		if s.own {
			b.rids[rec.RID] = &rec
		}
		n++
	}
	return n
}

// home is the chain that takes a till's receipts: at a till that of the process; at a store one that it
// begins in the till's name.
func (b *batch) home(till subjects.TillID) *state {
	if !b.j.cfg.Till.IsZero() {
		return b.ownChain()
	}
	if s := b.homes[till]; s != nil {
		if len(b.part) > 0 && b.part[0].Chain != s.id {
			b.closeRun()
		}
		return s
	}
	b.closeRun()
	if b.homes == nil {
		b.homes = map[subjects.TillID]*state{}
	}
	s := b.start(record.Start{Store: b.j.cfg.Store, Till: till}, false)
	b.homes[till] = s
	return s
}

// TakeUp commits what lies in another file of this till, which was put by because its keys were not here.
// It reports whether the keys open anything of it, and how many receipts it has committed: those whose
// rids are not here, and that the centre had not posted as far as that file knew.
func (j *Journal) TakeUp(path string, ring *seal.Ring) (found bool, receipts int, err error) {
	if j.cfg.Till.IsZero() {
		return false, 0, ErrNoTill
	}
	s, err := scanFile(path, ring)
	if err != nil {
		return false, 0, fmt.Errorf("take up %s: %w", path, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return false, 0, fmt.Errorf("take up %s: %w", path, err)
	}
	defer f.Close() // read only
	for _, id := range s.order() {
		found = true
		a := s.assemble(id, true)
		if j.settled(s, a) {
			continue
		}
		for _, p := range slices.Concat(a.line, a.behind) {
			if p.run.Last <= min(a.confirmed, a.posted) {
				continue
			}
			n, err := j.takeUp(f, s, p)
			if receipts += n; err != nil {
				return found, receipts, fmt.Errorf("take up %s: %w", path, err)
			}
		}
	}
	return found, receipts, nil
}

func (j *Journal) takeUp(f *os.File, s *scan, p *piece) (receipts int, err error) {
	_, recs, err := s.load(f, p)
	if err != nil {
		return 0, err
	}
	for i := range recs {
		if recs[i].Kind == record.KindStart {
			continue
		}
		e := &entry{commit: true, rec: recs[i]}
		switch err := j.submit(nil, e); {
		case errors.Is(err, ErrOtherBody): // as in a salvage: it answered for one of them
		case err != nil:
			return receipts, err
		case !e.repeated:
			receipts++
		}
	}
	return receipts, nil
}
