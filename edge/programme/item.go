package programme

import (
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// Item is what a line's item is.
type Item struct {
	pricing.Item
	Code   string // in the one form in which items and sets have it
	Name   string
	Unit   record.Unit
	MinAge int  // years; 0: none
	Known  bool // the item master has it
}

// Items is how many items the master has.
func (r *Revision) Items() int { return r.catalogue.Items() }

// Item gives the item of a code as it was scanned or keyed: a GTIN of any length, a label with a weight or price
// in it, or the chain's own. A code that the master has not is not Known.
func (r *Revision) Item(scanned string) Item {
	code := scanned
	if c, err := r.settings.scanner.Read(scanned); err == nil && c.Item != "" {
		code = c.Item
	} else if n, err := record.ItemCode(scanned); err == nil { // a card's number, or one that is misread; a line may have any
		code = n
	}
	return r.Of(code)
}

// Of gives the item of a code that is in the form in which the master has it.
func (r *Revision) Of(code string) Item {
	p, ok := r.catalogue.Item(code)
	if !ok {
		return Item{Code: code}
	}
	return Item{
		Item: pricing.Item{
			Category: p.Category, Tags: p.Tags, FloorPrice: p.FloorPrice, NoDiscount: p.NoDiscount, NoPoints: p.NoPoints,
			Weighed: p.Unit == record.UnitKilogram,
		},
		Code: code, Name: p.Name, Unit: p.Unit, MinAge: int(p.MinAge), Known: true,
	}
}
