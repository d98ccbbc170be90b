package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"
)

// setting is one key of a daemon's YAML file.
type setting struct {
	key  string
	kind string // what its value is, in words
	says string // the comment of its field, on one line
}

// read gives the settings of a struct in a Go file, in the order of its fields. A field without a key
// or without a comment is an error.
func read(path, name string) ([]setting, error) {
	tree, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	all := structs(tree)
	if all[name] == nil {
		return nil, fmt.Errorf("read settings: %s has no struct %s", path, name)
	}
	var out []setting
	for _, f := range all[name].Fields.List {
		s := setting{key: key(f), kind: kind(f.Type, all), says: strings.Join(strings.Fields(f.Doc.Text()), " ")}
		if s.key == "" || s.says == "" {
			return nil, fmt.Errorf("read settings: %s: a field of %s has no key or no comment: %v", path, name, f.Names)
		}
		if s.kind == "" || strings.HasSuffix(s.kind, " ") {
			return nil, fmt.Errorf("read settings: %s: %s: there is no word for what it is", path, s.key)
		}
		out = append(out, s)
	}
	return out, nil
}

// structs are the structs that a file declares.
func structs(tree *ast.File) map[string]*ast.StructType {
	out := map[string]*ast.StructType{}
	for _, d := range tree.Decls {
		gen, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok {
				if s, ok := t.Type.(*ast.StructType); ok {
					out[t.Name.Name] = s
				}
			}
		}
	}
	return out
}

// key is a field's name in YAML.
func key(f *ast.Field) string {
	if f.Tag == nil {
		return ""
	}
	tag, err := strconv.Unquote(f.Tag.Value)
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("yaml"), ",")
	return name
}

// kind says in words what a type's values are, "" if there is none. A type of another package is one of
// package subjects: a token.
func kind(t ast.Expr, all map[string]*ast.StructType) string {
	switch t := t.(type) {
	case *ast.ArrayType:
		return "list of " + kind(t.Elt, all)
	case *ast.SelectorExpr:
		return "name"
	case *ast.Ident:
		if s := all[t.Name]; s != nil {
			var keys []string
			for _, f := range s.Fields.List {
				keys = append(keys, "`"+key(f)+"`")
			}
			return strings.Join(keys, ", ")
		}
		return map[string]string{"string": "text", "int": "number", "bool": "yes or no"}[t.Name]
	}
	return ""
}
