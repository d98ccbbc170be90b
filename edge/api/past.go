package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"tillstream/edge/journal"
	"tillstream/edge/pricing"
	"tillstream/kv/record"
)

// past is what this till has given back of which sale. It is read from the journal when it is first
// needed: most processes see no return.
type past struct {
	mu   sync.Mutex
	sale map[record.RID][]part // nil: not read yet
}

// part is what one return or void gave back of a sale.
type part struct {
	rid           record.RID
	lines         []pricing.Return
	void          bool
	points, spent int64 // taken back, and given back
	rearm         bool
}

// of gives what was given back of a sale. The mutex is held.
func (p *past) of(j *journal.Journal, sale record.RID) ([]part, error) {
	if p.sale == nil {
		if err := p.read(j); err != nil {
			return nil, err
		}
	}
	return p.sale[sale], nil
}

// add notes what has been given back. The mutex is held. While nothing is read there is nothing to add to.
func (p *past) add(r *record.Receipt) error {
	if p.sale == nil {
		return nil
	}
	sale, b, err := partOf(r)
	if err == nil && sale != (record.RID{}) {
		p.sale[sale] = append(p.sale[sale], b)
	}
	return err
}

func (p *past) read(j *journal.Journal) error {
	p.sale = map[record.RID][]part{}
	for _, c := range j.Chains() {
		for r, err := range j.After(c.ID, 0) {
			if err == nil && (r.Kind == record.KindReturn || r.Kind == record.KindVoid) {
				err = p.add(&r)
			}
			if err != nil {
				p.sale = nil // the next one tries again
				return fmt.Errorf("read what was given back: %w", err)
			}
		}
	}
	return nil
}

// partOf reads what a return or a void gave back, and of which sale; zero: it names none. One that was kept
// without the sale at hand says so by the lines that the POS sent.
func partOf(r *record.Receipt) (sale record.RID, b part, err error) {
	var k keptReturn
	if err := json.Unmarshal(r.Data, &k); err != nil {
		return sale, b, fmt.Errorf("receipt %s: %w", r.RID, err)
	}
	b = part{rid: r.RID, void: r.Kind == record.KindVoid, points: r.Points, spent: r.Spent, rearm: r.Rearm}
	sale = r.Of
	if k.Returned == nil {
		for i := range k.Lines {
			b.lines = append(b.lines, pricing.Return{LineID: k.Lines[i].LineID, Quantity: k.Lines[i].Quantity})
		}
		return sale, b, nil
	}
	for i := range k.Returned.Lines {
		b.lines = append(b.lines, pricing.Return{LineID: k.Returned.Lines[i].LineID, Quantity: k.Returned.Lines[i].Quantity})
	}
	if sale == (record.RID{}) {
		sale = k.Returned.Of // kept before headers named it
	}
	return sale, b, nil
}

// before is what was given back of a sale until now, by anybody who is known.
type before struct {
	lines         []pricing.Return // bounded by what was sold
	void, rearmed bool
	points, spent int64
}

// sumOfParts adds parts up. Some were kept without the sale at hand: they may name what it has not.
func sumOfParts(bill *pricing.Quote, parts []part) (b before) {
	var lines []pricing.Return
	for i := range parts {
		p := &parts[i]
		lines = append(lines, p.lines...)
		b.void, b.rearmed = b.void || p.void, b.rearmed || p.rearm
		b.points += p.points
		b.spent += p.spent
	}
	b.lines = bill.Bounded(lines)
	return b
}

// merge adds to parts those whose rids it does not have.
func merge(parts, more []part) []part {
	parts = slices.Clip(parts)
	for _, m := range more {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.rid == m.rid }) {
			parts = append(parts, m)
		}
	}
	return parts
}
