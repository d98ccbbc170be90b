package cpp

import (
	"slices"
	"strings"

	"tillstream/kv/progress"
	"tillstream/kv/record"
)

// Items is what CPP asks of the item master: a record by its kind and key.
type Items interface {
	Get(kind record.RefKind, key string) (record.Reference, bool)
}

// value is what a receipt counts for a promotion.
type value struct {
	n          int64
	categories []string
	back       []record.RID // returns that were taken off
}

func (v *value) isZero() bool { return v.n == 0 && len(v.categories) == 0 }

// goods knows which lines count.
type goods struct{ items Items }

// valueOf gives what a sale counts for a promotion, less what was given back of it.
//
//   - receipts: one, if anything of the goods is left of it;
//   - pieces: whole pieces of the goods; what is weighed or measured has none;
//   - spend: what was paid for the goods with money, after discounts and what points paid;
//   - categories: those of the promotion of which something is left.
//
// A receipt of another currency, or with less than min_spend left of the goods, counts nothing.
func (g goods) valueOf(p *progress.Promotion, d *document, returns []given) (v value) {
	c := &p.Count
	if c.Currency != "" && d.Currency != c.Currency {
		return v
	}
	var spend, pieces int64
	some := false
	for _, l := range d.left(returns) {
		if l.quantity.Sign() == 0 {
			continue
		}
		category, ok := g.counts(c, l)
		if !ok {
			continue
		}
		spend += l.paid
		if !l.weighed && l.quantity.IsInt() && l.quantity.Num().IsInt64() {
			pieces += l.quantity.Num().Int64()
		}
		if l.quantity.Sign() < 0 {
			continue
		}
		some = true
		for _, want := range c.Categories {
			if c.Kind == progress.CountCategories && below(category, want) && !slices.Contains(v.categories, want) {
				v.categories = append(v.categories, want)
			}
		}
	}
	slices.Sort(v.categories) // lines come in no order
	for i := range returns {
		v.back = append(v.back, returns[i].rid)
	}
	if spend < c.MinSpend || !some {
		return value{}
	}
	switch c.Kind {
	case progress.CountReceipts:
		v.n = 1
	case progress.CountPieces:
		v.n = max(pieces, 0)
	case progress.CountSpend:
		v.n = max(spend, 0)
	}
	return v
}

// counts reports whether a line is of a promotion's goods and earns at all, and of which category it is.
func (g goods) counts(c *progress.Count, l *sold) (category string, ok bool) {
	code, err := record.ItemCode(l.item)
	if err != nil {
		code = l.item
	}
	category = l.category
	if g.items != nil {
		if r, ok := g.items.Get(record.RefItem, code); ok && !r.Removed() {
			if product, err := record.ReadProduct(string(r.Value)); err == nil {
				if product.NoPoints {
					return "", false
				}
				category = product.Category
				l.weighed = l.weighed || product.Unit != record.UnitPiece
			}
		}
	}
	if len(c.Items) == 0 && len(c.Categories) == 0 {
		return category, true
	}
	of := func(want string) bool { return below(category, want) }
	return category, slices.ContainsFunc(c.Items, func(item string) bool { return sameItem(item, code) }) || slices.ContainsFunc(c.Categories, of)
}

func sameItem(item, code string) bool {
	if item == code {
		return true
	}
	one, err := record.ItemCode(item)
	return err == nil && one == code
}

// below reports whether a category is another one or below it.
func below(category, of string) bool {
	return category == of || strings.HasPrefix(category, of) && category[len(of)] == '/'
}
