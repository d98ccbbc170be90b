package bench

import (
	"crypto/sha256"
	"time"

	"tillstream/central/books"
	"tillstream/central/fold"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// pen writes the records of one chain, as a till's journal would.
type pen struct {
	store subjects.StoreID
	till  subjects.TillID
	chain record.ChainID
	seq   uint64
	prev  record.Hash
}

func newPen(store subjects.StoreID, till subjects.TillID) *pen {
	return &pen{store: store, till: till, chain: record.NewChainID(time.Now())}
}

// start writes the chain's first record.
func (p *pen) start() record.Receipt {
	s := record.Start{Store: p.store, Till: p.till}
	return p.write(record.Header{Kind: record.KindStart}, s.Append(nil))
}

// sale writes a receipt.
func (p *pen) sale(rid record.RID, account record.AccountID, points int64, body []byte) record.Receipt {
	h := record.Header{Kind: record.KindSale, Day: 20260105, Rules: 1, RID: rid, Account: account}
	if !account.IsZero() {
		h.Points = points
	}
	return p.write(h, body)
}

func (p *pen) write(h record.Header, body []byte) record.Receipt {
	p.seq++
	h.Chain, h.Seq, h.Prev, h.At = p.chain, p.seq, p.prev, time.Now().UnixMilli()
	h.Body, h.BodySize = sha256.Sum256(body), uint32(len(body))
	p.prev = h.Hash()
	return record.Receipt{Header: h, Data: body}
}

// pack makes what a store sends of records of one chain.
func (p *pen) pack(recs ...record.Receipt) *books.Pack {
	return &books.Pack{Store: p.store, Runs: [][]record.Receipt{recs}}
}

// card makes the account of a shopper by number.
func card(n uint64) record.AccountID {
	sum := sha256.Sum256(record.AppendU64([]byte("shopper"), n))
	return record.AccountID(sum[:16])
}

// shopper makes the account of a customer of a file.
func shopper(customer string) record.AccountID {
	sum := sha256.Sum256([]byte(customer))
	return record.AccountID(sum[:16])
}

// wave proposes a store's next shoppers, whom no other store has seen.
func wave(p *pen, store, number uint64) fold.Proposal {
	var recs []record.Receipt
	if p.seq == 0 {
		recs = append(recs, p.start())
	}
	for k := range uint64(feedWave) {
		recs = append(recs, p.sale(record.NewRID(time.Now()), card(store<<32|number<<16|k), 7, nil))
	}
	return p.pack(recs...).Proposal()
}
