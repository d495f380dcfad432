package flowbench_test

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// The house rules that a machine can hold. Others are in CONTRIBUTING.md.
const (
	maxLine     = 120 // columns
	maxFunction = 70  // lines
)

// TestTidy holds every Go file to the house rules.
func TestTidy(t *testing.T) {
	files := 0
	for _, path := range sources(t) {
		files++
		checkLines(t, path)
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		checkName(t, path, f)
		if strings.HasSuffix(path, "_test.go") {
			checkSleep(t, fset, path, f)
			continue
		}
		for _, d := range f.Decls {
			checkDeclaration(t, fset, d)
		}
	}
	if files < 20 {
		t.Errorf("only %d files were checked; the walk is broken", files)
	}
}

// TestEveryPackageSaysWhatItIsFor looks for a package comment worth the name.
func TestEveryPackageSaysWhatItIsFor(t *testing.T) {
	longest := make(map[string]int)
	for _, path := range sources(t) {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Dir(path)
		longest[dir] = max(longest[dir], len(f.Doc.Text()))
	}
	for dir, n := range longest {
		if n < 80 {
			t.Errorf("package %s has a comment of %d characters; want it to say what it is for", dir, n)
		}
	}
}

// TestLeakChecks looks for goleak in every package that starts goroutines.
func TestLeakChecks(t *testing.T) {
	starts, checks := make(map[string]string), make(map[string]bool)
	for _, path := range sources(t) {
		dir := filepath.Dir(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch test := strings.HasSuffix(path, "_test.go"); {
		case test && strings.Contains(string(text), "goleak.Verify"):
			checks[dir] = true
		case !test && regexp.MustCompile(`(?m)^\s*go (func|[a-z]\w*[.(])`).Match(text):
			starts[dir] = path
		}
	}
	for dir, path := range starts {
		if !checks[dir] &&
			dir != filepath.Join("sim", "broker", "natswire") { // natswire is tested by the drivers above it
			t.Errorf("%s starts goroutines, and no test of its package looks for leaked ones", path)
		}
	}
}

func checkLines(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	leftover := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		columns := utf8.RuneCountInString(strings.ReplaceAll(lines.Text(), "\t", "    "))
		if columns > maxLine {
			t.Errorf("%s:%d: %d columns; want at most %d", path, n, columns, maxLine)
		}
		if leftover.MatchString(lines.Text()) {
			t.Errorf("%s:%d: something is left over: %s", path, n, strings.TrimSpace(lines.Text()))
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// checkName refuses names that say nothing about what is inside.
func checkName(t *testing.T, path string, f *ast.File) {
	t.Helper()
	empty := []string{"util", "utils", "common", "helper", "helpers", "manager", "types", "base", "misc", "shared"}
	file := strings.TrimSuffix(filepath.Base(path), ".go")
	if slices.Contains(empty, f.Name.Name) || slices.Contains(empty, file) {
		t.Errorf("%s: the name says nothing about what is inside", path)
	}
}

// checkSleep refuses tests that wait for time instead of for a condition.
// Inside a synctest bubble time is virtual, and a sleep is exact.
func checkSleep(t *testing.T, fset *token.FileSet, path string, f *ast.File) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "synctest.Test(") {
		return
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && !inBenchmark(fset, f, n) {
				t.Errorf(
					"%v: a test sleeps; wait for a condition with a deadline, or use virtual time",
					fset.Position(n.Pos()),
				)
			}
		}
		return true
	})
}

// inBenchmark reports whether n stands in a benchmark or in what only polls for
// a condition, which is named await.
func inBenchmark(_ *token.FileSet, f *ast.File, n ast.Node) bool {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if ok && fn.Pos() <= n.Pos() && n.Pos() < fn.End() {
			name := strings.ToLower(fn.Name.Name)
			return strings.HasPrefix(name, "benchmark") || strings.HasPrefix(name, "await") ||
				strings.HasPrefix(name, "naive")
		}
	}
	return false
}

// checkDeclaration refuses init functions, mutable package state and long functions.
func checkDeclaration(t *testing.T, fset *token.FileSet, d ast.Decl) {
	t.Helper()
	at := fset.Position(d.Pos())
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil && d.Name.Name == "init" {
			t.Errorf("%v: an init function; make it a function that is called", at)
		}
		if lines := fset.Position(d.End()).Line - at.Line + 1; lines > maxFunction {
			t.Errorf("%v: %s has %d lines; want at most %d", at, d.Name.Name, lines, maxFunction)
		}
	case *ast.GenDecl:
		if d.Tok != token.VAR {
			return
		}
		for _, spec := range d.Specs {
			v, ok := spec.(*ast.ValueSpec)
			if ok && !immutable(d, v) {
				t.Errorf("%v: package state %s; pass it as an argument", fset.Position(v.Pos()), v.Names[0].Name)
			}
		}
	}
}

// immutable reports whether a package variable is one of the few kinds that
// nobody changes: sentinel errors, embedded files, and interface checks.
func immutable(d *ast.GenDecl, v *ast.ValueSpec) bool {
	for _, doc := range []*ast.CommentGroup{d.Doc, v.Doc} {
		if doc != nil && strings.Contains(doc.List[len(doc.List)-1].Text, "go:embed") {
			return true
		}
	}
	for i, name := range v.Names {
		if name.Name == "_" {
			continue
		}
		if i >= len(v.Values) || !sentinel(v.Values[i]) {
			return false
		}
	}
	return true
}

func sentinel(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "errors" && sel.Sel.Name == "New"
}

// sources returns all Go files of the project.
func sources(t *testing.T) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != "." || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() && filepath.Ext(path) == ".go" {
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
