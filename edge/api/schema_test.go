package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// contract is openapi.yaml, read for the tests: as much of OpenAPI as the document uses.
type contract struct{ root obj }

func readContract(t *testing.T, b []byte) contract {
	t.Helper()
	var root any
	if err := yaml.Unmarshal(b, &root); err != nil {
		t.Fatal(err)
	}
	// Through JSON, so that numbers and maps are of the same types as an answer's.
	j, err := json.Marshal(root)
	if err != nil {
		t.Fatal(err)
	}
	c := contract{}
	if err := json.Unmarshal(j, &c.root); err != nil {
		t.Fatal(err)
	}
	return c
}

// get follows keys and references.
func (c contract) get(v any, keys ...string) any {
	for _, k := range append(keys, "") {
		o, ok := v.(obj)
		if ref, is := o["$ref"].(string); is {
			v = c.get(c.root, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
			o, ok = v.(obj)
		}
		if k == "" {
			break
		}
		if !ok {
			return nil
		}
		v = o[k]
	}
	return v
}

// operation gives the documented operation of a method and path template.
func (c contract) operation(method, path string) obj {
	o, _ := c.get(c.root, "paths", path, strings.ToLower(method)).(obj)
	return o
}

// check says how v is not what schema has. Properties that the schema lacks are wrong too:
// an answer may grow, but not behind the document's back.
func (c contract) check(schema, v any, at string) []string {
	s, ok := c.get(schema).(obj)
	if !ok {
		return []string{at + ": no schema"}
	}
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, at+": "+fmt.Sprintf(format, args...)) }
	for _, part := range list(s["allOf"]) {
		wrong = append(wrong, c.check(part, v, at)...)
	}
	if enum := list(s["enum"]); enum != nil && !slices.Contains(enum, v) {
		fail("%v is none of %v", v, enum)
	}
	switch s["type"] {
	case "object":
		o, ok := v.(obj)
		if !ok {
			fail("%T is no object", v)
			break
		}
		for _, name := range list(s["required"]) {
			if _, ok := o[name.(string)]; !ok {
				fail("lacks %s", name)
			}
		}
		props, _ := s["properties"].(obj)
		if props == nil { // a part that adds what is required
			break
		}
		for name, value := range o {
			if p, ok := props[name]; !ok {
				fail("%s is not in the document", name)
			} else {
				wrong = append(wrong, c.check(p, value, at+"/"+name)...)
			}
		}
	case "array":
		a, ok := v.([]any)
		if !ok {
			fail("%T is no list", v)
			break
		}
		if n := s["maxItems"]; n != nil && len(a) > int(n.(float64)) {
			fail("%d items", len(a))
		}
		for i := range a {
			wrong = append(wrong, c.check(s["items"], a[i], fmt.Sprintf("%s/%d", at, i))...)
		}
	case "string":
		text, ok := v.(string)
		if !ok {
			fail("%T is no string", v)
			break
		}
		if p, ok := s["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(text) {
			fail("%q does not match %s", text, p)
		}
		if n := s["maxLength"]; n != nil && len([]rune(text)) > int(n.(float64)) {
			fail("%d characters", len([]rune(text)))
		}
	case "integer":
		n, ok := v.(float64)
		if !ok || n != float64(int64(n)) {
			fail("%v is no whole number", v)
		}
		if m, ok := s["maximum"].(float64); ok && n > m {
			fail("%v is over %v", n, m)
		}
		if m, ok := s["minimum"].(float64); ok && n < m {
			fail("%v is under %v", n, m)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			fail("%T is no boolean", v)
		}
	}
	return wrong
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
