package books

import (
	"fmt"

	"tillstream/kv/record"
)

// History is where the books' lines lie: package replica's, or a [fold.Lines] in memory.
type History interface {
	// Line gives the payload of the line at a position.
	Line(at uint64) ([]byte, error)
	// Lines calls fn for every line, in order, until it gives an error.
	Lines(fn func(at uint64, payload []byte) error) error
}

// Newest posting and incident: where walks through history begin.

// LastPosting gives the position in history of an account's newest posting, or zero.
func (b *Books) LastPosting(id record.AccountID) uint64 {
	acc, _, ok := b.accounts.find(&id)
	if !ok {
		return 0
	}
	return acc.last
}

// LastIncident gives the position in history of the newest incident, or zero.
func (b *Books) LastIncident() uint64 { return b.incident }

// Postings reads an account's postings from a position back to its first, until fn says false.
func Postings(h History, at uint64, fn func(Posting) bool) error {
	account, first := uint32(0), true
	return walk(h, at, (*line).posts, func(l *line) (bool, error) {
		if !first && l.account != account {
			return false, fmt.Errorf("a posting of another account: %w", record.ErrFormat)
		}
		account, first = l.account, false
		return fn(l.Posting), nil
	})
}

// posts reports whether the line is of an account.
func (l *line) posts() bool { return l.kind == linePosting || l.kind == lineMore }

// Incident is what ops should know.
type Incident struct {
	Entry uint64
	Text  string
}

// Incidents reads the incidents from a position back to the first, until fn says false.
func Incidents(h History, at uint64, fn func(Incident) bool) error {
	incident := func(l *line) bool { return l.kind == lineIncident }
	return walk(h, at, incident, func(l *line) (bool, error) { return fn(Incident{l.Entry, l.text}), nil })
}

// walk reads lines of one kind, each of which says where the one before lies.
func walk(h History, at uint64, is func(*line) bool, fn func(*line) (bool, error)) error {
	for at != 0 {
		b, err := h.Line(at)
		if err != nil {
			return err
		}
		l, err := readLine(b)
		if err == nil && (!is(&l) || l.back >= at) {
			err = fmt.Errorf("another line than was expected: %w", record.ErrFormat)
		}
		if err != nil {
			return fmt.Errorf("history at %d: %w", at, err)
		}
		more, err := fn(&l)
		if err != nil {
			return fmt.Errorf("history at %d: %w", at, err)
		}
		if !more || l.back == 0 {
			return nil
		}
		at -= l.back
	}
	return nil
}

// Told is what a line of history tells: what became of a record, or an incident.
type Told struct {
	Fate     Fate // zero: an incident, or a posting that no record made as it came
	Chain    record.ChainID
	Seq      uint64
	Entry    uint64
	RID      record.RID
	Account  record.AccountID // zero: nobody's
	Posting  Posting          // of an account
	Incident string
}

// Tell reads all of a history.
func Tell(h History, fn func(*Told) error) error {
	chains, accounts := map[uint32]record.ChainID{}, map[uint32]record.AccountID{}
	return h.Lines(func(at uint64, payload []byte) error {
		l, err := readLine(payload)
		if err != nil {
			return fmt.Errorf("history at %d: %w", at, err)
		}
		t := Told{Fate: l.fate, Chain: chains[l.chain], Seq: l.seq, Entry: l.Entry, RID: l.RID, Incident: l.text}
		switch l.kind {
		case lineAccount:
			accounts[l.number] = l.id
			return nil
		case lineChain:
			chains[l.number] = l.id
			return nil
		case linePolicy:
			return nil
		case linePosting, lineMore:
			t.Account, t.Posting = accounts[l.account], l.Posting
		}
		return fn(&t)
	})
}
