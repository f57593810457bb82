package tlsid

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// dirInterval is how often the directory is read.
const dirInterval = time.Second

var errNoRoots = errors.New("there are no roots")

// memory keeps nothing that the CA does not know.
type memory struct{}

func (memory) read(known lineage) (lineage, error) {
	if len(known) == 0 {
		return nil, errNoRoots
	}
	return known, nil
}

func (memory) add(known lineage, r *root, retired int) (lineage, error) {
	return append(slices.Clone(known[retired:]), r), nil
}

// A directory has a file root-<number>.pem for each root. Files come into being
// whole, by link(2), which also decides who of several processes is first; they
// are never written to again. Other names are nobody's business, but for those
// of files that were being written when their process died.
type directory struct {
	path   string
	config CAConfig
	seen   []os.FileInfo // of the files as they were read last, in their order
}

const (
	rootPrefix = "root-"
	rootSuffix = ".pem"
	tempPrefix = ".root-new-"
	tempOld    = time.Minute // after which a temporary file is nobody's any more
)

func (d *directory) read(known lineage) (lineage, error) {
	if err := d.prepare(); err != nil {
		return nil, err
	}
	numbers, infos, err := d.list()
	if err != nil {
		return nil, err
	}
	if len(known) > 0 && slices.EqualFunc(infos, d.seen, sameFile) {
		return known, nil
	}
	read, err := d.readAll(numbers, infos)
	if err != nil {
		return nil, err
	}
	d.seen = infos
	return read, nil
}

// prepare makes the directory, and refuses one in which others could put a root.
func (d *directory) prepare() error {
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(d.path)
	if err != nil {
		return err
	}
	if user, ok := strangerOf(info); ok {
		return fmt.Errorf("directory %s is of user %d: it must be of the user of this process, %d, or of root", d.path, user, os.Geteuid())
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("directory %s has mode %04o: others may write to it; it must be 0700", d.path, info.Mode().Perm())
	}
	return nil
}

// list returns the numbers of the roots, sorted, and their files.
func (d *directory) list() (numbers []int, infos []os.FileInfo, err error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		if number, ok := rootNumber(e.Name()); ok {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 {
		return nil, nil, errNoRoots
	}
	slices.Sort(numbers)
	for _, number := range numbers {
		info, err := os.Stat(d.file(number))
		if err != nil {
			return nil, nil, err
		}
		infos = append(infos, info)
	}
	return numbers, infos, nil
}

func (d *directory) readAll(numbers []int, infos []os.FileInfo) (lineage, error) {
	var read lineage
	for i, number := range numbers {
		if mode := infos[i].Mode().Perm(); mode&0o077 != 0 {
			return nil, fmt.Errorf("%s has mode %04o: others may use the private key in it; it must be 0600", d.file(number), mode)
		}
		text, err := readPEM(d.file(number))
		if err != nil {
			return nil, err
		}
		r, err := decodeRoot(number, text, d.config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.file(number), err)
		}
		read = append(read, r)
	}
	return read, nil
}

func (d *directory) add(known lineage, r *root, retired int) (lineage, error) {
	if err := d.create(r); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	for _, old := range known[:retired] {
		if err := os.Remove(d.file(old.number)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	if err := d.sweep(time.Now()); err != nil {
		return nil, err
	}
	return d.read(nil)
}

// create makes the file of a root, whole or not at all. It is fs.ErrExist if
// somebody else was first.
func (d *directory) create(r *root) error {
	text, err := r.encode(d.config)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(d.path, tempPrefix) // with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(text)
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), d.file(r.number)); err != nil {
		return err
	}
	return syncDir(d.path)
}

// sweep removes what processes that died have left behind.
func (d *directory) sweep(now time.Time) error {
	left, err := filepath.Glob(filepath.Join(d.path, tempPrefix+"*"))
	for _, path := range left {
		info, statErr := os.Stat(path)
		if statErr != nil || now.Sub(info.ModTime()) < tempOld {
			continue
		}
		if removeErr := os.Remove(path); !errors.Is(removeErr, fs.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	}
	return err
}

func (d *directory) file(number int) string {
	return filepath.Join(d.path, rootPrefix+strconv.Itoa(number)+rootSuffix)
}

func rootNumber(name string) (number int, ok bool) {
	digits, isRoot := strings.CutPrefix(name, rootPrefix)
	digits, isPEM := strings.CutSuffix(digits, rootSuffix)
	number, err := strconv.Atoi(digits)
	return number, isRoot && isPEM && err == nil && number > 0 && strconv.Itoa(number) == digits
}

// sameFile reports whether neither the file nor its mode has changed.
func sameFile(a, b os.FileInfo) bool {
	return os.SameFile(a, b) && a.Mode() == b.Mode() && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
