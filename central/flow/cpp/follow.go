package cpp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"tillstream/central/books"
	"tillstream/central/flow"
	"tillstream/central/fold"
	"tillstream/central/replica"
	"tillstream/kv"
	"tillstream/kv/record"
)

// saved is the cursor, and what is known of its record.
type saved struct {
	flow.Cursor
	revision uint64
	kept     flow.Cursor // as the record has it
	at       time.Time   // when it was kept, by the machine's clock
}

// errGeneration means that the journal is another one than the cursor is of.
var errGeneration = errors.New("the journal goes on in another generation")

// load reads the cursor, or finds a place to begin.
func (c *CPP) load(ctx context.Context) error {
	bucket, err := c.standings.Bucket(ctx)
	if err != nil {
		return err
	}
	c.cursor = saved{at: time.Now()}
	r, err := bucket.Get(ctx, kv.CursorKey)
	switch {
	case errors.Is(err, kv.ErrNone):
	case err != nil:
		return err
	default:
		if err := json.Unmarshal(r.Value, &c.cursor.kept); err != nil {
			c.b.Log.Error("CPP's cursor cannot be read: it begins anew", "err", err)
			c.cursor.kept = flow.Cursor{}
		}
		c.cursor.revision = r.Revision
	}
	generation := c.cfg.Replica.Generation()
	if c.cursor.Cursor = c.cursor.kept; c.cursor.Generation == generation && generation != (record.Generation{}) {
		c.standings.Settled(c.cursor.Through)
		return nil
	}
	return c.begin(ctx, generation)
}

// begin puts the cursor before the first entry that may still count: what is older is of cycles that are forgotten. All
// that was counted before is in the records.
func (c *CPP) begin(ctx context.Context, generation record.Generation) error {
	settings := c.b.Docs.Settings()
	since, err := settings.Remembered(c.b.Now())
	if err != nil {
		return err
	}
	first, err := replica.FirstSince(ctx, c.b.JS, c.b.Net, since.UnixMilli())
	if err != nil {
		return err
	}
	c.cursor.Cursor = flow.Cursor{Generation: generation, Entry: first - 1}
	c.b.Log.Info("begins to count receipts", "entry", first, "since", since)
	return nil
}

// save keeps the cursor, if it is another one.
func (c *CPP) save(ctx context.Context) error {
	if c.cursor.Cursor == c.cursor.kept || c.cursor.Generation == (record.Generation{}) {
		return nil
	}
	bucket, err := c.standings.Bucket(ctx)
	if err != nil {
		return err
	}
	value, err := json.Marshal(c.cursor.Cursor)
	if err != nil {
		return fmt.Errorf("write CPP's cursor: %w", err)
	}
	revision, err := bucket.Put(ctx, kv.CursorKey, value, c.cursor.revision)
	if err != nil {
		return err // also if another node keeps one: it is read again
	}
	c.cursor.revision, c.cursor.kept, c.cursor.at = revision, c.cursor.Cursor, time.Now()
	return nil
}

// follower reads the journal beside history.
type follower struct {
	c      *CPP
	source *replica.Source
	at     uint64 // the entry that source gave last
}

// most bounds the records of a batch; it ends with an entry.
const most = 2048

// next counts what has been posted since the cursor, up to a batch of it. It waits for something to come.
func (f *follower) next(ctx context.Context) (worked bool, err error) {
	c := f.c
	place, idle, err := c.await(ctx)
	if err != nil {
		return false, err
	}
	if idle {
		return false, c.rest(ctx)
	}
	if place.Generation != c.cursor.Generation {
		return false, errGeneration
	}
	c.behind.Set(float64(place.Entry - c.cursor.Entry))
	all, upTo, err := c.posted(place)
	if err != nil {
		return false, err
	}
	batch, through, err := f.receipts(ctx, all)
	if err != nil {
		return false, err
	}
	earlier, err := c.earlier(ctx, batch)
	if err != nil {
		return false, err
	}
	if err := c.count(ctx, batch, earlier); err != nil {
		return false, err
	}
	// All of it is said. From here on the cursor may move; if we die before it is kept, the batch is read again.
	c.cursor.Entry, c.cursor.Line = upTo.Entry, upTo.Line
	c.cursor.Through = max(c.cursor.Through, through, upTo.At)
	c.receipts.Add(float64(len(batch)))
	c.behind.Set(float64(place.Entry - upTo.Entry))
	if time.Since(c.cursor.at) >= saveEvery {
		err = c.save(ctx)
	}
	return true, err
}

