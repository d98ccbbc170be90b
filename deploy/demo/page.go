package demo

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tillstream/deploy/sales"
)

// goodsOnKeys is how many goods of the receipts the till page has on its keys; cardsToPick, how many cards.
const (
	goodsOnKeys = 9
	cardsToPick = 4
)

// pageURL is the address of a till's page, with goods and cards of the receipts to pick from. It is printed: what
// may be a payment card's number, or holds one, stays out.
func pageURL(till string, receipts []sales.Receipt) string {
	var goods, items, cards []string
	currency := "GBP"
	for i := range receipts {
		r := &receipts[i]
		if r.Currency != "" {
			currency = r.Currency
		}
		if c := r.Customer; c != "" && isShort(c) && len(cards) < cardsToPick && !slices.Contains(cards, c) {
			cards = append(cards, c)
		}
		for _, l := range r.Lines {
			// The amount of one is its price; from a whole unit on it has three digits.
			if l.Quantity != "1" || l.Amount < 100 || len(goods) == goodsOnKeys || !isShort(l.Item) || slices.Contains(items, l.Item) ||
				strings.ContainsAny(l.Description, "0123456789,:") {
				continue
			}
			price := strconv.FormatInt(l.Amount, 10)
			whole := len(price) - 2
			items = append(items, l.Item)
			goods = append(goods, l.Item+":"+price[:whole]+"."+price[whole:]+":"+l.Description)
		}
		if len(goods) == goodsOnKeys && len(cards) == cardsToPick {
			break
		}
	}
	q := url.Values{"currency": {currency}, "goods": {strings.Join(goods, ",")}, "cards": {strings.Join(cards, ",")}}
	return till + "/?" + q.Encode()
}

// isShort reports whether a code is shorter than payment cards' numbers are, and fits into the address's lists.
func isShort(code string) bool { return len(code) < 12 && !strings.ContainsAny(code, ",:") }
