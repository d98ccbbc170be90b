package api

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"tillstream/kv/record"
)

// bigShop has n promotions on sets of a few items each.
func bigShop(b *testing.B, n int) []record.Reference {
	b.Helper()
	var docs, sets bytes.Buffer
	for i := range n {
		fmt.Fprintf(&sets, "- {id: set-%d, revision: 1, include: {items: [\"item-%d\", \"item-%d\"]}}\n", i, i, i+1)
		fmt.Fprintf(&docs, "- {schema: promotion/v1, id: p-%d, revision: 1, name: \"P\", text: {en: \"P\"},\n   mechanic: {type: percentage, level: item, set: set-%d, percent: \"10\"}}\n", i, i)
	}
	return append(documents(b, record.RefPromotion, docs.String()), documents(b, record.RefSet, sets.String())...)
}

// A quote of 50 lines under 1,000 promotions through the HTTP door, without the network; and its parts.
func BenchmarkQuote50Lines(b *testing.B) {
	n := start(b, b.TempDir(), func(c *Config) { c.Log = slog.New(slog.DiscardHandler) })
	n.fall(7, append(goods(b), bigShop(b, 1000)...)...)
	a := n.api
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
	var o *offer
	b.Run("read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var err error
			if o, _, err = a.readToQuote(question{body: body}, new(desk)); err != nil {
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
			if err := a.price(o, n.rules.Now()); err != nil {
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
