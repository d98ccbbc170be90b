package api

import (
	"bytes"
	"encoding/json"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is generated from the document is what the document says.
func TestGeneratedIsUpToDate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "contract.gen.go")
	cmd := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "--config", "codegen/config.yaml", "-o", path, "openapi.yaml")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("generate: %v\n%s", err, out)
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("contract.gen.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("contract.gen.go is not what openapi.yaml makes: run make generate")
	}
}

// The page needs nothing that is not in it: it is read where there is no internet.
func TestDocsPage(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	r := n.do("GET", "/docs", map[string]string{"Authorization": ""}, nil)
	page := string(r.body)
	if r.status != 200 || !strings.HasPrefix(r.header.Get("Content-Type"), "text/html") {
		t.Fatalf("got %d %s", r.status, r.header.Get("Content-Type"))
	}
	for _, banned := range []string{"src=", "@import", "url(", "<script", `href="http`} {
		if strings.Contains(page, banned) {
			t.Errorf("the page has %s", banned)
		}
	}
	doc := readContract(t, Document)
	for path, methods := range doc.get(doc.root, "paths").(obj) {
		for method := range methods.(obj) {
			id := doc.operation(method, path)["operationId"].(string)
			_, rest, found := strings.Cut(page, `<section id="`+id+`">`)
			section, _, _ := strings.Cut(rest, "</section>")
			if !found || !strings.Contains(section, path) {
				t.Errorf("%s %s is not on the page", method, path)
			}
			for _, p := range list(doc.get(doc.root, "paths", path, method, "parameters")) {
				if name := doc.get(p).(obj)["name"].(string); !strings.Contains(section, name) {
					t.Errorf("%s %s: nothing is said of %s", method, path, name)
				}
			}
			if _, example, ok := strings.Cut(section, "<pre>"); ok {
				example, _, _ = strings.Cut(example, "</pre>")
				if !json.Valid([]byte(html.UnescapeString(example))) {
					t.Errorf("%s %s: the example is no JSON: %s", method, path, example)
				}
			}
		}
	}
	for slug := range doc.get(doc.root, "x-problem-types").(obj) {
		if !strings.Contains(page, `id="`+slug+`"`) {
			t.Errorf("problem %s is not on the page", slug)
		}
	}
	for name := range doc.get(doc.root, "components", "schemas").(obj) {
		if !strings.Contains(page, `id="schema-`+name+`"`) {
			t.Errorf("schema %s is not on the page", name)
		}
	}
}
