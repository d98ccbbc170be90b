package journal

import (
	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// source is a chain as Next reads it: from the file as far as memory does not reach back, then from
// memory.
type source struct {
	id     record.ChainID
	next   uint64 // seq wanted
	tip    uint64
	memory []record.Run
}

// Next gives the oldest runs that upstream has not confirmed, chain by chain in turn, of at most limit
// raw bytes in all, but at least one run. The first run of a chain may begin before what upstream asked
// for; the receiver skips what it holds. Called again before Confirm, it gives the same runs, though it
// begins with another chain. It gives none if there is nothing to send.
func (j *Journal) Next(limit int) []record.Run {
	sources, reads := j.sources(limit)
	if len(sources) == 0 {
		return nil
	}
	if !reads {
		return j.collect(nil, sources, limit)
	}
	var runs []record.Run
	err := j.file.view(func(tx *bbolt.Tx) error {
		runs = j.collect(tx, sources, limit)
		return nil
	})
	if err != nil {
		j.damaged(err)
		return nil
	}
	return runs
}

// sources gives the chains that have something to send, and whether the file must be read for one.
func (j *Journal) sources(limit int) (all []*source, reads bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.sorted() {
		if c.refused != 0 || max(c.confirmed, c.moved) >= c.tip.Seq {
			continue
		}
		s := &source{id: c.id, next: c.confirmed + 1, tip: c.tip.Seq}
		all = append(all, s)
		i := c.find(s.next)
		if i < 0 {
			reads, i = true, 0
		}
		for raw := 0; i < len(c.recent) && raw < limit; i++ {
			s.memory = append(s.memory, c.recent[i].run)
			raw += int(c.recent[i].run.Raw)
		}
	}
	if len(all) > 0 {
		j.first++
		n := j.first % len(all)
		all = append(all[n:len(all):len(all)], all[:n]...)
	}
	return all, reads
}

// collect takes one run of each source in turn until the limit is reached.
func (j *Journal) collect(tx *bbolt.Tx, sources []*source, limit int) (runs []record.Run) {
	raw := 0
	for len(sources) > 0 {
		left := sources[:0]
		for _, s := range sources {
			run, ok := j.pull(tx, s)
			if !ok {
				continue
			}
			if raw += int(run.Raw); raw > limit && len(runs) > 0 {
				return runs
			}
			runs = append(runs, run)
			if s.next = run.Last + 1; s.next <= s.tip {
				left = append(left, s)
			}
		}
		sources = left
	}
	return runs
}

// pull gives the source's next run. A run that does not open ends its chain's turn: the others go on,
// and Err tells.
func (j *Journal) pull(tx *bbolt.Tx, s *source) (record.Run, bool) {
	if len(s.memory) > 0 && s.memory[0].First <= s.next {
		run := s.memory[0]
		s.memory = s.memory[1:]
		return run, true
	}
	if tx == nil {
		return record.Run{}, false // memory ends where the limit was reached
	}
	run, _, err := j.runAt(tx, at{s.id, s.next})
	if err != nil {
		j.damaged(err) // or it was swept a moment ago
		return run, false
	}
	return run, true
}