// await waits for an entry after the cursor; idle says that none has come for a while.
func (c *CPP) await(ctx context.Context) (p replica.Place, idle bool, err error) {
	wait := restEvery
	if c.cursor.Cursor != c.cursor.kept {
		wait = saveEvery
	}
	once, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p, err = c.cfg.Replica.Beyond(once, c.cursor.Entry)
	if err != nil && ctx.Err() == nil {
		return p, true, nil
	}
	return p, false, err
}

// slow is longer than an entry is on its way from the writer, which dates it, to its fold: were the journal without a
// leader for so long, the cursor could not be kept either.
const slow = 30 * time.Second

// rest keeps the cursor when nothing comes, and until when nothing has come.
func (c *CPP) rest(ctx context.Context) error {
	if c.writes() {
		c.cursor.Through = max(c.cursor.Through, c.b.Now().Add(-slow).UnixMilli())
	}
	return c.save(ctx)
}

// errFull ends the reading of history at a batch's end.
var errFull = errors.New("enough")

// posted reads from history what was posted after the cursor, up to a place, in whole entries: a full batch or all. It
// gives how far it came.
func (c *CPP) posted(place replica.Place) (all []books.Posted, upTo replica.Place, err error) {
	upTo = place
	err = c.cfg.Replica.LinesFrom(c.cursor.Line, func(at uint64, payload []byte) error {
		if at >= place.Line {
			return errFull
		}
		p, ok, err := books.ReadPosted(payload)
		if err != nil {
			return fmt.Errorf("history at %d: %w", at, err)
		}
		if !ok || p.Entry <= c.cursor.Entry {
			return nil
		}
		if n := len(all); n >= most && all[n-1].Entry != p.Entry {
			// Lines of the entry after this one that post nothing are read once more: they post nothing.
			upTo = replica.Place{Entry: all[n-1].Entry, Line: at}
			return errFull
		}
		all = append(all, p)
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return all, upTo, err
}

// receipts reads from the journal what history tells of.
func (f *follower) receipts(ctx context.Context, all []books.Posted) (batch []receipt, through int64, err error) {
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Entry == all[0].Entry {
			n++
		}
		e, err := f.entry(ctx, all[0].Entry)
		if err != nil {
			return nil, 0, err
		}
		taken, err := books.Bodies(e, all[:n])
		if err != nil {
			return nil, 0, err
		}
		for _, t := range taken {
			batch = append(batch, receipt{Receipt: t.Receipt, store: t.Store, entry: e.Number, at: time.UnixMilli(e.At).UTC()})
		}
		through, all = e.At, all[n:]
	}
	return batch, through, f.c.tills(ctx, batch)
}

// tills fills in which tills the receipts are of.
func (c *CPP) tills(ctx context.Context, batch []receipt) error {
	return c.cfg.Replica.Read(ctx, 0, func(uint64) {
		for i := range batch {
			_, batch[i].till, _ = c.cfg.Books.Till(batch[i].Chain)
		}
	})
}

// far is how many entries without receipts are read over, and not passed over: to find a place takes some twenty reads.
const far = 20

// entry reads an entry of the journal, which comes after those that were read before.
func (f *follower) entry(ctx context.Context, number uint64) (*fold.Entry, error) {
	if f.source == nil || number-f.at > far {
		source, err := replica.OpenSourceAt(ctx, f.c.b.JS, f.c.b.Net, number-1)
		if err != nil {
			return nil, err
		}
		f.source, f.at = source, number-1
	}
	for {
		_, e, err := f.source.Next(ctx)
		if err != nil {
			f.source = nil
			return nil, err
		}
		if f.at = e.Number; f.at == number {
			return e, nil
		}
	}
}
