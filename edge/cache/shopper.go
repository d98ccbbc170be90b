package cache

import (
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// Shopper gives what this node knows of an account: the record that fell here, plus the receipts kept
// here that it does not contain, as Pending. An account that is known by such receipts only has
// nothing but Pending. found is false if nothing is known.
func (c *Cache) Shopper(id record.AccountID) (s record.Shopper, found bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	it, found, err := c.lookup(id)
	if err != nil {
		return s, false, err
	}
	if found = found && len(it.value) > 0; found {
		if s, err = record.ReadShopper(it.value); err != nil {
			return s, false, fmt.Errorf("account %s: %w", id, err)
		}
	}
	a := c.overlay[id]
	if a == nil {
		return s, found, nil
	}
	s.Pending += a.sum
	if p := c.applying; p != nil && it.page == p.state.page {
		// The page with this item is on the disk, and Apply is about to end what it contains.
		for _, r := range a.receipts {
			if r.seq <= p.counted(r.chain, c.chains[r.chain]) {
				s.Pending -= r.points
			}
		}
	}
	return s, found || len(a.receipts) > 0, nil
}

// lookup reads the item of an account, with the overlay left out. It is the one read on the way of a
// till's question. mu is held, so that the item and the overlay are of one moment.
func (c *Cache) lookup(id record.AccountID) (it item, found bool, err error) {
	n := c.cfg.Ring.Name(byte(record.ItemShopper), id[:])
	err = c.read(func(tx *bolt.Tx) error {
		it, found, err = c.getItem(tx.Bucket(bucketItems), n)
		return err
	})
	if err != nil {
		err = fmt.Errorf("read cache %s: %w", c.cfg.Path, err)
	}
	return it, found, err
}

// errKnown ends Learn's transaction without a commit.
var errKnown = errors.New("known already")

// Learn keeps what upstream answered about a shopper who has not fallen here. It never replaces a
// record that is as new by AsOf; a later item of the feed replaces it. While receipts of the account
// are in the overlay nothing is learned: the answer may contain them, nothing says whether it does,
// and the feed is about to bring the item that does.
func (c *Cache) Learn(id record.AccountID, s record.Shopper) error {
	c.w.Lock()
	defer c.w.Unlock()
	c.mu.Lock()
	st, change, waits := c.state, c.next(), c.overlay[id] != nil
	c.mu.Unlock()
	if waits {
		return nil
	}
	n := c.cfg.Ring.Name(byte(record.ItemShopper), id[:])
	err := c.update(func(tx *bolt.Tx) error {
		old, found, err := c.getItem(tx.Bucket(bucketItems), n)
		if err != nil {
			return err
		}
		if found && len(old.value) > 0 {
			if held, err := record.ReadShopper(old.value); err == nil && held.AsOf >= s.AsOf {
				return errKnown
			}
		}
		it := item{change: change, page: old.page, kind: record.ItemShopper, key: id[:], value: s.Append(nil)}
		if err := c.replace(tx, n, &it, &st); err != nil {
			return err
		}
		return c.putState(tx, &st)
	})
	if errors.Is(err, errKnown) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("learn account %s: %w", id, err)
	}
	c.mu.Lock()
	c.state.items = st.items
	c.mu.Unlock()
	c.poke()
	return nil
}
