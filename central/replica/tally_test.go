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
			fx.Rows = append(fx.Rows, fold.Row{Table: 1, Key: p.Head, Value: record.AppendU64(nil, e.Number)})
			fx.Changes = append(fx.Changes, fold.Change{Store: shop, Kind: record.ItemShopper, Key: keyOf(head), Now: e.Number})
		}
		fx.Outcomes = append(fx.Outcomes, fmt.Append(nil, n))
	}
}

func (m *tally) Digest() record.Hash { return m.Sum }

func (m *tally) Snapshot(w io.Writer) error { return json.NewEncoder(w).Encode(m) }

func (m *tally) Restore(r io.Reader) error {
	if err := json.NewDecoder(r).Decode(m); err != nil {
		return err
	}
	for i, head := range m.Order {
		m.seen[head] = i + 1
	}
	return nil
}

var shop = storeID("0001")

func keyOf(head string) [16]byte {
	h := sha256.Sum256([]byte(head))
	return [16]byte(h[:16])
}
