package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(top + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReadmeSaysWhatTheCodeReads(t *testing.T) {
	got := readme(t)
	want, err := fill(got, top)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Error("the settings in README.md are not those of the code: run make generate")
	}
}

// A daemon of more settings than a person keeps in mind has to be thought over, not documented.
func TestAtMostTwentySettings(t *testing.T) {
	for _, daemon := range daemons() {
		s, err := read(top+"/"+daemon+"/config.go", "Config")
		if err != nil {
			t.Fatal(err)
		}
		if len(s) == 0 || len(s) > 20 {
			t.Errorf("%s has %d settings", daemon, len(s))
		}
	}
}

// Every module that go.mod names as ours is in the table of README.md, in its version, and no other.
func TestReadmeNamesTheModules(t *testing.T) {
	mod, err := os.ReadFile(top + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+)$`).FindAllStringSubmatch(string(mod), -1) {
		want[m[1]] = m[2]
	}
	for _, tool := range regexp.MustCompile(`(?m)^(?:tool |\t)(\S+/cmd/\S+)$`).FindAllStringSubmatch(string(mod), -1) {
		for _, m := range regexp.MustCompile(`(?m)^\t(\S+) (v\S+) // indirect$`).FindAllStringSubmatch(string(mod), -1) {
			if strings.HasPrefix(tool[1], m[1]+"/") {
				want[m[1]] = m[2]
			}
		}
	}
	got := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| (\S+/\S+) \| (v\S+) \| \S+ \| .+ \|$`).FindAllStringSubmatch(readme(t), -1) {
		got[m[1]] = m[2]
	}
	for module, version := range want {
		if got[module] != version {
			t.Errorf("README.md says %q of %s, go.mod %s", got[module], module, version)
		}
	}
	for module := range got {
		if want[module] == "" {
			t.Errorf("README.md names %s, go.mod does not", module)
		}
	}
	if len(want) < 10 {
		t.Errorf("found only %d modules in go.mod", len(want))
	}
}

// What is printed, on a small Config.
func TestTable(t *testing.T) {
	dir := t.TempDir()
	source := "package small\n\ntype Config struct {\n" +
		"\t// Data centre, such as\n\t// eu1 | us1. Required.\n\tDC subjects.Token `yaml:\"dc\"`\n" +
		"\t// Tills.\n\tTills []Till `yaml:\"tills,omitempty\"`\n" +
		"\t// Upstreams.\n\tUp []string `yaml:\"up\"`\n" +
		"\t// Days. Zero: 35.\n\tDays int `yaml:\"days\"`\n}\n\n" +
		"type Till struct {\n\tTill subjects.TillID `yaml:\"till\"`\n\tNkey string `yaml:\"nkey\"`\n}\n"
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("edge/config.go", source)
	write("central/config.go", "package small\n\ntype Config struct {\n\t// On or off.\n\tOn bool `yaml:\"on\"`\n}\n")
	const table = "| setting | is | |\n| --- | --- | --- |\n" +
		"| `dc` | name | Data centre, such as eu1 \\| us1. Required. |\n" +
		"| `tills` | list of `till`, `nkey` | Tills. |\n" +
		"| `up` | list of text | Upstreams. |\n" +
		"| `days` | number | Days. Zero: 35. |\n"
	page := func(edge string) string {
		return "before\n<!-- settings edge: begin -->\n" + edge + "<!-- settings edge: end -->\nbetween\n" +
			"<!-- settings central: begin -->\n\n| setting | is | |\n| --- | --- | --- |\n| `on` | yes or no | On or off. |\n\n<!-- settings central: end -->\nafter\n"
	}
	got, err := fill(page("old\n"), dir)
	if want := page("\n" + table + "\n"); err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
	for name, c := range map[string]struct{ source, page, want string }{
		"no markers": {source, "before\n", "want the lines"},
		"no comment": {"package small\n\ntype Config struct {\n\tDC string `yaml:\"dc\"`\n}\n", page(""), "no key or no comment"},
		"no key":     {"package small\n\ntype Config struct {\n\t// DC.\n\tDC string\n}\n", page(""), "no key or no comment"},
		"no Config":  {"package small\n", page(""), "no struct Config"},
		"no Go":      {"oops", page(""), "config.go"},
		"a new kind": {"package small\n\ntype Config struct {\n\t// M.\n\tM map[string]int `yaml:\"m\"`\n}\n", page(""), "no word for"},
	} {
		t.Run(name, func(t *testing.T) {
			write("edge/config.go", c.source)
			if got, err := fill(c.page, dir); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error that says %q\n%s", err, c.want, got)
			}
		})
	}
}
