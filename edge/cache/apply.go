package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	bolt "go.etcd.io/bbolt"

	"tillstream/kv/record"
)

// ErrPage means that a page cannot be applied: malformed, or of another life than the cursor.
var ErrPage = errors.New("page does not fit")

// plan is a page on its way to the disk.
type plan struct {
	page   *record.Page
	state  state // as it will be
	chains map[record.ChainID]told
	first  uint64 // change number of the chains; the items have those after it
	news   bool   // downstream gets something new
	raised bool   // the ceiling
}

func (p *plan) number(i int) uint64 { return p.first + 1 + uint64(i) }

// counted is how far the page's items contain a chain that is now held as ch.
func (p *plan) counted(id record.ChainID, ch *chain) uint64 {
	if t, ok := p.chains[id]; ok {
		return t.counted
	}
	if ch == nil {
		return 0
	}
	return ch.counted
}

// Apply takes in a page of upstream's feed: items, counts and cursor in one transaction, and then, in
// the same moment for every reader, the end of the overlay of what the items contain. A page that is
// older than the cursor is ignored. FeedReset drops every item and count, keeps the overlay, and
// starts from zero of the page's generation; whoever follows this cache is told to start anew too.
// FeedBehind changes nothing. The page is not kept.
func (c *Cache) Apply(p *record.Page) error {
	c.w.Lock()
	defer c.w.Unlock()
	switch p.Status {
	case record.FeedBehind:
		return nil
	case record.FeedReset:
		return c.reset(p.Cursor.Generation)
	case record.FeedItems:
	default:
		return fmt.Errorf("%w: status %d", ErrPage, p.Status)
	}
	if err := check(p); err != nil {
		return err
	}
	held := c.Cursor()
	// At entry 0 nothing has come of that life yet: upstream may have begun another one meanwhile.
	if held.Entry > 0 && held.Generation != p.Cursor.Generation {
		return fmt.Errorf("%w: of generation %s, want %s", ErrPage, p.Cursor.Generation, held.Generation)
	}
	if p.Cursor.Entry < held.Entry {
		return nil
	}
	pl := c.prepare(p)
	var err error
	if pl.news || pl.raised || len(pl.chains) > 0 { // else only the cursor moved, and memory will do
		err = c.update(func(tx *bolt.Tx) error { return c.write(tx, pl) })
	}
	c.finish(pl, err)
	return err
}

func check(p *record.Page) error {
	for i := range p.Items {
		it := &p.Items[i]
		if it.Kind != record.ItemShopper {
			continue // kept for whoever knows it
		}
		if len(it.Key) != len(record.AccountID{}) {
			return fmt.Errorf("%w: item %d: key of %d bytes", ErrPage, i, len(it.Key))
		}
		if len(it.Value) == 0 {
			continue
		}
		if _, err := record.ReadShopper(it.Value); err != nil {
			return fmt.Errorf("%w: item %d: %w", ErrPage, i, err)
		}
	}
	return nil
}

// prepare says what the page will change and tells the readers that it comes.
func (c *Cache) prepare(p *record.Page) *plan {
	c.mu.Lock()
	defer c.mu.Unlock()
	pl := &plan{page: p, state: c.state, chains: map[record.ChainID]told{}, first: c.next()}
	c.last += uint64(len(p.Items))
	pl.state.cursor = p.Cursor
	pl.state.page++
	if c.last+life/2 > pl.state.ceiling {
		pl.state.ceiling, pl.raised = c.last+life, true
	}
	pl.news = len(p.Items) > 0
	for _, n := range p.Counted {
		var t told
		if ch := c.chains[n.Chain]; ch != nil {
			t = ch.told
		}
		if t.counted == n.Counted && t.posted == n.Posted {
			continue
		}
		if t.counted != n.Counted && p.More {
			t.steps = append(slices.Clone(t.steps), step{page: pl.state.page, counted: n.Counted})
		}
		t.counted, t.posted, t.change = n.Counted, n.Posted, pl.first
		pl.chains[n.Chain] = t
		pl.news = true
	}
	if !p.More {
		c.complete(pl)
	}
	c.applying = pl
	return pl
}

