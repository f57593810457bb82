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

// A peekedConn is a connection whose first bytes have been read, and are given back
// to who reads first. After that it is the inner connection, with what http.Server
// makes use of: half-closing, sending files, access to the socket.
type peekedConn struct {
	net.Conn
	since time.Time
	place *list.Element // among the silent; nil: taken out. Guarded by silent.mu

	first  [3]byte
	known  int          // how many of them have been read
	unread atomic.Int32 // how many have not been given back, the last ones
}

// peek reads on to the first n bytes, for timeout at the most.
func (c *peekedConn) peek(n int, timeout time.Duration) error {
	if err := c.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	more, err := io.ReadFull(c.Conn, c.first[c.known:n])
	c.known += more
	c.unread.Store(int32(c.known))
	if err != nil {
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

// Read gives the first bytes back, then reads on. An empty p takes nothing.
func (c *peekedConn) Read(p []byte) (int, error) {
	for {
		left := int(c.unread.Load())
		if left == 0 || len(p) == 0 {
			return c.Conn.Read(p)
		}
		n := min(left, len(p))
		if c.unread.CompareAndSwap(int32(left), int32(left-n)) {
			return copy(p, c.first[c.known-left:c.known]), nil
		}
	}
}

// WriteTo lets io.Copy splice from the inner connection.
func (c *peekedConn) WriteTo(w io.Writer) (n int64, err error) {
	if left := int(c.unread.Swap(0)); left > 0 {
		some, err := w.Write(c.first[c.known-left : c.known])
		if err != nil {
			return int64(some), err
		}
		n = int64(some)
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
