package replica

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"

	"tillstream/central/fold"
	"tillstream/kv/record"
)

// tally is a small machine: it numbers the heads that it has not met, and chains them in a hash. The
// outcome of a head is its number, the same when it comes again.
type tally struct {
	Order   []string
	Sum     [32]byte
	seen    map[string]int
	applied int // entries since it was made or restored
}

func newTally() *tally { return &tally{seen: map[string]int{}} }

func (m *tally) Apply(e *fold.Entry, fx *fold.Effects) {
	m.applied++
	for _, p := range e.Proposals {
		head := string(p.Head)
		n, ok := m.seen[head]
		if !ok {
			m.Order = append(m.Order, head)
			n = len(m.Order)
			m.seen[head] = n
			m.Sum = sha256.Sum256(append(m.Sum[:], head...))
			fx.Line(append(record.AppendU64(nil, e.Number), head...))
		}
		fx.Outcomes = append(fx.Outcomes, fmt.Append(nil, n))
	}
}

func (m *tally) Digest() record.Hash { return m.Sum }

// Freeze gives the state in parts of a few bytes.
func (m *tally) Freeze() func([]byte) ([]byte, bool) {
	rest, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return func(b []byte) ([]byte, bool) {
		n := min(100, len(rest))
		b, rest = append(b, rest[:n]...), rest[n:]
		return b, n > 0
	}
}

func (m *tally) Thaw() {}

func (m *tally) Empty() fold.Machine { return newTally() }

func (m *tally) Restore(part func() ([]byte, error)) error {
	var data []byte
	for {
		p, err := part()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		data = append(data, p...)
	}
	again := newTally()
	if err := json.Unmarshal(data, again); err != nil {
		return err
	}
	for i, head := range again.Order {
		again.seen[head] = i + 1
	}
	*m = *again
	return nil
}
