package pricing

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"tillstream/kv/promotion"
)

func quoteOf(t interface{ Fatal(...any) }, rules Rules, b *Basket) (*Quote, []byte) {
	p, err := Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	q, err := p.Quote(b)
	if err != nil {
		t.Fatal(err)
	}
	return q, bytesOf(t, q)
}

func bytesOf(t interface{ Fatal(...any) }, q *Quote) []byte {
	b, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// floorOf counts what a line may not go below in another way: piece by piece.
func floorOf(l *QuoteLine, src *Line, p *Policy) (sum int64) {
	if src.PriceOverride || src.Facts.NoDiscount {
		return l.Gross - manualOf(src)
	}
	quantity, _ := thousandths(src.Quantity)
	pieces := quantity / thousand
	floorPrice := src.Facts.FloorPrice
	if src.Unit == "kg" {
		pieces, floorPrice = 1, (floorPrice*quantity+999)/1000
	}
	for i := range pieces {
		price := l.Gross / pieces
		if i < l.Gross%pieces {
			price++
		}
		floor := floorPrice
		if p.MaxLineDiscount != nil {
			floor = max(floor, (price*(percentWhole-*p.MaxLineDiscount)+percentWhole-1)/percentWhole)
		}
		sum += min(floor, price)
	}
	return sum - manualOf(src) // the POS's own discount may go below it
}

func manualOf(src *Line) int64 {
	if src.ManualDiscount == nil {
		return 0
	}
	return src.ManualDiscount.Amount
}

func TestSumsAreExact(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		b := drawBasket(t, &rules)
		q, _ := quoteOf(t, rules, b)
		var totals Totals
		given := map[string]int64{}
		var earned, spent int64
		for i := range q.Lines {
			l := &q.Lines[i]
			src := &b.Lines[slices.IndexFunc(b.Lines, func(x Line) bool { return x.LineID == l.LineID })]
			net := l.Gross
			for _, d := range l.Discounts {
				if d.Amount <= 0 {
					t.Fatalf("line %s: discount %+v", l.LineID, d)
				}
				net -= d.Amount
				given[d.Promotion] += d.Amount
			}
			if net != l.Net || l.ToPay != l.Net-l.PointsPaid || l.ToPay < 0 || l.Net < floorOf(l, src, &rules.Policy) {
				t.Fatalf("line %+v: floor %d", l, floorOf(l, src, &rules.Policy))
			}
			totals.Gross += l.Gross
			totals.Discount += l.Gross - l.Net
			totals.Net += l.Net
			totals.PointsPaid += l.PointsPaid
			totals.ToPay += l.ToPay
			earned += l.PointsEarned
			spent += l.PointsSpent
			if l.PointsEarned < 0 || src.Facts.NoPoints && (l.PointsEarned != 0 || l.PointsPaid != 0) {
				t.Fatalf("line %+v", l)
			}
		}
		if totals != q.Totals || earned != q.Points.Earned || spent != q.Points.Spent {
			t.Fatalf("totals %+v, want %+v; earned %d of %d, spent %d of %d", q.Totals, totals, earned, q.Points.Earned, spent, q.Points.Spent)
		}
		for _, p := range q.Promotions {
			if p.Amount != given[p.Promotion] {
				t.Fatalf("%s: %d, and its lines %d", p.Promotion, p.Amount, given[p.Promotion])
			}
		}
	})
}

func TestEveryPromotionIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		q, _ := quoteOf(t, rules, drawBasket(t, &rules))
		times := map[string]int{}
		for _, p := range q.Promotions {
			times[p.Promotion]++
		}
		for _, w := range q.WhyNot {
			times[w.Promotion]++
			if w.Code == "" || w.CashierText == "" {
				t.Fatalf("why not %+v", w)
			}
		}
		for _, e := range q.Points.EarnedBy {
			if e.Rule != BaseRule {
				times[e.Rule]++
			}
		}
		for _, p := range rules.Promotions {
			if times[p.ID] != 1 {
				t.Fatalf("%s is answered %d times", p.ID, times[p.ID])
			}
		}
	})
}

