package api

import (
	"bytes"
	"net/http"
	"slices"
	"testing"
)

// Any till tells what a sale was and what of it is left, whoever sold it and wherever a part has come back.
func TestAnyTillTellsASale(t *testing.T) {
	t.Parallel()
	p := openPair(t)
	rid, sold := p.tills[0].sellFor(300)
	read := func(till int) Sale {
		t.Helper()
		r := p.tills[till].do("GET", "/v1/receipts/"+rid+"/sale", nil, nil)
		if r.status != http.StatusOK {
			t.Fatalf("till %d: %d %s", till, r.status, r.body)
		}
		return into[Sale](t, r)
	}
	left := func(s Sale) (out []string) {
		for i := range s.Lines {
			out = append(out, s.Lines[i].Left)
		}
		return out
	}
	for i := range p.tills {
		s := read(i)
		var pays, spent, earned int64
		for _, l := range s.Lines {
			if l.Item == "" || l.Left != l.Quantity {
				t.Errorf("till %d: line %+v", i, l)
			}
			pays, spent, earned = pays+l.ToPay, spent+l.PointsSpent, earned+l.PointsEarned
		}
		if s.ToPay != sold.Totals.ToPay || pays != s.ToPay || spent != 300 || earned != *sold.Points.Earned || s.Void || !s.Complete {
			t.Errorf("till %d: %+v", i, s)
		}
	}
	for i, parts := range []map[string]string{{"1": "1"}, {"1": "2", "2": "0.1"}} {
		if r := p.tills[i].write("/v1/returns", back(t, rid, parts)); r.status != http.StatusCreated {
			t.Fatalf("part %d: %d %s", i, r.status, r.body)
		}
	}
	for i := range p.tills {
		if got := left(read(i)); !slices.Equal(got, []string{"1", "0.312"}) {
			t.Errorf("till %d: left %q", i, got)
		}
	}
}

// A number is looked for in this till's own journal: every receipt that has it, the newest first.
func TestReceiptsOfANumber(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	var rids []string
	for range 25 {
		body := receipt(t, func(o obj) { o["receipt_number"] = "no 7" })
		n.sell(body)
		rids = append(rids, ridIn(body))
		n.sell(receipt(t, func(o obj) { o["receipt_number"] = "no 71" }))
	}
	escaped := bytes.Replace(receipt(t, func(o obj) { o["receipt_number"] = "no 7" }), []byte(`"no 7"`), []byte(`"no \u0037"`), 1)
	if r := n.sell(escaped); r.status != http.StatusCreated {
		t.Fatalf("sell: %d %s", r.status, r.body)
	}
	list := into[ReceiptList](t, n.do("GET", "/v1/receipts?number=no%207", nil, nil))
	rids = append(rids, ridIn(escaped))
	slices.Sort(rids)
	slices.Reverse(rids)
	if len(list.Receipts) != mostFound {
		t.Fatalf("got %d", len(list.Receipts))
	}
	for i, f := range list.Receipts {
		if f.RID.String() != rids[i] || f.Kind != "sale" || f.BusinessDate != "2026-11-20" || f.At.IsZero() {
			t.Errorf("%d: got %+v, want %s", i, f, rids[i])
		}
	}
}
