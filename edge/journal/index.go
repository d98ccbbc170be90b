package journal

import (
	"fmt"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// indexStep is how many rids wait in memory before one transaction writes them all to the file's index.
// A commit that wrote its own would write two pages more; a start reads so many records at most.
const indexStep = 256

// unindexed reports whether the rid of a record is not in the file's index.
func (s *state) unindexed(seq uint64) bool { return s.own && seq > s.indexed }

// refresh notes the rid of a record that the file's index does not have. The caller has mu, or the
// journal for itself.
func (j *Journal) refresh(c *chain, h *record.Header) {
	if h.Kind != record.KindStart && c.unindexed(h.Seq) {
		j.fresh[h.RID] = at{h.Chain, h.Seq}
	}
}

// freshAt says where the record of a rid is that is not in the file's index. Who also asks the file asks
// here first: a rid moves from here to there.
func (j *Journal) freshAt(rid record.RID) (at, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	a, ok := j.fresh[rid]
	return a, ok
}

// index plans to write all rids to the file's index, if it is time or now is true. The caller has the
// turn.
func (b *batch) index(now bool) {
	if n := len(b.j.fresh) + len(b.rids); n == 0 || n < indexStep && !now {
		return
	}
	b.indexing = true
	for id, c := range b.j.chains {
		if c.unindexed(c.tip.Seq) {
			b.touch(id)
		}
	}
	for _, s := range b.chains {
		if s.own {
			s.indexed = s.tip.Seq
		}
	}
}

// writeRIDs writes what index planned.
func (b *batch) writeRIDs(tx *bbolt.Tx) error {
	if !b.indexing {
		return nil
	}
	rids := tx.Bucket(bucketRIDs)
	rids.FillPercent = fill
	put := func(rid record.RID, a at) error {
		if err := rids.Put(rid[:], a.bytes()); err != nil {
			return fmt.Errorf("keep rid %s: %w", rid, err)
		}
		return nil
	}
	for rid, a := range b.j.fresh { // only who has the turn changes it
		if err := put(rid, a); err != nil {
			return err
		}
	}
	for rid, rec := range b.rids {
		if err := put(rid, at{rec.Chain, rec.Seq}); err != nil {
			return err
		}
	}
	return nil
}

// indexed makes memory say of rids what the file does. The caller has mu.
func (b *batch) indexed() {
	if b.indexing {
		clear(b.j.fresh)
		return
	}
	for rid, rec := range b.rids {
		b.j.fresh[rid] = at{rec.Chain, rec.Seq}
	}
}
