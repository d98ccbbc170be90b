package subjects_test

import (
	"bytes"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tillstream/subjects"
)

var (
	net = subjects.Net{
		DC: subjects.MustToken("eu1"), Env: subjects.MustToken("prod"),
		Brand: subjects.BrandID{Token: subjects.MustToken("acme")},
	}
	store = subjects.StoreID{Token: subjects.MustToken("0042")}
	till  = subjects.TillID{Token: subjects.MustToken("t1")}
	node  = subjects.NodeID{Token: subjects.MustToken("n3")}
	stage = subjects.TIM
	lane  = subjects.Lane{Store: store, Till: till}
)

var fill = strings.NewReplacer("{dc}", "eu1", "{env}", "prod", "{brand}", "acme",
	"{store}", "0042", "{till}", "t1", "{node}", "n3", "{stage}", "tim")

// built calls every method of v that gives one string, with sample tokens.
func built(v any) map[string]string {
	all := map[string]string{}
	of := reflect.ValueOf(v)
	for i := range of.NumMethod() {
		m, args := of.Type().Method(i), []reflect.Value(nil)
		if m.Type.NumOut() != 1 || m.Type.Out(0).Kind() != reflect.String {
			continue
		}
		for k := 1; k < m.Type.NumIn(); k++ {
			for _, token := range []any{store, till, node, stage} {
				if reflect.TypeOf(token) == m.Type.In(k) {
					args = append(args, reflect.ValueOf(token))
				}
			}
		}
		all[of.Type().Name()+"."+m.Name] = of.Method(i).Call(args)[0].String()
	}
	return all
}

// A builder that the catalogue does not know, or knows otherwise, is a subject nobody can find.
func TestCatalogueIsWhatTheBuildersReturn(t *testing.T) {
	want := map[string]string{
		"POSLookup": subjects.POSLookup, "POSScan": subjects.POSScan, "POSCoupon": subjects.POSCoupon, "POSQuote": subjects.POSQuote,
		"POSHold": subjects.POSHold, "POSHoldFind": subjects.POSHoldFind, "POSHoldRelease": subjects.POSHoldRelease,
		"POSReceipt": subjects.POSReceipt, "POSReceipts": subjects.POSReceipts, "POSNumber": subjects.POSNumber, "POSSale": subjects.POSSale, "POSVoid": subjects.POSVoid,
		"POSReturn": subjects.POSReturn, "POSBaskets": subjects.POSBaskets, "POSBasket": subjects.POSBasket,
		"POSBasketPut": subjects.POSBasketPut, "POSBasketResume": subjects.POSBasketResume,
	}
	if len(want) != len(subjects.POSQuestions()) {
		t.Errorf("%d questions of a POS, %d in this test", len(subjects.POSQuestions()), len(want))
	}
	other := []string{"Net.JournalStream", "Net.FlowStream", "Net.DeadStream", "Lane.Inbox", "Lane.Answer"} // names, but not of subjects to send to
	for _, m := range []map[string]string{built(net), built(lane)} {
		for name, subject := range m {
			if !strings.Contains(name, ".Any") && !slices.Contains(other, name) {
				want[name] = subject
			}
		}
	}
	for _, e := range subjects.Catalogue() {
		subject, ok := want[e.Builder]
		if !ok {
			t.Errorf("%s: there is no builder %s, or it is listed twice", e.Name, e.Builder)
		}
		if got := fill.Replace(e.Pattern); got != subject {
			t.Errorf("%s: pattern %s gives %q, the builder %q", e.Name, e.Pattern, got, subject)
		}
		delete(want, e.Builder)
	}
	for name, subject := range want {
		t.Errorf("%s (%q) is not in the catalogue", name, subject)
	}
}

func TestCatalogueIsComplete(t *testing.T) {
	names := map[string]bool{}
	for _, e := range subjects.Catalogue() {
		if names[e.Name] || e.Name == "" {
			t.Errorf("name %q is empty or there twice", e.Name)
		}
		names[e.Name] = true
		if e.From == "" || e.To == "" || e.Payload == "" || e.Source == "" || e.Travel == "" || e.State == "" {
			t.Errorf("%s: a field is empty: %+v", e.Name, e)
		}
		if (e.Travel == subjects.Request) != (e.Reply != "") {
			t.Errorf("%s travels by %s and has the answer %q", e.Name, e.Travel, e.Reply)
		}
		if !slices.Contains(subjects.Groups(), e.Group) {
			t.Errorf("%s: group %q would not be printed", e.Name, e.Group)
		}
	}
}

