package api

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"tillstream/kv/record"
)

func TestHoldsPaymentCard(t *testing.T) {
	for _, number := range []string{visa, masterc, amex, maestro, unionpay, mir, "4000000000000000006", "6011111111111117",
		"3530111333300000", "36227206271667", "2223003122003222"} {
		want := len(number) >= 15
		for _, text := range []string{
			number, "no " + number + " please", number[:4] + " " + number[4:8] + "-" + number[8:],
			number + "=2512101", number + " 12/28", "12 " + number, "é" + number, ";" + number,
		} {
			if got := holdsPaymentCard(text, false, nil); got != want {
				t.Errorf("%q: %t, want %t", text, got, want)
			}
		}
	}
	for name, text := range map[string]string{
		"wrong check digit":     "4111111111111112",
		"our card":              ourCard,
		"EAN":                   "4006381333931",
		"GTIN-14":               "14006381333938",
		"no issuer":             "9999999999999995",
		"20 digits":             visa + "1111",
		"two blanks":            "4111  1111  1111  1111",
		"uuid":                  "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e",
		"time":                  "2026-11-20T12:00:00.123456789+01:00",
		"other script's digits": "٤١١١١١١١١١١١١١١١",
		"empty":                 "",
	} {
		if holdsPaymentCard(text, false, nil) {
			t.Errorf("%s: %q is taken for a payment card", name, text)
		}
	}
}

func TestOurPrefixesWin(t *testing.T) {
	ours := "6759649826438453"
	if !holdsPaymentCard(ours, false, nil) || holdsPaymentCard(ours, false, []string{"2790", "675964"}) {
		t.Error("a card with one of the chain's prefixes is a payment card, or another is not")
	}
	if !holdsPaymentCard(ours+" "+visa, false, []string{"675964"}) {
		t.Error("one of ours hides a payment card behind it")
	}
}

// Rids, and payment references that are UUIDs, are drawn at random: some have digits like a card's.
func TestUUIDIsNoPaymentCard(t *testing.T) {
	likeCard := 0
	for i := range 200000 {
		rid := record.RIDFrom(time.UnixMilli(1e12+int64(i)), record.Hash(sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))).String()
		if holdsPaymentCard(rid, false, nil) || holdsPaymentCard("ref "+strings.ToUpper(rid)+".", false, nil) {
			t.Fatalf("%s is taken for a payment card", rid)
		}
		if holdsPaymentCard("x-"+rid[1:], false, nil) { // no UUID any more
			likeCard++
		}
	}
	if likeCard == 0 {
		t.Error("none of the rids looks like a card: the test shows nothing")
	}
	for _, text := range []string{
		"41111111-1111-1111", "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e " + visa, visa + " 0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e",
	} {
		if !holdsPaymentCard(text, false, nil) {
			t.Errorf("%s is not refused", text)
		}
	}
}

// A magazine's or book's EAN with its add-on is as long as a card's number.
func TestItemWithAddOn(t *testing.T) {
	found := false
	for i := range 10000 {
		code := fmt.Sprintf("5000000%05d", i)
		for d := range 10 {
			ean := code + string(rune('0'+d))
			if isEAN(ean) && holdsPaymentCard(ean+"07", false, nil) {
				found = true
				if holdsPaymentCard(ean+"07", true, nil) {
					t.Fatalf("%s is refused as an item", ean+"07")
				}
			}
		}
	}
	if !found {
		t.Error("no code that would be refused without the rule")
	}
	if !holdsPaymentCard(visa, true, nil) {
		t.Error("a payment card is taken for an item")
	}
}

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
