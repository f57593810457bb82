package consul_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/inmesh-go/inmesh/discovery/consul"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestFilesAreThoseThatHaveRules(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	both := write("a.yaml", string(split(90).Data))
	write("notes.yaml", "# nothing yet\n")
	write("README", "no rules")
	one := write("below/c.yaml", "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: c}\nspec: {host: c}\n")

	files, err := consul.Files(dir)
	must(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{both, one}) {
		t.Errorf("the files are %q", names)
	}

	bad := write("bad.yaml", "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: c}\nspec: {hst: c}\n")
	if _, err := consul.Files(bad); !errors.As(err, new(rules.Faults)) {
		t.Errorf("got %v, want what is wrong with the file", err)
	}
	if _, err := consul.Files(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v of a file that is not there", err)
	}
}
