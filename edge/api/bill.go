package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// mostFound bounds how many receipts of one number are told.
const mostFound = 20

// tellSale tells what was sold, of whichever till, and what of it can still come back.
func (a *API) tellSale(ctx context.Context, q question) (answer, error) {
	rid, err := record.ParseRID(q.id)
	if err != nil {
		return answer{}, invalid("/rid", "want a UUID of version 7")
	}
	sold, err := a.findSale(ctx, rid)
	if err != nil {
		return answer{}, err
	}
	k, err := readKept(sold.sale.Data)
	if err != nil {
		return answer{}, err
	}
	bill, _, err := a.billOf(&sold.sale)
	if err != nil {
		return answer{}, err
	}
	a.past.mu.Lock()
	own, err := a.past.of(a.cfg.Journal, rid)
	a.past.mu.Unlock()
	if err != nil {
		return answer{}, err
	}
	b := sumOfParts(bill, merge(own, sold.parts))
	left, err := bill.Left(b.lines)
	if err != nil {
		return answer{}, err
	}
	s := &Sale{
		RID: rid, ReceiptNumber: k.Number, BusinessDate: dateOf(sold.sale.Day), Currency: k.Currency,
		ToPay: bill.Totals.ToPay, Void: b.void, Complete: !sold.partial, Lines: make([]SoldLine, len(bill.Lines)),
	}
	for i := range bill.Lines {
		s.Lines[i] = soldLine(&bill.Lines[i], k.Lines)
		if of := slices.IndexFunc(left, func(r pricing.Return) bool { return r.LineID == bill.Lines[i].LineID }); of >= 0 && !b.void {
			s.Lines[i].Left = left[of].Quantity
		}
	}
	return answer{status: http.StatusOK, body: s}, nil
}

// soldLine tells a line; nothing of it is left.
func soldLine(l *pricing.QuoteLine, sent []Line) SoldLine {
	out := SoldLine{
		LineID: l.LineID, Quantity: l.Quantity, Gross: l.Gross, Net: l.Net, ToPay: l.ToPay,
		PointsSpent: l.PointsSpent, PointsEarned: l.PointsEarned, Left: "0",
	}
	if i := slices.IndexFunc(sent, func(s Line) bool { return s.LineID == l.LineID }); i >= 0 {
		out.Item, out.Description, out.Unit, out.UnitPrice = sent[i].Item, sent[i].Description, sent[i].Unit, sent[i].UnitPrice
	}
	return out
}

// listReceipts gives the receipts of this till that have a number, newest first. It reads the whole journal: a
// paper of which nobody has the rid is rare, and an index would be written with every sale.
func (a *API) listReceipts(ctx context.Context, q question) (answer, error) {
	if q.id == "" || !isText(q.id, maxText) {
		return answer{}, invalid("/number", "want 1 to 64 printable characters")
	}
	list, number := &ReceiptList{Receipts: []FoundReceipt{}}, []byte(q.id)
	for _, c := range a.cfg.Journal.Chains() {
		for r, err := range a.cfg.Journal.After(c.ID, 0) {
			if err == nil {
				err = ctx.Err() // nobody waits any more
			}
			if err != nil {
				return answer{}, fmt.Errorf("look for a receipt's number: %w", err)
			}
			// Text without a backslash stands in JSON as it is: of most receipts this is all that is read.
			if r.Kind == record.KindStart || !bytes.Contains(r.Data, number) && bytes.IndexByte(r.Data, '\\') < 0 {
				continue
			}
			if k, err := readKept(r.Data); err == nil && k.Number == q.id {
				list.Receipts = append(list.Receipts, FoundReceipt{
					RID: r.RID, Kind: r.Kind.String(), At: time.UnixMilli(r.At).UTC(), BusinessDate: dateOf(r.Day)})
			}
		}
	}
	slices.SortFunc(list.Receipts, func(x, y FoundReceipt) int { return strings.Compare(y.RID.String(), x.RID.String()) })
	list.Receipts = list.Receipts[:min(len(list.Receipts), mostFound)]
	return answer{status: http.StatusOK, body: list}, nil
}

// dateOf writes a business date.
func dateOf(day uint32) string { return fmt.Sprintf("%04d-%02d-%02d", day/10000, day/100%100, day%100) }
