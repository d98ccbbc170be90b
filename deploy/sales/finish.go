package sales

import (
	"errors"
	"fmt"
	"strings"

	"tillstream/kv/record"
)

// finish turns the signs of returns, refuses receipts that no till could take, and draws the rids.
func (g *grouper) finish() []Receipt {
	out := make([]Receipt, 0, len(g.receipts))
	turned := map[string]string{}
	for i := range g.receipts {
		d := &g.receipts[i]
		if len(d.Lines) == 0 {
			continue // refused for its length
		}
		if g.Returns.NegativeQuantity {
			d.Return = d.negative && !d.positive
		}
		if d.Return && g.Returns.Quantities != "positive" {
			d.turn(turned)
		}
		d.identify(g.source)
		if err := d.fits(); err != nil {
			g.refuse(d.line, len(d.Lines), d.Number, err)
			continue
		}
		out = append(out, d.Receipt)
	}
	g.report.ReceiptsRead = len(out)
	return out
}

// turn makes what came back positive. Turned keeps one copy of each quantity.
func (d *draft) turn(turned map[string]string) {
	for i := range d.Lines {
		l := &d.Lines[i]
		q, ok := turned[l.Quantity]
		if !ok {
			if q, ok = strings.CutPrefix(l.Quantity, "-"); !ok && q != "0" {
				q = "-" + q
			}
			turned[l.Quantity] = q
		}
		l.Quantity, l.Amount = q, -l.Amount
	}
}

// fits says whether a till can take the receipt.
func (d *draft) fits() error {
	total := d.Total() // at most MaxLines times MaxAmount: no overflow
	if total > MaxAmount || total < -MaxAmount {
		return fmt.Errorf("its total is %w: refused whole", errRange)
	}
	if d.Return && total < 0 {
		return errors.New("a return whose total is below zero (do returns.quantities of the map fit?): refused whole")
	}
	// A byte of text becomes at most six of JSON; only a receipt that could be too long is written.
	if most := 6*(d.size+len(d.Number)+len(d.Customer)) + 128*len(d.Lines) + 1024; most > record.MaxBody {
		if size := len(d.Body(longest, longest)); size > record.MaxBody {
			return fmt.Errorf("its body has %d bytes, over %d: refused whole", size, record.MaxBody)
		}
	}
	return nil
}

// longest stands for a store or till whose name is not known yet.
var longest = strings.Repeat("x", 64)
