package pricing

import (
	"errors"
	"testing"
)

// What users of other systems reported as wrong. Each test is named for the report.

// 70 % and 40 % were added up, and goods were free.
func TestSaleor17453(t *testing.T) {
	c := quoteCase{
		promos: "- {id: p, mechanic: {type: percentage, percent: '70'}}\n- {id: q, mechanic: {type: percentage, percent: '40'}}",
		lines:  "a 1 1000", want: "p=700(a:700) q=120(a:120) pay=180",
	}
	c.check(t)
}

// The most that a discount gives in all could not be bounded: not one discount's, not all of them together.
func TestSaleor5689(t *testing.T) {
	c := quoteCase{
		promos: "- {id: p, mechanic: {type: percentage, percent: '50'}, caps: {per_basket: 700}}\n- {id: q, mechanic: {type: amount, per: basket, amount: 900}}",
		lines:  "a 1 1000; b 3 1000", policy: Policy{MaxBasketDiscount: hundredths(30)},
		want: "p=700(a:175,b:525) capped:per_basket:2000 q=500(a:125,b:375) capped:policy:900 pay=2800",
	}
	c.check(t)
}

// Buy 2 get 1 was given once, or for every piece, however many times it fitted.
func TestMedusa13265(t *testing.T) {
	promos := "- {id: p, mechanic: {type: buy_x_get_y, buy: {set: a, quantity: 2}, get: {set: a, quantity: 1, percent: '100'}}}"
	for lines, want := range map[string]string{
		"a 2 100": "p!needs_quantity:1:a pay=200",
		"a 3 100": "p=100(a:100) pay=200",
		"a 5 100": "p=100(a:100) pay=400",
		"a 6 100": "p=200x2(a:200) pay=400",
		"a 7 100": "p=200x2(a:200) pay=500",
		"a 9 100": "p=300x3(a:300) pay=600",
	} {
		c := quoteCase{promos: promos, lines: lines, want: want}
		c.check(t)
	}
}

// A promotion without a coupon ignored the limit of its uses.
func TestVendure4353(t *testing.T) {
	promos := "- {id: p, mechanic: {type: percentage, percent: '10'}, limits: {total: {count: 100, period: ever}}}"
	for n, want := range map[int64]string{1: "p=100(a:100) pay=900", 0: "p!limit_reached pay=1000", -1: "p!limit_reached pay=1000"} {
		c := quoteCase{promos: promos, lines: "a 1 1000", with: remaining("p", "total", n), want: want}
		c.check(t)
	}
}

// The last basket before a budget's end took more than the budget had left.
func TestMedusa13451(t *testing.T) {
	for more, want := range map[string]string{
		"":                    "p!budget_short pay=1000",
		", on_short: partial": "p=60(a:60) capped:budget:100 pay=940",
	} {
		c := quoteCase{
			promos: "- {id: p, mechanic: {type: percentage, percent: '10'}, budget: {amount: 1000" + more + "}}",
			lines:  "a 1 1000", with: left("p", 60), want: want,
		}
		c.check(t)
	}
}

