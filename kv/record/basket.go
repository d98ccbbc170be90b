package record

import (
	"encoding/binary"
	"fmt"
)

// BasketVerb is what a till asks its store about suspended baskets. Its values travel: never change one.
type BasketVerb uint8

// Verbs.
const (
	BasketPut  BasketVerb = 1
	BasketRead BasketVerb = 2
	BasketTake BasketVerb = 3 // read it, and take it away
	BasketList BasketVerb = 4
)

// BasketQuestion is what a till asks. Ask names the question: the same one sent again is answered as it was, if
// its answer was lost on the way.
type BasketQuestion struct {
	Verb     BasketVerb
	Ask      [16]byte
	RID      RID    // zero with BasketList
	Match    string // ETag of what the POS has seen last; empty: none
	POS      string // who suspends it; with BasketPut, as what follows
	Lines    uint32
	Training bool
	Body     []byte // JSON, at most MaxBody
}

const basketVersion = 1

// Append appends the question's binary form to b.
func (q *BasketQuestion) Append(b []byte) []byte {
	b = append(append(b, basketVersion, byte(q.Verb), flag(q.Training)), q.Ask[:]...)
	b = append(b, q.RID[:]...)
	b = appendText(appendText(b, q.Match), q.POS)
	b = binary.AppendUvarint(b, uint64(q.Lines))
	return AppendBlob(b, q.Body)
}

// ReadBasketQuestion reads what Append wrote.
func ReadBasketQuestion(b []byte) (q BasketQuestion, err error) {
	r := Reader{B: b}
	version := r.U8()
	q.Verb = BasketVerb(r.U8())
	training := r.U8()
	q.Training = training == 1
	r.Fill(q.Ask[:])
	r.Fill(q.RID[:])
	q.Match, q.POS = string(r.Blob()), string(r.Blob())
	lines := r.Uvarint()
	q.Lines = uint32(min(lines, MaxLines))
	q.Body = r.Blob()
	wrong := version != basketVersion || training > 1 || q.Verb < BasketPut || q.Verb > BasketList || lines > MaxLines || len(q.Body) > MaxBody
	if err := r.End(); err != nil || wrong {
		return q, fmt.Errorf("read question about baskets: %w", ErrFormat)
	}
	return q, nil
}

// BasketState is what became of a question. Its values travel: never change one.
type BasketState uint8

// States.
const (
	BasketDone  BasketState = 1
	BasketNew   BasketState = 2 // done, and nothing lay there before
	BasketNone  BasketState = 3 // there is no such basket
	BasketTaken BasketState = 4 // it is not what was seen last, or another till has taken it
	BasketFull  BasketState = 5 // there are as many as may be
)

// SuspendedBasket is what is told of a basket without reading it.
type SuspendedBasket struct {
	RID      RID
	At       int64 // Unix milliseconds
	Till     string
	POS      string
	ETag     string
	Lines    uint32
	Training bool
}

// MaxSuspended bounds the baskets that a node keeps.
const MaxSuspended = 100

// BasketAnswer is what the store says: of one basket, or of all.
type BasketAnswer struct {
	State   BasketState
	Baskets []SuspendedBasket
	Body    []byte
}

// Append appends the answer's binary form to b.
func (a *BasketAnswer) Append(b []byte) []byte {
	b = append(b, basketVersion, byte(a.State))
	b = binary.AppendUvarint(b, uint64(len(a.Baskets)))
	for i := range a.Baskets {
		s := &a.Baskets[i]
		b = append(append(b, s.RID[:]...), flag(s.Training))
		b = AppendU64(b, uint64(s.At))
		b = appendText(appendText(appendText(b, s.Till), s.POS), s.ETag)
		b = binary.AppendUvarint(b, uint64(s.Lines))
	}
	return AppendBlob(b, a.Body)
}

// ReadBasketAnswer reads what Append wrote.
func ReadBasketAnswer(b []byte) (a BasketAnswer, err error) {
	r := Reader{B: b}
	version := r.U8()
	a.State = BasketState(r.U8())
	n := r.Count(20)
	wrong := version != basketVersion || a.State < BasketDone || a.State > BasketFull || n > MaxSuspended
	for i := 0; i < n && !wrong; i++ {
		var s SuspendedBasket
		r.Fill(s.RID[:])
		training := r.U8()
		s.Training, s.At = training == 1, r.I64()
		s.Till, s.POS, s.ETag = string(r.Blob()), string(r.Blob()), string(r.Blob())
		lines := r.Uvarint()
		s.Lines = uint32(min(lines, MaxLines))
		wrong = training > 1 || lines > MaxLines
		a.Baskets = append(a.Baskets, s)
	}
	if wrong {
		return a, fmt.Errorf("read answer about baskets: %w", ErrFormat)
	}
	a.Body = r.Blob()
	if err := r.End(); err != nil {
		return a, fmt.Errorf("read answer about baskets: %w", err)
	}
	return a, nil
}
