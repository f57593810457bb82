package consultest

import (
	"fmt"
	"os"
	"syscall"
)

// lock waits for its turn among the tests of several packages, which run in
// processes of their own at the same time.
func lock(path string) (unlock func(), _ error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}
