//go:build unix

package discovery_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
)

// To open a pipe waits for whoever writes to it, and no context ends that.
func TestAPipeIsNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := discovery.NewFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := firstAnswer(t, file, reviews); err == nil || !strings.Contains(err.Error(), path+": it is not a regular file") {
		t.Errorf("got %v", err)
	}
}
