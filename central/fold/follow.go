package fold

import (
	"errors"
	"fmt"

	"tillstream/kv/record"
)

// ErrFollow means that an entry does not follow the one before it.
var ErrFollow = errors.New("the entry does not follow the one before it")

// Tip is the entry that a reader of a journal has come to; zero is the place before the first one.
type Tip struct {
	Generation record.Generation
	Number     uint64
	Hash       record.Hash
}

// Tip is the tip of a reader who has come to e.
func (e *Entry) Tip() Tip { return Tip{e.Generation, e.Number, e.Hash()} }

// Begins reports whether e begins another generation: the journal was lost, what precedes e was put back
// from a backup, and what the lost journal had after that place is no longer part of it. Whoever holds a
// position in the old generation may be ahead of this journal and has to start anew.
func (e *Entry) Begins() bool { return e.Ends != record.Generation{} }

// Boundary makes the entry that begins a new generation behind t. It is the first of a term and carries
// nothing.
func (t Tip) Boundary(g record.Generation, writer uint64, at int64) *Entry {
	return &Entry{
		Generation: g, Ends: t.Generation, Number: t.Number + 1, Term: t.Number + 1,
		Writer: writer, At: at, Prev: t.Hash,
	}
}

// Check reports whether e follows t. The generation stays the same from the first entry on, but for one
// case: an entry that names the generation that it ends, which is t's, begins another one, is the first of
// a term, and carries no proposals.
func (t Tip) Check(e *Entry) error {
	if e.Number != t.Number+1 || e.Prev != t.Hash {
		return fmt.Errorf("%w: entry %d after entry %d", ErrFollow, e.Number, t.Number)
	}
	var same bool
	switch {
	case t.Number == 0:
		same = !e.Begins() // what would it end?
	case e.Begins():
		same = e.Ends == t.Generation && e.Generation != t.Generation && e.Term == e.Number && len(e.Proposals) == 0
	default:
		same = e.Generation == t.Generation
	}
	if !same {
		return fmt.Errorf("%w: entry %d is of generation %s, the one before it of %s", ErrFollow, e.Number, e.Generation, t.Generation)
	}
	return nil
}

// checkBoundary sees to it that the form of a boundary is used for nothing else.
func (e *Entry) checkBoundary() error {
	if err := e.Open(true); err != nil {
		return err
	}
	if !e.Begins() || len(e.Proposals) > 0 {
		return fmt.Errorf("journal entry %d: %w: it begins a generation and carries proposals, or ends none", e.Number, record.ErrFormat)
	}
	return nil
}
