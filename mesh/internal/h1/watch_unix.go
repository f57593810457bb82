//go:build unix

package h1

import "syscall"

const canAsk = true

// silent reports that there is nothing to read, nor will be without waiting.
// Sockets of package net do not block.
func silent(fd uintptr, buf []byte) bool {
	for {
		_, err := syscall.Read(int(fd), buf)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		}
	}
}
