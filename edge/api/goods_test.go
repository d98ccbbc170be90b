package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
)

// one is a basket of one line for nobody in particular.
func (s *shop) one(edit func(line obj)) Quote {
	s.t.Helper()
	return s.quote(basket(s.t, func(o obj) {
		l := obj{"line_id": "1", "item": pasta, "quantity": "1", "unit_price": 1000}
		edit(l)
		o["lines"] = []any{l}
	}))
}

// What the item master says of a line's item is what it is priced by; where it is silent, what the POS says.
func TestItemMasterIsAsked(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	if q := s.quote(basket(t, nil)); len(q.Warnings) != 0 {
		t.Errorf("items of the master: %+v", q.Warnings)
	}
	q := s.one(func(l obj) { l["item"] = "new" })
	if len(q.Warnings) != 1 || q.Warnings[0].Code != "unknown_item" || q.Warnings[0].LineID != "1" || q.Totals.ToPay != 900 || q.Points.ToEarn != 9 {
		t.Errorf("an item that is not in it: %+v, pays %d", q.Warnings, q.Totals.ToPay) // 1.00 off for gold
	}
	if q := s.one(func(l obj) { l["item"] = "4006381333932" }); len(q.Warnings) != 1 {
		t.Errorf("a code with another check digit: %+v", q.Warnings)
	}
	q = s.one(func(l obj) { l["item"] = "cigarette" })
	if q.Totals.Discount != 0 || q.Points.ToEarn != 0 || q.AgeCheck == nil || q.AgeCheck.Required != 18 || q.Committable {
		t.Errorf("excluded from loyalty: discount %d, points %d, age %+v", q.Totals.Discount, q.Points.ToEarn, q.AgeCheck)
	}
	for _, code := range []string{pasta, "0" + pasta, "]E0" + pasta} {
		if q := s.one(func(l obj) { l["item"] = code }); q.Totals.ToPay != 800 || len(q.Warnings) != 0 {
			t.Errorf("pasta scanned as %s pays %d, %+v", code, q.Totals.ToPay, q.Warnings)
		}
	}
	// A weighed item whose unit the POS does not say may have decimals.
	if q := s.one(func(l obj) { l["item"], l["quantity"] = "2512340001503", "0.5" }); q.Totals.Gross != 500 || len(q.Warnings) != 0 {
		t.Errorf("half a kilo: %+v, %+v", q.Totals, q.Warnings)
	}
	s.fall(8, documents(t, record.RefSet, `[{id: pasta, revision: 2, include: {categories: [food/pasta]}}]`)...)
	if q := s.one(func(l obj) { l["item"], l["category"] = "new", "food/pasta" }); q.Totals.ToPay != 800 {
		t.Errorf("a category that the POS says: pays %d", q.Totals.ToPay)
	}
}

