package setting_test

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"tillstream/kv/setting"
	"tillstream/subjects"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct{ id, document, says string }{
		{"programme", `{"id":"programme","revision":1}`, ""},
		{"programme", `{"id":"programme","revision":1,"max_line_discount":"50","max_basket_discount":"12.5","currencies":{
			"EUR":{"earn":{"points":1,"amount":100},"value":{"points":100,"amount":100},"block":100,"min_spend":500,"max_share":"50"},"JPY":{}}}`, ""},
		{"programme", `{"max_line_discount":50}`, "max_line_discount"},
		{"programme", `{"max_line_discount":"101"}`, "max_line_discount"},
		{"programme", `{"max_basket_discount":"5 %"}`, "max_basket_discount"},
		{"programme", `{"currencies":{"EUX":{}}}`, "currencies/EUX"},
		{"programme", `{"currencies":{"EUR":{"earn":{"points":1}}}}`, "currencies/EUR/earn"},
		{"programme", `{"currencies":{"EUR":{"earn":{"points":-1,"amount":-1}}}}`, "currencies/EUR/earn"},
		{"programme", `{"currencies":{"EUR":{"value":{"points":1000000001,"amount":1}}}}`, "currencies/EUR/value"},
		{"programme", `{"currencies":{"EUR":{"block":-1}}}`, "block"},
		{"programme", `{"currencies":{"EUR":{"min_spend":1000000000001}}}`, "min_spend"},
		{"programme", `{"currencies":{"EUR":{"max_share":"1.234"}}}`, "max_share"},
		{"programme", `{"currency":{}}`, "currency"},
		{"programme", `{} {}`, "more"},
		{"stores", `{"id":"stores","revision":1,"zone":"Europe/Berlin","zones":{"Atlantic/Canary":["0042"]},"sets":{"city":["0017"],"north":["0017"]},"countries":{"AT":["0017"]}}`, ""},
		{"stores", `{"zone":"Berlin"}`, `"Berlin"`},
		{"stores", `{"zone":"Local"}`, `"Local"`},
		{"stores", `{"zone":"../etc/passwd"}`, "zone"},
		{"stores", `{"zones":{"":["1"]}}`, "zones"},
		{"stores", `{"zones":{"UTC":["1"],"Europe/Berlin":["1"]}}`, "already"},
		{"stores", `{"zones":{"UTC":["Ä"]}}`, "zones/UTC/0"},
		{"stores", `{"sets":{"North":[]}}`, "sets/North"},
		{"stores", `{"sets":{"north":["1 2"]}}`, "sets/north/0"},
		{"stores", `{"countries":{"Austria":[]}}`, "countries/Austria"},
		{"scan", `{"id":"scan","revision":1,"country":"DE"}`, ""},
		{"scan", `{"country":"Germany"}`, "country"},
		{"scan", `{"layouts":[{"prefix":"40"}]}`, "layouts[0]"},
		{"returns", `{"id":"returns","revision":1,"unlinked":"manager","unlinked_limit":5000,"unverified":"refuse","coupons":"keep"}`, ""},
		{"returns", `{"unlinked":"perhaps"}`, "unlinked"},
		{"returns", `{"unverified":"reason"}`, "unverified"},
		{"returns", `{"coupons":"burn"}`, "coupons"},
		{"returns", `{"unlinked_limit":-1}`, "unlinked_limit"},
		{"returns", `{"unverified_limit":1000000000001}`, "unverified_limit"},
		{"another", `{"whatever":1}`, ""},
	} {
		err := setting.Check(c.id, []byte(c.document))
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %s: %v, want %q", c.id, c.document, err, c.says)
		}
	}
}

func TestOf(t *testing.T) {
	all, err := setting.ReadStores([]byte(`{"zone":"Europe/Berlin","zones":{"Atlantic/Canary":["0042"]},"sets":{"city":["0017"],"all":["0042","0017"]},"countries":{"ES":["0042"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]struct {
		zone, country string
		sets          []string
	}{"0017": {"Europe/Berlin", "", []string{"all", "city"}}, "0042": {"Atlantic/Canary", "ES", []string{"all"}}, "1": {"Europe/Berlin", "", nil}} {
		s, err := all.Of(subjects.StoreID{Token: subjects.MustToken(id)})
		if err != nil || s.Zone.String() != want.zone || s.Country != want.country || !slices.Equal(s.Sets, want.sets) {
			t.Errorf("%s: %+v, %v", id, s, err)
		}
	}
}

// A percentage is what its digits say, or it is refused.
func TestPercent(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "5": 500, "12.5": 1250, "12.34": 1234, "100": 10000, "100.00": 10000, "007": 700} {
		if got := setting.Percent(text).Hundredths(); got == nil || *got != want {
			t.Errorf("%s: %v, want %d", text, got, want)
		}
	}
	for _, text := range []string{"", ".", "5.", ".5", "1.234", "100.01", "101", "-1", "+1", "1e1", "1,5", "99999999999999999999", " 1"} {
		if got := setting.Percent(text).Hundredths(); got != nil {
			t.Errorf("%q is %d", text, *got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9.]{0,9}`).Draw(t, "text")
		if got := setting.Percent(text).Hundredths(); got != nil && (*got < 0 || *got > 10000) {
			t.Fatalf("%q is %d", text, *got)
		}
	})
}

// FuzzCheck checks what nobody would put. What is taken can be gone by: every store has a clock.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(`{"id":"stores","revision":1,"zone":"Europe/Berlin","zones":{"UTC":["1"]},"sets":{"a":["1"]},"countries":{"AT":["1"]}}`))
	f.Add([]byte(`{"max_line_discount":"12.5","currencies":{"EUR":{"earn":{"points":1,"amount":100},"max_share":"50"}}}`))
	f.Add([]byte(`{"country":"DE","layouts":[{"prefix":"28","item":5,"digits":5,"carries":"weight","decimals":3}],"cards":[{"prefix":"27"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, id := range []string{setting.ProgrammeID, setting.ScanID} {
			if err := setting.Check(id, b); err != nil && err.Error() == "" {
				t.Error("an error without a word")
			}
		}
		all, err := setting.ReadStores(b)
		if err != nil {
			return
		}
		if s, err := all.Of(subjects.StoreID{Token: subjects.MustToken("1")}); err != nil || s.Zone == nil {
			t.Fatalf("%s: %+v, %v", b, s, err)
		}
	})
}
