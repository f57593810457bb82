package clienttls

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A cached value is made of files, and made anew when they have changed. The nil
// cached value is the zero value, made of no files.
type cached[T any] struct {
	paths  []string
	parse  func(texts [][]byte) (T, error)
	report func(error)

	mu     sync.Mutex    // orders readings
	seen   []os.FileInfo // what value was made of; nil: look again
	value  T
	good   bool // there is a value
	failed bool // the files cannot be used now
}

func newCached[T any](parse func([][]byte) (T, error), report func(error), paths ...string) *cached[T] {
	return &cached[T]{paths: paths, parse: parse, report: report}
}

// get returns what the files say or, if that cannot be used, what they said last.
func (c *cached[T]) get() (value T, err error) {
	if c == nil {
		return value, nil
	}
	value, stands, err := c.look()
	if stands && err != nil {
		c.report(fmt.Errorf("%w; what was read before stands", err))
		err = nil
	}
	return value, err
}

// look returns the value, if there is one, and the trouble with the files; beside
// a value only when the trouble begins.
func (c *cached[T]) look() (value T, stands bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	infos, err := stat(c.paths)
	if err == nil && same(infos, c.seen) {
		return c.value, true, nil
	}
	if err == nil {
		value, err = c.read()
	}
	if err == nil {
		c.adoptLocked(value, infos, now)
		return value, true, nil
	}
	told := c.failed
	c.failed, c.seen = true, nil
	if c.good && told {
		err = nil
	}
	return c.value, c.good, err
}

// settled is how long a file must have stood unchanged, for its time of change
// to tell that it still is: clocks of file systems tick slowly.
const settled = time.Second

func (c *cached[T]) adoptLocked(value T, infos []os.FileInfo, now time.Time) {
	c.value, c.good, c.failed, c.seen = value, true, false, infos
	for _, info := range infos {
		if now.Sub(info.ModTime()) < settled {
			c.seen = nil
		}
	}
}

func (c *cached[T]) read() (value T, err error) {
	texts := make([][]byte, len(c.paths))
	for i, path := range c.paths {
		if texts[i], err = readFile(path); err != nil {
			return value, err
		}
	}
	value, err = c.parse(texts)
	var at *partError
	switch {
	case errors.As(err, &at):
		err = fmt.Errorf("%s: %w", c.paths[at.index], at.err)
	case err != nil:
		err = fmt.Errorf("%s: %w", c.paths, err)
	}
	return value, err
}

// A partError is about one of the files.
type partError struct {
	index int
	err   error
}

func (e *partError) Error() string { return e.err.Error() }

// maxFileBytes is more than any list of revoked certificates takes.
const maxFileBytes = 64 << 20

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("%s: longer than %d bytes", path, maxFileBytes)
	}
	return text, err
}

func stat(paths []string) ([]os.FileInfo, error) {
	infos := make([]os.FileInfo, len(paths))
	for i, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s: it is not a regular file", path) // to open a pipe may take for ever
		}
		infos[i] = info
	}
	return infos, nil
}

func same(now, before []os.FileInfo) bool {
	if len(before) == 0 {
		return false
	}
	for i, info := range now {
		if b := before[i]; !os.SameFile(info, b) || info.Size() != b.Size() || !info.ModTime().Equal(b.ModTime()) {
			return false
		}
	}
	return true
}
