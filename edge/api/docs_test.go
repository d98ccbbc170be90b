package api

import (
	"bytes"
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
			if !strings.Contains(page, `id="`+id+`"`) || !strings.Contains(page, path) {
				t.Errorf("%s %s is not on the page", method, path)
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
