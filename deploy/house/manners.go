package house

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkTop looks at what lies at the top of the repository.
func (m *module) checkTop(fault func(where, rule string)) {
	for _, name := range m.top {
		if !slices.Contains(topLevel(), name) {
			fault(name, "the top of the repository holds only "+list(topLevel()))
		}
	}
}

// checkPackages looks at each package's name and documentation.
func (m *module) checkPackages(fault func(where, rule string)) {
	documented, files := map[string]bool{}, map[string]bool{}
	for _, f := range m.files {
		if f.test {
			continue
		}
		files[f.room] = true
		documented[f.room] = documented[f.room] || f.tree.Doc.Text() != ""
		if name := f.tree.Name.Name; slices.Contains(noNames(), name) || slices.Contains(noNames(), path.Base(f.room)) {
			fault(f.path, fmt.Sprintf("a package called %s says nothing: name it for its noun", name))
		}
	}
	for room := range files {
		if !documented[room] {
			fault(say(room), "a package needs a doc comment that says what it owns")
		}
	}
}

// checkFiles looks at what the files do.
func (m *module) checkFiles(fault func(where, rule string)) {
	for _, f := range m.files {
		if f.lines > MaxLines && !ast.IsGenerated(f.tree) {
			fault(f.path, fmt.Sprintf("%d lines: a file over %d that is not generated holds two things", f.lines, MaxLines))
		}
		for _, d := range f.tree.Decls {
			fn, _ := d.(*ast.FuncDecl)
			if fn != nil && fn.Recv == nil && fn.Name.Name == "init" {
				fault(f.at(fn), "no init: whoever needs a thing makes it")
			}
			must := fn != nil && strings.HasPrefix(strings.ToLower(fn.Name.Name), "must")
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					f.checkCall(n, must, fault)
				case *ast.GoStmt:
					if !f.test {
						fault(f.at(n), "no go statement: whoever starts a goroutine waits for it, by sync.WaitGroup.Go")
					}
				}
				return true
			})
		}
	}
}

func (f *file) checkCall(call *ast.CallExpr, must bool, fault func(where, rule string)) {
	switch fn := call.Fun.(type) {
	case *ast.Ident:
		if fn.Name == "panic" && !must && !f.test {
			fault(f.at(call), "panic only in a function called Must...: return an error")
		}
	case *ast.SelectorExpr:
		pkg, ok := fn.X.(*ast.Ident)
		if !ok {
			return
		}
		switch name := pkg.Name + "." + fn.Sel.Name; {
		case strings.HasPrefix(name, "log.Fatal") || strings.HasPrefix(name, "log.Panic"):
			fault(f.at(call), "no "+name+": return an error to main")
		case name == "context.Background" && !f.test && f.room != "" && floor(f.room) != "deploy":
			fault(f.at(call), "no context.Background below main: a wait without a deadline does not exist")
		case name == "time.Sleep" && f.test:
			fault(f.at(call), "no time.Sleep in a test: wait on the thing itself")
		}
	}
}
