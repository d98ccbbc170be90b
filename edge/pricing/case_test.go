package pricing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"tillstream/kv/promotion"
)

// quoteCase is a basket and what it must give, in a form that can be read.
type quoteCase struct {
	name   string
	promos string // YAML list; schema, revision, name and text are added to each
	lines  string // "a 2 350; b 0.412kg 1190": items, which are line ids too, quantities and unit prices
	with   func(*Basket)
	policy Policy
	want   string // see told
}

// sets that cases use: one for each item of a letter, and a few more.
func caseSets() (sets []promotion.Set) {
	for _, item := range strings.Split("abcdef", "") {
		sets = append(sets, promotion.Set{ID: item, Revision: 1, Include: &promotion.Filter{Items: []string{item}}})
	}
	for id, items := range map[string][]string{"ab": {"a", "b"}, "bc": {"b", "c"}, "abc": {"a", "b", "c"}, "cd": {"c", "d"}} {
		sets = append(sets, promotion.Set{ID: id, Revision: 1, Include: &promotion.Filter{Items: items}})
	}
	return append(sets, promotion.Set{ID: "dairy", Revision: 1, Include: &promotion.Filter{Categories: []string{"food/dairy"}}},
		promotion.Set{ID: "bio", Revision: 1, Include: &promotion.Filter{Tags: []string{"bio"}}})
}

func (c *quoteCase) rules(t *testing.T) Rules {
	t.Helper()
	text := ""
	for line := range strings.Lines(c.promos) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), "- {"); ok {
			line = "- {schema: promotion/v1, revision: 1, name: 'case', text: {en: t}, " + rest
			if !strings.HasSuffix(line, "\n") {
				line += "\n"
			}
		}
		text += line
	}
	rules := Rules{Revision: 1, Sets: caseSets(), Policy: c.policy}
	if text != "" {
		var err error
		if rules.Promotions, err = promotion.ReadYAML([]byte(text)); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	return rules
}

func (c *quoteCase) basket() *Basket {
	b := &Basket{
		Store: "0001", StoreSets: []string{"city"}, Channel: "till", Currency: "EUR", ExplainAll: true,
		At: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC), // a Friday
	}
	for text := range strings.SplitSeq(c.lines, ";") {
		f := strings.Fields(text)
		price, _ := strconv.ParseInt(f[2], 10, 64)
		l := Line{LineID: f[0], Item: f[0][:1], Quantity: f[1], UnitPrice: price}
		if kilos, ok := strings.CutSuffix(f[1], "kg"); ok {
			l.Quantity, l.Unit = kilos, "kg"
		}
		b.Lines = append(b.Lines, l)
	}
	if c.with != nil {
		c.with(b)
	}
	return b
}

func (c *quoteCase) check(t *testing.T) *Quote {
	t.Helper()
	q, _ := quoteOf(t, c.rules(t), c.basket())
	if got := told(q); got != strings.Join(strings.Fields(c.want), " ") {
		t.Errorf("got  %s\nwant %s", got, strings.Join(strings.Fields(c.want), " "))
	}
	return q
}

func checkAll(t *testing.T, cases []quoteCase) {
	for i := range cases {
		t.Run(cases[i].name, func(t *testing.T) { cases[i].check(t) })
	}
}

// told writes a quote in one line: what was applied, by order; points; why not, by id; what is to pay.
func told(q *Quote) string {
	var out []string
	for _, p := range q.Promotions {
		s := fmt.Sprintf("%s=%d", p.Promotion, p.Amount)
		if p.Applications != 1 {
			s += fmt.Sprintf("x%d", p.Applications)
		}
		var shares []string
		for _, x := range p.Lines {
			shares = append(shares, fmt.Sprintf("%s:%d", x.LineID, x.Amount))
		}
		s += "(" + strings.Join(shares, ",") + ")"
		if p.Capped != nil {
			s += fmt.Sprintf(" capped:%s:%d", p.Capped.By, p.Capped.Wanted)
		}
		if p.Next != nil {
			s += fmt.Sprintf(" next:%d", p.Next.Missing)
		}
		out = append(out, s)
	}
	if q.Points.Spent > 0 || q.Points.SpendReason != "" {
		out = append(out, strings.TrimSuffix(fmt.Sprintf("spent=%d:%s", q.Points.Spent, q.Points.SpendReason), ":"))
	}
	for _, e := range q.Points.EarnedBy {
		out = append(out, fmt.Sprintf("%s+%d", e.Rule, e.Points))
	}
	whys := slices.Clone(q.WhyNot)
	slices.SortFunc(whys, func(a, b WhyNot) int { return strings.Compare(a.Promotion, b.Promotion) })
	for _, w := range whys {
		s := fmt.Sprintf("%s!%s", w.Promotion, w.Code)
		if w.Missing != nil {
			m, _ := w.Missing.MarshalJSON()
			s += ":" + strings.Trim(string(m), `"`)
		}
		if w.Set != "" {
			s += ":" + w.Set
		}
		if len(w.By) > 0 {
			s += ":" + strings.Join(w.By, ",")
		}
		out = append(out, s)
	}
	return strings.Join(append(out, fmt.Sprintf("pay=%d", q.Totals.ToPay)), " ")
}
