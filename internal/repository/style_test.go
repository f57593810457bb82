package repository_test

import (
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPackagesAreDocumented: every package says what it is.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, f := range files(t) {
		if strings.HasSuffix(f.Name.Name, "_test") {
			continue
		}
		dir := path.Dir(f.name)
		documented[dir] = documented[dir] || f.Doc != nil && !f.test()
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package %s has no comment that says what it is", dir)
		}
	}
}

// unfinished is how code calls itself unfinished.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)

func TestNothingIsLeftForLater(t *testing.T) {
	for _, f := range files(t) {
		for _, group := range f.Comments {
			for _, c := range group.List {
				if word := unfinished.FindString(c.Text); word != "" {
					t.Errorf("%s: a comment says %s", line(c.Pos()), word)
				}
			}
		}
	}
}

// TestNothingSleeps: a sleep cannot be interrupted, and a test that sleeps is
// slow or flaky. In a bubble of testing/synctest time is not waited for, so
// tests that import it may.
func TestNothingSleeps(t *testing.T) {
	for _, f := range files(t) {
		if f.test() && imports(f, "testing/synctest") {
			continue
		}
		ast.Inspect(f.File, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Sleep" && isName(s.X, "time") {
				t.Errorf("%s: time.Sleep outside a bubble of testing/synctest", line(n.Pos()))
			}
			return true
		})
	}
}

// registered are the files in which init registers something with others who
// leave no other way.
var registered = []string{
	"mesh/meshgrpc/balancer.go", // gRPC finds policies by name alone
}

// TestNothingIsWiredByInit: what a program does stands in what it calls.
func TestNothingIsWiredByInit(t *testing.T) {
	for _, f := range files(t) {
		if slices.Contains(registered, f.name) {
			continue
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
				t.Errorf("%s: func init", line(fn.Pos()))
			}
		}
	}
}

// TestTestsLookForLeaks: a package that has tests has goleak look at what they
// leave behind.
func TestTestsLookForLeaks(t *testing.T) {
	for _, p := range packages(t) {
		tests := len(p.TestGoFiles)+len(p.XTestGoFiles) > 0
		if tests && !slices.Contains(p.TestImports, "go.uber.org/goleak") && !slices.Contains(p.XTestImports, "go.uber.org/goleak") {
			t.Errorf("no test of %s imports goleak", short(p.ImportPath))
		}
	}
}

func imports(f file, path string) bool {
	return slices.ContainsFunc(f.Imports, func(s *ast.ImportSpec) bool { return s.Path.Value == `"`+path+`"` })
}

func isName(e ast.Expr, name string) bool {
	id, ok := e.(*ast.Ident)
	return ok && id.Name == name
}
