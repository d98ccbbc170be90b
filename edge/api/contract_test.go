package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"tillstream/edge/journal"
	"tillstream/kv/record"
	"tillstream/subjects"
)

// exchange is one question and what must come back.
type exchange struct {
	name    string
	path    string // template, as in the document
	method  string // "": POST, or the only one the document has
	status  int
	problem string // "" for an answer
	field   string
	reply   reply
	request []byte // checked against the document when the answer is no problem
}

// TestContract sends every kind of good and bad question there is, and holds the answers against
// openapi.yaml: each status and problem in the document must come up here, and nothing else may.
func TestContract(t *testing.T) {
	t.Parallel()
	doc := readContract(t, Document)
	ring := append(exchanges(t), more(t)...)
	seen := map[string]map[string]bool{} // operation -> statuses and problems
	for _, e := range ring {
		method := e.method
		if method == "" {
			method = methodOf(t, doc, e.path)
		}
		op := doc.operation(method, e.path)
		id := op["operationId"].(string)
		if seen[id] == nil {
			seen[id] = map[string]bool{}
		}
		seen[id][fmt.Sprint(e.status)] = true
		media := "application/json"
		if e.problem != "" {
			media = "application/problem+json"
			seen[id][e.problem] = true
			p := wantProblem(t, e.reply, e.problem, e.status)
			known, _ := doc.get(doc.root, "x-problem-types", e.problem).(obj)
			if known["status"] != float64(p.Status) || known["action"] != p.Action {
				t.Errorf("%s: %d and %s, the table of problems says %v", e.name, p.Status, p.Action, known)
			}
			if p.Field != e.field {
				t.Errorf("%s: field %q, want %q", e.name, p.Field, e.field)
			}
		} else if e.reply.status == 0 && method == "GET" && e.path == "/v1/messages" {
			continue // has a test of its own
		} else if e.reply.status != e.status {
			t.Errorf("%s: got %d %s, want %d", e.name, e.reply.status, e.reply.body, e.status)
			continue
		}
		schema := doc.get(op, "responses", fmt.Sprint(e.status), "content", media, "schema")
		var body any
		if schema == nil && len(e.reply.body) == 0 {
			continue // 204
		}
		if err := json.Unmarshal(e.reply.body, &body); err != nil {
			t.Errorf("%s: %v", e.name, err)
		}
		for _, wrong := range doc.check(schema, body, "") {
			t.Errorf("%s: answer %s", e.name, wrong)
		}
		if e.problem == "" && e.request != nil {
			var body any
			if err := json.Unmarshal(e.request, &body); err != nil {
				t.Fatal(err)
			}
			for _, wrong := range doc.check(doc.get(op, "requestBody", "content", "application/json", "schema"), body, "") {
				t.Errorf("%s: request %s", e.name, wrong)
			}
		}
	}
	for path, methods := range doc.get(doc.root, "paths").(obj) {
		for method := range methods.(obj) {
			op := doc.operation(method, path)
			id := op["operationId"].(string)
			for status := range op["responses"].(obj) {
				if !seen[id][status] {
					t.Errorf("%s: status %s is in the document and never comes", id, status)
				}
			}
			for _, p := range list(op["x-problems"]) {
				if !seen[id][p.(string)] {
					t.Errorf("%s: problem %s is in the document and never comes", id, p)
				}
				delete(seen[id], p.(string))
			}
			for key := range seen[id] {
				if _, ok := op["responses"].(obj)[key]; !ok {
					t.Errorf("%s: %s comes and is not in the document", id, key)
				}
			}
			checkSubject(t, id, op)
		}
	}
}

func methodOf(t *testing.T, doc contract, path string) string {
	t.Helper()
	methods := doc.get(doc.root, "paths", path).(obj)
	if _, ok := methods["post"]; ok {
		return "POST"
	}
	for method := range methods {
		return strings.ToUpper(method)
	}
	t.Fatalf("%s is not in the document", path)
	return ""
}

func checkSubject(t *testing.T, id string, op obj) {
	t.Helper()
	if got, ok := op["x-subject"].(string); ok && !slices.Contains(subjects.POSQuestions(), got) {
		t.Errorf("%s: subject %q is none that a POS may ask", id, got)
	}
}

