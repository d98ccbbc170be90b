package fold

import "tillstream/kv/record"

// Machine is the state that a journal is folded into. Apply is called from one goroutine under a
// lock that readers share, so a machine needs no lock of its own.
type Machine interface {
	// Apply folds one entry into the state and says what came of it. It is pure: it reads the entry
	// and the state, no clock and no chance, so that every node comes to the same state. It never
	// fails: what a proposal asks that cannot be done is an outcome. It keeps nothing of the entry's bytes.
	Apply(e *Entry, fx *Effects)
	// Digest sums up the state: equal on all nodes at the same entry.
	Digest() record.Hash
	// Freeze begins a snapshot of the state as it is at this moment, and is called as Apply is. The
	// function it gives appends the snapshot's next part to b, and says false when there was none left; it
	// is called with the state locked for reading, and Apply may be called in between. There is one
	// snapshot at a time: Thaw, called as Apply is, ends it.
	Freeze() (next func(b []byte) ([]byte, bool))
	Thaw()
	// Empty gives an empty machine of this kind, to fold a journal beside this one.
	Empty() Machine
	// Restore reads a snapshot into an empty machine: part gives the parts as Freeze made them, and io.EOF
	// after the last. If it fails, the machine is still empty.
	Restore(part func() ([]byte, error)) error
}

// MaxPart bounds a part of a snapshot, in bytes.
const MaxPart = 64 << 20

// Effects is what Apply made of an entry.
type Effects struct {
	// Asked is set by whoever calls Apply and wants Outcomes and Took: on the node that writes, and not on
	// those that follow.
	Asked    bool
	Outcomes [][]byte // one answer per proposal
	Took     []Took   // records that took effect, for whoever announces them

	// Framed is the lines of history that the entry made, as Line wrote them. From is where they lie, set
	// by whoever calls Apply; zero is a history without lines.
	Framed []byte
	From   uint64
}

// Next is the position of the line that comes next. No line lies at position zero.
func (fx *Effects) Next() uint64 {
	return max(fx.From, uint64(len(LinesHead))) + uint64(len(fx.Framed))
}

// Line appends a line to history and gives its position, by which it can be read again.
func (fx *Effects) Line(payload []byte) uint64 {
	at := fx.Next()
	fx.Framed = AppendLine(fx.Framed, at, payload)
	return at
}

// Took says that a record of an entry took effect.
type Took struct {
	Proposal int    // index into the entry's proposals
	Record   int    // index into the records of that proposal
	Number   uint64 // dense over the life of the journal: 1, 2, 3, …
}
