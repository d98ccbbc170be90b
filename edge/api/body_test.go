package api

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"tillstream/edge/cache"
	"tillstream/edge/pricing"
	"tillstream/edge/programme"
	"tillstream/kv/record"
	"tillstream/kv/seal"
)

// bad is a receipt that is refused.
type bad struct {
	name    string
	status  int
	problem string
	field   string
	body    []byte
}

// badReceipts are receipts with one thing wrong each.
func badReceipts(t *testing.T) []bad {
	t.Helper()
	out := []bad{
		{"empty", 400, "malformed-json", "", nil},
		{"not JSON", 400, "malformed-json", "", []byte("<receipt/>")},
		{"cut short", 400, "malformed-json", "", receipt(t, nil)[:100]},
		{"not UTF-8", 400, "malformed-json", "", []byte("{\"rid\":\"\xff\xfe\"}")},
		{"half a surrogate", 400, "malformed-json", "", []byte(`{"rid":"\ud800"}`)},
		{"more behind it", 400, "malformed-json", "", append(receipt(t, nil), "{}"...)},
		{"not an object", 400, "invalid-field", "", []byte("[]")},
		{"null", 400, "invalid-field", "/rid", []byte("null")},
		{"same field twice", 400, "duplicate-key", "/rid", []byte(`{"rid":"a","rid":"a"}`)},
		{"same field twice in a line", 400, "duplicate-key", "/lines/0/item", []byte(`{"lines":[{"item":"a","item":"b"}]}`)},
		{"deep", 400, "invalid-field", "", []byte(strings.Repeat("[", 100000))},
		{"deep inside", 400, "invalid-field", "/lines/0", []byte(`{"lines":` + strings.Repeat("[", 100000))},
		{"2,001 lines", 413, "basket-too-large", "/lines", receipt(t, func(o obj) { o["lines"] = make([]obj, record.MaxLines+1) })},
		{"other store", 403, "wrong-store-or-brand", "/store", receipt(t, func(o obj) { o["store"] = "0018" })},
		{"other till", 403, "wrong-store-or-brand", "/till", receipt(t, func(o obj) { o["till"] = "4" })},
		{"payment card", 422, "payment-card-refused", "/tenders/0/reference", receipt(t, func(o obj) {
			o["tenders"].([]any)[0].(obj)["reference"] = visa
		})},
	}
	wrong := func(name, field string, edit func(obj)) {
		out = append(out, bad{name, 400, "invalid-field", field, receipt(t, edit)})
	}
	set := func(field string, v any) {
		wrong(fmt.Sprintf("%s is %.20v", field, v), "/"+field, func(o obj) { o[field] = v })
	}
	without := func(field, at string) { wrong("without "+field, at, func(o obj) { delete(o, field) }) }
	for _, f := range []string{"rid", "at", "business_date", "currency", "lines"} {
		without(f, "/"+f)
	}
	set("rid", "17")
	set("rid", "0199c1b2-7c40-4d7e-9a52-3f6f0b1c2d3e")
	set("rid", 17)
	set("coupon", "AU7K2M")
	set("taining", true)
	set("receipt_number", strings.Repeat("ä", 65))
	set("receipt_number", "a\x00b")
	for _, token := range []string{"0017.x", "*", "A", "ä", strings.Repeat("a", 65), " "} {
		set("store", token)
		set("till", token)
		set("operator", token)
	}
	for _, at := range []string{"2026-11-20", "2026-11-20T12:00:00", "2026-13-20T12:00:00Z", "1969-12-31T23:59:59Z", "yesterday"} {
		set("at", at)
	}
	for _, day := range []string{"20261120", "2026-02-30", "2026-11-20T12:00:00Z", "1969-12-31"} {
		set("business_date", day)
	}
	set("currency", "EUX")
	set("currency", "eur")
	set("lines", []any{})
	set("lines", obj{})
	set("tenders", make([]obj, 101))
	wrong("shopper without identifier", "/shopper/identifier", func(o obj) { o["shopper"] = obj{} })
	wrong("shopper by face", "/shopper/identifier/kind", func(o obj) { o["shopper"] = obj{"identifier": obj{"kind": "face", "value": "1"}} })
	wrong("shopper by id", "/shopper/id", func(o obj) { o["shopper"] = obj{"id": "s_7f3k"} })
	inLine := func(field string, v any) {
		wrong(fmt.Sprintf("line's %s is %.20v", field, v), "/lines/1/"+field, func(o obj) { line(o, 1)[field] = v })
	}
	inLine("line_id", "")
	inLine("line_id", "1")
	inLine("line_id", strings.Repeat("1", 37))
	inLine("item", "")
	inLine("item", "a\nb")
	inLine("description", strings.Repeat("ä", 201))
	inLine("quantity", 1)
	inLine("quantity", "1.2345")
	inLine("quantity", "1000000001")
	inLine("unit", "box")
	inLine("unit_price", 1.5)
	inLine("unit_price", "129")
	inLine("unit_price", int64(pricing.MaxMoney+1))
	inLine("amount", json.Number("9223372036854775808"))
	inLine("amount", json.Number("1e3"))
	inLine("price", 1)
	wrong("half a piece", "/lines/0/quantity", func(o obj) { line(o, 0)["quantity"] = "0.5" })
	wrong("line without a price", "/lines/0/unit_price", func(o obj) { delete(line(o, 0), "unit_price") })
	wrong("product overflows", "/lines/0/unit_price", func(o obj) {
		line(o, 0)["unit_price"], line(o, 0)["quantity"] = int64(pricing.MaxMoney), "1000000000"
	})
	wrong("sum overflows", "/lines", func(o obj) {
		line(o, 0)["amount"], line(o, 1)["amount"] = int64(pricing.MaxMoney), 1
	})
	wrong("tender of nothing", "/tenders/0/kind", func(o obj) { o["tenders"] = []obj{{}} })
	wrong("tender without amount", "/tenders/0/amount", func(o obj) { o["tenders"] = []obj{{"kind": "cash"}} })
	wrong("long reference", "/tenders/0/reference", func(o obj) {
		o["tenders"] = []obj{{"kind": "cash", "amount": 1, "reference": strings.Repeat("x", 65)}}
	})
	return out
}

