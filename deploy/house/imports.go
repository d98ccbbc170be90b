package house

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// checkImports holds every file to the table.
func (m *module) checkImports(fault func(where, rule string)) {
	table := map[string]room{}
	for _, r := range rooms() {
		table[r.path] = r
	}
	unknown := map[string]bool{}
	for _, f := range m.files {
		r, ok := table[f.room]
		if !ok {
			if !unknown[f.room] {
				fault(f.room, "a package needs one line in the table of deploy/house/rooms.go")
			}
			unknown[f.room] = true
			continue
		}
		for imported, node := range f.imports {
			if rule := m.mayImport(r, f.test, imported); rule != "" {
				fault(f.at(node), rule)
			}
		}
	}
}

// mayImport gives the rule that an import breaks, or "".
func (m *module) mayImport(r room, test bool, imported string) string {
	ours, ok := strings.CutPrefix(imported, m.name)
	switch {
	case ok && (ours == "" || ours[0] == '/'):
		return inside(r, test, strings.TrimPrefix(ours, "/"))
	case !strings.Contains(strings.SplitN(imported, "/", 2)[0], "."):
		return "" // the standard library
	}
	for _, d := range doors() {
		if imported == d.module || strings.HasPrefix(imported, d.module+"/") {
			if rule := d.open(r, test, imported); rule != "" {
				return rule
			}
			if d.keepers != nil {
				return ""
			}
		}
	}
	if r.outside != nil && !test && !slices.Contains(r.outside, imported) {
		return fmt.Sprintf("%s may not import %s: it may import %s of other modules", say(r.path), imported, list(r.outside))
	}
	return ""
}

// inside is the rule over our own packages. A test may also use the ground floor, its own package and
// the packages beside it on its floor, to set up what it tests.
func inside(r room, test bool, ours string) string {
	if allowed(r.may, ours) {
		return ""
	}
	if from, to := floor(r.path), floor(ours); from == "edge" && to == "central" || from == "central" && to == "edge" {
		return fmt.Sprintf("%s may not import %s: edge and central never import each other", say(r.path), ours)
	}
	if test && (ours == r.path || floor(ours) == floor(r.path) || slices.Contains(groundFloor(), ours)) {
		return ""
	}
	if floor(ours) == "deploy" {
		return fmt.Sprintf("%s may not import %s: only deploy and main import deploy", say(r.path), ours)
	}
	return fmt.Sprintf("%s may not import %s: it may import %s", say(r.path), say(ours), list(r.may))
}

func (d door) open(r room, test bool, imported string) string {
	switch {
	case allowed(d.never, r.path):
		return fmt.Sprintf("%s may never import %s", say(r.path), d.module)
	case d.keepers != nil && !allowed(d.keepers, r.path) && !(test && d.tests):
		return fmt.Sprintf("%s may not import %s: its doorkeepers are %s", say(r.path), d.module, list(d.keepers))
	case d.packages != nil && !slices.Contains(d.packages, imported):
		return fmt.Sprintf("%s may not import %s: of that module only %s", say(r.path), imported, list(d.packages))
	}
	return ""
}

// allowed reports whether a list of the table names a package.
func allowed(names []string, p string) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		switch {
		case name == "*":
			return true
		case name == ground:
			return slices.Contains(groundFloor(), p)
		case strings.HasSuffix(name, "/*"):
			return strings.HasPrefix(p, strings.TrimSuffix(name, "*"))
		}
		return name == p
	})
}

// floor is the first part of a package's path: edge, central, deploy, subjects, kv.
func floor(p string) string {
	first, _, _ := strings.Cut(path.Clean(p), "/")
	return first
}

func say(p string) string {
	if p == "" {
		return "main"
	}
	return p
}

func list(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
