package rules

import (
	"io/fs"
	"os"
)

// Load reads the rule files of a file system once, chosen as Dir chooses.
func Load(fsys fs.FS) (*Set, error) {
	texts, err := FS(fsys).texts()
	if err != nil {
		return nil, err
	}
	return new(Parser).Parse(texts...)
}

// ParseFiles reads files and directories of the operating system once, the
// latter as Dir does.
func ParseFiles(paths ...string) (*Set, error) {
	texts, err := textsOf(paths)
	if err != nil {
		return nil, err
	}
	return new(Parser).Parse(texts...)
}

// Lint returns all that is wrong with files and directories, warnings too, in
// the order of files and lines. The error tells what could not be read.
func Lint(paths ...string) (Faults, error) {
	texts, err := textsOf(paths)
	if err != nil {
		return nil, err
	}
	return new(Parser).read(texts).faults, nil
}

func textsOf(paths []string) (texts []Text, err error) {
	for _, p := range paths {
		tree := File(p)
		if info, err := os.Stat(p); err == nil && info.IsDir() {
			tree = Dir(p)
		}
		more, err := tree.texts()
		if err != nil {
			return nil, err
		}
		texts = append(texts, more...)
	}
	return texts, nil
}
