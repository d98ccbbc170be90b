package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
)

// earning is the chain's setting of points for money.
func (s *shop) earning(entry uint64, currencies string) {
	s.t.Helper()
	s.fall(entry, documents(s.t, record.RefSetting, "[{id: programme, revision: 2, currencies: {"+currencies+"}}]")...)
}

const twoPerUnit = "EUR: {earn: {points: 2, amount: 100}, value: {points: 1, amount: 1}}"

// smokes is a sale without a quote: pasta of 5.16 and cigarettes of 20.00, which are excluded from loyalty.
func smokes(t *testing.T, edit func(obj)) []byte {
	return receipt(t, func(o obj) {
		line(o, 0)["item"], line(o, 0)["description"] = pasta, "Pasta"
		o["lines"] = []any{line(o, 0), obj{"line_id": "2", "item": "cigarette", "quantity": "2", "unit": "pc", "unit_price": 1000}}
		if edit != nil {
			edit(o)
		}
	})
}

// A sale without a quote gets no promotion, and the points that the chain has set.
func TestWithoutAQuoteTheChainsPointsAreEarned(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		currencies string
		sale       func(t *testing.T) []byte
		points     int64
	}{
		"two for each unit":         {twoPerUnit, func(t *testing.T) []byte { return receipt(t, nil) }, 20},
		"none in this currency":     {"USD: {earn: {points: 2, amount: 100}}", func(t *testing.T) []byte { return receipt(t, nil) }, 0},
		"one for each unit":         {"", func(t *testing.T) []byte { return receipt(t, nil) }, 10},
		"excluded from loyalty":     {twoPerUnit, func(t *testing.T) []byte { return smokes(t, nil) }, 10},
		"nothing but what is":       {twoPerUnit, func(t *testing.T) []byte { return smokes(t, func(o obj) { o["lines"] = o["lines"].([]any)[1:] }) }, 0},
		"for nobody in particular":  {twoPerUnit, func(t *testing.T) []byte { return smokes(t, func(o obj) { delete(o, "shopper") }) }, 0},
		"with a line that goes off": {twoPerUnit, func(t *testing.T) []byte { return smokes(t, func(o obj) { line(o, 0)["quantity"] = "-1" }) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			s.earning(8, c.currencies)
			r := s.sell(c.sale(t))
			told := into[Committed](t, r)
			kept, err := s.journal.Find(told.RID)
			if r.status != http.StatusCreated || err != nil || *told.Points.Earned != c.points || kept.Points != c.points || kept.Rules != 8 || told.Flagged {
				t.Errorf("%d %s: kept with %d points under revision %d, %v; want %d under 8", r.status, r.body, kept.Points, kept.Rules, err, c.points)
			}
		})
	}
}

// Sent again it is the same sale, also when what its items earn is another thing meanwhile.
func TestWithoutAQuoteSentAgainUnderAnotherRevision(t *testing.T) {
	t.Parallel()
	earns := func(noPoints bool) record.Reference {
		p := record.Product{Name: "Cigarettes", NoPoints: noPoints}
		return record.Reference{Kind: record.RefItem, Key: "cigarette", Value: p.Append(nil)}
	}
	for name, first := range map[string]bool{"it earns now": true, "it earns no more": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			s.fall(8, earns(first))
			sold := smokes(t, nil)
			a := s.sell(sold)
			s.fall(9, earns(!first))
			b := s.sell(sold)
			x, y := into[Committed](t, a), into[Committed](t, b)
			if a.status != http.StatusCreated || b.status != http.StatusOK || b.header.Get(HeaderReplayed) != "true" ||
				*x.Points.Earned != *y.Points.Earned || *x.Total != *y.Total || (x.Totals == nil) != (y.Totals == nil) {
				t.Errorf("first %d %s, again %d %s", a.status, a.body, b.status, b.body)
			}
			other := []byte(strings.Replace(string(sold), "cash", "card", 1))
			wantProblem(t, s.sell(other), "key-reused", http.StatusUnprocessableEntity)
			if records, _ := s.journal.Unconfirmed(); records != 2 {
				t.Errorf("%d records, want a start and the sale", records)
			}
		})
	}
}

