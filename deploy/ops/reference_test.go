package ops_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The item master and promotions, as an operator goes about them.
func TestReferenceData(t *testing.T) {
	t.Parallel()
	f := sold(t, nil)
	node := f.Centre()[0].Node()
	run := func(args ...string) (string, error) {
		return tool(t, append([]string{"--centre", node.URL()}, args...)...)
	}
	ok := func(args ...string) string {
		t.Helper()
		out, err := run(args...)
		if err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		return out
	}
	path := func(name, text string) string {
		p := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	goods := path("goods.csv", "code,name,category,unit,min_age,no_loyalty\n"+
		"4006381333931,Pen,office/pens,,,\nwine,Red wine,drinks/wine,,16,\ncheese,Cheese,food/cheese,kg,,true\n")

	prints(t, ok("items", "import", "--check", goods), "it would be: 3 new, 0 changed, 0 removed, 0 as they were")
	prints(t, ok("items", "ls"), "CODE")
	prints(t, ok("items", "import", goods), "done: 3 new, 0 changed, 0 removed, 0 as they were; revision ")
	prints(t, ok("items", "import", goods), "done: 0 new, 0 changed, 0 removed, 3 as they were")
	prints(t, ok("items", "show", "4006381333931"), "04006381333931", "Pen", "office/pens")
	prints(t, ok("items", "ls"), "wine", "Red wine", "16", "kg", "yes")
	more := path("more.ndjson", `{"code":"wine","name":"Red wine","category":"drinks/wine","min_age":18}`+"\n"+`{"code":"cheese","remove":true}`+"\n")
	prints(t, ok("--json", "items", "import", more), `"changed": 1`, `"removed": 1`)
	prints(t, ok("items", "import", "--replace", more), "0 new, 0 changed, 1 removed, 2 as they were")

	_, err := run("items", "import", path("bad.csv", "code,name\na,A\nb c,B\n4006381333932,Pen\n"))
	fails(t, err, "nothing is imported", "line 3: code", "line 4", "wrong check digit")
	_, err = run("items", "show", "none")
	fails(t, err, "not-found")
	_, err = run("items", "import", filepath.Join(t.TempDir(), "nothing.csv"))
	fails(t, err, "no such file")

	coffee := func(revision int, percent string) string {
		return path("coffee.yaml", fmt.Sprintf(`{schema: promotion/v1, id: coffee, revision: %d, name: "Coffee off", text: {en: "Coffee"},
  mechanic: {type: percentage, set: coffee, percent: "%s"}}`, revision, percent))
	}
	_, err = run("promotions", "put", coffee(1, "25"))
	fails(t, err, "names the product set coffee", "put the set first")
	prints(t, ok("sets", "put", path("set.json", `{"id":"coffee","revision":1,"include":{"categories":["drinks/coffee"]}}`)), "1 new")
	prints(t, ok("promotions", "put", coffee(1, "25")), "done: 1 new")
	_, err = run("sets", "rm", "coffee")
	fails(t, err, "promotion coffee names the product set coffee")
	_, err = run("promotions", "put", coffee(1, "30"))
	fails(t, err, "coffee is there with revision 1 and differs")
	prints(t, ok("promotions", "put", coffee(2, "30")), "1 changed")
	prints(t, ok("promotions", "ls"), "coffee", "Coffee off", "2")
	prints(t, ok("promotions", "show", "coffee"), `"percent": "30"`)
	prints(t, ok("promotions", "stop", "coffee"), "1 changed")
	prints(t, ok("promotions", "ls"), "ended", "3")
	_, err = run("promotions", "stop", "tea")
	fails(t, err, "not-found")
	prints(t, ok("promotions", "rm", "coffee"), "1 removed")
	prints(t, ok("sets", "ls"), "coffee")
	_, err = run("settings", "put", path("stores.yaml", "id: stores\nrevision: 1\nzone: Europe/Atlantis\n"))
	fails(t, err, "Europe/Atlantis", "IANA")
	prints(t, ok("settings", "put", path("set.yaml", "id: scan\nrevision: 1\ncountry: DE\n")), "1 new")
	prints(t, ok("settings", "show", "scan"), `"country": "DE"`)
	_, err = run("settings", "show", "coffee") // it is a set
	fails(t, err, "not-found")
}

// A file of 200,000 items is fine, and so is the same file again.
func TestManyItems(t *testing.T) {
	t.Parallel()
	f := sold(t, nil)
	var b strings.Builder
	b.WriteString("code,name,category\n")
	for i := range 200_000 {
		fmt.Fprintf(&b, "item-%06d,An item whose number is %d,department-%d/group-%d/kind-%d\n", i, i, i%10, i%200, i%5000)
	}
	goods := file(t, b.String())
	for _, want := range []string{"200000 new", "200000 as they were"} {
		out, err := tool(t, "--centre", f.Centre()[0].Node().URL(), "items", "import", goods)
		if err != nil {
			t.Fatal(err)
		}
		prints(t, out, want)
	}
}
