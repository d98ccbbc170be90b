package cpp

import (
	"slices"
	"strings"
	"testing"

	"tillstream/kv/progress"
	"tillstream/kv/record"
)

// master is an item master of a test.
type master map[string]record.Product

func (m master) Get(kind record.RefKind, key string) (record.Reference, bool) {
	p, ok := m[key]
	if !ok || kind != record.RefItem {
		return record.Reference{}, false
	}
	return record.Reference{Kind: kind, Key: key, Entry: 1, Value: p.Append(nil)}, true
}

const basket = `{"currency":"GBP","receipt_number":"7","lines":[
 {"line_id":"1","item":"4006381333931","quantity":"3","unit":"pc","unit_price":250},
 {"line_id":"2","item":"milk","quantity":"2","amount":180,"manual_discount":{"amount":30,"reason":"x"}},
 {"line_id":"3","item":"cheese","quantity":"0.345","unit":"kg","unit_price":1999},
 {"line_id":"4","item":"gift-card","quantity":"1","unit_price":5000},
 {"line_id":"5","item":"unknown","category":"food/bread","quantity":"1","unit_price":99}]}`

// What a receipt counts, for every kind of Count, with and without what was given back of it.
func TestWhatAReceiptCounts(t *testing.T) {
	items := master{
		"04006381333931": {Name: "Pen", Category: "office/pens"},
		"milk":           {Name: "Milk", Category: "food/dairy/milk"},
		"cheese":         {Name: "Cheese", Category: "food/dairy", Unit: record.UnitKilogram},
		"gift-card":      {Name: "Card", NoPoints: true},
	}
	quoted := strings.TrimSuffix(basket, "}") + `,"priced":{"lines":[{"line_id":"1","gross":750,"off":[[0,100],[-1,50]],"points_paid":200},` +
		`{"line_id":"2","gross":150}],"promotions":[{"coupon":"rwabc"},{}]}}`
	back := func(body string) given {
		r := record.Receipt{Data: []byte(body)}
		d, err := readDocument(&r)
		if err != nil {
			t.Fatal(err)
		}
		return given{rid: record.RID{1}, doc: d}
	}
	for name, c := range map[string]struct {
		body  string
		count progress.Count
		back  []given
		n     int64
		names []string
	}{
		"a stamp":                       {basket, progress.Count{Kind: "receipts"}, nil, 1, nil},
		"a stamp needs goods":           {basket, progress.Count{Kind: "receipts", Items: []string{"tea"}}, nil, 0, nil},
		"another currency":              {basket, progress.Count{Kind: "receipts", Currency: "EUR"}, nil, 0, nil},
		"enough spent":                  {basket, progress.Count{Kind: "receipts", Currency: "GBP", MinSpend: 750 + 150 + 690 + 99}, nil, 1, nil},
		"too little spent":              {basket, progress.Count{Kind: "receipts", Currency: "GBP", MinSpend: 750 + 150 + 690 + 100}, nil, 0, nil},
		"pieces":                        {basket, progress.Count{Kind: "pieces"}, nil, 6, nil},
		"pieces of an item, as EAN":     {basket, progress.Count{Kind: "pieces", Items: []string{"4006381333931"}}, nil, 3, nil},
		"pieces of a category":          {basket, progress.Count{Kind: "pieces", Categories: []string{"food"}}, nil, 3, nil},
		"a category is no prefix":       {basket, progress.Count{Kind: "pieces", Categories: []string{"food/da"}}, nil, 0, nil},
		"spend":                         {basket, progress.Count{Kind: "spend", Currency: "GBP"}, nil, 750 + 150 + 690 + 99, nil},
		"spend, less what points paid":  {quoted, progress.Count{Kind: "spend", Currency: "GBP", Items: []string{"4006381333931"}}, nil, 400, nil},
		"categories":                    {basket, progress.Count{Kind: "categories", Categories: []string{"food/dairy", "food/bread", "office", "toys"}}, nil, 0, []string{"food/bread", "food/dairy", "office"}},
		"a line comes back":             {basket, progress.Count{Kind: "pieces"}, []given{back(`{"lines":[{"line_id":"1","quantity":"2"}]}`)}, 4, nil},
		"more comes back than was sold": {basket, progress.Count{Kind: "pieces"}, []given{back(`{"lines":[{"line_id":"1","quantity":"9"}]}`)}, 3, nil},
		"its part of the money":         {basket, progress.Count{Kind: "spend", Currency: "GBP", Items: []string{"4006381333931"}}, []given{back(`{"lines":[{"line_id":"1","quantity":"1"}]}`)}, 500, nil},
		"the money that came back":      {basket, progress.Count{Kind: "spend", Currency: "GBP", Items: []string{"4006381333931"}}, []given{back(`{"returned":{"lines":[{"line_id":"1","quantity":"1","money_back":300}]}}`)}, 450, nil},
		"the last of a category":        {basket, progress.Count{Kind: "categories", Categories: []string{"food", "office"}}, []given{back(`{"lines":[{"line_id":"1","quantity":"3"}]}`)}, 0, []string{"food"}},
		"a void":                        {basket, progress.Count{Kind: "receipts"}, []given{{all: true, doc: &document{}}}, 0, nil},
		"a quantity that is no number":  {`{"currency":"GBP","lines":[{"line_id":"1","item":"x","quantity":"1e999999999","unit_price":1}]}`, progress.Count{Kind: "pieces"}, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := record.Receipt{Data: []byte(c.body)}
			d, err := readDocument(&r)
			if err != nil {
				t.Fatal(err)
			}
			v := goods{items}.valueOf(&progress.Promotion{Count: c.count}, d, c.back)
			if v.n != c.n || !slices.Equal(v.categories, c.names) {
				t.Errorf("counts %d %q, want %d %q", v.n, v.categories, c.n, c.names)
			}
		})
	}
	r := record.Receipt{Data: []byte(quoted)}
	if d, err := readDocument(&r); err != nil || !slices.Equal(d.redeemed(), []string{"RWABC"}) {
		t.Errorf("redeemed %q, %v", d.redeemed(), err)
	}
}
