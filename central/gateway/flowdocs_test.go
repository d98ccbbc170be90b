package gateway_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"tillstream/central/gateway"
	"tillstream/kv/progress"
)

const stamps = `promo_code: STAMPS
revision: %d
name: %s
tags: [loyalty]
opt_in: %v
count: {kind: receipts}
reward_schemes: [{reward_scheme_id: coffee, activity_type: COUPON, target: 3, valid_days: 14}]
`

// Documents are checked before they are put, and no operator overwrites what another has put since.
func TestFlowDocuments(t *testing.T) {
	s := openSite(t)
	var done gateway.FlowChanged
	s.ok("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 1, "Three stamps", false), &done)
	if !done.Changed || done.Revision != 1 || done.Document != "progress promotion STAMPS" {
		t.Errorf("put: %+v", done)
	}
	s.ok("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 1, "Three stamps", false), &done)
	if done.Changed {
		t.Errorf("put again: %+v", done)
	}
	s.refused("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 1, "Other", false), http.StatusConflict, "conflict", "revision 1 and differs")
	s.refused("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 0, "Other", false), http.StatusBadRequest, "invalid-field", "revision")
	s.refused("PUT", "/v1/flow/promotions", "{", http.StatusBadRequest, "invalid-field")
	s.refused("PUT", "/v1/flow/promotions", strings.Repeat("#", 300<<10), http.StatusBadRequest, "invalid-field", "262144")
	var all gateway.ProgressPromotions
	s.ok("GET", "/v1/flow/promotions", "", &all)
	var one progress.Promotion
	s.ok("GET", "/v1/flow/promotions/STAMPS", "", &one)
	if len(all.Promotions) != 1 || all.Promotions[0].Name != "Three stamps" || one.Rewards[0].Target != 3 {
		t.Errorf("got %+v and %+v", all, one)
	}
	s.refused("GET", "/v1/flow/promotions/NONE", "", http.StatusNotFound, "not-found")
	s.refused("GET", "/v1/flow/promotions/a.b", "", http.StatusBadRequest, "invalid-field", "promo_code")

	var now progress.Settings
	s.ok("GET", "/v1/flow/settings", "", &now)
	if now.Revision != 0 || now.Zone != "UTC" {
		t.Errorf("by default: %+v", now)
	}
	s.ok("PUT", "/v1/flow/settings", "revision: 1\nzone: Europe/London\n", &done)
	s.ok("GET", "/v1/flow/settings", "", &now)
	if now.Zone != "Europe/London" || !now.MondayRule || !done.Changed {
		t.Errorf("got %+v, %+v", now, done)
	}
	s.ok("PUT", "/v1/flow/settings", `{"revision":1,"zone":"Europe/London"}`, &done)
	if done.Changed {
		t.Errorf("put again: %+v", done)
	}
	s.refused("PUT", "/v1/flow/settings", "revision: 1\nzone: UTC\n", http.StatusConflict, "conflict", "want a higher revision")
	s.refused("PUT", "/v1/flow/settings", "zone: Mars\n", http.StatusBadRequest, "invalid-field", "IANA")
}

func TestTemplates(t *testing.T) {
	s := openSite(t)
	var names gateway.Templates
	s.ok("GET", "/v1/flow/templates", "", &names)
	if len(names.Templates) != 0 {
		t.Errorf("at first: %+v", names)
	}
	var done gateway.FlowChanged
	const path, text = "/v1/flow/templates/loyalty/en-GB", `{"text": "Well done"}`
	s.ok("PUT", path, text, &done)
	s.ok("PUT", "/v1/flow/templates/loyalty/de", text, &done)
	var back map[string]string
	s.ok("GET", path, "", &back)
	if back["text"] != "Well done" || done.Document != "template loyalty in de" || !done.Changed {
		t.Errorf("got %+v, %+v", back, done)
	}
	s.ok("PUT", path, text, &done)
	if done.Changed {
		t.Errorf("put again: %+v", done)
	}
	s.ok("PUT", path, `{"text": "Well done!"}`, &done)
	s.ok("GET", "/v1/flow/templates", "", &names)
	if len(names.Templates) != 2 || names.Templates[0] != (gateway.TemplateName{Tag: "loyalty", Language: "de"}) {
		t.Errorf("got %+v", names)
	}
	s.refused("PUT", path, "text", http.StatusBadRequest, "invalid-field", "template loyalty in en-GB: ")
	s.refused("PUT", path, `{"text": ""}`, http.StatusBadRequest, "invalid-field", "text: is missing")
	s.refused("PUT", "/v1/flow/templates/a.b/en", text, http.StatusBadRequest, "invalid-field", "tag: want")
	s.refused("PUT", "/v1/flow/templates/a/*", text, http.StatusBadRequest, "invalid-field", "language: want")
	s.refused("GET", "/v1/flow/templates/loyalty/fr", "", http.StatusNotFound, "not-found", "template loyalty in fr")
}

// A shopper is named by card or account, takes part where that has to be asked for, and is told how far they are.
func TestOptInAndProgress(t *testing.T) {
	s := openSite(t)
	var put gateway.FlowChanged
	s.ok("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 1, "Three stamps", true), &put)
	account := s.cards.Account("4711").String()
	var done gateway.OptedIn
	for _, who := range []string{`"card":"4711"`, `"account":"` + account + `"`} {
		s.ok("POST", "/v1/flow/opt-in", "{"+who+`,"promo_code":"STAMPS"}`, &done)
	}
	if done.Account != account || len(s.opted) != 2 || s.opted[0] != account+" STAMPS" || s.opted[1] != s.opted[0] {
		t.Errorf("got %+v, asked %q", done, s.opted)
	}
	s.refused("POST", "/v1/flow/opt-in", `{"card":"4711","promo_code":"NONE"}`, http.StatusNotFound, "not-found", "progress promotion NONE")
	s.refused("POST", "/v1/flow/opt-in", `{"promo_code":"STAMPS"}`, http.StatusBadRequest, "invalid-field", "either card or account")
	s.refused("POST", "/v1/flow/opt-in", `{"account":"1","promo_code":"STAMPS"}`, http.StatusBadRequest, "invalid-field", "32 hexadecimal")
	s.refused("POST", "/v1/flow/opt-in", `{"card":"4711"}`, http.StatusBadRequest, "invalid-field", "promo_code")
	s.over = true
	s.refused("POST", "/v1/flow/opt-in", `{"card":"4711","promo_code":"STAMPS"}`, http.StatusBadRequest, "invalid-field", "it does not run now")
	s.ok("PUT", "/v1/flow/promotions", fmt.Sprintf(stamps, 2, "Three stamps", false), &put)
	s.refused("POST", "/v1/flow/opt-in", `{"card":"4711","promo_code":"STAMPS"}`, http.StatusBadRequest, "invalid-field", "everybody takes part")

	var got map[string]string
	s.ok("GET", "/v1/flow/progress/"+account, "", &got)
	if got["account"] != account {
		t.Errorf("got %+v", got)
	}
	s.ok("POST", "/v1/flow/progress", `{"card":"4711"}`, &got)
	if got["account"] != account || got["stamps"] != "2 of 3" {
		t.Errorf("by card: %+v", got)
	}
	s.refused("GET", "/v1/flow/progress/4711", "", http.StatusBadRequest, "invalid-field", "32 hexadecimal")
}
