package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
	"tillstream/subjects"
)

// badInput is a request that is refused, at one door or at both.
type badInput struct {
	name          string
	path, subject string
	body          []byte
	status        int
	problem       string
	field         string
}

func refusedQuote(t *testing.T, name, field string, edit func(obj)) badInput {
	return badInput{name, "/v1/quotes", subjects.POSQuote, basket(t, edit), 400, "invalid-field", field}
}

func refusedSale(t *testing.T, name, field string, edit func(obj)) badInput {
	return badInput{name, "/v1/receipts", subjects.POSReceipt, receipt(t, edit), 400, "invalid-field", field}
}

// badInputs is the list of bad input that every till has to survive: each says what is wrong and where.
func badInputs(t *testing.T, s *shop) (all []badInput) {
	quantity := func(q string) func(obj) { return func(o obj) { line(o, 0)["quantity"] = q } }
	price := func(p any) func(obj) { return func(o obj) { line(o, 0)["unit_price"] = p } }
	for _, at := range []func(*testing.T, string, string, func(obj)) badInput{refusedQuote, refusedSale} {
		all = append(all,
			at(t, "an empty basket", "/lines", func(o obj) { o["lines"] = []any{} }),
			at(t, "a quantity that overflows", "/lines/0/quantity", quantity("99999999999999999999")),
			at(t, "a price that overflows", "/lines/0/unit_price", price(json.Number("9223372036854775808"))),
			at(t, "a price times a quantity that overflows", "/lines/0/unit_price", func(o obj) {
				line(o, 0)["unit_price"], line(o, 0)["quantity"] = int64(1_000_000_000_000), "1000000000"
			}),
			at(t, "a sum that overflows", "/lines", func(o obj) {
				for i := range 2 {
					line(o, i)["amount"] = int64(1_000_000_000_000)
				}
			}),
			at(t, "a weight with 4 decimals", "/lines/1/quantity", func(o obj) { line(o, 1)["quantity"] = "0.4125" }),
			at(t, "the same line id twice", "/lines/1/line_id", func(o obj) { line(o, 1)["line_id"] = "1" }),
			at(t, "an item with a control character", "/lines/0/item", func(o obj) { line(o, 0)["item"] = "a\u0007" }),
			at(t, "a receipt number with a line end", "/receipt_number", func(o obj) { o["receipt_number"] = "1\n2" }),
		)
		lines := at(t, "2,001 lines", "/lines", func(o obj) { o["lines"] = make([]obj, record.MaxLines+1) })
		lines.status, lines.problem = 413, "basket-too-large"
		digit := at(t, "a card with a wrong check digit", "/shopper/identifier/value", func(o obj) {
			o["shopper"] = obj{"identifier": obj{"kind": "card", "value": "7777000000000000"}}
		})
		digit.status, digit.problem = 422, "card-bad-check-digit"
		phone := at(t, "a phone that is none", "/shopper/identifier/value", func(o obj) {
			o["shopper"] = obj{"identifier": obj{"kind": "phone", "value": "0664"}}
		})
		phone.status, phone.problem = 422, "phone-invalid"
		twice, deep := at(t, "a key twice", "/currency", nil), at(t, "depth 1,000", "/lines/0", nil)
		twice.problem = "duplicate-key"
		twice.body = []byte(strings.Replace(string(twice.body), `"currency":"EUR"`, `"currency":"EUR","currency":"GBP"`, 1))
		deep.body = []byte(`{"lines":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`)
		all = append(all, lines, digit, phone, twice, deep)
	}
	// What only a sale that has happened may have.
	for _, q := range []string{"0", "-1"} {
		all = append(all, refusedQuote(t, "a quantity of "+q, "/lines/0/quantity", quantity(q)))
	}
	all = append(all, refusedQuote(t, "a price below zero", "/lines/0/unit_price", price(-1)))
	return append(all, spoiltSales(t, s)...)
}

// spoiltSales are of a basket that was quoted well.
func spoiltSales(t *testing.T, s *shop) []badInput {
	body := basket(t, nil)
	q := s.quote(body)
	of := func(name string, status int, problem, field string, edit func(obj)) badInput {
		return badInput{name, "/v1/receipts", subjects.POSReceipt, paid(t, body, q, edit), status, problem, field}
	}
	sold := receipt(t, nil)
	if r := s.sell(sold); r.status != http.StatusCreated {
		t.Fatalf("sell: %d %s", r.status, r.body)
	}
	other := strings.Replace(string(sold), "cash", "card", 1)
	rid := record.NewRID(time.Now()).String()
	for i := range maxGuesses { // each of them is answered, and told so
		guess := basket(t, func(o obj) { o["rid"], o["coupons"] = rid, []any{obj{"code": fmt.Sprint("GUESS", i)}} })
		if r := s.do("POST", "/v1/quotes", nil, guess); r.status != http.StatusOK || into[Quote](t, r).Coupons[0].State != couponUnknown {
			t.Fatalf("guess %d: %d %s", i, r.status, r.body)
		}
	}
	sixth := refusedQuote(t, "a sixth coupon in one basket", "/coupons", func(o obj) { o["rid"], o["coupons"] = rid, []any{obj{"code": "AUTUMN1"}} })
	sixth.status, sixth.problem = 429, "too-many-attempts"
	return []badInput{
		of("a quote whose revision is gone", 409, "quote-too-old", "", func(o obj) { o["quote"].(obj)["revision"] = 6 }),
		of("a quote of other lines", 409, "quote-changed", "", func(o obj) { line(o, 0)["quantity"] = "3" }),
		{"an idempotency key with another body", "/v1/receipts", subjects.POSReceipt, []byte(other), 422, "key-reused", ""},
		sixth,
	}
}

// Bad input is refused by a problem that names the field, at both doors alike; nothing of it is kept, nothing
// that was kept is lost, and the node stays up.
func TestBadInputIsRefused(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	s := open(t, func(c *Config) { c.Conn = nc })
	serving(t, nc)
	all := badInputs(t, s)
	before, _ := s.journal.Unconfirmed()
	for _, bad := range all {
		key := ""
		if bad.path == "/v1/receipts" {
			if key = ridIn(bad.body); key == "" {
				key = record.NewRID(time.Now()).String()
			}
		}
		over := s.do("POST", bad.path, map[string]string{HeaderKey: key}, bad.body)
		for door, r := range map[string]reply{"HTTP": over, "NATS": ask(t, nc, bad.subject, key, bad.body)} {
			t.Run(bad.path[4:]+" "+bad.name+" over "+door, func(t *testing.T) {
				p := wantProblem(t, r, bad.problem, bad.status)
				if p.Field != bad.field {
					t.Errorf("field %q, want %q: %s", p.Field, bad.field, p.Detail)
				}
				if bad.status == http.StatusConflict && (p.Quote == nil || p.Quote.Totals.Gross == 0) {
					t.Error("it has no new quote")
				}
			})
		}
		h := into[Health](t, s.do("GET", "/v1/health", nil, nil))
		if h.Unconfirmed.Records != before {
			t.Fatalf("after %s: health tells of %d records, want %d", bad.name, h.Unconfirmed.Records, before)
		}
	}
	if r := s.sell(receipt(t, nil)); r.status != http.StatusCreated {
		t.Errorf("the next sale: %d %s", r.status, r.body)
	}
}
