package demo

import (
	"net/url"
	"testing"

	"tillstream/deploy/sales"
)

// The address of the till page has goods with the price of one, and no payment card.
func TestPageURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(pageURL("http://127.0.0.1:1", []sales.Receipt{
		{Customer: "4111111111111111", Currency: "EUR", Lines: []sales.Line{{Item: "A", Description: "TIN MUG", Quantity: "1", Amount: 525}}},
		{Customer: "17850", Lines: []sales.Line{
			{Item: "A", Description: "TIN MUG", Quantity: "1", Amount: 525},
			{Item: "B", Description: "SIX", Quantity: "6", Amount: 525},
			{Item: "C", Description: "FOR 4111111111111111", Quantity: "1", Amount: 525},
			{Item: "D", Description: "JAM JAR", Quantity: "1", Amount: 1295},
		}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if got, want := q.Get("goods"), "A:5.25:TIN MUG,D:12.95:JAM JAR"; got != want {
		t.Errorf("goods %q, want %q", got, want)
	}
	if q.Get("cards") != "17850" || q.Get("currency") != "EUR" {
		t.Errorf("got %v", q)
	}
}
