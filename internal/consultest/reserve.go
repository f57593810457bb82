package consultest

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// setLockOfFile is Linux's F_OFD_SETLK: the lock is the open file's, and holds
// against other tests of this process, too.
const setLockOfFile = 37

// reserve keeps a port from other tests, of whatever process, until this one ends: each
// port is a byte of one file, which is locked.
func reserve(t testing.TB, port int) error {
	if runtime.GOOS != "linux" {
		return nil // two tests take the same port once in some hundred runs
	}
	dir, err := keptDir()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(filepath.Join(dir, "ports"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Start: int64(port), Len: 1}
	if err := syscall.FcntlFlock(file.Fd(), setLockOfFile, &lock); err != nil {
		file.Close()
		return fmt.Errorf("reserve port %d: %w", port, err)
	}
	t.Cleanup(func() { file.Close() })
	return nil
}
