package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"tillstream/subjects/event"
)

func TestPapersAreAsTheCode(t *testing.T) {
	for _, p := range payloads() {
		want, err := print(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("../schema/" + p.name + ".json")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("schema/%s.json is not what the code says, %v: go generate ./subjects/event", p.name, err)
		}
	}
	files, err := filepath.Glob("../schema/*")
	if err != nil || len(files) != len(payloads()) {
		t.Errorf("%d schemas for %d payloads, %v", len(files), len(payloads()), err)
	}
}

// goldens are the samples of package event, by schema.
func goldens() map[string]string {
	return map[string]string{
		event.TypeCPPActivity: "cpp_activity", event.TypeEPPMActivity: "eppm_activity", event.TypeEnriched: "enriched",
		event.TypeRelevant: "enriched", event.TypeUnqualification: "enriched", event.TypeDecided: "decided",
		event.TypeOnsiteMessage: "onsite_message", event.TypeDeleteMessage: "msq_delete",
		"tillstream.pph.promotion.v1": "pph_promotion",
	}
}

// Each sample is valid; with a field that is required taken away, or of another type, it is not.
func TestSchemasFitTheGoldens(t *testing.T) {
	for _, p := range payloads() {
		c := jsonschema.NewCompiler()
		c.AssertFormat()
		s, err := c.Compile("../schema/" + p.name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile("../testdata/" + goldens()[p.name] + ".v1.json")
		if err != nil {
			t.Fatal(err)
		}
		read := func() map[string]any {
			v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			return v.(map[string]any)
		}
		if err := s.Validate(read()); err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
		var paper schema
		if printed, err := print(p); err != nil || json.Unmarshal(printed, &paper) != nil {
			t.Fatal(err)
		}
		for name := range paper.Properties {
			v := read()
			v[name] = map[string]any{}
			if err := s.Validate(v); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %s of another type: %v", p.name, name, err)
			}
		}
		for _, name := range paper.Required {
			v := read()
			if delete(v, name); s.Validate(v) == nil {
				t.Errorf("%s is valid without %s", p.name, name)
			}
		}
	}
}