// Buy, give everything back, keep the points.
func TestOdoo257854(t *testing.T) {
	c := quoteCase{
		promos: "- {id: m, mechanic: {type: points_multiplier, factor: '3'}}", policy: pointsOne(),
		lines: "a 3 333; b 1 1000", with: func(b *Basket) { b.Shopper = &Shopper{ID: "s"} }, want: "base+19 m+39 pay=1999",
	}
	q := c.check(t)
	one, err := q.Return(nil, []Return{{"a", "2"}})
	if err != nil {
		t.Fatal(err)
	}
	rest, err := q.Return([]Return{{"a", "2"}}, []Return{{"a", "1"}, {"b", "1"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := one.PointsTakenBack + rest.PointsTakenBack; got != 58 || one.PointsTakenBack == 0 || one.MoneyBack+rest.MoneyBack != 1999 {
		t.Errorf("took %d and %d points back, want 58 in all", one.PointsTakenBack, rest.PointsTakenBack)
	}
	if _, err := q.Return([]Return{{"a", "3"}}, []Return{{"a", "1"}}); err == nil {
		t.Error("a line came back twice")
	}
}

// A line that was a reward earned points itself, and so did what points had paid.
func TestOdoo150833(t *testing.T) {
	c := quoteCase{
		promos: "- {id: p, mechanic: {type: free_item, set: b}}", policy: pointsOne(), lines: "a 1 1000; b 1 900",
		with: func(b *Basket) { b.Shopper, b.Spend = &Shopper{ID: "s", Available: 900}, Spend{SpendExact, 300} },
		want: "p=900(b:900) spent=300 base+7 pay=700",
	}
	q := c.check(t)
	if got := q.Lines[1]; got.PointsEarned != 0 || got.PointsPaid != 0 {
		t.Errorf("the reward: %+v", got)
	}
}

// What had been redeemed could be redeemed again, for ever.
func TestERPNext59050(t *testing.T) {
	spend := func(available int64) func(*Basket) {
		return func(b *Basket) {
			b.Shopper, b.Spend = &Shopper{ID: "s", Available: available}, Spend{SpendExact, 400}
		}
	}
	for available, want := range map[int64]string{400: "spent=400 base+6 pay=600", 0: "spent=0:balance base+10 pay=1000"} {
		c := quoteCase{policy: pointsOne(), lines: "a 1 1000", with: spend(available), want: want}
		c.check(t)
	}
	coupon := func(state string) func(*Basket) {
		return func(b *Basket) { b.Coupons = []Coupon{{"A", "autumn", state}} }
	}
	for state, want := range map[string]string{"active": "p=100(a:100) pay=900", "used": "p!coupon_used pay=1000"} {
		c := quoteCase{promos: "- {id: p, coupon: {pool: autumn, single_use: true}, mechanic: {type: percentage, percent: '10'}}", lines: "a 1 1000", with: coupon(state), want: want}
		c.check(t)
	}
}

// The shopper could not choose how many points to spend.
func TestOdoo264931(t *testing.T) {
	for points, want := range map[int64]string{
		100: "spent=100 base+9 pay=900", 300: "spent=300 base+7 pay=700", 350: "spent=300:block base+7 pay=700",
		500: "spent=500 base+5 pay=500", 900: "spent=500:max_share base+5 pay=500", 0: "base+10 pay=1000",
	} {
		c := quoteCase{policy: pointsOne(), lines: "a 1 1000", want: want, with: func(b *Basket) {
			b.Shopper, b.Spend = &Shopper{ID: "s", Available: 1250}, Spend{SpendExact, points}
		}}
		c.check(t)
	}
}

func TestReturnRefuses(t *testing.T) {
	c := quoteCase{lines: "a 3 100; b 0.412kg 1190", want: "pay=790"}
	q := c.check(t)
	for name, r := range map[string]Return{
		"another line": {"c", "1"}, "zero": {"a", "0"}, "less than zero": {"a", "-1"}, "half a piece": {"a", "0.5"},
		"four decimals": {"b", "0.1234"}, "nothing": {"a", ""},
	} {
		var field *FieldError
		if _, err := q.Return(nil, []Return{r}); !errors.As(err, &field) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var much *TooMuch
	if _, err := q.Return([]Return{{"a", "2"}}, []Return{{"a", "2"}}); !errors.As(err, &much) || much.LineID != "a" || much.Left != "1" {
		t.Errorf("four of three: %v", err)
	}
	if _, err := q.Return(nil, []Return{{"b", "0.2"}, {"b", "0.213"}}); !errors.As(err, &much) || much.Left != "0.212" {
		t.Errorf("0.413 of 0.412 kg: %v", err)
	}
}

// A coupon and a limit right come back with the last of what the promotion was for.
func TestReturnUndoes(t *testing.T) {
	c := quoteCase{
		promos: "- {id: p, coupon: {pool: autumn}, mechanic: {type: amount, per: basket, set: ab, amount: 100}}",
		lines:  "a 1 300; b 2 100; c 1 5", want: "p=100(a:60,b:40) pay=405",
		with: func(b *Basket) { b.Coupons = []Coupon{{"A7", "autumn", "active"}} },
	}
	q := c.check(t)
	first, err := q.Return(nil, []Return{{"a", "1"}, {"b", "1"}, {"c", "1"}})
	if err != nil || len(first.Undone) != 0 || first.MoneyBack != 325 {
		t.Errorf("got %+v, %v", first, err)
	}
	last, err := q.Return([]Return{{"a", "1"}, {"b", "1"}}, []Return{{"b", "1"}})
	if err != nil || len(last.Undone) != 1 || last.Undone[0] != (Undone{"p", 1, 1, "A7"}) || last.MoneyBack != 80 {
		t.Errorf("got %+v, %v", last, err)
	}
}
