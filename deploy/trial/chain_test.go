package trial_test

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// chain is one that is made without a journal.
type chain struct {
	tip   record.Tip
	start record.Start
}

func begin(store subjects.StoreID, till int) *chain {
	return &chain{record.Tip{Chain: record.NewChainID(time.Now())},
		record.Start{Store: store, Till: subjects.TillID{Token: subjects.MustToken(fmt.Sprintf("%02d", till))}}}
}

// pack makes the chain's next n receipts, behind its start if they are the first.
func (c *chain) pack(n int) (pack []record.Receipt) {
	if c.tip.Seq == 0 {
		pack = append(pack, c.extend(record.Receipt{Header: record.Header{Kind: record.KindStart}, Data: c.start.Append(nil)}))
	}
	for range n {
		now := time.Now()
		h := record.Header{Kind: record.KindSale, Day: 20260302, Rules: 1, At: now.UnixMilli(), RID: record.NewRID(now),
			Account: shopper(int(c.tip.Seq) % shoppers), Points: int64(c.tip.Seq%30) + 1}
		body := make([]byte, 2<<10) // of a long receipt, compressed: files shall fill up
		rand.Read(body)             // never fails
		pack = append(pack, c.extend(record.Receipt{Header: h, Data: body}))
	}
	return pack
}

func (c *chain) extend(r record.Receipt) record.Receipt {
	r.Chain, r.Seq, r.Prev = c.tip.Chain, c.tip.Seq+1, c.tip.Hash
	r.Body, r.BodySize = sha256.Sum256(r.Data), uint32(len(r.Data))
	c.tip.Seq, c.tip.Hash = r.Seq, r.Hash()
	return r
}
