package promotion

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestReadYAMLAndJSONAlike(t *testing.T) {
	b, err := os.ReadFile("testdata/promotions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadYAML(b)
	if err != nil {
		t.Fatal(err)
	}
	p := got[0]
	want := Promotion{
		ID: "tea-20", Revision: 4, Name: "Tea, a fifth off", State: "active",
		Text:        map[string]string{"en": "Tea -20%", "de-AT": "Tee -20%"},
		Description: map[string]string{"en": "Runs while the spring range is on the shelf."},
		From:        1772323200, Until: 1775001600,
		Schedule: []Window{{Days: 0b0111110, From: 480, Until: 690}, {Days: 1, From: 1200, Until: 1440}},
		Stores:   Stores{Include: []string{"north", "0007"}, Exclude: []string{"0008"}},
		Channels: Channels(),
		Audience: Audience{CardRequired: true, AnyOf: []Who{{Segment: "tea-drinkers"}, {Tier: "silver"}, {CardPrefix: "2790"}, {Shopper: "s_1f"}}},
		Coupon:   &Coupon{Required: true, Pool: "spring", SingleUse: true, RearmOnce: true},
		Mechanic: &Percentage{Set: "tea", Percent: 2000, Regular: true},
		Stacking: Stacking{Priority: 70, Mode: BestOf, Group: "drinks"},
		Caps:     Caps{PerLine: p.Caps.PerLine, PerBasket: p.Caps.PerBasket},
		Limits: Limits{PerBasket: 3, PerShopper: &Count{2, "week"}, PerHousehold: &Count{4, "month"},
			PerStore: &Count{500, "day"}, Total: &Count{10000, "ever"}},
		Budget:  &Budget{Amount: 250000, Period: "month", Per: "brand", Partial: true},
		Funding: Funding{"T-11", "Tea House", 6250}, Labels: []string{"spring", "tea"},
		When: p.When,
	}
	if !reflect.DeepEqual(p, want) || *p.Caps.PerLine != 500 || *p.Caps.PerBasket != 900 {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if w := p.When; len(w) != 6 || w[0].MinQuantity != 2000 || w[1].MinQuantity != 250 || w[1].Unit != "kg" ||
		*w[2].MinSpend != 1500 || !w[2].Gross || !w[3].FirstPurchase || w[4].DaysBefore != 3 || w[4].DaysAfter != 7 || len(w[5].Tender) != 2 {
		t.Errorf("when %+v", w)
	}
	if l := p.TextIn([]string{"fr", "de-AT"}); l != "Tee -20%" {
		t.Errorf("text %q", l)
	}
	if say := p.Schedule[0].Say(); say != "mon, tue, wed, thu, fri 08:00-11:30" {
		t.Errorf("window says %q", say)
	}
}

const start = `{"schema":"promotion/v1","id":"x","revision":1,"name":"x","text":{"en":"x"},`

// Each fault is at its place and says what to do.
func TestFaults(t *testing.T) {
	mechanic := func(s string) string { return start + `"mechanic":` + s + "}" }
	with := func(s string) string { return start + `"mechanic":{"type":"percentage","percent":"10"},` + s + "}" }
	for _, c := range []struct{ json, pointer, reason string }{
		{`{}`, "/schema", "is needed"},
		{strings.Replace(with(`"labels":[]`), "/v1", "/v2", 1), "/schema", "another version"},
		{strings.Replace(with(`"labels":[]`), `"id":"x"`, `"id":"X Y"`, 1), "/id", "a-z, 0-9"},
		{strings.Replace(with(`"labels":[]`), `"id":"x"`, `"id":"pos"`, 1), "/id", "take another"},
		{strings.Replace(with(`"labels":[]`), `"revision":1`, `"revision":1.0`, 1), "/revision", "whole number"},
		{strings.Replace(with(`"labels":[]`), `"revision":1`, `"revision":"1"`, 1), "/revision", "not text"},
		{strings.Replace(with(`"labels":[]`), `{"en":"x"}`, `{}`, 1), "/text", "at least one language"},
		{strings.Replace(with(`"labels":[]`), `{"en":"x"}`, `{"EN":"x"}`, 1), "/text/EN", "want a language"},
		{strings.Replace(with(`"labels":[]`), `{"en":"x"}`, `{"en":"`+strings.Repeat("x", 33)+`"}`, 1), "/text/en", "32 characters"},
		{strings.Replace(with(`"labels":[]`), `{"en":"x"}`, `{"en":"a\u0007"}`, 1), "/text/en", "control"},
		{with(`"colour":1`), "/colour", "unknown key: there are schema, id"},
		{mechanic(`{"type":"percent","percent":"10"}`), "/mechanic/type", "amount, bonus_points, buy_x_get_y"},
		{mechanic(`{"percent":"10"}`), "/mechanic/type", "is needed"},
		{mechanic(`{"type":"percentage","percent":10}`), "/mechanic/percent", "in quotes"},
		{mechanic(`{"type":"percentage","percent":"100.01"}`), "/mechanic/percent", "want a percent"},
		{mechanic(`{"type":"percentage","percent":"10","n":2}`), "/mechanic/n", "there are type, level, set, percent, base"},
		{mechanic(`{"type":"nth_item","n":1,"percent":"10"}`), "/mechanic/n", "from 2"},
		{mechanic(`{"type":"nth_item","n":2}`), "/mechanic", "exactly one of percent, amount, price"},
		{mechanic(`{"type":"nth_item","n":2,"percent":"1","price":3}`), "/mechanic", "exactly one"},
		{mechanic(`{"type":"buy_x_get_y","buy":{"set":"a","quantity":1},"get":{"set":"b","quantity":1}}`), "/mechanic/get", "exactly one"},
		{mechanic(`{"type":"buy_x_get_y","buy":{"set":"a","quantity":0},"get":{"set":"b","quantity":1,"amount":1}}`), "/mechanic/buy/quantity", "from 1"},
		{mechanic(`{"type":"mix_and_match","components":[],"price":1}`), "/mechanic/components", "at least 1"},
		{mechanic(`{"type":"mix_and_match","components":[{"set":"a","quantity":1}],"price":1,"choose":"cheapest_per_set"}`), "/mechanic/choose", "most_expensive, cheapest"},
		{mechanic(`{"type":"spend_threshold","tiers":[{"spend":1,"amount":1},{"spend":1,"amount":2}]}`), "/mechanic/tiers/1/spend", "another tier"},
		{mechanic(`{"type":"spend_threshold","repeat":true,"tiers":[{"spend":0,"amount":1}]}`), "/mechanic/tiers/0/spend", "over zero"},
		{mechanic(`{"type":"amount","amount":-1}`), "/mechanic/amount", "from 0"},
		{mechanic(`{"type":"amount","amount":1000000000001}`), "/mechanic/amount", "from 0 to 1000000000000"},
		{mechanic(`{"type":"points_multiplier","factor":"0.5"}`), "/mechanic/factor", "at most 2 decimals"},
		{with(`"validity":{"from":"2026-11-02T00:00:00","until":"2026-11-01T00:00:00"}`), "/validity/until", "after from"},
		{with(`"validity":{"from":"2026-11-02T00:00:00Z"}`), "/validity/from", "without a zone"},
		{with(`"schedule":[{"from":"22:00","until":"02:00"}]`), "/schedule/0/until", "two windows"},
		{with(`"schedule":[{"days":["tue","tue"]}]`), "/schedule/0/days/1", "twice"},
		{with(`"schedule":[{"from":660}]`), "/schedule/0/from", "in quotes"},
		{with(`"stores":{"include":[42]}`), "/stores/include/0", "in quotes"},
		{with(`"audience":{"any_of":[{"segment":"a","tier":"b"}]}`), "/audience/any_of/0", "exactly one"},
		{with(`"when":[{"min_spend":1,"min_quantity":"1"}]`), "/when/0", "write two"},
		{with(`"when":[{"on":"net"}]`), "/when/0", "want one of min_quantity"},
		{with(`"when":[{"min_quantity":"1.5"}]`), "/when/0/min_quantity", "name a unit"},
		{with(`"when":[{"first_purchase":false}]`), "/when/0/first_purchase", "leave it out"},
		{with(`"coupon":{}`), "/coupon/pool", "is needed"},
		{with(`"stacking":{"mode":"best_of"}`), "/stacking/group", "of which group"},
		{with(`"stacking":{"priority":101}`), "/stacking/priority", "to 100"},
		{with(`"a~b/c":1`), "/a~0b~1c", "unknown key"},
		{"[" + with(`"labels":[]`) + "," + with(`"labels":["A"]`) + "]", "/1/labels/0", "a-z"},
		{`{"id":"x","id":"y"}`, "/id", "twice"},
		{strings.Repeat("[", 40) + strings.Repeat("]", 40), strings.Repeat("/0", 33), "deeper"},
	} {
		_, err := ReadJSON([]byte(c.json))
		faults, ok := errors.AsType[Faults](err)
		if !ok || faults[0].Pointer != c.pointer || !strings.Contains(faults[0].Reason, c.reason) {
			t.Errorf("%s\ngot  %v\nwant %s: %s", c.json, err, c.pointer, c.reason)
		}
	}
}

func TestNoJSON(t *testing.T) {
	for _, s := range []string{"", "{", "nul", "{} {}", "\xff", `{"a":1,}`, "[1", `{"a" 1}`, strings.Repeat(" ", MaxSize+1)} {
		if _, err := ReadJSON([]byte(s)); err == nil {
			t.Errorf("%.20q is read", s)
		}
	}
}

// What a YAML 1.1 reader takes for something else wants quotes, as a key and as a value.
func TestYAMLTraps(t *testing.T) {
	head := "schema: promotion/v1\nid: a1\nrevision: 1\nname: name\ntext: {en: text}\nmechanic: {type: percentage, percent: '10'}\n"
	if _, err := ReadYAML([]byte(head)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ more, pointer string }{
		{"schedule: [{from: 11:00}]", "/schedule/0/from"},
		{"schedule: [{from: 660}]", "/schedule/0/from"},
		{"validity: {from: 2026-11-01T00:00:00}", "/validity/from"},
		{"labels: [no]", "/labels/0"},
		{"labels: [Yes]", "/labels/0"},
		{"labels: [1_000]", "/labels/0"},
		{"labels: [0x1f]", "/labels/0"},
		{"stores: {include: [0042]}", "/stores/include/0"},
		{"stores: {include: [1e3]}", "/stores/include/0"},
		{"description: {no: text}", "/description"},
		{"when: [{on: net, min_spend: 1}]", "/when/0"},
		{"labels: [*a]", ""},
		{"labels: [&a x]", "/labels/0"},
		{"labels: [!!str x]", "/labels/0"},
		{"labels: ~", "/labels"},
		{"caps: {per_line: 1.0}", "/caps/per_line"},
		{"caps: {per_line: 0b11}", "/caps/per_line"},
		{"caps: {per_line: 010}", "/caps/per_line"},
		{"caps: {per_line: +1}", "/caps/per_line"},
		{"caps: {per_line: 1_0}", "/caps/per_line"},
		{"caps: {<<: {per_line: 1}}", "/caps"},
		{"id: b", ""},
		{"---\n" + head, ""},
	} {
		_, err := ReadYAML([]byte(head + c.more))
		faults, ok := errors.AsType[Faults](err)
		if err == nil || c.pointer != "" && (!ok || faults[0].Pointer != c.pointer) {
			t.Errorf("%s: got %v, want a fault at %s", c.more, err, c.pointer)
		}
	}
	for _, ok := range []string{"labels: ['no', \"1_000\"]", "stores: {include: ['0042']}", "description: {'no': text}", "labels: [a-1, b_2]"} {
		if _, err := ReadYAML([]byte(head + ok)); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

func TestReadSets(t *testing.T) {
	text := "- {id: fizz, revision: 2, include: {items: ['40063'], categories: [drinks/fizzy], tags: [cold]}, exclude: {items: ['7']}}\n- {id: rest, revision: 1}"
	got, err := ReadSetsYAML([]byte(text))
	want := []Set{
		{ID: "fizz", Revision: 2, Include: &Filter{[]string{"40063"}, []string{"drinks/fizzy"}, []string{"cold"}}, Exclude: Filter{Items: []string{"7"}}},
		{ID: "rest", Revision: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for text, pointer := range map[string]string{
		`{"id":"all","revision":1}`: "/id", `{"revision":1}`: "/id", `{"id":"a"}`: "/revision",
		`{"id":"a","revision":1,"include":{"item":["a"]}}`:    "/include/item",
		`[{"id":"a","revision":1,"exclude":{"items":[123]}}]`: "/0/exclude/items/0",
	} {
		_, err := ReadSetsJSON([]byte(text))
		if faults, ok := errors.AsType[Faults](err); !ok || faults[0].Pointer != pointer {
			t.Errorf("%s: got %v, want a fault at %s", text, err, pointer)
		}
	}
}

// A reader that takes bytes never panics, and what it takes as JSON it takes as YAML too.
func FuzzReadJSON(f *testing.F) {
	f.Add([]byte(start + `"mechanic":{"type":"percentage","percent":"10"}}`))
	f.Add([]byte(start + `"mechanic":{"type":"spend_threshold","tiers":[{"spend":1,"amount":1}]},"when":[{"min_spend":1}]}`))
	f.Add([]byte(`[{"id":"a","revision":1}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadJSON(b)
		if err == nil && len(got) > 0 && (got[0].ID == "" || got[0].Revision < 1 || got[0].Mechanic == nil) {
			t.Fatalf("%q is read as %+v", b, got[0])
		}
		_, _ = ReadSetsJSON(b) // only that it comes back
	})
}

func FuzzReadYAML(f *testing.F) {
	// Short seeds: the fuzzer would spend its time on making a long one shorter.
	f.Add([]byte("- {schema: promotion/v1, id: a1, revision: 1, name: b, text: {en: c}, mechanic: {type: free_item, set: d}}"))
	f.Add([]byte("- {id: a, revision: 1}"))
	f.Add([]byte("a: &x [*x]\n? b\n: |\n  text"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ReadYAML(b)
		if err == nil && len(got) > 0 && (got[0].ID == "" || got[0].Mechanic == nil) {
			t.Fatalf("%q is read as %+v", b, got[0])
		}
		_, _ = ReadSetsYAML(b) // only that it comes back
	})
}
