package sales

import (
	"fmt"
	"maps"
	"testing"
)

// basket is a sale of lines, each as code, description, quantity and amount.
func basket(customer string, lines ...Line) *Receipt {
	return &Receipt{Number: "1", Currency: "GBP", Customer: customer, Lines: lines}
}

var (
	lunch   = Line{"22382", "LUNCH BAG SPACEBOY DESIGN", "3", 495}
	jumbo   = Line{"85099B", "JUMBO BAG RED RETROSPOT", "2", 416}
	baroque = Line{"85099C", "JUMBO BAG BAROQUE", "4", 783} // 1.95 and three of 1.96
	stand   = Line{"22423", "REGENCY CAKESTAND 3 TIER", "4", 5100}
	post    = Line{"POST", "POSTAGE", "1", 1800}
	minus   = Line{"22382", "LUNCH BAG SPACEBOY DESIGN", "-1", -165}
)

// Each is worked out by hand.
func TestOffers(t *testing.T) {
	t.Parallel()
	all := basket("", lunch, jumbo, baroque, stand, post)
	o := NewOffers(Goods([]Receipt{*all}))
	for name, c := range map[string]struct {
		r    *Receipt
		want Cost
	}{
		"half a penny is the shopper's": {basket("k", lunch), Cost{true, 445, 4, map[string]int64{TenthOffLunchBags: 50}}},
		"each line for itself":          {basket("k", lunch, lunch), Cost{true, 890, 8, map[string]int64{TenthOffLunchBags: 100}}},
		"two are not three":             {basket("k", jumbo), Cost{true, 416, 4, nil}},
		"of six the two cheapest":       {basket("k", jumbo, baroque), Cost{true, 416 + 783 - 195 - 196, 8, map[string]int64{JumboBagFree: 195 + 196}}},
		"with a card":                   {basket("k", stand), Cost{true, 4600, 46, map[string]int64{FiveOffFifty: 500}}},
		"without one":                   {basket("", stand), Cost{true, 5100, 0, nil}},
		"a service earns nothing":       {basket("k", lunch, post), Cost{true, 445 + 1800, 4, map[string]int64{TenthOffLunchBags: 50}}},
		"nor counts for the spend":      {basket("k", Line{"22423", "", "1", 4999}, post), Cost{true, 6799, 49, nil}},
		"spend after the others": {basket("k", Line{"22423", "", "1", 4550}, lunch),
			Cost{true, 4995, 49, map[string]int64{TenthOffLunchBags: 50}}},
		"a correction": {basket("k", stand, minus), Cost{false, 4935, 49, nil}},
		"nothing paid": {basket("k", Line{"22423", "", "1", 0}), Cost{}},
		"weighed":      {basket("k", Line{"22423", "", "0.5", 5100}), Cost{false, 5100, 51, nil}},
		"a return":     {&Receipt{Return: true, Currency: "GBP", Customer: "k", Lines: []Line{lunch, post}}, Cost{false, 2295, 4, nil}},
	} {
		got := o.Cost(c.r)
		if got.Quoted != c.want.Quoted || got.ToPay != c.want.ToPay || got.Points != c.want.Points || !maps.Equal(got.Off, c.want.Off) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// Points of sales under the offers and of returns without them make one balance.
func TestOffersCountPoints(t *testing.T) {
	t.Parallel()
	back := &Receipt{Return: true, Currency: "GBP", Customer: "k", Lines: []Line{lunch}}
	receipts := []Receipt{*basket("k", stand), *back, *basket("", stand)}
	got := NewOffers(Goods(receipts)).CountPoints(receipts)
	if got.Issued != 46 || got.Returned != 4 || got.Anonymous != 1 || got.Customers["k"] != (Account{Points: 42}) {
		t.Errorf("got %+v", got)
	}
}

func TestGoods(t *testing.T) {
	t.Parallel()
	named := func(code string, names ...string) (r Receipt) {
		for _, n := range names {
			r.Lines = append(r.Lines, Line{Item: code, Description: n})
		}
		return r
	}
	goods := Goods([]Receipt{
		named("23209", "mailout", "LUNCH BAG VINTAGE DOILY", "", "LUNCH BAG VINTAGE DOILY"), named("85099f", "JUMBO BAG STRAWBERRY"),
		named("M", "Manual"), named("gift_0001_20", "Gift Voucher"), named("84000", ""), named("21977", "PACK OF 60 PINK PAISLEY CAKE CASES"),
		named("85123A", "WHITE HANGING HEART T-LIGHT HOLDER"), named("PADS", "PADS TO MATCH ALL CUSHIONS"), named("DCGSSBOY", "BOYS PARTY BAG"),
	})
	want := map[string]Good{
		"23209": {"23209", "LUNCH BAG VINTAGE DOILY", LunchBags, false}, "85099f": {"85099f", "JUMBO BAG STRAWBERRY", JumboBags, false},
		"M": {"M", "Manual", "services/other", true}, "gift_0001_20": {"gift_0001_20", "Gift Voucher", "services/voucher", true},
		"84000": {"84000", "84000", "gifts/other", false}, "21977": {"21977", "PACK OF 60 PINK PAISLEY CAKE CASES", "kitchen/baking", false},
		"85123A": {"85123A", "WHITE HANGING HEART T-LIGHT HOLDER", "gifts/hearts", false},
		"PADS":   {"PADS", "PADS TO MATCH ALL CUSHIONS", "gifts/other", false}, "DCGSSBOY": {"DCGSSBOY", "BOYS PARTY BAG", "bags/other", false},
	}
	if len(goods) != len(want) {
		t.Errorf("got %d goods, want %d", len(goods), len(want))
	}
	for i, g := range goods {
		if g != want[g.Code] {
			t.Errorf("got %+v, want %+v", g, want[g.Code])
		}
		if i > 0 && goods[i-1].Code >= g.Code {
			t.Errorf("%s comes after %s", g.Code, goods[i-1].Code)
		}
	}
}

// Each promotion is for thousands of receipts of the real year.
func TestOffersOfAYear(t *testing.T) {
	t.Parallel()
	receipts, _ := readYear(t)
	o := NewOffers(Goods(receipts))
	got, quoted := map[string]int{}, 0
	for i := range receipts {
		c := o.Cost(&receipts[i])
		for id := range c.Off {
			got[id]++
		}
		if c.Quoted {
			quoted++
		}
	}
	want := map[string]int{TenthOffLunchBags: 4053, JumboBagFree: 2163, FiveOffFifty: 17310}
	if quoted != 19960 || !maps.Equal(got, want) {
		t.Errorf("%d receipts can be quoted, and have %s; want 19960 and %s", quoted, fmt.Sprint(got), fmt.Sprint(want))
	}
}
