package sales

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"tillstream/kv/record"
)

// grouper makes receipts of rows. One goroutine owns it.
type grouper struct {
	*plan
	source string
	at     [roles]int
	report Report

	receipts []draft
	byKey    map[string]int // into receipts; keys as key writes them
	key      []byte         // of the row at hand
	last     int            // the receipt of the row before; rows of one mostly stand together
	lastKey  []byte

	texts      map[string]string // codes and descriptions, each kept once
	quantities map[int64]string
	number     []byte // scratch
	clock      []byte // the time of the row before, as text, and read
	clockAt    time.Time
}

// draft is a receipt that more rows may come to.
type draft struct {
	Receipt
	line     int  // of its first row
	size     int  // bytes of its texts
	dropped  int  // rows of a receipt that has become too long; its lines are gone
	positive bool // it has a row of positive quantity
	negative bool // and of negative
}

func newGrouper(p *plan, source string, at [roles]int) *grouper {
	return &grouper{plan: p, source: source, at: at, byKey: map[string]int{}, last: -1,
		texts: map[string]string{}, quantities: map[int64]string{}}
}

// refuse counts rows that are not taken, and keeps why if there is room.
func (g *grouper) refuse(line, rows int, number string, why error) {
	g.report.RowsRefused += rows
	if len(g.report.Refusals) >= MaxRefusals {
		return
	}
	reason := why.Error()
	if number != "" {
		reason = fmt.Sprintf("receipt %s: %s", clip(number), reason)
	}
	g.report.Refusals = append(g.report.Refusals, Refusal{Line: line, Reason: reason})
}

func (g *grouper) field(fields [][]byte, r role) []byte {
	if g.at[r] < 0 {
		return nil
	}
	return g.cleans[r].apply(fields[g.at[r]])
}

// add takes one row, or refuses it.
func (g *grouper) add(line int, fields [][]byte) {
	number := g.field(fields, roleReceipt)
	w, bad := g.parse(fields, number)
	if bad != nil {
		g.refuse(line, 1, string(number), bad)
		return
	}
	d := g.find(line, number, &w)
	if d.dropped > 0 {
		d.dropped++
		g.report.RowsRefused++ // the receipt's refusal names them
		return
	}
	if err := d.agrees(&w, g.at[roleReturns] >= 0); err != nil {
		g.refuse(line, 1, d.Number, err)
		return
	}
	if len(d.Lines) == record.MaxLines {
		d.dropped = len(d.Lines) + 1
		d.Lines = nil
		g.refuse(d.line, d.dropped, d.Number, fmt.Errorf("over %d lines: refused whole", record.MaxLines))
		return
	}
	g.take(d, &w)
}

// take adds a row's line to its receipt.
func (g *grouper) take(d *draft, w *row) {
	if d.Customer == "" && len(w.customer) > 0 {
		d.Customer = g.text(w.customer)
	}
	d.positive = d.positive || w.quantity > 0
	d.negative = d.negative || w.quantity < 0
	d.size += len(w.item) + len(w.description)
	d.Lines = append(d.Lines, Line{Item: g.text(w.item), Description: g.text(w.description),
		Quantity: g.quantity(w.quantity), Amount: w.amount})
}

// agrees says whether a row may belong to the receipt.
func (d *draft) agrees(w *row, marked bool) error {
	if len(w.customer) > 0 && d.Customer != "" && string(w.customer) != d.Customer {
		return fmt.Errorf("its customer is another than that of the receipt, which starts on line %d", d.line)
	}
	if marked && w.isReturn != d.Return {
		return fmt.Errorf("some of its rows are marked as a return and some are not: this one disagrees with line %d", d.line)
	}
	return nil
}

// find gives the receipt of a row, a new one if it is the first of it.
func (g *grouper) find(line int, number []byte, w *row) *draft {
	g.key = g.key[:0]
	for _, part := range [][]byte{number, w.store, w.till} {
		g.key = append(binary.AppendUvarint(g.key, uint64(len(part))), part...)
	}
	if g.last >= 0 && bytes.Equal(g.key, g.lastKey) {
		return &g.receipts[g.last]
	}
	i, ok := g.byKey[string(g.key)]
	if !ok {
		i = len(g.receipts)
		g.byKey[string(g.key)] = i
		g.receipts = append(g.receipts, draft{line: line, Receipt: Receipt{Number: string(number), Return: w.isReturn,
			At: w.at, Store: g.text(w.store), Till: g.text(w.till), Currency: g.Currency}})
	}
	g.last, g.lastKey = i, append(g.lastKey[:0], g.key...)
	return &g.receipts[i]
}

// text keeps one copy of each text.
func (g *grouper) text(b []byte) string {
	if s, ok := g.texts[string(b)]; ok {
		return s
	}
	s := string(b)
	g.texts[s] = s
	return s
}

func (g *grouper) quantity(thousandths int64) string {
	if s, ok := g.quantities[thousandths]; ok {
		return s
	}
	g.number = appendQuantity(g.number[:0], thousandths)
	s := string(g.number)
	g.quantities[thousandths] = s
	return s
}
