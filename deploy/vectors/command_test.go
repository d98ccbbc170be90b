package vectors

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const ours = "testdata/vectors.json"

func TestVectors(t *testing.T) {
	var out bytes.Buffer
	if err := (&Command{Vectors: ours}).Run(&out); err != nil || out.String() != "3 passed, 0 failed\n" {
		t.Errorf("%v\n%s", err, &out)
	}
}

// The vectors of the research, where they are.
func TestVectorsOfTheResearch(t *testing.T) {
	path := filepath.Join("..", "..", "..", "shared", "data", "pricing", "vectors.json")
	if _, err := os.Stat(path); err != nil {
		t.Skip("the pricing vectors are not beside the repository, in shared/data/pricing")
	}
	var out bytes.Buffer
	if err := (&Command{Vectors: path}).Run(&out); err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}

// Each thing that a vector expects is compared: with any of them changed, the command tells the difference
// and fails.
func TestDifferencesAreFound(t *testing.T) {
	b, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"amount": 303}]`, `"amount": 305}]`, "line 1: got"},
		{`"net": 2697`, `"net": 2695`, "line 1: got"},
		{`"points_earned": 21, `, ``, "line 1: got"},
		{`"points_paid": 546`, `"points_paid": 548`, "line 1: got"},
		{`{"line_id": "2", "gross": 1940, "discounts": [{"promotion": "steps", "amount": 197}], "net": 1743, "points_earned": 14, "points_paid": 354}`,
			`{"line_id": "3"}`, "line 3: there is none"},
		{`"applications": 1, "amount": 500`, `"applications": 2, "amount": 500`, "promotion steps: got"},
		{`"lines": {"1": 303, "2": 197}`, `"lines": {"1": 303}`, "promotion steps: got"},
		{`"next": {"code": "next_tier", "missing": 60}`, `"next": {"code": "next_tier", "missing": 61}`, "promotion steps next: missing: got 60, want 61"},
		{`"next": {"code": "next_tier", "missing": 60}`, `"capped": {"by": "floor", "wanted": 501}`, "promotion steps: got"},
		{`"why_not": {"short": {"code": "budget_short"}}`, `"why_not": {}`, "why not short: got budget_short, want nothing"},
		{`{"code": "budget_short"}`, `{"code": "budget_used_up"}`, `why not short: code: got "budget_short", want "budget_used_up"`},
		{`{"code": "budget_short"}`, `{"code": "budget_short", "missing": 3}`, "why not short: missing: got null, want 3"},
		{`"to_pay": 3540`, `"to_pay": 3541`, "totals: got"},
		{`"spent": 900`, `"spent": 901`, "points: got"},
		{`"earned_by": {"base": 35}`, `"earned_by": {"base": 34}`, "points: got"},
		{`"money_back": 1434`, `"money_back": 1433`, "return 1: got"},
		{`[[{"line_id": "1", "quantity": "2"}]`, `[[{"line_id": "1", "quantity": "4"}]`, "return 1: return line 1: only 3"},
		{`"percent": "1"`, `"percent": 1`, "/1/mechanic/percent: want text"},
		{`"quantity": "3", "unit_price": 1000`, `"quantity": "0.5", "unit_price": 1000`, "/lines/0/quantity: pieces are whole"},
	} {
		changed := bytes.Replace(b, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(changed, b) {
			t.Errorf("%s is not there", c.old)
		}
		path := filepath.Join(t.TempDir(), "changed.json")
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := (&Command{Vectors: path}).Run(&out); err == nil || !strings.Contains(out.String(), c.want) || !strings.HasSuffix(out.String(), "2 passed, 1 failed\n") {
			t.Errorf("%s: %v\n%swant %s", c.new, err, &out, c.want)
		}
	}
}

func TestWhatIsNoFile(t *testing.T) {
	for name, text := range map[string]string{
		"empty": "", "another schema": `{"schema": "vectors/v2"}`, "an unknown key": `{"schema": "vectors/v1", "vector": []}`,
	} {
		path := filepath.Join(t.TempDir(), "file.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := (&Command{Vectors: path}).Run(&bytes.Buffer{}); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if err := (&Command{Vectors: "nowhere.json"}).Run(&bytes.Buffer{}); err == nil {
		t.Error("a file that is not there is read")
	}
}

// A key that nothing reads is told, and one bad vector leaves the others to be priced.
func TestUnreadKeys(t *testing.T) {
	b, err := os.ReadFile(ours)
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`"tenders": ["card"]`), []byte(`"weather": "rain", "tenders": ["card"]`), 1)
	b = bytes.Replace(b, []byte(`"quantity": "0.700"`), []byte(`"quantity": 0.7`), 1)
	path := filepath.Join(t.TempDir(), "file.json")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&Command{Vectors: path}).Run(&out); err == nil || !strings.Contains(out.String(), `o01-tender-birthday-first: nothing reads the key "weather"`) ||
		!strings.HasSuffix(out.String(), "2 passed, 1 failed\n") {
		t.Errorf("%v\n%s", err, &out)
	}
}

// No file of vectors makes the engine panic, hang, or lose a cent.
func FuzzVectors(f *testing.F) {
	f.Add([]byte(`{"schema":"vectors/v1","vectors":[{"promotions":[],"quote":{"channel":"till","lines":[{"line_id":"1","item":"x","quantity":"2","unit_price":5}]}}]}`))
	f.Add([]byte(`{"schema":"vectors/v1","vectors":[{"sets":{"s":{"include":{"items":["x"]}}},"promotions":[{"schema":"promotion/v1","id":"p","revision":1,"name":"p","text":{"en":"p"},"mechanic":{"type":"nth_item","set":"s","n":2,"percent":"50"}}],"quote":{"lines":[{"line_id":"1","item":"x","quantity":"5","unit_price":33}]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := read(b)
		if err != nil {
			return
		}
		for _, text := range file.Vectors {
			v, _, err := readVector(text)
			if err != nil {
				return
			}
			rules, err := v.rules()
			if err != nil {
				return
			}
			basket, err := v.basket()
			if err != nil {
				return
			}
			q, _, err := price(rules, basket)
			if err != nil {
				return
			}
			sum := q.Totals
			for _, l := range q.Lines {
				if l.Net < 0 || l.ToPay < 0 {
					t.Fatalf("line %+v", l)
				}
				sum.Net -= l.Net
				sum.ToPay -= l.ToPay
			}
			if sum.Net != 0 || sum.ToPay != 0 {
				t.Fatalf("totals %+v", q.Totals)
			}
		}
	})
}
