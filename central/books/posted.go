package books

import (
	"fmt"
	"slices"

	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// Posted is a record that was posted, as history tells of it: where it lies in the journal.
type Posted struct {
	Entry uint64
	Seq   uint64
	RID   record.RID
}

// ReadPosted reads a line of history; false: it tells of no record that was posted as it came.
func ReadPosted(payload []byte) (p Posted, posted bool, err error) {
	l, err := readLine(payload)
	if err != nil {
		return p, false, err
	}
	switch l.kind {
	case lineFate, linePosting, lineMore:
		return Posted{Entry: l.Entry, Seq: l.seq, RID: l.RID}, l.fate == FatePosted, nil
	}
	return p, false, nil
}

// Taken is a record that was posted, with its body, and the store whose it is.
type Taken struct {
	record.Receipt
	Store subjects.StoreID
}

// Bodies gives the records of an entry that were posted, in the order of all. It opens the entry.
func Bodies(e *fold.Entry, all []Posted) ([]Taken, error) {
	if err := e.Open(true); err != nil {
		return nil, err
	}
	type name struct {
		seq uint64
		rid record.RID
	}
	place := make(map[name]int, len(all))
	for i, p := range all {
		place[name{p.Seq, p.RID}] = i
	}
	found, n := make([]Taken, len(all)), 0
	for i := range e.Proposals {
		p := &e.Proposals[i]
		pack, err := ReadPack(p.Head)
		if err != nil {
			continue // a command
		}
		if !slices.ContainsFunc(pack.Runs, func(run []record.Receipt) bool {
			return slices.ContainsFunc(run, func(r record.Receipt) bool { _, ok := place[name{r.Seq, r.RID}]; return ok })
		}) {
			continue
		}
		if err := pack.ReadBodies(p.Rest); err != nil {
			return nil, err
		}
		for _, run := range pack.Runs {
			for k := range run {
				at, ok := place[name{run[k].Seq, run[k].RID}]
				if !ok || found[at].RID == run[k].RID { // the first is the one that was posted, others repeat it
					continue
				}
				found[at] = Taken{run[k], pack.Store}
				n++
			}
		}
	}
	if n != len(all) {
		return nil, fmt.Errorf("entry %d: history tells of %d posted records, it has %d of them: %w", e.Number, len(all), n, record.ErrFormat)
	}
	return found, nil
}
