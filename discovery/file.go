package discovery

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"time"
)

const (
	fileInterval = time.Second
	maxFileBytes = 64 << 20
)

// File is a Source that reads a JSON file and follows its changes:
//
//	{"services": {"reviews": [
//	  {"address": "127.0.0.1:9081", "labels": {"version": "v1"}, "locality": "eu/a",
//	   "weight": 2, "health": "healthy", "identity": "spiffe://example.com/reviews"}]}}
//
// Only address is required. Services are named as in NewStatic. Decoding is
// strict: unknown fields, duplicate keys and wrong types are faults, and all
// faults are told at once, each with its line.
//
// The file is read once a second while anybody watches, by one goroutine for
// all watchers, and compared by its content: renames, rewrites in place and
// symlink swaps are all the same to it, and no inotify watch can die. A file
// that is missing, unreadable, longer than 64 MiB or faulty changes nothing: it
// is an error to the watchers, and the last good content stands.
type File struct {
	path string
	fan  *fan[string, directory]
}

// NewFile returns a File that reads path. The file need not exist yet.
func NewFile(path string) (*File, error) {
	if path == "" {
		return nil, errors.New("discovery file: the path is empty")
	}
	return &File{path, newFan(pollFile)}, nil
}

// Watch implements Source.
func (f *File) Watch(ctx context.Context, s Service) iter.Seq2[[]Endpoint, error] {
	see := func(d directory) view { return d.about(s) }
	return func(yield func([]Endpoint, error) bool) { f.fan.follow(ctx, f.path, see, yield) }
}

func pollFile(ctx context.Context, path string, publish func(directory)) {
	var now fileState
	tick := time.NewTicker(fileInterval)
	defer tick.Stop()
	for {
		next := now.read(path)
		if next.version != now.version {
			publish(next.directory)
		}
		now = next
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// A fileState is what was last read and what came of it.
type fileState struct {
	directory
	version fileVersion
}

// A fileVersion tells one content from another, and from none at all.
type fileVersion struct {
	read, unreadable bool
	sum              [sha256.Size]byte
}

func (f fileState) read(path string) fileState {
	text, err := readFile(path)
	if err != nil {
		return fileState{f.troubled(path, err), fileVersion{unreadable: true}}
	}
	version := fileVersion{read: true, sum: sha256.Sum256(text)}
	if version == f.version {
		return f
	}
	services, err := parseFile(text)
	if err != nil {
		return fileState{f.troubled(path, err), version}
	}
	return fileState{directory{services: services}, version}
}

// troubled is the directory with its last good services and the news of err.
func (d directory) troubled(path string, err error) directory {
	err = fmt.Errorf("discovery file %s: %w", path, err)
	return directory{services: d.services, news: &answer{err: err}}
}

func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file") // to open a pipe may take for ever
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(text) > maxFileBytes {
		err = fmt.Errorf("longer than %d bytes", maxFileBytes)
	}
	return text, err
}