// exchanges asks everything.
func exchanges(t *testing.T) []exchange {
	t.Helper()
	n := start(t, t.TempDir(), func(c *Config) {
		cards := c.Cards
		c.Ask = func(_ context.Context, a record.AccountID) (record.Shopper, string, bool, error) {
			return record.Shopper{Balance: 1, Pending: 2, Debt: 3, AsOf: 4}, "central", a == cards.Account("known"), nil
		}
	})
	var out []exchange
	for _, path := range []string{"/v1/receipts", "/v1/returns"} {
		out = append(out, writes(t, n, path)...)
		out = append(out, outages(t, path)...)
	}
	out = append(out, lookups(t, n)...)
	out = append(out, finds(t, n)...)
	out = append(out, exchange{name: "health", path: "/v1/health", status: 200, reply: n.do("GET", "/v1/health", nil, nil)})
	out = append(out, asides(t, n)...)

	// The rest closes the node's doors.
	body := receipt(t, nil)
	if err := n.journal.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/receipts", "/v1/returns"} {
		out = append(out, exchange{name: "journal closed", path: path, status: 503, problem: "journal-unavailable", reply: n.write(path, body)})
	}
	find := "/v1/receipts/" + ridOf(t, body).String()
	const number, numbered = "/v1/receipts", "/v1/receipts?number=1"
	closed := func(path, url string) {
		out = append(out, exchange{name: "journal closed", path: path, method: "GET", status: 503, problem: "journal-unavailable", reply: n.do("GET", url, nil, nil)})
	}
	closed(number, numbered)
	closed("/v1/receipts/{rid}/sale", find+"/sale")
	out = append(out, exchange{name: "journal closed", path: "/v1/receipts/{rid}", status: 503, problem: "journal-unavailable", reply: n.do("GET", find, nil, nil)})
	for _, path := range []string{"/v1/health", "/v1/aside"} {
		out = append(out, exchange{name: "journal closed", path: path, status: 503, problem: "journal-unavailable", reply: n.do("GET", path, nil, nil)})
	}
	out = append(out, exchange{name: "journal closed", path: "/v1/aside/rehome", status: 503, problem: "journal-unavailable",
		reply: n.write("/v1/aside/rehome", []byte("{}"))})
	n.api.gate.shut()
	stopping := func(path string, r reply) {
		out = append(out, exchange{name: "stopping", path: path, status: 503, problem: "stopping", reply: r})
	}
	stopping("/v1/receipts", n.write("/v1/receipts", body))
	stopping("/v1/returns", n.write("/v1/returns", body))
	stopping("/v1/lookups", n.lookUp("1", 0))
	stopping("/v1/receipts/{rid}", n.do("GET", find, nil, nil))
	stopping("/v1/receipts/{rid}/sale", n.do("GET", find+"/sale", nil, nil))
	stopping("/v1/health", n.do("GET", "/v1/health", nil, nil))
	stopping("/v1/aside", n.do("GET", "/v1/aside", nil, nil))
	stopping("/v1/aside/rehome", n.write("/v1/aside/rehome", []byte("{}")))
	out = append(out, exchange{name: "stopping", path: number, method: "GET", status: 503, problem: "stopping", reply: n.do("GET", numbered, nil, nil)})
	return out
}

// writes are the good and bad receipts of issue A, and more.
func writes(t *testing.T, n *node, path string) []exchange {
	t.Helper()
	good := receipt(t, nil)
	least := receipt(t, func(o obj) {
		for _, k := range []string{"receipt_number", "store", "till", "operator", "shopper", "tenders"} {
			delete(o, k)
		}
		o["lines"] = []any{obj{"line_id": "1", "item": "x", "quantity": "-1.5", "unit_price": 0}}
	})
	most := receipt(t, func(o obj) {
		lines := make([]any, record.MaxLines)
		for i := range lines {
			lines[i] = obj{"line_id": fmt.Sprint(i), "item": "85123A", "quantity": "1", "unit_price": 295}
		}
		o["lines"] = lines
	})
	out := []exchange{
		{name: "good", status: 201, request: good, reply: n.write(path, good)},
		{name: "good again", status: 200, request: good, reply: n.write(path, good)},
		{name: "least", status: 201, request: least, reply: n.write(path, least)},
		{name: "2,000 lines", status: 201, request: most, reply: n.write(path, most)},
		{name: "other body", status: 422, problem: "key-reused", reply: n.write(path, bytes.Replace(good, []byte("Pasta"), []byte("Pesto"), 1))},
		{name: "no key", status: 400, problem: "missing-idempotency-key", reply: n.do("POST", path, nil, good)},
		{name: "other key", status: 400, problem: "invalid-field", field: "/rid",
			reply: n.do("POST", path, map[string]string{HeaderKey: record.RIDFrom(n.api.cfg.Now(), record.Hash{1}).String()}, good)},
		{name: "form", status: 415, problem: "unsupported-media-type",
			reply: n.do("POST", path, map[string]string{"Content-Type": "text/plain"}, good)},
		{name: "charset", status: 200, reply: n.do("POST", path,
			map[string]string{"Content-Type": "application/json; charset=utf-8", HeaderKey: ridOf(t, good).String()}, good)},
		{name: "half", status: 408, problem: "body-incomplete", reply: n.raw(fmt.Sprintf(half, path), true)},
		{name: "large", status: 413, problem: "basket-too-large", reply: n.write(path, make([]byte, record.MaxBody+1))},
	}
	for _, b := range badReceipts(t) {
		out = append(out, exchange{name: b.name, status: b.status, problem: b.problem, field: b.field,
			reply: n.do("POST", path, map[string]string{HeaderKey: "0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e"}, b.body)})
	}
	for i := range out {
		out[i].path, out[i].name = path, path+" "+out[i].name
	}
	return out
}

