package house

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// file is one Go file of the module.
type file struct {
	path  string // from the top of the module
	room  string // package it belongs to: path without the file, "" at the top
	test  bool
	lines int
	tree  *ast.File
	set   *token.FileSet
}

// at gives where a node is, as path:line.
func (f *file) at(n ast.Node) string {
	return f.path + ":" + strconv.Itoa(f.set.Position(n.Pos()).Line)
}

// imports gives the import paths of a file with the node that says each.
func (f *file) imports(yield func(string, ast.Node) bool) {
	for _, spec := range f.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err == nil && !yield(p, spec) {
			return
		}
	}
}

// module is what a check reads.
type module struct {
	name  string // module path
	files []*file
	top   []string // what lies at the top, but for what .gitignore names
}

// read parses every Go file below the top of a module.
func read(fsys fs.FS) (*module, error) {
	name, err := moduleName(fsys)
	if err != nil {
		return nil, err
	}
	ignored, err := ignoredAtTop(fsys)
	if err != nil {
		return nil, err
	}
	m := &module{name: name}
	set := token.NewFileSet()
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == "." {
			return err
		}
		if !strings.Contains(p, "/") {
			if matchesAny(ignored, p) {
				return skip(d)
			}
			m.top = append(m.top, p)
		}
		if base := path.Base(p); d.IsDir() && (base[0] == '.' || base[0] == '_' || base == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || path.Ext(p) != ".go" {
			return nil
		}
		f, err := parse(fsys, set, p)
		m.files = append(m.files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	return m, nil
}

func parse(fsys fs.FS, set *token.FileSet, p string) (*file, error) {
	src, err := fs.ReadFile(fsys, p)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(set, p, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	room := path.Dir(p)
	if room == "." {
		room = ""
	}
	return &file{
		path: p, room: room, test: strings.HasSuffix(p, "_test.go"),
		lines: bytes.Count(src, []byte("\n")), tree: tree, set: set,
	}, nil
}

func skip(d fs.DirEntry) error {
	if d.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func moduleName(fsys fs.FS) (string, error) {
	b, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	name, ok := strings.CutPrefix(line, "module ")
	if !ok {
		return "", fmt.Errorf("go.mod: want \"module\" in the first line, got %q", line)
	}
	return strings.TrimSpace(name), nil
}

// ignoredAtTop gives the patterns of .gitignore: what a developer's own work leaves at the top.
func ignoredAtTop(fsys fs.FS) (patterns []string, err error) {
	b, err := fs.ReadFile(fsys, ".gitignore")
	if err != nil {
		return nil, err
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		if line := strings.Trim(strings.TrimSpace(s.Text()), "/"); line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	return patterns, nil
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}
