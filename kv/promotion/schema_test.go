package promotion

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	b, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled(t, b)
}

func compiled(t *testing.T, b []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("promotion.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("promotion.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// documents gives the promotions of testdata as JSON values.
func documents(t *testing.T) []any {
	t.Helper()
	b, err := os.ReadFile("testdata/promotions.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parseYAML(b)
	if err != nil {
		t.Fatal(err)
	}
	return plainJSON(tree).([]any)
}

// plainJSON turns a tree into what encoding/json knows.
func plainJSON(v any) any {
	switch v := v.(type) {
	case *object:
		m := map[string]any{}
		for _, x := range v.members {
			m[x.key] = plainJSON(x.value)
		}
		return m
	case list:
		l := []any{}
		for _, x := range v {
			l = append(l, plainJSON(x))
		}
		return l
	case number:
		return json.Number(v)
	}
	return v
}

func TestExamplesAreValid(t *testing.T) {
	s := schema(t)
	for _, d := range documents(t) {
		if err := s.Validate(d); err != nil {
			t.Errorf("%v", err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ReadJSON(b); err != nil {
			t.Errorf("%s: %v", b, err)
		}
	}
}

// The schema and the reader take and refuse the same documents: each example with each of its values
// changed in many ways, each key left out, doubled in another spelling, and moved.
func TestSchemaIsWhatIsRead(t *testing.T) {
	s := schema(t)
	n, refused := 0, 0 // changes
	for _, d := range documents(t) {
		for _, changed := range changes(d, 1) {
			b, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			bySchema := s.Validate(v)
			_, byReader := ReadJSON(b)
			n++
			if byReader != nil {
				refused++
			}
			if (bySchema == nil) != (byReader == nil) && !beyond(byReader) {
				t.Errorf("%s\nschema: %v\nreader: %v", b, bySchema, byReader)
			}
		}
	}
	if n < 3000 || refused < n/2 || refused == n {
		t.Errorf("%d changes, %d refused: the test tries too little", n, refused)
	}
}

// beyond reports whether the reader refuses what a schema cannot say.
func beyond(err error) bool {
	return err != nil && slices.ContainsFunc([]string{
		"a time after from", "another tier has it", "wants a spend over zero", "pieces are whole", "without a zone",
		"control character", "want a whole number", // 1.0 is an integer to a schema
	}, func(s string) bool { return strings.Contains(err.Error(), s) })
}

// replacements are values that stand in for a value.
func replacements() []any {
	n := func(s string) any { return json.Number(s) }
	return []any{nil, true, "", "x", "X", "100", "100.01", "12.5", "0", "12.345", "24:00", "11:00",
		"2026-11-01T00:00:00", "tue", "net", "basket", "percentage", strings.Repeat("a", 40), strings.Repeat("a", 600),
		n("0"), n("2"), n("1.5"), n("1000000000001"), []any{}, []any{"a"}, map[string]any{}, map[string]any{"segment": "a"}}
}

// changes gives a value with one thing changed, in every way. A document's keys that it could do without
// are left out where another is changed: the smaller, the faster.
func changes(v any, level int) (out []any) {
	switch v := v.(type) {
	case map[string]any:
		with := func(key string, x any) map[string]any {
			m := map[string]any{}
			for k, old := range v {
				if level > 1 || slices.Contains([]string{"schema", "id", "revision", "name", "text", "mechanic"}, k) {
					m[k] = old
				}
			}
			m[key] = x
			return m
		}
		for key, x := range v {
			for _, c := range changes(x, level+1) {
				out = append(out, with(key, c))
			}
			less := with(key, nil)
			delete(less, key)
			out = append(out, less)
			less = with(strings.ToUpper(key[:1])+key[1:], x)
			delete(less, key)
			out = append(out, less)
		}
		for _, key := range []string{"percent", "amount", "price", "set", "unit", "basis", "min_spend", "unknown", "group"} {
			if _, ok := v[key]; !ok {
				out = append(out, with(key, "5"), with(key, json.Number("5")))
			}
		}
	case []any:
		for i, x := range v {
			for _, c := range changes(x, level+1) {
				l := slices.Clone(v)
				l[i] = c
				out = append(out, l)
			}
		}
		if len(v) > 0 {
			out = append(out, append(slices.Clone(v), v[0]))
		}
	}
	if level == 1 {
		return out // a list at the top is many documents
	}
	return append(out, replacements()...)
}

// The schema that the research wrote takes every example, and ours takes every example of its.
func TestSchemaOfTheResearch(t *testing.T) {
	dir := filepath.Join("..", "..", "..", "shared", "data", "pricing")
	b, err := os.ReadFile(filepath.Join(dir, "promotion.schema.json"))
	if err != nil {
		t.Skip("the promotion schema is not beside the repository, in shared/data/pricing")
	}
	theirs := compiled(t, b)
	for i, d := range documents(t) {
		if err := theirs.Validate(d); err != nil {
			t.Errorf("example %d: %v", i, err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "examples.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadYAML(text)
	if err != nil || len(got) != 14 {
		t.Fatalf("%d examples: %v", len(got), err)
	}
	tree, err := parseYAML(text)
	if err != nil {
		t.Fatal(err)
	}
	for i, d := range plainJSON(tree).([]any) {
		if err := schema(t).Validate(d); err != nil {
			t.Errorf("example %d: %v", i, fmt.Errorf("%s: %w", got[i].ID, err))
		}
	}
}
