package fold

import (
	"io"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// Machine is the state that a journal is folded into. Apply is called from one goroutine under a
// lock that readers share, so a machine needs no lock of its own.
type Machine interface {
	// Apply folds one entry into the state and says what came of it. It is pure: it reads the entry
	// and the state, no clock and no chance, so that every node comes to the same state. It never
	// fails: what a proposal asks that cannot be done is an outcome.
	Apply(e *Entry, fx *Effects)
	// Digest sums up the state: equal on all nodes at the same entry.
	Digest() record.Hash
	// Snapshot writes the state; Restore reads it into an empty machine.
	Snapshot(w io.Writer) error
	Restore(r io.Reader) error
}

// Effects is what Apply made of an entry.
type Effects struct {
	Outcomes [][]byte // one answer per proposal
	Rows     []Row    // history, kept in bbolt
	Changes  []Change // what has changed for which store, for the feed
	Took     []Took   // records that took effect, for whoever announces them
}

// Row is one line of history. Writing the same row twice is harmless.
type Row struct {
	Table Table
	Key   []byte
	Value []byte
}

// Table names a bucket of history. Its values are on disk: never change one.
type Table byte

// Change moves one item in a store's part of the feed from the entry where it was to the entry that
// changed it. Was is zero if the item is new to that store.
type Change struct {
	Store subjects.StoreID
	Kind  record.ItemKind
	Key   [16]byte
	Was   uint64
	Now   uint64
}

// Took says that a record of an entry took effect.
type Took struct {
	Proposal int    // index into the entry's proposals
	Record   int    // index into the records of that proposal
	Number   uint64 // dense over the life of the journal: 1, 2, 3, …
}
