package consul

import (
	"os"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Files reads rule files for Publish and Diff: each path is a file or a directory,
// as rules.ParseFiles takes them. What is at fault is of type rules.Faults; files
// without an object are left out.
func Files(paths ...string) ([]rules.Text, error) {
	set, err := rules.ParseFiles(paths...)
	if err != nil {
		return nil, err
	}
	var files []rules.Text
	seen := map[string]bool{}
	for m := range metas(set) {
		if seen[m.File] {
			continue
		}
		seen[m.File] = true
		data, err := os.ReadFile(m.File)
		if err != nil {
			return nil, err
		}
		files = append(files, rules.Text{Name: m.File, Data: data})
	}
	return files, nil
}
