package screen_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// bad is a page that breaks each rule once.
const bad = `<!doctype html><html><head><meta charset="utf-8"></head><body id="a">
<p id="a" style="color: #999; background: #fff">too pale</p>
<p style="font-size: 10px">too small</p>
<button style="width: 60px; height: 60px"></button>
<button style="width: 20px; height: 20px">x</button>
<input style="height: 50px; border: 2px solid #ddd; background: #fff">
<button style="position: absolute; left: 300px; top: 0; width: 90px; height: 60px">beneath</button>
<div style="position: absolute; left: 300px; top: 0; width: 90px; height: 60px; background: #fff">above</div>
<div style="width: 3000px">wide</div></body></html>`

// The test of the test: what looks looks for it finds.
func TestLookFindsFaults(t *testing.T) {
	t.Parallel()
	browser(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, bad)
	}))
	t.Cleanup(server.Close)
	b := visit(t, server.URL)
	found := strings.Join(ask[[]string](b, look), "\n")
	for _, want := range []string{
		"id a is there twice", "no lang", "no title", "wider than the screen", `"too pale" has a contrast of 2.`,
		`"too small" is written in 10 px`, "has no name", "too small to touch", "stands out by", `"beneath" lies under`, "nothing has the focus",
	} {
		if !strings.Contains(found, want) {
			t.Errorf("not found: %s, in\n%s", want, found)
		}
	}
}
