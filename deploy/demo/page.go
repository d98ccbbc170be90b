package demo

import (
	"net/url"
	"strconv"
	"strings"

	"tillstream/deploy/sales"
)

// keysOfGoods is how many goods of the receipts are put on the till page's keys; cardsToPick, how many cards.
const (
	keysOfGoods = 9
	cardsToPick = 4
)

// pageURL is the address of a till's page, with goods and cards of the receipts to pick from.
func pageURL(till string, receipts []sales.Receipt) string {
	var goods, cards []string
	currency, seen := "GBP", map[string]bool{}
	fresh := func(list []string, most int, what string) bool {
		if what == "" || seen[what] || len(list) == most || strings.ContainsAny(what, ",:") {
			return false
		}
		seen[what] = true
		return true
	}
	for i := range receipts {
		r := &receipts[i]
		if i == 0 && r.Currency != "" {
			currency = r.Currency
		}
		if fresh(cards, cardsToPick, r.Customer) {
			cards = append(cards, r.Customer)
		}
		for _, l := range r.Lines {
			if l.Quantity != "1" || l.Amount < 100 { // its amount is the price of one; below a unit it would be written otherwise
				continue
			}
			if fresh(goods, keysOfGoods, l.Item) {
				name := strings.NewReplacer(",", " ", ":", " ").Replace(l.Description)
				cents := strconv.FormatInt(l.Amount, 10)
				goods = append(goods, l.Item+":"+cents[:len(cents)-2]+"."+cents[len(cents)-2:]+":"+name)
			}
		}
		if len(goods) == keysOfGoods && len(cards) == cardsToPick {
			break
		}
	}
	q := url.Values{"currency": {currency}, "goods": {strings.Join(goods, ",")}, "cards": {strings.Join(cards, ",")}}
	return till + "/?" + q.Encode()
}
