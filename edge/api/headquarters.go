package api

import (
	"tillstream/edge/programme"
	"tillstream/subjects"
)

// quotedBy gives the rules that a basket is to be quoted by: those of the store that it names, which at
// headquarters may be any. Then its till is that store's, and nobody's here; so both are taken out of d.
func (r *reader) quotedBy(d *head) (*programme.Revision, error) {
	now := r.rules.Now()
	if r.store != subjects.Headquarters || d.store == "" || d.store == subjects.Headquarters.String() {
		return now, nil
	}
	store, err := subjects.ParseStoreID(d.store)
	if err != nil {
		return nil, invalid("/store", notToken)
	}
	if d.till != "" {
		if _, err := subjects.ParseToken(d.till); err != nil {
			return nil, invalid("/till", notToken)
		}
	}
	d.store, d.till = "", ""
	there := now.In(store)
	d.phones = there.Scanner()
	return there, nil
}