// outages are what only the disk and defects make: the real door before an operation that fails so.
func outages(t *testing.T, path string) []exchange {
	t.Helper()
	n := start(t, t.TempDir(), func(c *Config) { c.Till = subjects.TillID{} })
	out := []exchange{{name: "store", path: path, status: 409, problem: "not-a-till", reply: n.sell(receipt(t, nil))}}
	for slug, err := range map[string]error{"disk-full": journal.ErrFull, "internal": errors.New("a defect")} {
		w := &recorder{header: http.Header{}}
		r, e := http.NewRequestWithContext(t.Context(), "POST", path, strings.NewReader("{}"))
		if e != nil {
			t.Fatal(e)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", bearer)
		n.api.serve(operation{id: "commitReceipt", body: true, answer: func(context.Context, question) (answer, error) {
			return answer{}, fmt.Errorf("commit: %w", err)
		}}).ServeHTTP(w, r)
		out = append(out, exchange{name: slug, path: path, status: w.status, problem: slug, reply: reply{w.status, w.header, w.body}})
	}
	internal := out[slices.IndexFunc(out, func(e exchange) bool { return e.problem == "internal" })]
	sale, number := internal, internal
	internal.path, sale.path, number.path, number.method = "/v1/receipts/{rid}", "/v1/receipts/{rid}/sale", "/v1/receipts", "GET"
	return append(out, internal, sale, number)
}

type recorder struct {
	status int
	header http.Header
	body   []byte
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { r.body = append(r.body, b...); return len(b), nil }

func lookups(t *testing.T, n *node) []exchange {
	t.Helper()
	post := func(body string) reply { return n.do("POST", "/v1/lookups", nil, []byte(body)) }
	out := []exchange{
		{name: "known", status: 200, reply: n.lookUp("known", 2000)},
		{name: "not asked", status: 200, reply: n.lookUp("other", 0)},
		{name: "unknown", status: 404, problem: "card-unknown", reply: n.lookUp("other", 2000)},
		{name: "payment card", status: 422, problem: "payment-card-refused", field: "/identifier/value", reply: n.lookUp(visa, 0)},
		{name: "half", status: 408, problem: "body-incomplete", reply: n.raw(fmt.Sprintf(half, "/v1/lookups"), true)},
		{name: "large", status: 413, problem: "basket-too-large", reply: post(strings.Repeat(" ", record.MaxBody+1))},
		{name: "form", status: 415, problem: "unsupported-media-type",
			reply: n.do("POST", "/v1/lookups", map[string]string{"Content-Type": ""}, []byte("{}"))},
	}
	for _, b := range []struct{ body, problem, field string }{
		{"", "malformed-json", ""},
		{`{"identifier":`, "malformed-json", ""},
		{`{}`, "invalid-field", "/identifier"},
		{`null`, "invalid-field", "/identifier"},
		{`[]`, "invalid-field", ""},
		{`{"identifier":{"kind":"card","kind":"card"}}`, "duplicate-key", "/identifier/kind"},
		{`{"identifier":{"kind":"face","value":"1"}}`, "invalid-field", "/identifier/kind"},
		{`{"identifier":{"kind":"card"}}`, "invalid-field", "/identifier/value"},
		{`{"identifier":{"kind":"card","value":"1 2"}}`, "invalid-field", "/identifier/value"},
		{`{"identifier":{"kind":"card","value":"ü"}}`, "invalid-field", "/identifier/value"},
		{`{"identifier":{"kind":"card","value":"` + strings.Repeat("1", 65) + `"}}`, "invalid-field", "/identifier/value"},
		{`{"identifier":{"kind":"card","value":"1","entry":"heard"}}`, "invalid-field", "/identifier/entry"},
		{`{"identifier":{"kind":"card","value":"1"},"wait_ms":2001}`, "invalid-field", "/wait_ms"},
		{`{"identifier":{"kind":"card","value":"1"},"wait_ms":-1}`, "invalid-field", "/wait_ms"},
		{`{"identifier":{"kind":"card","value":"1"},"wait_ms":0.5}`, "invalid-field", "/wait_ms"},
		{`{"identifier":{"kind":"card","value":"1"},"wait":1}`, "invalid-field", "/wait"},
	} {
		out = append(out, exchange{name: b.body, status: 400, problem: b.problem, field: b.field, reply: post(b.body)})
	}
	for i := range out {
		out[i].path = "/v1/lookups"
	}
	return out
}

func finds(t *testing.T, n *node) []exchange {
	t.Helper()
	body := receipt(t, nil)
	n.sell(body)
	get := func(rid string) reply { return n.do("GET", "/v1/receipts/"+rid, nil, nil) }
	out := []exchange{
		{name: "found", status: 200, reply: get(ridOf(t, body).String())},
		{name: "not found", status: 404, problem: "not-found", reply: get("0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e")},
		{name: "no rid", status: 400, problem: "invalid-field", field: "/rid", reply: get("17")},
		{name: "uuid of version 4", status: 400, problem: "invalid-field", field: "/rid", reply: get("0199c1b2-7c40-4d7e-9a52-3f6f0b1c2d3e")},
	}
	for i := range out {
		out[i].path = "/v1/receipts/{rid}"
	}
	const sale = "/v1/receipts/{rid}/sale"
	stranger := func(path string) reply { return n.do("GET", path, map[string]string{"Authorization": ""}, nil) }
	return append(out,
		exchange{name: "stranger", path: sale, status: 401, problem: "unauthorised", reply: stranger("/v1/receipts/17/sale")},
		exchange{name: "stranger", path: "/v1/receipts", method: "GET", status: 401, problem: "unauthorised", reply: stranger("/v1/receipts?number=1")},
		exchange{name: "found", path: sale, status: 200, reply: get(ridOf(t, body).String() + "/sale")},
		exchange{name: "not found", path: sale, status: 404, problem: "not-found", reply: get("0199c1b2-7c40-7d7e-9a52-3f6f0b1c2d3e/sale")},
		exchange{name: "no rid", path: sale, status: 400, problem: "invalid-field", field: "/rid", reply: get("17/sale")},
		exchange{name: "a number", path: "/v1/receipts", method: "GET", status: 200, reply: n.do("GET", "/v1/receipts?number=1", nil, nil)},
		exchange{name: "no number", path: "/v1/receipts", method: "GET", status: 400, problem: "invalid-field", field: "/number",
			reply: n.do("GET", "/v1/receipts", nil, nil)})
}

// The examples in the document are taken as they are.
func TestExamplesInTheDocument(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), func(c *Config) { c.Store = store("0017") })
	doc := readContract(t, Document)
	for _, path := range []string{"/v1/receipts", "/v1/returns", "/v1/lookups"} {
		example, err := json.Marshal(doc.get(doc.operation("POST", path), "requestBody", "content", "application/json", "example"))
		if err != nil {
			t.Fatal(err)
		}
		if r := n.write(path, example); r.status >= 300 {
			t.Errorf("%s: %d %s", path, r.status, r.body)
		}
	}
}