// bare is a till that reads, and has nothing to keep it in.
func bare(t testing.TB) *API {
	t.Helper()
	dir := t.TempDir()
	ring, err := seal.OpenRing(filepath.Join(dir, "ring"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(cache.Config{Path: filepath.Join(dir, "cache.db"), Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close cache: %v", err)
		}
	})
	rules, err := programme.Open(programme.Config{Cache: c, Store: store("0017")})
	if err != nil {
		t.Fatal(err)
	}
	return &API{cfg: Config{Rules: rules}, read: reader{store: store("0017"), till: till("3"), cards: cards(t)}}
}

// FuzzReceipt holds what the reader takes against what it promises: the header can be journaled and
// posted, encoding/json reads the same body, and nothing that is refused is repeated.
func FuzzReceipt(f *testing.F) {
	t := &testing.T{}
	f.Add(receipt(t, nil))
	for _, b := range badReceipts(t) {
		if len(b.body) < 4096 {
			f.Add(b.body)
		}
	}
	r := bare(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := r.readSale(t.Context(), &question{body: b})
		draft := s.draft
		if err != nil {
			p := problemOf(err)
			if p.Status >= 500 || p.Status < 400 {
				t.Fatalf("%q: %+v from %v", b, p, err)
			}
			return
		}
		h := draft.Header
		if h.Points < 0 || h.Points > record.MaxPoints || h.Day < 19700101 || h.Day > 99991231 || h.At < 0 ||
			h.Account.IsZero() && h.Points != 0 || string(draft.Data) != string(b) {
			t.Fatalf("%q: header %+v", b, h)
		}
		var std Basket
		if err := json.Unmarshal(b, &std); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		again, err := addUp(record.KindSale, std.Currency, std.Lines)
		if err != nil || again.Total != *s.told.Total || !h.Account.IsZero() && again.Points != h.Points {
			t.Fatalf("%q: %+v and %+v (%v)", b, s.told, again, err)
		}
	})
}

func BenchmarkReadReceipt20Lines(b *testing.B) {
	body := receipt(&testing.T{}, func(o obj) {
		lines := make([]any, 20)
		for i := range lines {
			lines[i] = obj{"line_id": fmt.Sprint(i), "item": "85123A", "description": "WHITE HANGING HEART T-LIGHT HOLDER",
				"quantity": "6", "unit": "pc", "unit_price": 255}
		}
		o["lines"] = lines
	})
	r := bare(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.readSale(b.Context(), &question{body: body}); err != nil {
			b.Fatal(err)
		}
	}
}
