package bench

import (
	"fmt"
	"time"

	"tillstream/deploy/fleet"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// generated is how many receipts are generated without a file: a year of Online Retail.
const generated = 25900

// readReceipts reads the file, or generates.
func (b *bench) readReceipts() (err error) {
	if b.cmd.Receipts == "" {
		b.receipts = sales.Generate(b.size(generated, 6000), 1, time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC))
		return nil
	}
	b.receipts, _, err = sales.Open(b.cmd.Receipts, sales.OnlineRetail())
	return err
}

// Sizes of bodies that count as ordinary: the mean of Online Retail is 2 KB.
const (
	ordinaryLeast = 1500
	ordinaryMost  = 2700
)

// deck deals receipts, again from the first after the last, each time as a new one with a rid of its own.
type deck struct {
	receipts []sales.Receipt
	next     int
}

func (d *deck) deal() sales.Receipt {
	r := d.receipts[d.next%len(d.receipts)]
	d.next++
	r.RID = record.NewRID(time.Now())
	return r
}

// ordinary gives a deck of the sales whose bodies are neither large nor small.
func (b *bench) ordinary() (*deck, error) {
	d := &deck{}
	for i := range b.receipts {
		r := &b.receipts[i]
		if n := len(r.Body("0001", "01")); !r.Return && n >= ordinaryLeast && n <= ordinaryMost {
			d.receipts = append(d.receipts, *r)
		}
	}
	if len(d.receipts) == 0 {
		return nil, fmt.Errorf("of %d receipts none has a body of %d to %d bytes", len(b.receipts), ordinaryLeast, ordinaryMost)
	}
	return d, nil
}

// questions are receipts made ready to be sent: a POS writes them as they are.
type questions struct {
	asks   [][]byte
	bodies [][]byte
	bytes  int // of all bodies
}

func (q *questions) add(pos *fleet.POS, r *sales.Receipt, store subjects.StoreID, till subjects.TillID) {
	body := r.Body(store.String(), till.String())
	q.asks = append(q.asks, pos.AppendQuestion(make([]byte, 0, len(body)+256), r.Return, r.RID, body))
	q.bodies = append(q.bodies, body)
	q.bytes += len(body)
}
