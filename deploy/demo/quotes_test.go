package demo_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/deploy/demo"
	"tillstream/deploy/sales"
)

const head = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// bags writes a file of n rounds of six receipts, whose costs are worked out below.
func bags(t *testing.T, n int) string {
	t.Helper()
	text := strings.Builder{}
	text.WriteString(head)
	row := func(receipt, item, name string, quantity int, price, customer string) {
		fmt.Fprintf(&text, "%s,%s,%s,%d,2026-01-05 09:00:00,%s,%s,X\n", receipt, item, name, quantity, price, customer)
	}
	for i := range n {
		id := func(k int) string { return fmt.Sprint(500000 + 6*i + k) }
		row(id(0), "22382", "LUNCH BAG SPACEBOY DESIGN", 3, "1.65", "17850") // 4.95 less 0.50: 4 points
		row(id(1), "85099B", "JUMBO BAG RED", 2, "2.08", "17850")
		row(id(1), "85099C", "JUMBO BAG BAROQUE", 2, "1.95", "17850") // one of 1.95 is free: 6.11
		row(id(1), "POST", "POSTAGE", 1, "18.00", "17850")            // and no points for that: 6 points
		row(id(2), "22423", "REGENCY CAKESTAND 3 TIER", 4, "12.75", "17851")
		row(id(2), "POST", "POSTAGE", 1, "18.00", "17851")              // 51.00 less 5.00: 46 points, 64.00 to pay
		row(id(3), "22423", "REGENCY CAKESTAND 3 TIER", 4, "12.75", "") // nobody's
		row(id(4), "22423", "REGENCY CAKESTAND 3 TIER", -1, "12.75", "")
		row("C"+id(5), "22382", "LUNCH BAG SPACEBOY DESIGN", -1, "1.65", "17850") // 1 point back
		row("C"+id(5), "POST", "POSTAGE", -1, "18.00", "17850")                   // none for that
	}
	path := filepath.Join(t.TempDir(), "bags.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Sales that are quoted first cost and earn what was worked out by hand, with every fault; the same again changes
// nothing.
func TestQuotes(t *testing.T) {
	begin(t)
	const n = 50
	c := command(t)
	c.Quotes, c.Faults, c.Receipts = true, true, bags(t, n)
	want := map[string]any{
		"receipts_committed": 6 * n, "receipts_posted": 6 * n, "lost": 0, "receipts_refused": 0, "books_ok": true,
		"points_issued": 56 * n, "points_returned": n, "points_balance": 55 * n, "points_debt": 0,
	}
	accounts := map[string]sales.Account{"17850": {Points: 9 * n}, "17851": {Points: 46 * n}}
	check := func(got map[string]any, printed string) {
		t.Helper()
		wantFigures(t, got, want)
		wantBalances(t, c.Balances, accounts)
		q, _ := got["quotes"].(map[string]any)
		wantFigures(t, q, map[string]any{
			"receipts_quoted": 4 * n, "receipts_without_quote": n, "saved": 745 * n, "receipts_flagged": 0, "differences": 0,
		})
		gave, _ := q["promotions"].(map[string]any)
		for id, amount := range map[string]int{sales.TenthOffLunchBags: 50, sales.JumboBagFree: 195, sales.FiveOffFifty: 500} {
			of, _ := gave[id].(map[string]any)
			wantFigures(t, of, map[string]any{"receipts": n, "amount": amount * n})
		}
		if !strings.Contains(printed, fmt.Sprintf("%d receipts quoted", 4*n)) || !strings.Contains(printed, "are at every till") {
			t.Errorf("nothing is said of quotes:\n%s", printed)
		}
	}
	got, printed := play(t, c)
	check(got, printed)
	again, printed := play(t, c)
	want["duplicates_refused"], want["books_digest"] = 6*n, got["books_digest"]
	check(again, printed)
}

// What was sold for another price than the promotions give is found.
func TestQuotesFindWhatDiffers(t *testing.T) {
	begin(t)
	c := command(t)
	c.Receipts = bags(t, 2)
	play(t, c)
	c.Quotes = true
	var out output
	err := c.Run(t.Context(), &out, logger(t))
	if !errors.Is(err, demo.ErrDiffers) || !strings.Contains(out.String(), "is kept at 495 with 4 points, the independent count is 445 with 4") {
		t.Errorf("got %v\n%s", err, &out)
	}
}

// A real shop's first weeks, by quotes.
func TestQuotesOfOnlineRetail(t *testing.T) {
	begin(t)
	in, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "online_retail.csv.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the Online Retail file is not beside the repository, in shared/data")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	z, err := gzip.NewReader(in)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	var text strings.Builder
	for n := 0; n < 30_000 && lines.Scan(); n++ {
		text.WriteString(lines.Text() + "\n")
	}
	c := command(t)
	c.Quotes, c.Faults, c.Receipts = true, true, filepath.Join(t.TempDir(), "weeks.csv")
	if err := os.WriteFile(c.Receipts, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	got, _ := play(t, c)
	wantFigures(t, got, map[string]any{"lost": 0, "receipts_refused": 0, "lines_read": 29_999, "books_ok": true})
	q, _ := got["quotes"].(map[string]any)
	wantFigures(t, q, map[string]any{"differences": 0, "receipts_flagged": 0})
	gave, _ := q["promotions"].(map[string]any)
	for id, of := range gave {
		if f, _ := of.(map[string]any); f["receipts"] == 0.0 {
			t.Errorf("promotion %s gave nothing: %v", id, f)
		}
	}
}
