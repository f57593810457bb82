package repository_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath   string
	Dir          string
	Imports      []string
	Deps         []string // all that it links
	TestGoFiles  []string
	XTestGoFiles []string
	TestImports  []string
	XTestImports []string
}

var list = sync.OnceValues(func() ([]goPackage, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,Deps,TestGoFiles,XTestGoFiles,TestImports,XTestImports", module+"/...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var packages []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		switch err := d.Decode(&p); {
		case errors.Is(err, io.EOF):
			return packages, nil
		case err != nil:
			return nil, err
		}
		packages = append(packages, p)
	}
})

// packages are those of the module.
func packages(t *testing.T) []goPackage {
	t.Helper()
	// go test keeps a result while the files that the test has read are the
	// same; those that `go list` reads it does not know of.
	files(t)
	all, err := list()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// A file is one Go file of the repository, other modules in it included.
type file struct {
	name string // from the top of the repository
	*ast.File
}

func (f file) test() bool { return strings.HasSuffix(f.name, "_test.go") }

var positions = token.NewFileSet()

const top = "../.."

var parse = sync.OnceValues(func() ([]file, error) {
	var all []file
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || d.Name() == "testdata"):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go":
			return nil
		}
		f, err := parser.ParseFile(positions, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		all = append(all, file{filepath.ToSlash(name), f})
		return err
	})
	return all, err
})

func files(t *testing.T) []file {
	t.Helper()
	all, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// line says where in the repository pos is.
func line(pos token.Pos) string {
	p := positions.Position(pos)
	p.Filename, _ = filepath.Rel(top, p.Filename)
	p.Column = 0
	return p.String()
}
