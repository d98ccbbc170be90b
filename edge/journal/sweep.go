package journal

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// graveTimes is how many times Config.Keep the entry of a swept chain stays: a salvage, which also finds
// free pages, learns from it not to send the chain anew.
const graveTimes = 10

// sweepStep is how many runs one transaction of Sweep removes: commits wait for it.
const sweepStep = 500

// Sweep removes chains that the centre has posted and whose last record was kept longer than
// Config.Keep before now, with their rids. A chain goes as a whole; the newest chain begun here stays,
// as do chains that were refused or have forked. It gives the number of records removed. It also writes
// what Confirm and SetPosted have learned, so calling it now and then (hourly) keeps that fresh in the
// file.
func (j *Journal) Sweep(now time.Time) (removed int, err error) {
	j.turn <- struct{}{}
	removed, more, err := j.sweep(now, true)
	<-j.turn
	if err == nil && more {
		var n int
		n, err = j.finish(now)
		removed += n
	}
	if err != nil {
		return removed, fmt.Errorf("sweep journal: %w", err)
	}
	return removed, nil
}

// finish removes what is left of the chains that are going.
func (j *Journal) finish(now time.Time) (removed int, err error) {
	for more := true; more && err == nil; {
		var n int
		j.turn <- struct{}{}
		n, more, err = j.sweep(now, false)
		<-j.turn
		removed += n
	}
	return removed, err
}

// sweep does one step. The caller has the turn.
func (j *Journal) sweep(now time.Time, first bool) (removed int, more bool, err error) {
	b := newBatch(j)
	if first {
		for _, id := range j.ripe(now, b) {
			b.touch(id).swept = true
		}
		b.index(true)
	}
	going := slices.Clone(j.swept)
	for id, s := range b.chains {
		if s.swept {
			going = append(going, id)
		}
	}
	var old []record.ChainID
	for id, kept := range j.graves {
		if kept <= now.Add(-graveTimes*j.cfg.Keep).UnixMilli() {
			old = append(old, id)
		}
	}
	if len(going) == 0 && len(b.touched) == 0 && len(old) == 0 {
		return 0, false, nil
	}
	var gone []record.ChainID
	err = j.file.update(func(tx *bbolt.Tx) error {
		removed, gone = 0, nil
		if err := b.writeRIDs(tx); err != nil {
			return err
		}
		if err := b.writeChains(tx); err != nil {
			return err
		}
		for _, id := range old {
			if err := tx.Bucket(bucketChains).Delete(id[:]); err != nil {
				return fmt.Errorf("remove entry of chain %s: %w", id, err)
			}
		}
		left := sweepStep
		for _, id := range going {
			records, runs, err := j.remove(tx, id, left)
			if err != nil {
				return fmt.Errorf("remove chain %s: %w", id, err)
			}
			removed += records
			if left -= runs; left == 0 {
				return nil
			}
			gone = append(gone, id)
		}
		return nil
	})
	if err != nil {
		j.reread(b)
		return 0, false, err
	}
	// From here on the chains are gone, or the next start goes on removing them.
	j.apply(b)
	j.mu.Lock()
	for id, s := range b.chains {
		if s.swept {
			j.drop(j.chains[id])
			j.graves[id] = s.kept
		}
	}
	j.mu.Unlock()
	for _, id := range old {
		delete(j.graves, id)
	}
	j.swept = slices.DeleteFunc(going, func(id record.ChainID) bool { return slices.Contains(gone, id) })
	return removed, len(j.swept) > 0, nil
}

// settle writes what Confirm and SetPosted have learned. The caller has the turn.
func (j *Journal) settle() error {
	b := newBatch(j)
	j.mu.Lock()
	for id, c := range j.chains {
		if c.dirty {
			b.touch(id)
		}
	}
	j.mu.Unlock()
	if len(b.touched) == 0 {
		return nil
	}
	return j.file.update(b.writeChains)
}

// ripe gives the chains that may go, and touches those whose marks are newer than in the file.
func (j *Journal) ripe(now time.Time, b *batch) (ids []record.ChainID) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var newest uint64
	for _, c := range j.chains {
		if c.own {
			newest = max(newest, c.order)
		}
	}
	limit := now.Add(-j.cfg.Keep).UnixMilli()
	for id, c := range j.chains {
		if c.dirty {
			b.touch(id)
		}
		moved := c.moved >= c.tip.Seq // then what upstream would not have of it lives on in another chain
		done := moved || c.posted >= c.tip.Seq && c.closed == 0 && c.refused == 0
		if done && c.kept <= limit && (!c.own || c.order != newest) {
			ids = append(ids, id)
		}
	}
	return ids
}

// remove deletes at most limit runs of a chain with their rids, and gives how many records and runs
// went. What is left of the chain is its entry, which says that it was swept.
func (j *Journal) remove(tx *bbolt.Tx, id record.ChainID, limit int) (records, runs int, err error) {
	bucket := tx.Bucket(bucketRuns)
	var keys [][]byte
	cur := bucket.Cursor()
	for k, v := cur.Seek(id[:]); bytes.HasPrefix(k, id[:]) && len(keys) < limit; k, v = cur.Next() {
		keys = append(keys, bytes.Clone(k))
		n, err := j.removeRIDs(tx.Bucket(bucketRIDs), k, v)
		if err != nil {
			return 0, 0, err
		}
		records += n
	}
	for _, k := range keys {
		if err := bucket.Delete(k); err != nil {
			return 0, 0, err
		}
	}
	return records, len(keys), nil
}

// removeRIDs deletes the rids of a run and gives the number of its records. A run that does not open
// goes all the same: rids that point nowhere are taken for absent.
func (j *Journal) removeRIDs(rids *bbolt.Bucket, k, v []byte) (int, error) {
	run, _, err := openRun(j.cfg.Ring, bucketRuns, k, v)
	if err != nil {
		return 0, nil
	}
	recs, err := run.Receipts(false)
	if err != nil {
		return 0, nil
	}
	for i := range recs {
		rid := recs[i].RID
		if !bytes.Equal(rids.Get(rid[:]), at{run.Chain, recs[i].Seq}.bytes()) {
			continue
		}
		if err := rids.Delete(rid[:]); err != nil {
			return 0, err
		}
	}
	return len(recs), nil
}
