package api

import (
	"strings"
	"testing"
)

// A payment card number in any text of a receipt is refused, and nothing said about it repeats it.
func TestPaymentCardRefusedEverywhere(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	n := start(t, t.TempDir(), func(c *Config) { c.Log = logInto(&log) })
	identifier := func(o obj) obj { return o["shopper"].(obj)["identifier"].(obj) }
	tender := func(o obj) obj { return o["tenders"].([]any)[0].(obj) }
	spaced := "4111 1111 1111 1111"
	bodies := map[string][]byte{
		"/rid":                      receipt(t, func(o obj) { o["rid"] = visa }),
		"/receipt_number":           receipt(t, func(o obj) { o["receipt_number"] = spaced }),
		"/store":                    receipt(t, func(o obj) { o["store"] = visa }),
		"/till":                     receipt(t, func(o obj) { o["till"] = visa }),
		"/operator":                 receipt(t, func(o obj) { o["operator"] = "op-" + visa }),
		"/at":                       receipt(t, func(o obj) { o["at"] = visa }),
		"/business_date":            receipt(t, func(o obj) { o["business_date"] = visa }),
		"/currency":                 receipt(t, func(o obj) { o["currency"] = visa }),
		"/shopper/identifier/kind":  receipt(t, func(o obj) { identifier(o)["kind"] = visa }),
		"/shopper/identifier/value": receipt(t, func(o obj) { identifier(o)["value"] = visa }),
		"/shopper/identifier/entry": receipt(t, func(o obj) { identifier(o)["entry"] = visa }),
		"/lines/1/line_id":          receipt(t, func(o obj) { line(o, 1)["line_id"] = visa }),
		"/lines/1/item":             receipt(t, func(o obj) { line(o, 1)["item"] = visa }),
		"/lines/1/description":      receipt(t, func(o obj) { line(o, 1)["description"] = "paid with " + spaced + " " }),
		"/lines/1/quantity":         receipt(t, func(o obj) { line(o, 1)["quantity"] = visa }),
		"/lines/1/unit":             receipt(t, func(o obj) { line(o, 1)["unit"] = visa }),
		"/tenders/0/kind":           receipt(t, func(o obj) { tender(o)["kind"] = visa }),
		"/tenders/0/reference":      receipt(t, func(o obj) { tender(o)["reference"] = "4111-1111-1111-1111" }),
	}
	for field, body := range bodies {
		for _, path := range []string{"/v1/receipts", "/v1/returns"} {
			r := n.do("POST", path, map[string]string{HeaderKey: visa}, body)
			p := wantProblem(t, r, "payment-card-refused", 422)
			if p.Field != field {
				t.Errorf("field %s, want %s", p.Field, field)
			}
			noCard(t, string(r.body))
		}
	}
	r := n.lookUp(visa, 0)
	if p := wantProblem(t, r, "payment-card-refused", 422); p.Field != "/identifier/value" {
		t.Errorf("field %s", p.Field)
	}
	noCard(t, string(r.body))
	// In places where there is no text field: a name, a number, a path, a header.
	for _, r := range []reply{
		n.sell(receipt(t, func(o obj) { o[visa] = 1 })),
		n.sell(receipt(t, func(o obj) { line(o, 0)["unit_price"] = 4111111111111111 })),
		n.sell([]byte(`{"rid":"` + visa + `","rid":"` + visa + `"}`)),
		n.sell([]byte(`{"` + visa + `":1,"` + visa + `":1}`)),
		n.sell([]byte(`{"lines":[{"` + visa + `":1,"` + visa + `":1}]}`)),
		n.sell([]byte(visa + "x")),
		n.do("GET", "/v1/receipts/"+visa, nil, nil),
		n.do("GET", "/"+visa, nil, nil),
		n.do("POST", "/v1/receipts", map[string]string{HeaderKey: visa}, receipt(t, nil)),
	} {
		if r.status < 400 || r.status >= 500 {
			t.Errorf("got %d %s", r.status, r.body)
		}
		noCard(t, string(r.body))
	}
	if err := n.stop(); err != nil {
		t.Fatal(err)
	}
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
	noCard(t, log.String())
}

func noCard(t *testing.T, text string) {
	t.Helper()
	for _, s := range []string{visa, "4111 1111", "4111-1111"} {
		if strings.Contains(text, s) {
			t.Errorf("%q repeats a card number", text)
		}
	}
}
