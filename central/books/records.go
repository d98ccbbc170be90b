package books

import (
	"slices"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// Records gives the records that are wanted of an entry, with their bodies. It opens the entry.
func Records(e *fold.Entry, want func(*record.Header) bool) (found []record.Receipt, err error) {
	if err := e.Open(true); err != nil {
		return nil, err
	}
	for i := range e.Proposals {
		p := &e.Proposals[i]
		pack, err := ReadPack(p.Head)
		if err != nil {
			continue // a command
		}
		if !slices.ContainsFunc(pack.Runs, func(run []record.Receipt) bool {
			return slices.ContainsFunc(run, func(r record.Receipt) bool { return want(&r.Header) })
		}) {
			continue
		}
		if err := pack.ReadBodies(p.Rest); err != nil {
			return nil, err
		}
		for _, run := range pack.Runs {
			for k := range run {
				if want(&run[k].Header) {
					found = append(found, run[k])
				}
			}
		}
	}
	return found, nil
}
