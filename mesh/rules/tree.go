package rules

import (
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
// chooses. File systems do not tell of changes: Watch looks each 0.9 s.
func FS(fsys fs.FS) *Tree { return &Tree{fsys: fsys} }

// A listing is what a tree holds at one moment.
type listing struct {
	files []found
	dirs  []string
}

// A found file is one of a listing.
type found struct {
	name string
	info fs.FileInfo
	// settled says that the file cannot have changed without its info: file times
	// are coarse, so that a file touched a moment ago may have changed again.
	settled bool
}

// same says that a later look found the same file, unchanged.
func (f found) same(later found) bool {
	return f.settled && f.alike(later) && os.SameFile(f.info, later.info)
}

// alike says that nobody seems to have written the file between two looks.
func (f found) alike(later found) bool {
	return f.name == later.name && f.info.Size() == later.info.Size() && f.info.Mode() == later.info.Mode() &&
		f.info.ModTime().Equal(later.info.ModTime())
}

// timeGrain is longer than the grain of any file system's times.
const timeGrain = 2 * time.Second

// A lister walks a tree.
type lister struct {
	*Tree
	listing
	seen map[look][]fs.FileInfo // files and directories that were visited
	now  time.Time
}

// A look is what two names of one file have in common.
type look struct{ time, size int64 }

// list names the files, without reading them.
func (t *Tree) list(now time.Time) (listing, error) {
	l := &lister{Tree: t, seen: map[look][]fs.FileInfo{}, now: now}
	err := l.root()
	return l.listing, err
}

func (l *lister) root() error {
	if l.file != "" {
		l.dirs = []string{"."}
		return l.visit(l.file, 0)
	}
	if l.real && l.dir == "" {
		return errors.New("rules: no directory is named: its name is empty")
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
	key := look{info.ModTime().UnixNano(), info.Size()}
	for _, known := range l.seen[key] {
		if os.SameFile(known, info) {
			return true
		}
	}
	l.seen[key] = append(l.seen[key], info)
	return false
}

func (l *lister) found(name string, info fs.FileInfo) {
	// A file system without times, such as embed.FS, tells nothing either.
	settled := !info.ModTime().IsZero() && l.now.Sub(info.ModTime()) > timeGrain
	l.files = append(l.files, found{name, info, settled})
}

// A held text is one that was read, of the file that was found.
type held struct {
	found
	text Text
}

// read reads the files that list named, but for those that have not changed since
// they were held.
func (t *Tree) read(files []found, before map[string]held) ([]held, error) {
	texts := make([]held, 0, len(files))
	total := 0
	for _, f := range files {
		h := before[f.name]
		if !h.same(f) {
			data, err := t.readFile(f.name)
			if err != nil {
				return nil, t.named(err)
			}
			h = held{f, Text{t.display(f.name), data}}
		}
		if total += len(h.text.Data); total > maxTreeSize {
			return nil, fmt.Errorf("rules: the files below %s hold more than %d MiB", t.dir, maxTreeSize>>20)
		}
		texts = append(texts, h)
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
	read, err := t.read(l.files, nil)
	return textsIn(read), err
}

func textsIn(files []held) []Text {
	texts := make([]Text, len(files))
	for i, h := range files {
		texts[i] = h.text
	}
	return texts
}