func TestCapsHold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		b := drawBasket(t, &rules)
		q, _ := quoteOf(t, rules, b)
		for _, a := range q.Promotions {
			p := &rules.Promotions[slices.IndexFunc(rules.Promotions, func(p promotion.Promotion) bool { return p.ID == a.Promotion })]
			if most := p.Caps.PerBasket; most != nil && a.Amount > *most {
				t.Fatalf("%+v over %d", a, *most)
			}
			for _, s := range a.Lines {
				if most := p.Caps.PerLine; most != nil && s.Amount > *most {
					t.Fatalf("%+v over %d a line", a, *most)
				}
			}
			if l := b.Limits[p.ID]; l.Budget != nil && a.Amount > *l.Budget {
				t.Fatalf("%+v over its budget of %d", a, *l.Budget)
			}
			if p.Limits.PerBasket > 0 && a.Applications > p.Limits.PerBasket {
				t.Fatalf("%+v over its limit", a)
			}
			if a.Amount <= 0 || a.Applications <= 0 || a.Capped != nil && a.Capped.Wanted < a.Amount {
				t.Fatalf("%+v", a)
			}
		}
		if most := rules.Policy.MaxBasketDiscount; most != nil && len(q.Promotions) > 0 && q.Totals.Discount > q.Totals.Gross**most/percentWhole {
			t.Fatalf("%+v over the brand's %d", q.Totals, *most)
		}
		if b.Shopper != nil && q.Points.Spent > b.Shopper.Available {
			t.Fatalf("spends %d of %d points", q.Points.Spent, b.Shopper.Available)
		}
	})
}

func TestNoOrderMatters(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		b := drawBasket(t, &rules)
		_, first := quoteOf(t, rules, b)
		b.Lines = rapid.Permutation(b.Lines).Draw(t, "lines")
		rules.Promotions = rapid.Permutation(rules.Promotions).Draw(t, "promotions")
		rules.Sets = rapid.Permutation(rules.Sets).Draw(t, "sets")
		if _, again := quoteOf(t, rules, b); !bytes.Equal(first, again) {
			t.Fatalf("got  %s\nwant %s", again, first)
		}
	})
}

// One programme prices many baskets, and one basket many times, each as if it were the first, on new paper and on
// paper that another's quote is on.
func TestQuoteIsStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		p, err := Compile(rules)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]byte
		var baskets []*Basket
		for range 3 {
			b := drawBasket(t, &rules)
			_, w := quoteOf(t, rules, b)
			baskets, want = append(baskets, b), append(want, w)
		}
		var used Paper
		for range 2 {
			for i, b := range baskets {
				for _, on := range []*Paper{new(Paper), &used} {
					q, err := p.QuoteOn(on, b)
					if err != nil {
						t.Fatal(err)
					}
					if got := bytesOf(t, q); !bytes.Equal(got, want[i]) {
						t.Fatalf("got  %s\nwant %s", got, want[i])
					}
				}
			}
		}
	})
}

// A promotion that does not apply changes nothing: not what is given when all is explained, and not a
// byte when only what was near is.
func TestWhatDoesNotApplyChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		b := drawBasket(t, &rules)
		want, _ := quoteOf(t, rules, b)
		b.ExplainAll = false
		_, near := quoteOf(t, rules, b)
		more := drawPromotion(t, 50)
		more.Schedule, more.Coupon = nil, nil // "only Tuesdays" would be near, and a coupon that was shown gets its answer
		switch rapid.IntRange(0, 4).Draw(t, "why not") {
		case 0:
			more.Mechanic = &promotion.Percentage{Set: "elsewhere", Percent: 5000}
		case 1:
			more.State = "paused"
		case 2:
			more.Audience.AnyOf = []promotion.Who{{Shopper: "another"}}
			more.Mechanic = &promotion.Percentage{Set: "all", Percent: 5000}
		case 3:
			more.Coupon = &promotion.Coupon{Required: true, Pool: "none"}
		case 4:
			more.Stores.Exclude = []string{"0001"}
		}
		rules.Promotions = append(rules.Promotions, more)
		if _, got := quoteOf(t, rules, b); !bytes.Equal(got, near) {
			t.Fatalf("near: got  %s\nwant %s", got, near)
		}
		b.ExplainAll = true
		got, _ := quoteOf(t, rules, b)
		got.WhyNot = slices.DeleteFunc(got.WhyNot, func(w WhyNot) bool { return w.Promotion == more.ID })
		if g, w := bytesOf(t, got), bytesOf(t, want); !bytes.Equal(g, w) {
			t.Fatalf("got  %s\nwant %s", g, w)
		}
	})
}

// The index leaves out only what cannot apply: explained or not, a basket is priced alike.
func TestIndexFindsAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		b := drawBasket(t, &rules)
		all, _ := quoteOf(t, rules, b)
		b.ExplainAll = false
		near, _ := quoteOf(t, rules, b)
		all.WhyNot, near.WhyNot = nil, nil
		if got, want := bytesOf(t, near), bytesOf(t, all); !bytes.Equal(got, want) {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}

