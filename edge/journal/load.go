package journal

import (
	"bytes"
	"fmt"
	"strings"

	"go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// load fills memory from a file that is not new, and checks the file: its version; that every chain's
// runs follow each other from seq 1 to its tip; that the runs upstream has not confirmed open; that the
// tail of each chain is what its tip says. It reports whether the file is of the version before.
func (j *Journal) load(tx *bbolt.Tx) (old bool, err error) {
	for _, name := range [][]byte{bucketMeta, bucketChains, bucketRuns, bucketRIDs, bucketAside} {
		if tx.Bucket(name) == nil {
			return false, fmt.Errorf("%w: bucket %s is missing", ErrDamaged, name)
		}
	}
	switch v := string(tx.Bucket(bucketMeta).Get(keyVersion)); {
	case !strings.HasPrefix(v, versionText):
		return false, fmt.Errorf("%w: no version", ErrDamaged)
	case v == versionText+versionOld:
		old = true
	case v != versionText+version:
		return false, fmt.Errorf("%w: it has %s, this program knows %s", ErrVersion, v[len(versionText):], version)
	}
	chains, err := j.readChains(tx)
	if err != nil {
		return false, err
	}
	if err := j.checkRuns(tx, chains); err != nil {
		return false, err
	}
	if err := checkOrder(tx.Bucket(bucketRIDs)); err != nil {
		return false, err
	}
	for id, c := range chains {
		j.order = max(j.order, c.order)
		if c.swept {
			j.graves[id] = c.kept
			continue
		}
		j.chains[id] = c
	}
	return old, nil
}

func (j *Journal) readChains(tx *bbolt.Tx) (map[record.ChainID]*chain, error) {
	chains := map[record.ChainID]*chain{}
	err := tx.Bucket(bucketChains).ForEach(func(k, v []byte) error {
		c, err := openChain(j.cfg.Ring, k, v)
		if err == nil {
			chains[c.id] = c
		}
		return err
	})
	return chains, err
}

// checkRuns walks over all keys and prefixes: one page in about three receipts, and no key needed but
// for what is opened.
func (j *Journal) checkRuns(tx *bbolt.Tx, chains map[record.ChainID]*chain) error {
	last := map[record.ChainID]uint64{}
	cur := tx.Bucket(bucketRuns).Cursor()
	for k, v := cur.First(); k != nil; k, v = cur.Next() {
		id, first, ok := splitRunKey(k)
		c := chains[id]
		if !ok || c == nil {
			return fmt.Errorf("%w: run %x is of no chain", ErrDamaged, k)
		}
		p, err := readPrefix(v)
		if err != nil {
			return err
		}
		if c.swept {
			if n := len(j.swept); n == 0 || j.swept[n-1] != id {
				j.swept = append(j.swept, id)
			}
			continue
		}
		if first != last[id]+1 || p.last < first || p.last > c.tip.Seq {
			return fmt.Errorf("%w: chain %s goes from seq %d to %d", ErrDamaged, id, last[id], first)
		}
		last[id] = p.last
		if p.last > c.confirmed || p.last == c.tip.Seq || c.unindexed(p.last) {
			if err := j.checkRun(c, k, v); err != nil {
				return err
			}
		}
	}
	for id, c := range chains {
		if last[id] != c.tip.Seq && !c.swept {
			return fmt.Errorf("%w: chain %s ends at seq %d, its tip is %d", ErrDamaged, id, last[id], c.tip.Seq)
		}
	}
	return nil
}

// checkOrder sees to it that every key can be found. (A run out of order breaks its chain.)
func checkOrder(bucket *bbolt.Bucket) error {
	var last []byte
	cur := bucket.Cursor()
	for k, _ := cur.First(); k != nil; k, _ = cur.Next() {
		if bytes.Compare(last, k) >= 0 {
			return fmt.Errorf("%w: rid %x is out of place", ErrDamaged, k)
		}
		last = k
	}
	return nil
}

func (j *Journal) checkRun(c *chain, k, v []byte) error {
	run, p, err := openRun(j.cfg.Ring, bucketRuns, k, v)
	if err != nil || p.last != c.tip.Seq && !c.unindexed(p.last) {
		return err
	}
	recs, err := run.Receipts(false)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	for i := range recs {
		j.refresh(c, &recs[i].Header)
	}
	if p.last != c.tip.Seq {
		return nil
	}
	if recs[len(recs)-1].Hash() != c.tip.Hash {
		return fmt.Errorf("%w: the last record of chain %s is not its tip", ErrDamaged, c.id)
	}
	return nil
}