func TestDocumentIsServed(t *testing.T) {
	t.Parallel()
	n := start(t, t.TempDir(), nil)
	r := n.do("GET", "/openapi.yaml", nil, nil)
	var v any
	if r.status != http.StatusOK || !bytes.Equal(r.body, Document) || yaml.Unmarshal(r.body, &v) != nil {
		t.Errorf("got %d, %d bytes", r.status, len(r.body))
	}
	page := n.do("GET", "/", map[string]string{"Authorization": ""}, nil)
	if page.status != http.StatusOK || !bytes.Contains(page.body, []byte("/till/main.js")) || page.header.Get("Content-Security-Policy") == "" {
		t.Errorf("the till page: got %d, %d bytes", page.status, len(page.body))
	}
	wantProblem(t, n.do("GET", "/nothing", nil, nil), "not-found", http.StatusNotFound)
	wantProblem(t, n.do("GET", "/till/nothing.js", nil, nil), "not-found", http.StatusNotFound)
	wantProblem(t, n.do("POST", "/till/main.js", nil, nil), "method-not-allowed", http.StatusMethodNotAllowed)
	wantProblem(t, n.do("GET", "/metrics", nil, nil), "not-found", http.StatusNotFound)
	r = n.do("PUT", "/v1/receipts", nil, nil)
	wantProblem(t, r, "method-not-allowed", http.StatusMethodNotAllowed)
	if r.header.Get("Allow") != "GET, POST" {
		t.Errorf("Allow: %s", r.header.Get("Allow"))
	}
}
