package sniff

import (
	"container/list"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// A peekedConn is a connection whose first byte has been read, and is given back
// to who reads first. After that it is the inner connection, with what http.Server
// makes use of: half-closing, sending files, access to the socket.
type peekedConn struct {
	net.Conn
	since time.Time
	place *list.Element // among the silent; nil: taken out. Guarded by silent.mu

	first  [1]byte
	unread atomic.Bool // the first byte has not been given back
}

// peek reads the first byte, for timeout at the most.
func (c *peekedConn) peek(timeout time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err := io.ReadFull(c.Conn, c.first[:]); err != nil {
		return err
	}
	c.unread.Store(true)
	return c.SetReadDeadline(time.Time{})
}

// Read gives the first byte back, then reads on. An empty p takes nothing.
func (c *peekedConn) Read(p []byte) (int, error) {
	if c.unread.Load() && len(p) > 0 && c.unread.CompareAndSwap(true, false) {
		return copy(p, c.first[:]), nil
	}
	return c.Conn.Read(p)
}

// WriteTo lets io.Copy splice from the inner connection.
func (c *peekedConn) WriteTo(w io.Writer) (n int64, err error) {
	if c.unread.CompareAndSwap(true, false) {
		one, err := w.Write(c.first[:])
		if err != nil {
			return int64(one), err
		}
		n = int64(one)
	}
	rest, err := io.Copy(w, c.Conn)
	return n + rest, err
}

// ReadFrom lets io.Copy use sendfile, where the inner connection has it.
func (c *peekedConn) ReadFrom(r io.Reader) (int64, error) { return io.Copy(c.Conn, r) }

// CloseWrite half-closes, if the inner connection can; else it returns
// errors.ErrUnsupported.
func (c *peekedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// SyscallConn gives access to the inner connection's socket, if it has one; else
// it returns errors.ErrUnsupported. Who reads from it misses the first byte.
func (c *peekedConn) SyscallConn() (syscall.RawConn, error) {
	if raw, ok := c.Conn.(syscall.Conn); ok {
		return raw.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}
