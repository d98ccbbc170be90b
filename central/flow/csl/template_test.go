package csl_test

import (
	"errors"
	"html"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"

	"tillstream/central/flow/csl"
	"tillstream/subjects/event"
)

func TestATemplateIsFilledIn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, title, text string }{
		{`{"text": "Done."}`, "", "Done."},
		{"title: \"{promoName}!\"\ntext: \"{progress} of {target}: {{yours}}\"", "Stamps & more!", "3 of 5: {yours}"},
		{`{"text": "{promoName}\n{promoName}"}`, "", "Stamps & more\nStamps & more"},
	} {
		tm, err := csl.Read([]byte(c.document))
		if err != nil {
			t.Fatal(err)
		}
		title, text, err := tm.Fill(map[event.Variable]string{"promoName": "Stamps & more", "progress": "3", "target": "5"})
		if err != nil || title != c.title || text != c.text {
			t.Errorf("%s: got %q and %q, %v", c.document, title, text, err)
		}
	}
}

// What is wrong with a template is said when it is put, not when a shopper waits for it.
func TestATemplateThatCannotBeShownIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ document, want string }{
		{``, "EOF"},
		{`{}`, "text: is missing"},
		{`{"text": " \n"}`, "text: is missing"},
		{`{"text": 5}`, "cannot unmarshal"},
		{`{"text": "a", "html": "b"}`, "html"},
		{`{"text": "a"} {}`, "more after the document"},
		{"\ttext: a", "cannot be shown"},
		{`{"text": "Dear {firstName}"}`, "unknown variable {firstName}"},
		{`{"text": "{promoname}"}`, "unknown variable {promoname}"},
		{`{"text": "{ promoName }"}`, "unknown variable"},
		{`{"text": "{}"}`, "unknown variable {}"},
		{`{"title": "{reward", "text": "a"}`, "title: a single {"},
		{`{"text": "reward}"}`, "a single }"},
		{`{"text": "<b>{reward}</b>"}`, "want plain text, without '<'"},
		{`{"text": "a\u0007"}`, "want plain text"},
		{`{"text": "a\u202e"}`, "want plain text"},
		{`{"text": "` + strings.Repeat("é", csl.MaxText+1) + `"}`, "at most 1000 characters, got 1001"},
		{`{"text": "a", "title": "` + strings.Repeat("x", csl.MaxTitle+1) + `"}`, "at most 120 characters"},
	} {
		if err := csl.Check([]byte(c.document)); !errors.Is(err, csl.ErrTemplate) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60s: got %v, want %q", c.document, err, c.want)
		}
	}
}

func TestAVariableThatIsNotGivenCannotBeShown(t *testing.T) {
	t.Parallel()
	tm := csl.Template{Text: "Your code: {code}"}
	for _, values := range []map[event.Variable]string{nil, {event.VarCode: ""}, {event.VarCode: "\u202e\x00"}, {event.VarReward: "x"}} {
		if _, text, err := tm.Fill(values); !errors.Is(err, csl.ErrTemplate) || text != "" {
			t.Errorf("with %v: got %q, %v", values, text, err)
		}
	}
}

// No screen takes more: what is longer would end among the dead letters.
func TestWordsFitAScreen(t *testing.T) {
	t.Parallel()
	long := map[event.Variable]string{event.VarPromoName: "x" + strings.Repeat("é", 500)}
	tm := csl.Template{Title: "{promoName}", Text: strings.Repeat("{promoName}", 90)}
	title, text, err := tm.Fill(long)
	if err != nil || len(title) > 256 || len(title) < 250 || len(text) > 4096 || len(text) < 4090 {
		t.Errorf("got %d and %d bytes, %v", len(title), len(text), err)
	}
	if !utf8.ValidString(title+text) || !strings.HasSuffix(title, "é…") || !strings.HasSuffix(text, "…") {
		t.Errorf("cut as %q and %q", title, text)
	}
}

// Whatever a value holds, a page that takes the text for HTML has no tag to run, and neither has one that decodes it
// first.
func TestAValueIsTextOnly(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		`<img src=x onerror="alert(1)">`: `‹img src=x onerror="alert(1)"›`,
		"</div><script>alert(1)</script": "‹/div›‹script›alert(1)‹/script",
		"Fish & Chips":                   "Fish & Chips",
		"one\r\ntwo\x00\x1b[31m\u0085":   "one  two  [31m",
		"abc\u202etxt.exe\u2066":         "abctxt.exe",
		"{code}{{":                       "{code}{{", // a value is no template
		"\xff":                           "\ufffd",
		strings.Repeat("é", 300):         strings.Repeat("é", 200),
	} {
		tm := csl.Template{Text: "[{reward}]"}
		if _, text, err := tm.Fill(map[event.Variable]string{event.VarReward: value}); err != nil || text != "["+want+"]" {
			t.Errorf("%q: got %q, %v, want %q", value, text, err, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		tm := csl.Template{Text: "{promoName}."}
		_, text, err := tm.Fill(map[event.Variable]string{event.VarPromoName: value})
		if !strings.ContainsFunc(value, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) {
			return // it may be nothing
		}
		if err != nil || strings.ContainsAny(text, "<>") || strings.ContainsFunc(text, unicode.IsControl) {
			t.Fatalf("%q came out as %q, %v", value, text, err)
		}
	})
}

// Whatever is put, it is refused or can be shown.
func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"text": "{promoName} {{ }} {code}"}`))
	f.Add([]byte("title: a\ntext: '{reward}'"))
	all := map[event.Variable]string{}
	for _, v := range event.Variables() {
		all[v] = html.EscapeString("<" + string(v) + ">")
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		tm, err := csl.Read(document)
		if err != nil {
			return
		}
		if title, text, err := tm.Fill(all); err != nil || text == "" || strings.ContainsAny(title+text, "<>") {
			t.Fatalf("%q passed and gave %q and %q, %v", document, title, text, err)
		}
	})
}