// A programme is asked by many tills at once.
func TestManyAtOnce(t *testing.T) {
	c := quoteCase{
		promos: "- {id: p, mechanic: {type: nth_item, n: 2, percent: '50'}, stacking: {mode: best_of, group: g}}\n" +
			"- {id: q, mechanic: {type: percentage, percent: '20'}, stacking: {mode: best_of, group: g}}",
		lines: "a 3 100; b 2 250",
	}
	p, err := Compile(c.rules(t))
	if err != nil {
		t.Fatal(err)
	}
	b := c.basket()
	first, err := p.Quote(b)
	if err != nil {
		t.Fatal(err)
	}
	want := bytesOf(t, first)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				if q, err := p.Quote(b); err != nil || !bytes.Equal(bytesOf(t, q), want) {
					t.Errorf("got %+v, %v", q, err)
				}
			}
		})
	}
	wg.Wait()
}

// Returns in any parts give back the whole sale and no more.
func TestReturnsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		first, text := quoteOf(t, rules, drawBasket(t, &rules))
		q := &Quote{} // as whoever kept it reads it again
		if err := json.Unmarshal(text, q); err != nil || !bytes.Equal(bytesOf(t, q), text) {
			t.Fatalf("read again as %s, %v; want %s", bytesOf(t, q), err, bytesOf(t, first))
		}
		left := make([]int64, len(q.Lines))
		for i, l := range q.Lines {
			left[i], _ = thousandths(l.Quantity)
		}
		var before []Return
		var money, taken, given int64
		undone := map[string]bool{}
		for slices.Max(left) > 0 {
			i := rapid.IntRange(0, len(left)-1).Draw(t, "line")
			if left[i] == 0 {
				continue
			}
			n := min(left[i], rapid.Int64Range(1, 3).Draw(t, "pieces")*thousand)
			now := []Return{{q.Lines[i].LineID, decimal(n)}}
			back, err := q.Return(before, now)
			if err != nil {
				t.Fatal(err)
			}
			before, left[i] = append(before, now...), left[i]-n
			l := back.Lines[0]
			// Each number is rounded for itself, so a part may be off by as many minor units as it has numbers.
			if off := -int64(len(q.Lines[i].Discounts) + 1); l.Net < off || l.MoneyBack < off-1 || l.PointsTakenBack < 0 || l.PointsGivenBack < 0 {
				t.Fatalf("%+v", l)
			}
			money, taken, given = money+back.MoneyBack, taken+back.PointsTakenBack, given+back.PointsGivenBack
			for _, u := range back.Undone {
				if undone[u.Promotion] {
					t.Fatalf("%s is undone twice", u.Promotion)
				}
				undone[u.Promotion] = true
			}
		}
		if money != q.Totals.ToPay || taken != q.Points.Earned || given != q.Points.Spent || len(undone) != len(q.Promotions) {
			t.Fatalf("gave back %d, %d points, %d points; want %+v, %+v", money, taken, given, q.Totals, q.Points)
		}
		if _, err := q.Return(before, []Return{{q.Lines[0].LineID, "0.001"}}); err == nil {
			t.Fatal("more came back than was sold")
		}
	})
}

// A line of many pieces costs what so many lines of one piece cost where no piece differs.
func TestPiecesAreEqual(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		percent := drawPercent(t)
		n := rapid.IntRange(1, 40).Draw(t, "pieces")
		rules := Rules{Promotions: []promotion.Promotion{drawPromotion(t, 0)}}
		rules.Promotions[0].Mechanic = &promotion.BuyGet{
			Buy:     promotion.Quantity{Set: "all", Pieces: rapid.Int64Range(1, 3).Draw(t, "buy")},
			Get:     promotion.Quantity{Set: "all", Pieces: rapid.Int64Range(1, 3).Draw(t, "get")},
			Choose:  promotion.Choice(rapid.IntRange(0, 2).Draw(t, "choose")),
			Benefit: promotion.Benefit{Percent: &percent}}
		rules.Promotions[0].When, rules.Promotions[0].Caps = nil, promotion.Caps{}
		one := &Basket{Currency: "EUR", Lines: []Line{{LineID: "1", Item: "a", Quantity: strconv.Itoa(n), UnitPrice: 200}}}
		many := &Basket{Currency: "EUR"}
		for i := range n {
			many.Lines = append(many.Lines, Line{LineID: strconv.Itoa(i), Item: "a", Quantity: "1", UnitPrice: 200})
		}
		a, _ := quoteOf(t, rules, one)
		b, _ := quoteOf(t, rules, many)
		if a.Totals != b.Totals && percent%50 == 0 {
			t.Fatalf("%d pieces: %+v on one line, %+v on many", n, a.Totals, b.Totals)
		}
	})
}