// What comes back takes what its line was given, although its items earn something else by then: of what was
// excluded from loyalty, nothing.
func TestReturnOfASaleWithoutAQuoteTakesWhatItGave(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	s.earning(8, twoPerUnit)
	sold := smokes(t, nil)
	s.sell(sold)
	p := record.Product{Name: "Cigarettes"}
	s.fall(9, record.Reference{Kind: record.RefItem, Key: "cigarette", Value: p.Append(nil)})
	s.earning(10, "EUR: {earn: {points: 5, amount: 100}}")
	for line, want := range map[string]struct{ money, points int64 }{"1": {516, 10}, "2": {2000, 0}} {
		r := s.write("/v1/returns", back(t, ridIn(sold), map[string]string{line: map[string]string{"1": "4", "2": "2"}[line]}))
		c := into[Committed](t, r)
		if r.status != http.StatusCreated || *c.Total != want.money || *c.Points.TakenBack != want.points {
			t.Errorf("line %s: %d %s, want %+v", line, r.status, r.body, want)
		}
	}
}

// A return without its sale takes back what its lines would earn now.
func TestReturnWithoutItsSaleTakesTheChainsPoints(t *testing.T) {
	t.Parallel()
	for name, unknown := range map[string]bool{"blind": false, "unverified": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, nil)
			s.earning(8, twoPerUnit)
			body := smokes(t, func(o obj) {
				if unknown {
					o["of"] = obj{"rid": record.NewRID(time.Now()).String()}
					delete(o, "shopper")
				}
			})
			r := s.write("/v1/returns", body)
			c := into[Committed](t, r)
			kept, err := s.journal.Find(c.RID)
			if r.status != http.StatusCreated || err != nil || c.Link != name || *c.Points.TakenBack != 10 || kept.Points != 10 || kept.Rules != 8 {
				t.Errorf("%d %s: kept %d points under revision %d, %v; want 10 under 8", r.status, r.body, kept.Points, kept.Rules, err)
			}
		})
	}
}

// The largest sale is kept although what its lines were given does not fit beside it.
func TestLargestSaleWithoutAQuote(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	lines := make([]any, record.MaxLines)
	for i := range lines {
		lines[i] = obj{"line_id": fmt.Sprintf("line%032d", i), "item": pasta, "quantity": "1", "unit_price": 129}
	}
	lines[0].(obj)["item"] = "cigarette"
	grow := func(n int) []byte {
		return receipt(t, func(o obj) {
			for _, l := range lines {
				l.(obj)["description"] = strings.Repeat("y", n)
			}
			o["lines"] = lines
		})
	}
	n := 0
	for len(grow(n+1)) <= record.MaxBody {
		n++
	}
	body := grow(n)
	r := s.sell(body)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || *c.Points.Earned != 2578 { // 1,999 at 1.29
		t.Fatalf("%d bytes: %d %.300s", len(body), r.status, r.body)
	}
	if again := s.sell(body); again.status != http.StatusOK || into[Committed](t, again).RID != c.RID {
		t.Errorf("again: %d %.300s", again.status, again.body)
	}
}

// What the cashier gives off is not paid: it earns nothing, and does not come back.
func TestWithoutAQuoteTheTillsDiscountCounts(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	sold := receipt(t, func(o obj) {
		line(o, 0)["manual_discount"], line(o, 1)["manual_discount"] = obj{"amount": 116, "reason": "dented"}, obj{"amount": 9999}
	})
	r := s.sell(sold)
	c := into[Committed](t, r)
	if r.status != http.StatusCreated || *c.Total != 400 || *c.Points.Earned != 4 {
		t.Fatalf("%d %s: want 5.16 less 1.16, and nothing of the rest", r.status, r.body)
	}
	if again := s.sell(sold); again.status != http.StatusOK || *into[Committed](t, again).Total != 400 {
		t.Errorf("again: %d %s", again.status, again.body)
	}
	var money, points int64
	for _, parts := range []map[string]string{{"1": "1"}, {"1": "3", "2": "0.412"}} {
		back := into[Committed](t, s.write("/v1/returns", back(t, ridIn(sold), parts)))
		money, points = money+*back.Total, points+*back.Points.TakenBack
	}
	if money != 400 || points != 4 {
		t.Errorf("%d came back, and %d points were taken, want 400 and 4", money, points)
	}
}