// complete notes that every item has come that was changed by what the chains count.
func (c *Cache) complete(pl *plan) {
	for id := range c.series {
		if _, ok := pl.chains[id]; !ok {
			pl.chains[id] = c.chains[id].told
		}
	}
	for id, t := range pl.chains {
		t.floor, t.steps = t.counted, nil
		pl.chains[id] = t
	}
}

// write changes the database and the plan, nothing else.
func (c *Cache) write(tx *bolt.Tx, pl *plan) error {
	for i := range pl.page.Items {
		in := &pl.page.Items[i]
		it := item{
			change: pl.number(i), page: pl.state.page,
			kind: in.Kind, key: in.Key, value: in.Value,
		}
		if err := c.replace(tx, c.cfg.Ring.Name(byte(in.Kind), in.Key), &it, &pl.state); err != nil {
			return err
		}
	}
	chains := tx.Bucket(bucketChains)
	for id, t := range pl.chains {
		if err := c.putChain(chains, id, &t); err != nil {
			return err
		}
	}
	return c.putState(tx, &pl.state)
}

// replace puts an item in the place of the one of that name, and moves its index entry.
func (c *Cache) replace(tx *bolt.Tx, n name, it *item, s *state) error {
	items, index := tx.Bucket(bucketItems), tx.Bucket(bucketIndex)
	index.FillPercent = 0.9 // its keys only ascend
	old, found, err := c.getItem(items, n)
	if err != nil {
		return err
	}
	if found {
		if err := index.Delete(be64(old.change)); err != nil {
			return err
		}
	}
	if len(old.value) > 0 {
		s.items--
	}
	if len(it.value) > 0 {
		s.items++
	}
	if err := index.Put(be64(it.change), n[:]); err != nil {
		return err
	}
	return c.putItem(items, n, it)
}

// finish makes memory follow the disk, in one moment; after an error the disk has not changed.
func (c *Cache) finish(pl *plan, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applying = nil
	if err != nil {
		return
	}
	c.state = pl.state
	for id, t := range pl.chains {
		c.chain(id).told = t
		if t.floor == t.counted {
			delete(c.series, id)
		} else {
			c.series[id] = struct{}{}
		}
	}
	for i := range pl.page.Items {
		if it := &pl.page.Items[i]; it.Kind == record.ItemShopper {
			c.end(record.AccountID(it.Key), pl.number(i))
		}
	}
	if pl.news {
		c.poke()
	}
}

// reset drops what fell here. Downstream must drop it too: what does not come again upstream would
// stay there for ever. So the feed of this cache begins another life.
func (c *Cache) reset(upstream record.Generation) error {
	s := c.state // only holders of w change it
	s.own = record.NewGeneration(c.cfg.Now())
	s.cursor = record.Cursor{Generation: upstream}
	s.items = 0
	err := c.update(func(tx *bolt.Tx) error {
		for _, b := range [][]byte{bucketItems, bucketIndex, bucketChains} {
			if err := tx.DeleteBucket(b); err != nil {
				return err
			}
			if _, err := tx.CreateBucket(b); err != nil {
				return err
			}
		}
		return c.putState(tx, &s)
	})
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = s
	c.restart()
	c.cfg.Log.Warn("feed begins another life: all records are pulled again", "generation", upstream)
	c.poke()
	return nil
}

// restart forgets what upstream said of chains; the overlay stays. mu is held.
func (c *Cache) restart() {
	clear(c.series)
	for id, ch := range c.chains {
		if ch.overlaid == 0 {
			delete(c.chains, id)
			continue
		}
		ch.told, ch.moved = told{}, c.next()
	}
	c.log = changes{}
	for id, a := range c.overlay {
		a.moved = c.next()
		c.log.add(change{number: a.moved, account: id}, c.current)
	}
}

func number(k []byte) uint64 { return binary.BigEndian.Uint64(k) }
