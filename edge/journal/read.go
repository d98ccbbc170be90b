package journal

import (
	"errors"
	"fmt"
	"iter"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// Find gives the receipt that was committed here under rid, or ErrNotFound.
func (j *Journal) Find(rid record.RID) (rec record.Receipt, err error) {
	if j.doubt.Load() {
		// What the file shows may not be on the disk: answer after a transaction has gone through.
		if err := j.submit(nil, &entry{}); err != nil {
			return rec, fmt.Errorf("find receipt %s: %w", rid, err)
		}
	}
	a, known := j.freshAt(rid)
	err = j.file.view(func(tx *bbolt.Tx) (err error) {
		rec, err = j.find(tx, rid, a, known)
		return err
	})
	if err != nil {
		return rec, fmt.Errorf("find receipt %s: %w", rid, err)
	}
	return rec, nil
}

// find reads the record of a rid at its place, if that is known, or where the file's index says.
func (j *Journal) find(tx *bbolt.Tx, rid record.RID, a at, known bool) (record.Receipt, error) {
	if !known {
		var ok bool
		if a.chain, a.seq, ok = splitRunKey(tx.Bucket(bucketRIDs).Get(rid[:])); !ok {
			return record.Receipt{}, ErrNotFound
		}
	}
	recs, err := j.records(tx, a)
	if err != nil {
		return record.Receipt{}, err // ErrNotFound: it is being swept
	}
	rec := recs[a.seq-recs[0].Seq]
	if rec.RID != rid {
		return record.Receipt{}, fmt.Errorf("%w: seq %d of chain %s is receipt %s", ErrDamaged, a.seq, a.chain, rec.RID)
	}
	return rec, nil
}

// After gives the records of a chain after seq, in order, as far as they are kept when it gets there.
// It ends after the first error.
func (j *Journal) After(id record.ChainID, seq uint64) iter.Seq2[record.Receipt, error] {
	return func(yield func(record.Receipt, error) bool) {
		for {
			var recs []record.Receipt
			// One run at a time: a transaction held open while yield runs would stop writers.
			err := j.file.view(func(tx *bbolt.Tx) (err error) {
				recs, err = j.records(tx, at{id, seq + 1})
				return err
			})
			if errors.Is(err, ErrNotFound) {
				return
			}
			if err != nil {
				j.damaged(err)
				yield(record.Receipt{}, fmt.Errorf("read chain %s after seq %d: %w", id, seq, err))
				return
			}
			for _, rec := range recs {
				if rec.Seq > seq && !yield(rec, nil) {
					return
				}
			}
			seq = recs[len(recs)-1].Seq
		}
	}
}

// records unpacks the run that holds a record, or gives ErrNotFound.
func (j *Journal) records(tx *bbolt.Tx, a at) ([]record.Receipt, error) {
	run, _, err := j.runAt(tx, a)
	if err != nil {
		return nil, err
	}
	recs, err := run.Receipts(false)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return recs, nil
}

func (j *Journal) runAt(tx *bbolt.Tx, a at) (record.Run, prefix, error) {
	k, v := seek(tx.Bucket(bucketRuns).Cursor(), a)
	if k == nil {
		return record.Run{}, prefix{}, ErrNotFound
	}
	return openRun(j.cfg.Ring, bucketRuns, k, v)
}

// seek finds the run that holds a record; k and v are nil if there is none.
func seek(cur *bbolt.Cursor, a at) (k, v []byte) {
	k, v = cur.Seek(a.bytes())
	if id, first, ok := splitRunKey(k); !ok || id != a.chain || first != a.seq {
		if k == nil {
			k, v = cur.Last() // Prev from beyond the end is not defined
		} else {
			k, v = cur.Prev()
		}
	}
	id, first, ok := splitRunKey(k)
	if !ok || id != a.chain || first > a.seq {
		return nil, nil
	}
	if p, err := readPrefix(v); err == nil && p.last < a.seq {
		return nil, nil
	}
	return k, v
}

// damaged notes damage that a reader met and has nobody to tell.
func (j *Journal) damaged(err error) {
	if errors.Is(err, ErrDamaged) && j.failed.CompareAndSwap(nil, &err) {
		j.cfg.Log.Error("journal is damaged: open it again to salvage it", "path", j.cfg.Path, "err", err)
	}
}