// A wildcard must match what it is for, and nothing of another kind.
func TestWildcardsMatchTheirBuilders(t *testing.T) {
	anyLane := built(subjects.AnyLane{Store: store})
	all := built(net)
	for name, subject := range built(lane) {
		all[name] = subject
	}
	wild := map[string]string{}
	for name, subject := range all {
		if base, ok := strings.CutPrefix(name, "Net.Any"); ok {
			wild["Net."+base] = subject
			delete(all, name)
		}
	}
	for name, subject := range anyLane {
		wild["Lane."+strings.TrimPrefix(name, "AnyLane.")] = subject
	}
	for of, pattern := range wild {
		for name, subject := range all {
			if got, want := matches(pattern, subject), name == of; got != want {
				t.Errorf("wildcard %q of %s matches %s %q: %t, want %t", pattern, of, name, subject, got, want)
			}
		}
	}
}

func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	for i := range p {
		switch {
		case p[i] == ">":
			return len(s) > i
		case i >= len(s) || p[i] != "*" && p[i] != s[i]:
			return false
		}
	}
	return len(p) == len(s)
}

func TestGeneratedPapers(t *testing.T) {
	for file, print := range map[string]func(io.Writer) error{
		"CATALOGUE.md": subjects.WriteCatalogue, "asyncapi.yaml": subjects.WriteAsyncAPI,
	} {
		var want bytes.Buffer
		if err := print(&want); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Errorf("%s is not what the code prints: run make generate", file)
		}
	}
}

type asyncAPI struct {
	AsyncAPI string `yaml:"asyncapi"`
	Channels map[string]struct {
		Address    *string        `yaml:"address"`
		Messages   map[string]any `yaml:"messages"`
		Parameters map[string]any `yaml:"parameters"`
	} `yaml:"channels"`
	Operations map[string]struct {
		Action  string `yaml:"action"`
		Channel struct {
			Ref string `yaml:"$ref"`
		} `yaml:"channel"`
	} `yaml:"operations"`
}

// Tools refuse a document whose references lead nowhere or whose parameters are not declared.
func TestAsyncAPIHoldsTogether(t *testing.T) {
	var b bytes.Buffer
	if err := subjects.WriteAsyncAPI(&b); err != nil {
		t.Fatal(err)
	}
	var doc asyncAPI
	if err := yaml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.AsyncAPI != "3.0.0" {
		t.Errorf("got version %q", doc.AsyncAPI)
	}
	requests := 0
	for _, e := range subjects.Catalogue() {
		c := doc.Channels[e.Name]
		if c.Address == nil || *c.Address != e.Pattern || len(c.Messages) != 1 {
			t.Errorf("channel %s does not have address %s and one message", e.Name, e.Pattern)
		}
		if got, want := len(c.Parameters), strings.Count(e.Pattern, "{"); got != want {
			t.Errorf("channel %s declares %d parameters, want %d", e.Name, got, want)
		}
		for p := range c.Parameters {
			if !strings.Contains(e.Pattern, "{"+p+"}") {
				t.Errorf("channel %s declares %s, which is not in %s", e.Name, p, e.Pattern)
			}
		}
		for _, action := range []string{"send", "receive"} {
			o := doc.Operations[e.Name+"."+action]
			if o.Action != action || o.Channel.Ref != "#/channels/"+e.Name {
				t.Errorf("operation %s of %s is missing", action, e.Name)
			}
		}
		if e.Travel == subjects.Request {
			requests++
		}
	}
	if got, want := len(doc.Channels), len(subjects.Catalogue())+requests; got != want {
		t.Errorf("%d channels, want %d", got, want)
	}
	var whole any
	if err := yaml.Unmarshal(b.Bytes(), &whole); err != nil {
		t.Fatal(err)
	}
	follow(t, whole, whole)
}

func follow(t *testing.T, whole, part any) {
	t.Helper()
	switch part := part.(type) {
	case []any:
		for _, v := range part {
			follow(t, whole, v)
		}
	case map[string]any:
		for k, v := range part {
			if k == "$ref" {
				at := whole
				for _, step := range strings.Split(strings.TrimPrefix(v.(string), "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[step]
				}
				if at == nil {
					t.Errorf("reference %s leads nowhere", v)
				}
			}
			follow(t, whole, v)
		}
	}
}
