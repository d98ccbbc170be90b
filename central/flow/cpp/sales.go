package cpp

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
)

// story is a sale and all that was given back of it, in the order of the journal, as far as this node has folded.
type story struct {
	sale    record.Receipt
	doc     *document
	returns []given
	entries []uint64 // in which they lie
}

// records finds a sale again: in CPP it is the books and the journal; tests of the arithmetic have a list.
type records func(ctx context.Context, rid record.RID) (*story, error)

// story finds a sale and its returns in the journal, where the books say that they lie. Nil: there is no such sale, or
// it is forgotten.
func (c *CPP) story(ctx context.Context, rid record.RID) (*story, error) {
	var where []books.EntryRange
	err := c.cfg.Replica.Read(ctx, 0, func(uint64) { where, _ = c.cfg.Books.Sale(rid) })
	if err != nil || len(where) == 0 {
		return nil, err
	}
	found, _, err := c.recordsIn(ctx, where[0], func(h *record.Header) bool { return h.Kind == record.KindSale && h.RID == rid })
	if err != nil || len(found) == 0 {
		return nil, err
	}
	s := &story{sale: found[0]}
	if s.doc, err = readDocument(&s.sale); err != nil {
		return nil, nil // it counted nothing, so there is nothing to take back
	}
	entries := make([]uint64, 0, len(where)-1)
	for _, in := range where[1:] {
		entries = append(entries, in.From)
	}
	slices.Sort(entries)
	for _, at := range slices.Compact(entries) {
		all, entry, err := c.recordsIn(ctx, books.EntryRange{From: at, To: at}, func(h *record.Header) bool { return h.Of == rid })
		if err != nil {
			return nil, err
		}
		for i := range all {
			s.add(&all[i], entry)
		}
	}
	return s, nil
}

// add adds a return, unless it is one that came before. One that cannot be read takes nothing.
func (s *story) add(r *record.Receipt, entry uint64) {
	if slices.ContainsFunc(s.returns, func(g given) bool { return g.rid == r.RID }) {
		return
	}
	d, err := readDocument(r)
	if err != nil {
		d = &document{}
	}
	s.returns = append(s.returns, given{rid: r.RID, all: r.Kind == record.KindVoid, doc: d})
	s.entries = append(s.entries, entry)
}

// some gives those of the returns that are named.
func (s *story) some(rids []record.RID) (out []given) {
	for _, g := range s.returns {
		if slices.Contains(rids, g.rid) {
			out = append(out, g)
		}
	}
	return out
}

// recordsIn reads the records that are wanted of some entries: all of the first entry that has any.
func (c *CPP) recordsIn(ctx context.Context, in books.EntryRange, want func(*record.Header) bool) ([]record.Receipt, uint64, error) {
	source, err := replica.OpenSourceAt(ctx, c.b.JS, c.b.Net, max(in.From, 1)-1)
	if err != nil {
		return nil, 0, err
	}
	for number := in.From; number <= in.To; {
		_, e, err := source.Next(ctx)
		if errors.Is(err, replica.ErrBehind) {
			return nil, 0, nil
		}
		if err != nil {
			return nil, 0, fmt.Errorf("find a sale in the journal: %w", err)
		}
		number = e.Number + 1
		if found, err := books.Records(e, want); err != nil || len(found) > 0 {
			return found, e.Number, err
		}
	}
	return nil, 0, nil
}

// earlier lists the sales of a batch of which something was given back, as the books know now: their returns may have
// come before them.
func (c *CPP) earlier(ctx context.Context, batch []receipt) (has map[record.RID]bool, err error) {
	has = map[record.RID]bool{}
	err = c.cfg.Replica.Read(ctx, 0, func(uint64) {
		for i := range batch {
			r := &batch[i]
			if r.Kind != record.KindSale || r.Account.IsZero() {
				continue
			}
			if where, _ := c.cfg.Books.Sale(r.RID); len(where) > 1 {
				has[r.RID] = true
			}
		}
	})
	return has, err
}
