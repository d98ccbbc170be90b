package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"tillstream/edge/pricing"
	"tillstream/kv/promotion"
)

// bigProgramme has n promotions on sets of a few items each.
func bigProgramme(b *testing.B, n int) *pricing.Programme {
	b.Helper()
	var docs, sets bytes.Buffer
	for i := range n {
		fmt.Fprintf(&sets, "- {id: set-%d, revision: 1, include: {items: [\"item-%d\", \"item-%d\"]}}\n", i, i, i+1)
		fmt.Fprintf(&docs, "- {schema: promotion/v1, id: p-%d, revision: 1, name: \"P\", text: {en: \"P\"},\n   mechanic: {type: percentage, level: item, set: set-%d, percent: \"10\"}}\n", i, i)
	}
	d, err := promotion.ReadYAML(docs.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	s, err := promotion.ReadSetsYAML(sets.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	p, err := pricing.Compile(pricing.Rules{Revision: 1, Promotions: d, Sets: s, Policy: pricing.Policy{
		Points: pricing.PointsPolicy{Earn: pricing.Rate{Points: 1, Amount: 100}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// A quote of 50 lines under 1,000 promotions through the HTTP door, without the network; and its parts.
func BenchmarkQuote50Lines(b *testing.B) {
	rules := new(Rules)
	rules.Set(1, bigProgramme(b, 1000), time.Now())
	a := start(b, b.TempDir(), func(c *Config) {
		c.Facts, c.Log = Facts{Rules: rules, Item: item}, slog.New(slog.DiscardHandler)
	}).api
	body := basket(b, func(o obj) {
		lines := make([]any, 50)
		for i := range lines {
			lines[i] = obj{"line_id": fmt.Sprint(i), "item": fmt.Sprint("item-", i*7), "quantity": "2", "unit": "pc", "unit_price": 255}
		}
		o["lines"] = lines
	})
	h := a.routes()
	b.Run("door", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			r, err := http.NewRequestWithContext(b.Context(), "POST", "/v1/quotes", bytes.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", bearer)
			w := &recorder{header: http.Header{}}
			if h.ServeHTTP(w, r); w.status != http.StatusOK {
				b.Fatalf("%d %s", w.status, w.body)
			}
		}
	})
	o := &offer{}
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if o.basket, o.account, _, err = a.readBasketFor(question{body: body}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("price", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := a.gather(o, false); err != nil {
				b.Fatal(err)
			}
			if err := a.price(o, rules.newest()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("tell", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(a.tellQuote(o))
		}
	})
}
