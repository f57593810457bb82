package repository_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"testing"
)

// TestGlobalsAreConstant: a variable of a package is not written to after its
// declaration, nor is anything in it.
func TestGlobalsAreConstant(t *testing.T) {
	byDir := map[string][]*ast.File{}
	for _, f := range files(t) {
		if !f.test() {
			byDir[path.Dir(f.name)] = append(byDir[path.Dir(f.name)], f.File)
		}
	}
	for dir, parsed := range byDir {
		for _, pos := range globalWrites(dir, parsed) {
			t.Errorf("%s: a variable of the package is written to", line(pos))
		}
	}
}

// TestGlobalWritesAreSeen holds the check itself to something.
func TestGlobalWritesAreSeen(t *testing.T) {
	for code, want := range map[string]int{
		`var a = 1; func f() { a = 2; a++; a += 3 }`:                   3,
		`var a = 1; func f() { a := 2; a = 3; _ = a }`:                 0,
		`var m = map[int]int{}; func f() { m[1] = 2; delete(m, 1) }`:   2,
		`var s struct{ x []int }; func f() { s.x[0], _ = 1, 2 }`:       1,
		`var s struct{ x int }; func f(s struct{ x int }) { s.x = 1 }`: 0,
		`var p = new(int); func f() { *p = 1; clear([]int{}) }`:        1,
	} {
		if got := len(globalWrites("example", []*ast.File{parseText(t, "package example; "+code)})); got != want {
			t.Errorf("%s: got %d writes, want %d", code, got, want)
		}
	}
}

// globalWrites finds the writes to variables of a package. Names are resolved
// without what the package imports, of which nothing here depends.
func globalWrites(name string, parsed []*ast.File) []token.Pos {
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: noImporter{}, Error: func(error) {}}
	pkg, _ := config.Check(name, positions, parsed, &info)
	var found []token.Pos
	for _, f := range parsed {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, target := range written(n) {
				if id := root(target); id != nil && info.Uses[id] != nil && info.Uses[id].Parent() == pkg.Scope() {
					found = append(found, target.Pos())
				}
			}
			return true
		})
	}
	return found
}

// written is what a node writes to.
func written(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if (isName(n.Fun, "delete") || isName(n.Fun, "clear")) && len(n.Args) > 0 {
			return n.Args[:1]
		}
	}
	return nil
}

// root is the variable at the beginning of an expression that can be written to.
func root(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		return e
	case *ast.SelectorExpr:
		return root(e.X)
	case *ast.IndexExpr:
		return root(e.X)
	case *ast.StarExpr:
		return root(e.X)
	case *ast.ParenExpr:
		return root(e.X)
	}
	return nil
}

// A noImporter imports nothing.
type noImporter struct{}

func (noImporter) Import(string) (*types.Package, error) { return nil, errors.New("not imported") }

func parseText(t *testing.T, code string) *ast.File {
	t.Helper()
	f, err := parser.ParseFile(positions, "example.go", code, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
