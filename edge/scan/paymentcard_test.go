package scan_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"tillstream/edge/scan"
	"tillstream/kv/record"
)

// Numbers that the card schemes and payment firms publish for tests, and one of a chain's.
const (
	ourCard  = "2790001234567"
	visa     = "4111111111111111"
	masterc  = "5555555555554444"
	amex     = "378282246310005"
	maestro  = "6759649826438453"
	unionpay = "6200000000000005"
	mir      = "2200000000000004"
)

func TestHoldsPaymentCard(t *testing.T) {
	for _, number := range []string{visa, masterc, amex, maestro, unionpay, mir, "4000000000000000006", "6011111111111117",
		"3530111333300000", "36227206271667", "2223003122003222"} {
		want := len(number) >= 15
		for _, text := range []string{
			number, "no " + number + " please", number[:4] + " " + number[4:8] + "-" + number[8:],
			number + "=2512101", number + " 12/28", "12 " + number, "é" + number, ";" + number,
		} {
			if got := scan.HoldsPaymentCard(text, false, nil); got != want {
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
		if scan.HoldsPaymentCard(text, false, nil) {
			t.Errorf("%s: %q is taken for a payment card", name, text)
		}
	}
}

func TestOurPrefixesWin(t *testing.T) {
	ours := "6759649826438453"
	if !scan.HoldsPaymentCard(ours, false, nil) || scan.HoldsPaymentCard(ours, false, []string{"2790", "675964"}) {
		t.Error("a card with one of the chain's prefixes is a payment card, or another is not")
	}
	if !scan.HoldsPaymentCard(ours+" "+visa, false, []string{"675964"}) {
		t.Error("one of ours hides a payment card behind it")
	}
}

// Rids, and payment references that are UUIDs, are drawn at random: some have digits like a card's.
func TestUUIDIsNoPaymentCard(t *testing.T) {
	likeCard := 0
	for i := range 200000 {
		rid := record.RIDFrom(time.UnixMilli(1e12+int64(i)), record.Hash(sha256.Sum256([]byte{byte(i), byte(i >> 8), byte(i >> 16)}))).String()
		if scan.HoldsPaymentCard(rid, false, nil) || scan.HoldsPaymentCard("ref "+strings.ToUpper(rid)+".", false, nil) {
			t.Fatalf("%s is taken for a payment card", rid)
		}
		if scan.HoldsPaymentCard("x-"+rid[1:], false, nil) { // no UUID any more
			likeCard++
		}
	}
	if likeCard == 0 {
		t.Error("none of the rids looks like a card: the test shows nothing")
	}
	for _, text := range []string{
		"41111111-1111-1111", "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e " + visa, visa + " 0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e",
	} {
		if !scan.HoldsPaymentCard(text, false, nil) {
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
			if record.HasCheckDigit(ean) && scan.HoldsPaymentCard(ean+"07", false, nil) {
				found = true
				if scan.HoldsPaymentCard(ean+"07", true, nil) {
					t.Fatalf("%s is refused as an item", ean+"07")
				}
			}
		}
	}
	if !found {
		t.Error("no code that would be refused without the rule")
	}
	if !scan.HoldsPaymentCard(visa, true, nil) {
		t.Error("a payment card is taken for an item")
	}
}
