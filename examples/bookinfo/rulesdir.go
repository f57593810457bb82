package main

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
)

// shipped are the rules as they stand beside this file, for whoever runs the
// program from elsewhere (go run github.com/inmesh-go/inmesh/examples/bookinfo@latest).
//
//go:embed rules/*.yaml
var shipped embed.FS

// landmark tells the tour's rules from any other directory named rules.
const landmark = "reviews-virtualservice.yaml"

// rulesDir is the directory that was asked for, else the example's own as seen
// from the repository's root or from the example, else a copy. clean removes
// what was made.
func rulesDir(asked string) (dir string, clean func(), err error) {
	clean = func() {}
	if asked != "" {
		return asked, clean, mustBeDir(asked)
	}
	for _, dir := range []string{filepath.Join("examples", "bookinfo", "rules"), "rules"} {
		if _, err := os.Stat(filepath.Join(dir, landmark)); err == nil {
			return dir, clean, nil
		}
	}
	return unpack()
}

func mustBeDir(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		return fmt.Errorf("-rules %s: is a file, want a directory", path)
	}
	if err != nil {
		return fmt.Errorf("-rules: %w", err)
	}
	return nil
}

func unpack() (string, func(), error) {
	top, err := os.MkdirTemp("", "bookinfo-")
	if err != nil {
		return "", nil, err
	}
	clean := func() { os.RemoveAll(top) }
	if err := os.CopyFS(top, shipped); err != nil {
		clean()
		return "", nil, err
	}
	return filepath.Join(top, "rules"), clean, nil
}
