package demo

import (
	"context"
	_ "embed" // of the documents
	"fmt"
	"time"

	"tillstream/central/reference"
	"tillstream/deploy/sales"
	"tillstream/kv/record"
)

//go:embed sets.yaml
var setsText []byte

//go:embed promotions.yaml
var promotionsText []byte

// putWithin bounds the import, and the wait for the tills to price by it.
const putWithin = time.Minute

// putProgramme puts the item master, the product sets and the promotions at the centre, as ops does, and waits
// until every till prices by them. What is there already stays as it is, and its revision too.
func (r *run) putProgramme(ctx context.Context, goods []sales.Good) error {
	ctx, cancel := context.WithTimeout(ctx, putWithin)
	defer cancel()
	at := r.f.Centre()[0].Node().Reference()
	items := itemMaster(goods)
	plans := []func(reference.Now) ([]reference.Edit, error){reference.Import(items, false)}
	for _, d := range []struct {
		kind record.RefKind
		text []byte
	}{{record.RefSet, setsText}, {record.RefPromotion, promotionsText}} { // sets first: promotions name them
		docs, err := reference.ReadDocuments(d.kind, d.text)
		if err != nil {
			return err
		}
		plans = append(plans, reference.Put(d.kind, docs))
	}
	for _, plan := range plans {
		if _, err := at.Change(ctx, plan); err != nil {
			return err
		}
	}
	entry := at.Status().Entry
	for _, t := range r.f.Tills() {
		for {
			s := t.Node().Rules().State()
			if uint64(s.Revision) == entry {
				break
			}
			if len(s.Faults) > 0 {
				return fmt.Errorf("till %s does not price by revision %d: %w", t.Name(), entry, &s.Faults[0])
			}
			if !sleep(ctx, 5*time.Millisecond) {
				return fmt.Errorf("till %s prices by revision %d, not by %d: %w", t.Name(), s.Revision, entry, context.Cause(ctx))
			}
		}
	}
	fmt.Fprintf(r.out, "%d items (%d codes are none that an item master takes), 2 product sets and 3 promotions are at every till: revision %d\n",
		len(items), len(goods)-len(items), entry)
	return nil
}

// itemMaster makes items of goods. One that no item master takes, under a code with a blank, say, is left
// out: tills price it by what the POS says of it.
func itemMaster(goods []sales.Good) []reference.Line {
	lines := make([]reference.Line, 0, len(goods))
	seen := map[string]bool{}
	for i := range goods {
		g := &goods[i]
		code, err := record.ItemCode(g.Code)
		if err != nil || seen[code] {
			continue
		}
		seen[code] = true
		p := record.Product{Name: g.Name, Category: g.Category, NoDiscount: g.Service, NoPoints: g.Service}
		if p.Check() != nil {
			p.Name = g.Code
		}
		if p.Check() == nil {
			lines = append(lines, reference.Line{Number: i + 1, Code: code, Product: p})
		}
	}
	return lines
}
