package main

import (
	"fmt"
	"strings"
)

// daemons are those whose Config has a table.
func daemons() []string { return []string{"edge", "central"} }

// fill replaces what stands between each daemon's markers by its table.
func fill(readme, top string) (string, error) {
	for _, daemon := range daemons() {
		table, err := read(top+"/"+daemon+"/config.go", "Config")
		if err != nil {
			return "", err
		}
		begin, end := "<!-- settings "+daemon+": begin -->\n", "<!-- settings "+daemon+": end -->"
		before, rest, ok := strings.Cut(readme, begin)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			return "", fmt.Errorf("want the lines %q and %q", strings.TrimSpace(begin), end)
		}
		readme = before + begin + "\n" + markdown(table) + "\n" + end + after
	}
	return readme, nil
}

// markdown prints a table.
func markdown(settings []setting) string {
	var b strings.Builder
	b.WriteString("| setting | is | |\n| --- | --- | --- |\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", s.key, s.kind, strings.ReplaceAll(s.says, "|", `\|`))
	}
	return b.String()
}
