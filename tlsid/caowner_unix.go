//go:build unix

package tlsid

import (
	"os"
	"syscall"
)

// strangerOf returns the user whom a file belongs to if that is neither this
// process's nor the superuser, who needs no files to be anybody.
func strangerOf(info os.FileInfo) (user uint32, ok bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known || stat.Uid == 0 || int(stat.Uid) == os.Geteuid() {
		return 0, false
	}
	return stat.Uid, true
}
