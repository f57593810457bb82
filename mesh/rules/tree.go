package rules

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// maxTreeSize bounds what all files of a source hold together.
const maxTreeSize = 256 << 20

// A Tree is the rule files below one directory, or one file, and a Source: its
// Watch yields them again whenever they change. It holds no state, so that
// several goroutines may watch one Tree.
type Tree struct {
	fsys fs.FS
	dir  string // of fsys, for faults; "" where it has no name
	file string // the one file that is meant; "" for all
	real bool   // fsys is dir of the operating system, which tells of changes
}

// Dir is the files *.yaml, *.yml and *.json in a directory of the operating
// system and those below it. Names that begin with a dot are left out, with all
// below them; symbolic links are followed, and a file with two names is read
// once. So a mounted Kubernetes ConfigMap works as it is.
func Dir(dir string) *Tree { return &Tree{fsys: os.DirFS(dir), dir: dir, real: true} }

// File is one file of the operating system, of whatever name.
func File(name string) *Tree {
	dir, file := filepath.Split(filepath.Clean(name))
	return &Tree{fsys: os.DirFS(filepath.Clean(dir)), dir: dir, file: file, real: true}
}

// FS is the rule files of a file system, such as an embed.FS, chosen as Dir
// chooses. File systems do not tell of changes: Watch looks once a second.
func FS(fsys fs.FS) *Tree { return &Tree{fsys: fsys} }

// A listing is what a tree holds at one moment.
type listing struct {
	files []string
	dirs  []string
	// stamp changes with the name, size, mode or time of any file.
	stamp [sha256.Size]byte
	// settled says that no file can have changed without its stamp: file times
	// are coarse, so that a file touched a moment ago may have changed again.
	settled bool
}

// timeGrain is longer than the grain of any file system's times.
const timeGrain = 2 * time.Second

// A lister walks a tree.
type lister struct {
	*Tree
	listing
	stamped strings.Builder
	seen    map[int64][]fs.FileInfo // by time: files and directories that were visited
	now     time.Time
}

// list names the files, without reading them.
func (t *Tree) list(now time.Time) (listing, error) {
	l := &lister{Tree: t, seen: map[int64][]fs.FileInfo{}, now: now}
	l.settled = true
	err := l.root()
	l.stamp = sha256.Sum256([]byte(l.stamped.String()))
	return l.listing, err
}

func (l *lister) root() error {
	if l.file != "" {
		l.dirs = []string{"."}
		return l.visit(l.file, 0)
	}
	info, err := fs.Stat(l.fsys, ".")
	if err != nil {
		return l.named(err)
	}
	l.again(info) // no link back to the top is followed
	return l.walk(".", 0)
}

// named puts the directory's own name into errors of its file system, which
// knows it as ".".
func (t *Tree) named(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("rules: %w", &fs.PathError{Op: pe.Op, Path: t.display(pe.Path), Err: pe.Err})
	}
	return fmt.Errorf("rules: %s: %w", t.dir, err)
}

func (t *Tree) display(name string) string {
	if !t.real {
		return name
	}
	return filepath.Join(t.dir, filepath.FromSlash(name))
}

func (l *lister) walk(dir string, depth int) error {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		return l.named(err)
	}
	l.dirs = append(l.dirs, dir)
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") || e.Type().IsRegular() && !isRuleFile(name) {
			continue
		}
		if err := l.visit(name, depth); err != nil {
			return err
		}
	}
	return nil
}

func isRuleFile(name string) bool {
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

// visit follows symbolic links, since fs.Stat does. What is no rule file by its
// name may be anything, even a link to nowhere.
func (l *lister) visit(name string, depth int) error {
	wanted := l.file != "" || isRuleFile(name)
	info, err := fs.Stat(l.fsys, name)
	switch {
	case err != nil && wanted:
		return l.named(err)
	case err != nil || l.again(info):
		return nil
	case info.IsDir() && l.file == "":
		return l.descend(name, depth)
	case !wanted:
		return nil
	case !info.Mode().IsRegular():
		return fmt.Errorf("rules: %s is not a regular file (%s)", l.display(name), info.Mode().Type())
	}
	l.found(name, info)
	return nil
}

func (l *lister) descend(dir string, depth int) error {
	if depth == maxDepth {
		return fmt.Errorf("rules: %s lies deeper than %d directories", l.display(dir), maxDepth)
	}
	return l.walk(dir, depth+1)
}

// again says whether the file or directory was visited by another name.
func (l *lister) again(info fs.FileInfo) bool {
	key := info.ModTime().UnixNano()
	for _, known := range l.seen[key] {
		if os.SameFile(known, info) {
			return true
		}
	}
	l.seen[key] = append(l.seen[key], info)
	return false
}

func (l *lister) found(name string, info fs.FileInfo) {
	l.files = append(l.files, name)
	fmt.Fprintf(&l.stamped, "%q %d %v %d\n", name, info.Size(), info.Mode(), info.ModTime().UnixNano())
	// A file system without times, such as embed.FS, tells nothing either.
	age := l.now.Sub(info.ModTime())
	l.settled = l.settled && !info.ModTime().IsZero() && age > timeGrain
}

// read reads the files that list named.
func (t *Tree) read(names []string) ([]Text, error) {
	texts := make([]Text, 0, len(names))
	total := 0
	for _, name := range names {
		data, err := t.readFile(name)
		if err != nil {
			return nil, t.named(err)
		}
		if total += len(data); total > maxTreeSize {
			return nil, fmt.Errorf("rules: the files below %s hold more than %d MiB", t.dir, maxTreeSize>>20)
		}
		texts = append(texts, Text{t.display(name), data})
	}
	return texts, nil
}

// readFile reads one byte more than a file may have, for Parse to refuse.
func (t *Tree) readFile(name string) ([]byte, error) {
	f, err := t.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFileSize+1))
}

// texts lists and reads.
func (t *Tree) texts() ([]Text, error) {
	l, err := t.list(time.Now())
	if err != nil {
		return nil, err
	}
	return t.read(l.files)
}
