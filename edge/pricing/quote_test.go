package pricing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"tillstream/kv/promotion"
	"tillstream/kv/record"
)

func TestQuoteRefuses(t *testing.T) {
	line := func(change func(*Line)) func(*Basket) {
		return func(b *Basket) { change(&b.Lines[1]) }
	}
	quantity := func(q, unit string) func(*Basket) {
		return line(func(l *Line) { l.Quantity, l.Unit = q, unit })
	}
	price := func(p int64) func(*Basket) { return line(func(l *Line) { l.UnitPrice = p }) }
	p, err := Compile(Rules{Policy: Policy{Currency: "EUR"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		spoil func(*Basket)
		field string
	}{
		"no lines":                {func(b *Basket) { b.Lines = nil }, "/lines"},
		"2,001 lines":             {func(b *Basket) { b.Lines = make([]Line, record.MaxLines+1) }, "/lines"},
		"no currency":             {func(b *Basket) { b.Currency = "" }, "/currency"},
		"another currency":        {func(b *Basket) { b.Currency = "USD" }, "/currency"},
		"channel":                 {func(b *Basket) { b.Channel = "fax" }, "/channel"},
		"101 coupons":             {func(b *Basket) { b.Coupons = make([]Coupon, MaxCoupons+1) }, "/coupons"},
		"points below zero":       {func(b *Basket) { b.Spend.Points = -1 }, "/points_to_spend/points"},
		"how to spend":            {func(b *Basket) { b.Spend.Mode = "some" }, "/points_to_spend/mode"},
		"balance below zero":      {func(b *Basket) { b.Shopper = &Shopper{Available: -1} }, "/shopper/available"},
		"no id":                   {line(func(l *Line) { l.LineID = "" }), "/lines/1/line_id"},
		"a long id":               {line(func(l *Line) { l.LineID = strings.Repeat("x", 37) }), "/lines/1/line_id"},
		"same id":                 {line(func(l *Line) { l.LineID = "a" }), "/lines/1/line_id"},
		"no item":                 {line(func(l *Line) { l.Item = "" }), "/lines/1/item"},
		"zero pieces":             {quantity("0", ""), "/lines/1/quantity"},
		"minus one":               {quantity("-1", ""), "/lines/1/quantity"},
		"half a piece":            {quantity("0.5", ""), "/lines/1/quantity"},
		"four decimals":           {quantity("0.4125", "kg"), "/lines/1/quantity"},
		"too many":                {quantity("1000000001", ""), "/lines/1/quantity"},
		"no number":               {quantity("1e3", ""), "/lines/1/quantity"},
		"unit":                    {quantity("1", "oz"), "/lines/1/unit"},
		"price below zero":        {price(-1), "/lines/1/unit_price"},
		"price":                   {price(MaxMoney + 1), "/lines/1/unit_price"},
		"price times quantity":    {line(func(l *Line) { l.UnitPrice, l.Quantity = MaxMoney, "2" }), "/lines/1/unit_price"},
		"sum":                     {price(MaxMoney), "/lines"},
		"amount below zero":       {line(func(l *Line) { l.Amount = amount(-1) }), "/lines/1/amount"},
		"discount below zero":     {line(func(l *Line) { l.ManualDiscount = &ManualDiscount{Amount: -1} }), "/lines/1/manual_discount/amount"},
		"discount over the price": {line(func(l *Line) { l.ManualDiscount = &ManualDiscount{Amount: 201} }), "/lines/1/manual_discount/amount"},
		"floor price below zero":  {line(func(l *Line) { l.Facts.FloorPrice = -1 }), "/lines/1/facts/floor_price"},
	} {
		q := quoteCase{lines: "a 1 100; b 1 200; c 1 300"}
		b := q.basket()
		c.spoil(b)
		var field *FieldError
		if _, err := p.Quote(b); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: got %v, want an error at %s", name, err, c.field)
		}
		if _, err := p.Quote(q.basket()); err != nil { // a refused basket leaves nothing behind
			t.Fatalf("after %s: %v", name, err)
		}
	}
}

// The largest numbers there are neither overflow nor take long.
func TestLargestNumbers(t *testing.T) {
	c := quoteCase{
		promos: `- {id: p1, mechanic: {type: percentage, percent: '33.33'}}
- {id: p2, mechanic: {type: amount, amount: 1000000000000}, caps: {per_basket: 7}}
- {id: p3, mechanic: {type: buy_x_get_y, buy: {set: a, quantity: 1000000}, get: {set: a, quantity: 1, percent: '1'}}}
- {id: p4, mechanic: {type: mix_and_match, components: [{set: a, quantity: 3}, {set: a, quantity: 2}], percent: '1'}}
- {id: p5, mechanic: {type: spend_threshold, repeat: true, tiers: [{spend: 1, amount: 1000000000000}]}, caps: {per_line: 11}}
- {id: p6, mechanic: {type: points_multiplier, factor: '1.01'}}`,
		lines: "a 1000000000 999", policy: pointsOne(),
		with: func(b *Basket) { b.Shopper = &Shopper{ID: "s", Available: record.MaxPoints}; b.Spend.Mode = SpendAll },
	}
	q, _ := quoteOf(t, c.rules(t), c.basket())
	if len(q.Promotions) < 4 || q.Totals.Net <= 0 || q.Totals.Net >= q.Totals.Gross {
		t.Errorf("got %s", told(q))
	}
	c.policy.Points = PointsPolicy{Earn: Rate{1_000_000_000, 1}}
	p, err := Compile(c.rules(t))
	if err != nil {
		t.Fatal(err)
	}
	var field *FieldError
	if _, err := p.Quote(c.basket()); !errors.As(err, &field) || field.Field != "/lines" {
		t.Errorf("more points than there can be: %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	p := declaredPercent("p", "a")
	for name, rules := range map[string]Rules{
		"two promotions of one id": {Promotions: []promotion.Promotion{p, p}, Sets: caseSets()},
		"a set that is not there":  {Promotions: []promotion.Promotion{declaredPercent("p", "nowhere")}, Sets: caseSets()},
		"two sets of one id":       {Sets: append(caseSets(), caseSets()...)},
		"a share over all":         {Policy: Policy{MaxLineDiscount: hundredths(101)}},
		"points for nothing":       {Policy: Policy{Points: PointsPolicy{Earn: Rate{1, 0}}}},
		"a currency that is none":  {Policy: Policy{Currency: "EUX"}},
		"a block below zero":       {Policy: Policy{Points: PointsPolicy{Block: -1}}},
	} {
		if _, err := Compile(rules); err == nil {
			t.Errorf("%s compiles", name)
		}
	}
}

func declaredPercent(id, set string) promotion.Promotion {
	return promotion.Promotion{
		ID: id, Revision: 1, Text: map[string]string{"en": "ten off", "de": "zehn weg"}, State: "active", From: promotion.None, Until: promotion.None,
		Mechanic: &promotion.Percentage{Set: set, Percent: 1000}, Stacking: promotion.Stacking{Priority: 50, Mode: promotion.Stack},
	}
}

// Of a large programme only what was near is told, the nearest first, in words and in the shopper's language.
func TestWhatWasNear(t *testing.T) {
	c := quoteCase{
		promos: `- {id: seven, mechanic: {type: nth_item, set: a, n: 7, percent: '50'}}
- {id: one, mechanic: {type: nth_item, set: ab, n: 4, percent: '50'}}
- {id: tuesday, schedule: [{days: [tue], from: "11:00", until: "15:00"}], mechanic: {type: percentage, set: a, percent: '5'}}
- {id: elsewhere, mechanic: {type: percentage, set: f, percent: '5'}}
- {id: village, stores: {include: [village]}, mechanic: {type: percentage, set: a, percent: '5'}}
- {id: others, audience: {any_of: [{segment: others}]}, mechanic: {type: percentage, set: a, percent: '5'}}
- {id: unseen, coupon: {pool: spring}, mechanic: {type: percentage, set: a, percent: '5'}}
- {id: shown, coupon: {pool: autumn}, mechanic: {type: percentage, set: f, percent: '5'}}
- {id: over, state: ended, mechanic: {type: percentage, set: a, percent: '5'}}
- {id: spend, mechanic: {type: spend_threshold, tiers: [{spend: 320, amount: 50}]}}`,
		lines: "a 1 100; b 2 100", with: func(b *Basket) {
			b.ExplainAll, b.Shopper, b.Languages = false, &Shopper{ID: "s"}, []string{"de-AT"}
			b.Coupons = []Coupon{{"A", "autumn", "expired"}}
		},
	}
	q, _ := quoteOf(t, c.rules(t), c.basket())
	var got []string
	for _, w := range q.WhyNot {
		got = append(got, fmt.Sprintf("%s: %s, upsell %t", w.Promotion, w.CashierText, w.Upsell))
	}
	want := []string{
		"shown: coupon expired, upsell false",
		"spend: 0.20 more needed, upsell true",
		"one: needs 1 more of ab, upsell true",
		"tuesday: only tue 11:00-15:00, upsell false",
		"seven: needs 6 more of a, upsell false",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	rules := Rules{Promotions: []promotion.Promotion{declaredPercent("p", "all")}}
	if q, _ := quoteOf(t, rules, c.basket()); q.Promotions[0].Text != "zehn weg" {
		t.Errorf("text %q", q.Promotions[0].Text)
	}
	many := Rules{}
	for i := range 60 {
		p := declaredPercent(fmt.Sprintf("p%02d", i), "all")
		p.Schedule = []promotion.Window{{Days: 1, Until: 1440}}
		many.Promotions = append(many.Promotions, p)
	}
	if q, _ := quoteOf(t, many, c.basket()); len(q.WhyNot) != maxWhyNots {
		t.Errorf("%d reasons, want %d", len(q.WhyNot), maxWhyNots)
	}
}

// Every vector of the research, where it is, is tried by deploy/vectors. Here, that texts of money are right.
func TestMoney(t *testing.T) {
	for _, c := range []struct {
		currency string
		amount   int64
		want     string
	}{{"EUR", 5, "0.05"}, {"EUR", 123456, "1234.56"}, {"JPY", 500, "500"}, {"KWD", 1, "0.001"}, {"KWD", 12345, "12.345"}} {
		s := state{basket: &Basket{Currency: c.currency}}
		if got := s.money(c.amount); got != c.want {
			t.Errorf("%d %s: %s, want %s", c.amount, c.currency, got, c.want)
		}
	}
}
