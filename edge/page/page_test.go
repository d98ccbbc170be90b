package page

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// get asks as a mux of the node's would.
func get(t *testing.T, url string) *http.Response {
	t.Helper()
	mux := http.NewServeMux()
	h := Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	mux.Handle("GET /{$}", h)
	mux.Handle("GET /till/{file}", h)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, url, nil))
	return w.Result()
}

// Every file is served under its own type, and a browser is told to run nothing else.
func TestFilesAreServed(t *testing.T) {
	t.Parallel()
	entries, err := fs.ReadDir(files, "files")
	if err != nil || len(entries) == 0 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	urls := []string{"/", "/?goods=1:2:x"}
	for _, e := range entries {
		urls = append(urls, "/till/"+e.Name())
	}
	for _, url := range urls {
		r := get(t, url)
		kind := kinds()[path.Ext(url)]
		if kind == "" {
			kind = kinds()[".html"]
		}
		if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != kind {
			t.Errorf("%s: %d %s, want 200 %s", url, r.StatusCode, r.Header.Get("Content-Type"), kind)
		}
		csp := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: policy %q, %v", url, csp, r.Header)
		}
	}
	for _, url := range []string{"/till/page.go", "/till/..", "/till/%2e%2e%2fpage.go", "/till/none.js"} {
		if r := get(t, url); r.StatusCode == http.StatusOK {
			t.Errorf("%s is served", url)
		}
	}
}

// The page waits as long as the document says that a POS should.
func TestBudgetsAreTheDocuments(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^  - \{ call: '?([^',]+(?:, [a-z -]+)?)'?, usual: .*, give_up: ([^,]+), then`).FindAllStringSubmatch(string(document), -1) {
		said[m[1]] = m[2]
	}
	script, err := files.ReadFile("files/node.js")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(script), "export const budgets = {")
	list, _, _ = strings.Cut(list, "}")
	rows := map[string]string{
		"health": "health", "scan": "scan", "lookup": "look-up", "coupon": "coupon look-up", "quote": "quote", "hold": "hold",
		"receipt": "receipt", "sale": "what a sale was", "basket": "suspend, resume",
	}
	for part := range strings.SplitSeq(list, ",") {
		name, text, _ := strings.Cut(strings.TrimSpace(part), ": ")
		ms, err := strconv.Atoi(text)
		if err != nil {
			t.Fatalf("%s: %v", part, err)
		}
		want := strings.Replace(said[rows[name]], "wait_ms + 200 ms", "350 ms", 1) // the page waits 150
		if strings.HasSuffix(want, " s") {
			want = strings.TrimSuffix(want, " s") + "000 ms"
		}
		if got := strconv.Itoa(ms) + " ms"; got != want {
			t.Errorf("%s: %s, the document says %q of %q", name, got, said[rows[name]], rows[name])
		}
		delete(rows, name)
	}
	if len(rows) > 0 {
		t.Errorf("no budgets for %v", rows)
	}
}

// The page works where there is no internet, and brings nothing that the policy would have to allow. What one
// file names of another is there.
func TestNothingFromOutside(t *testing.T) {
	t.Parallel()
	banned := regexp.MustCompile(`https?://[^"\s]*\.|//cdn|@import|url\(|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\sstyle="|\son[a-z]+="|localStorage|document\.cookie`)
	refers := regexp.MustCompile(`from '\./([a-z]+\.js)'|/till/([a-z]+\.[a-z]+)`)
	err := fs.WalkDir(files, "files", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		if path.Ext(name) != ".svg" { // its namespace looks like an address
			for _, m := range banned.FindAllString(string(text), -1) {
				t.Errorf("%s has %q", name, m)
			}
		}
		for _, m := range refers.FindAllStringSubmatch(string(text), -1) {
			if _, err := fs.Stat(files, "files/"+m[1]+m[2]); err != nil {
				t.Errorf("%s refers to %s: %v", name, m[1]+m[2], err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
