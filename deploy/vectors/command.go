package vectors

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"tillstream/edge/pricing"
)

// Command is the command line.
type Command struct {
	Vectors string `required:"" help:"File of vectors to price: baskets with the quote that each must give." placeholder:"FILE"`
}

// orders is in how many orders each vector's lines, promotions and coupons are priced.
const orders = 12

// Run prices the vectors and prints each difference. Its error says how many failed.
func (c *Command) Run(stdout io.Writer) error {
	b, err := os.ReadFile(c.Vectors)
	if err != nil {
		return fmt.Errorf("read vectors: %w", err)
	}
	f, err := read(b)
	if err != nil {
		return err
	}
	passed, failed := 0, 0
	for _, text := range f.Vectors {
		v, unread, err := readVector(text)
		var found differences
		if err != nil {
			found = differences{err.Error()}
		} else {
			found = v.differences()
		}
		if unread != "" {
			fmt.Fprintf(stdout, "%s: nothing reads the key %s\n", v.Name, unread)
		}
		if len(found) == 0 {
			passed++
			continue
		}
		failed++
		fmt.Fprintf(stdout, "%s: %s\n", v.Name, v.Why)
		for _, d := range found {
			fmt.Fprintf(stdout, "  %s\n", d)
		}
	}
	fmt.Fprintf(stdout, "%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return fmt.Errorf("price %s: %d vectors differ", c.Vectors, failed)
	}
	return nil
}

// differences prices one vector in several orders.
func (v *vector) differences() differences {
	var d differences
	rules, err := v.rules()
	if err != nil {
		return differences{err.Error()}
	}
	b, err := v.basket()
	if err != nil {
		return differences{err.Error()}
	}
	q, first, err := price(rules, b)
	if err != nil {
		return differences{err.Error()}
	}
	d = append(d, compare(q, &v.Expected)...)
	d = append(d, v.returns(q)...)
	random := rand.New(rand.NewPCG(1, 2)) // the same orders in every run
	for range orders {
		random.Shuffle(len(b.Lines), func(i, j int) { b.Lines[i], b.Lines[j] = b.Lines[j], b.Lines[i] })
		random.Shuffle(len(b.Coupons), func(i, j int) { b.Coupons[i], b.Coupons[j] = b.Coupons[j], b.Coupons[i] })
		p := rules.Promotions
		random.Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
		if _, again, err := price(rules, b); err != nil {
			d.add("in another order: %v", err)
		} else if !bytes.Equal(first, again) {
			d.add("in another order: got %s, want %s", again, first)
			return d
		}
	}
	return d
}

// price compiles and quotes, and gives the quote's bytes too.
func price(rules pricing.Rules, b *pricing.Basket) (*pricing.Quote, []byte, error) {
	p, err := pricing.Compile(rules)
	if err != nil {
		return nil, nil, err
	}
	q, err := p.Quote(b)
	if err != nil {
		return nil, nil, fmt.Errorf("quote: %w", err)
	}
	text, err := json.Marshal(q)
	return q, text, err
}

// returns makes a vector's returns one after the other.
func (v *vector) returns(q *pricing.Quote) (d differences) {
	var before []pricing.Return
	for i, lines := range v.Returns {
		var now []pricing.Return
		for _, l := range lines {
			now = append(now, pricing.Return{LineID: l.LineID, Quantity: l.Quantity})
		}
		got, err := q.Return(before, now)
		before = append(before, now...)
		if err != nil {
			d.add("return %d: %v", i+1, err)
			continue
		}
		if i >= len(v.Back) {
			d.add("return %d: nothing is expected", i+1)
			continue
		}
		backs := []back{}
		for _, l := range got.Lines {
			backs = append(backs, back{l.LineID, l.Gross, byPromotion(l.Discounts), l.Net, l.PointsTakenBack, l.PointsGivenBack, l.MoneyBack})
		}
		for j := range v.Back[i] {
			v.Back[i][j].Discounts = byPromotion(v.Back[i][j].Discounts)
		}
		slices.SortFunc(v.Back[i], func(a, b back) int { return strings.Compare(a.LineID, b.LineID) })
		d.same(fmt.Sprintf("return %d", i+1), backs, v.Back[i])
	}
	return d
}
