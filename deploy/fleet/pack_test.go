package fleet_test

import (
	"crypto/sha256"
	"time"

	"tillstream/central/books"
	"tillstream/deploy/fleet"
	"tillstream/deploy/laws"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// newChain makes what a till would keep of receipts: the start of a chain and a record of each.
func newChain(f *fleet.Fleet, store, till string, receipts ...sales.Receipt) []record.Receipt {
	start := record.Start{
		Store: subjects.StoreID{Token: subjects.MustToken(store)}, Till: subjects.TillID{Token: subjects.MustToken(till)},
	}
	body := start.Append(nil)
	id := record.NewChainID(time.Now())
	recs := []record.Receipt{{
		Header: record.Header{Kind: record.KindStart, Seq: 1, Chain: id, Body: sha256.Sum256(body), BodySize: uint32(len(body))},
		Data:   body,
	}}
	for i := range receipts {
		r := &receipts[i]
		h := record.Header{
			Kind: record.KindSale, Day: 20260105, Rules: 1, Seq: uint64(i + 2), At: r.At.UnixMilli(), Chain: id,
			Points: r.Total() / 100, RID: r.RID, Prev: recs[i].Hash(),
		}
		if r.Return {
			h.Kind = record.KindReturn
		}
		if r.Customer != "" {
			h.Account = f.Cards().Account(r.Customer)
		}
		data := r.Body(store, till)
		h.Body, h.BodySize = sha256.Sum256(data), uint32(len(data))
		recs = append(recs, record.Receipt{Header: h, Data: data})
	}
	return recs
}

// noteSold notes that a till which the fleet does not have has sold a receipt, and answered for it.
func noteSold(f *fleet.Fleet, store, till string, r sales.Receipt) {
	at := laws.Place{Store: subjects.StoreID{Token: subjects.MustToken(store)}, Till: subjects.TillID{Token: subjects.MustToken(till)}}
	f.Sent().Send(laws.NewSale(&r, at, f.Cards().Account(r.Customer), r.Body(store, till)))
	f.Sent().Answered(r.RID, at)
}

// packOf is what a store would send of a chain.
func packOf(recs []record.Receipt) []byte {
	p := record.Pack{Runs: []record.Run{record.PackRun(recs)}}
	return p.Append(nil)
}

// proposalOf is what a node of the centre would make of it.
func proposalOf(store string, recs []record.Receipt) books.Pack {
	return books.Pack{Store: subjects.StoreID{Token: subjects.MustToken(store)}, Runs: [][]record.Receipt{recs}}
}