// A chain without an item master is not told so line by line.
func TestNoItemMaster(t *testing.T) {
	t.Parallel()
	s := &shop{node: start(t, t.TempDir(), nil)}
	q := s.one(func(obj) {})
	if len(q.Warnings) != 0 || q.Revision != 1 || q.Totals.ToPay != 1000 || q.Points.ToEarn != 10 {
		t.Errorf("got %+v", q)
	}
	r := s.sell(paid(t, basket(t, nil), q, func(o obj) { o["happened"] = true }))
	if r.status != http.StatusCreated {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// A quote is paid as it was made, although promotions, items and settings are others meanwhile and the node
// has started again: its disk has the revision.
func TestQuoteOutlivesARestart(t *testing.T) {
	t.Parallel()
	s, dir := new(shop), t.TempDir()
	s.node = start(t, dir, nil)
	s.fall(1_795_000_001, goods(t)...)
	body := basket(t, func(o obj) {
		o["lines"] = append(o["lines"].([]any), obj{"line_id": "3", "item": wine, "quantity": "1", "unit_price": 599})
		o["confirmed"] = obj{"age": 18}
	})
	q := s.quote(body)
	for i := range uint64(5) { // more than are in memory
		s.fall(1_795_000_010+i, slices.Concat(
			[]record.Reference{{Kind: record.RefPromotion, Key: "pasta-10"}, {Kind: record.RefItem, Key: "0" + wine}, {Kind: record.RefItem, Key: fmt.Sprint("new", i), Value: new(record.Product).Append(nil)}},
			documents(t, record.RefSetting, fmt.Sprintf(`[{id: programme, revision: %d, max_basket_discount: "0"}]`, i+2)))...)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	s.node = start(t, dir, nil)
	if now := s.quote(body); now.Revision == q.Revision || now.Totals.ToPay == q.Totals.ToPay || now.AgeCheck != nil {
		t.Errorf("the newest revision is the quote's: %+v", now)
	}
	r := s.sell(paid(t, body, q, nil))
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || c.Flagged || c.Totals.ToPay != q.Totals.ToPay || *c.Points.Earned != q.Points.ToEarn {
		t.Fatalf("%d %s", r.status, r.body)
	}
	kept, err := s.journal.Find(c.RID)
	if err != nil || kept.Rules != 1_795_000_001 {
		t.Errorf("kept under revision %d, %v", kept.Rules, err)
	}
	other := paid(t, body, q, func(o obj) { o["rid"] = record.NewRID(time.Now()).String() })
	if p := s.sell(other); p.status != http.StatusConflict {
		t.Errorf("another basket's context: %d %s", p.status, p.body)
	}
}

// A basket of as many different items as there are lines has a small context: the revision has the items.
func TestContextOfManyItemsIsSmall(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	all, lines := make([]record.Reference, record.MaxLines), make([]any, record.MaxLines)
	for i := range all {
		p := record.Product{Name: fmt.Sprint("Item ", i), Category: fmt.Sprintf("department-%d/group-%d/kind-%d", i%12, i%200, i), Tags: []string{fmt.Sprint("tag-", i)}}
		all[i] = record.Reference{Kind: record.RefItem, Key: fmt.Sprint("own-", i), Value: p.Append(nil)}
		lines[i] = obj{"line_id": fmt.Sprint(i), "item": fmt.Sprint("own-", i), "quantity": "1", "unit_price": 100 + i}
	}
	s.fall(8, all...)
	body := basket(t, func(o obj) { o["lines"] = lines })
	q := s.quote(body)
	if len(q.Context) > 1024 || len(q.Warnings) != 0 {
		t.Errorf("the context has %d characters; %d warnings", len(q.Context), len(q.Warnings))
	}
	if r := s.sell(paid(t, body, q, nil)); r.status != http.StatusCreated || into[Committed](t, r).Flagged {
		t.Errorf("%d %.300s", r.status, r.body)
	}
}

// A document that cannot be gone by is named in health, with the entry that brought it.
func TestHealthNamesWhatCannotBeGoneBy(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	h := into[Health](t, s.do("GET", "/v1/health", nil, nil))
	if h.Programme.Revision != 7 || h.Programme.Newest != 7 || len(h.Programme.Faults) != 0 || h.Programme.Items != 4 {
		t.Errorf("all is well: %+v", h.Programme)
	}
	s.fall(8, documents(t, record.RefSetting, `[{id: stores, revision: 1, zone: Europe/Atlantis}]`)...)
	h = into[Health](t, s.do("GET", "/v1/health", nil, nil))
	f := h.Programme.Faults
	if h.Programme.Revision != 7 || h.Programme.Newest != 8 || len(f) != 1 || f[0].Kind != "setting" || f[0].ID != "stores" || f[0].Entry != 8 || !strings.Contains(f[0].Error, "Atlantis") {
		t.Errorf("a zone that is none: %+v", h.Programme)
	}
	if q := s.quote(basket(t, nil)); q.Revision != 7 {
		t.Errorf("a quote of revision %d, want the one before", q.Revision)
	}
}

// The store's clock and sets are the setting's.
func TestPlaceOfTheStore(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.fall(8, append(documents(t, record.RefSetting, `[{id: stores, revision: 1, zone: America/New_York, sets: {city: ["0017"]}}]`),
		documents(t, record.RefPromotion, `
- {schema: promotion/v1, id: early, revision: 1, name: "x", text: {en: "x"}, stores: {include: [city]},
   schedule: [{from: "06:00", until: "06:30"}], mechanic: {type: percentage, level: basket, set: all, percent: "50"}}`)...)...)
	if q := s.one(func(l obj) { l["item"] = "x" }); q.Totals.ToPay != 450 { // 11:00 UTC; 1.00 off for gold
		t.Errorf("pays %d at %s: %+v", q.Totals.ToPay, s.now().Format(time.RFC3339), q.WhyNot)
	}
}
