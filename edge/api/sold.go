package api

import (
	"context"
	"errors"
	"time"

	"tillstream/edge/journal"
	"tillstream/kv/record"
)

// saleWait bounds the question for a sale: a return may wait longer than a sale, and money back not for long.
const saleWait = 500 * time.Millisecond

// soldSale is a sale that something is given back of.
type soldSale struct {
	sale    record.Receipt
	parts   []part // that others have given back of it, as far as they are known
	partial bool   // the centre could not be asked, and others may have given back more
}

// findSale gives a sale, of this till or of another one, and what was given back of it anywhere. The centre
// is asked for its own sales too: a part may have come back at another store. Without an answer in time, what
// lies here has to do; errNoSale means that it is not here either.
func (a *API) findSale(ctx context.Context, rid record.RID) (*soldSale, error) {
	own, err := a.cfg.Journal.Find(rid)
	if err != nil && !errors.Is(err, journal.ErrNotFound) {
		return nil, err
	}
	here := err == nil
	if here && own.Kind != record.KindSale {
		return nil, errNoSale
	}
	if a.cfg.Sale == nil { // nobody else sells
		if !here {
			return nil, errNoSale
		}
		return &soldSale{sale: own}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, saleWait)
	defer cancel()
	said, whole, err := a.cfg.Sale(ctx, rid)
	if err != nil {
		a.cfg.Log.Debug("upstream did not give a sale", "rid", rid, "err", err)
		said, whole = record.SaleAnswer{}, false
	}
	found := &soldSale{sale: own, partial: !whole || said.More}
	for i := range said.Records {
		r := &said.Records[i]
		switch {
		case r.RID == rid && r.Kind == record.KindSale && !here:
			found.sale, here = *r, true
		case r.Kind == record.KindReturn || r.Kind == record.KindVoid:
			of, p, err := partOf(r)
			if err != nil {
				a.cfg.Log.Warn("what was given back elsewhere cannot be read", "rid", r.RID, "err", err)
				found.partial = true
			} else if of == rid {
				found.parts = append(found.parts, p)
			}
		}
	}
	if !here {
		return nil, errNoSale
	}
	return found, nil
}
