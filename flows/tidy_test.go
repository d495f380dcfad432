package flows

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestFlowsFollowTheRuntimeRule checks that flows wait, fork and tell time only
// through their Runtime, so that a simulation runs the very code that runs live,
// and that they import nothing but the standard library.
func TestFlowsFollowTheRuntimeRule(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	below, err := filepath.Glob("chunks/*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, below...)
	checked := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		checked++
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, broken := range breaches(fset, f) {
			t.Error(broken)
		}
	}
	if checked == 0 {
		t.Error("no file was checked")
	}
}

// breaches returns where f breaks the runtime rule, in words.
func breaches(fset *token.FileSet, f *ast.File) []string {
	banned := map[string]string{
		"time.Now": "Runtime.Now", "time.Since": "Runtime.Now", "time.Until": "Runtime.Now",
		"time.Sleep": "Runtime.Sleep",
		"time.After": "Runtime.Sleep", "time.AfterFunc": "Runtime.Go and " +
			"Runtime.Sleep", "time.NewTimer": "Runtime.Sleep",
		"time.NewTicker": "Runtime.Sleep", "time.Tick": "Runtime.Sleep",
		"context.WithTimeout": "Runtime.WithTimeout", "context.WithDeadline": "Runtime.WithTimeout",
		"context.WithCancel": "the context passed in", "context.WithCancelCause": "the context passed in",
		"context.AfterFunc": "Runtime.Go", "context.Background": "the context passed in",
		"sync.NewCond": "Runtime.Promise",
	}
	var found []string
	add := func(n ast.Node, text string) { found = append(found, fset.Position(n.Pos()).String()+": "+text) }
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil || strings.Contains(path, ".") || strings.HasPrefix(path, "math/rand") ||
			strings.HasPrefix(path, "flowbench/") && path != "flowbench/flows/chunks" {
			add(
				spec,
				"import of "+spec.Path.Value+": flows import the standard library and chunks, and draw no numbers",
			)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			add(n, "go statement in a flow; use Runtime.Go")
		case *ast.SelectStmt, *ast.ChanType:
			add(n, "channel in a flow; use a Promise or a Subscription")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				if use, bad := banned[x.Name+"."+n.Sel.Name]; bad {
					add(n, x.Name+"."+n.Sel.Name+" in a flow; use "+use)
				}
			}
		}
		return true
	})
	return found
}

func TestTheRuntimeRuleFindsWhatBreaksIt(t *testing.T) {
	for _, body := range []string{
		"go f()", "var c chan int; _ = c", "select {}", "time.Sleep(1)", "_ = time.Now()", "ctx, _ := " +
			"context.WithCancel(nil); _ = ctx",
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, "x.go", "package x\nfunc f() {\n"+body+"\n}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if len(breaches(fset, f)) == 0 {
			t.Errorf("%q is not found to break the rule", body)
		}
	}
}

// TestSpecs checks that every flow describes itself fully and under its own name.
func TestSpecs(t *testing.T) {
	seen := make(map[string]bool)
	for _, f := range All() {
		s := f.Spec()
		if s.Name == "" || s.Name != strings.ToLower(s.Name) || seen[s.Name] {
			t.Errorf("%T: name %q is empty, taken or not lower-case", f, s.Name)
		}
		seen[s.Name] = true
		if s.Summary == "" || strings.HasSuffix(s.Summary, ".") {
			t.Errorf("%s: summary %q should be a phrase without a final stop", s.Name, s.Summary)
		}
		if s.Uses == 0 {
			t.Errorf("%s: uses no part of the world", s.Name)
		}
		for _, key := range []string{"path", "command", "query"} {
			n := 0
			for _, a := range s.Axes {
				if a.Key == key && a.Value != "" {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s: axis %s given %d times; want once", s.Name, key, n)
			}
		}
	}
}
