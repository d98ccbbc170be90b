package gateway

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tillstream/central/books"
	"tillstream/central/replica"
	"tillstream/kv/record"
	"tillstream/subjects"
	"tillstream/subjects/service"
)

// Sales of one store that are looked for at once, and how long one may take: the till has gone by then.
const (
	salesAtOnce = 4
	saleWait    = time.Second
)

// sales answers a store's questions for sales, so that any till of any store gives back exactly what was got.
func (g *POS) sales() *service.Service {
	return service.New(service.Config{
		Conn: g.cfg.Conn, Name: subjects.ServiceGateway, Endpoint: "sale", Subject: g.cfg.Net.AnyPOSSale(),
		Description: "sales and their returns for stores of brand " + g.cfg.Net.Brand.String(), Each: salesAtOnce,
		Answer: g.sale, Log: g.cfg.Log,
	})
}

// sale answers a rid with the records of the sale and of what was given back of it. The books know in which
// entries they lie; the bodies are read from the journal, where nothing else reads them.
func (g *POS) sale(ctx context.Context, q service.Question) (a service.Answer, err error) {
	var rid record.RID
	if len(q.Data) != len(rid) {
		return a, &service.Refusal{Err: errors.New("want the 16 bytes of a rid")}
	}
	copy(rid[:], q.Data)
	var where []books.EntryRange
	if err := g.cfg.Replica.Read(ctx, 0, func(uint64) { where, _ = g.cfg.Books.Sale(rid) }); err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, saleWait)
	defer cancel()
	var said record.SaleAnswer
	size := 0
	for i, in := range where {
		found, err := g.recordsIn(ctx, in, func(h *record.Header) bool {
			if i == 0 {
				return h.Kind == record.KindSale && h.RID == rid
			}
			return h.Of == rid
		})
		if err != nil {
			return a, fmt.Errorf("read sale %s: %w", rid, err)
		}
		for _, r := range found {
			if slices.ContainsFunc(said.Records, func(o record.Receipt) bool { return o.RID == r.RID }) {
				continue // it came again, or two of its returns lie in one entry
			}
			if size += r.Size() + len(r.Data); size > record.MaxSale {
				said.More = true
				break
			}
			said.Records = append(said.Records, r)
		}
	}
	return service.Answer{Data: said.Append(nil)}, nil
}

// recordsIn reads the records that are wanted of some entries: all of the first entry that has any.
func (g *POS) recordsIn(ctx context.Context, in books.EntryRange, want func(*record.Header) bool) ([]record.Receipt, error) {
	source, err := replica.OpenSourceAt(ctx, g.cfg.JS, g.cfg.Net, max(in.From, 1)-1)
	if err != nil {
		return nil, err
	}
	for number := in.From; number <= in.To; {
		_, e, err := source.Next(ctx)
		if errors.Is(err, replica.ErrBehind) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		number = e.Number + 1
		if found, err := books.Records(e, want); err != nil || len(found) > 0 {
			return found, err
		}
	}
	return nil, nil
}
