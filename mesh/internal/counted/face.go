package counted

import (
	"io"
	"io/fs"
	"net"
	"sync/atomic"
	"syscall"
)

// A halfCloser can end one direction: TCP, unix sockets, TLS.
type halfCloser interface{ CloseWrite() error }

// A socket is one of package net. Whatever else has a SyscallConn may hold bytes
// back that have left its socket, so that a look at that would not tell of it.
type socket interface {
	halfCloser
	syscall.Conn
}

// face is the connection with as much of what it can do as has a meaning.
func (c *Conn) face() net.Conn {
	switch inner := c.Conn.(type) {
	case *net.TCPConn:
		return &socketConn{halfConn{c, inner}, inner}
	case *net.UnixConn:
		return &socketConn{halfConn{c, inner}, inner}
	case halfCloser:
		return &halfConn{c, inner}
	}
	return c
}

// A halfConn can be closed one way.
type halfConn struct {
	*Conn
	half halfCloser
}

// CloseWrite ends what is written.
func (c *halfConn) CloseWrite() error { return c.explain("close", c.half.CloseWrite()) }

// A socketConn shows its socket.
type socketConn struct {
	halfConn
	socket socket
}

// SyscallConn implements syscall.Conn.
func (c *socketConn) SyscallConn() (syscall.RawConn, error) { return c.socket.SyscallConn() }

// ReadFrom implements io.ReaderFrom.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	to, ok := c.Conn.(io.ReaderFrom)
	switch {
	case ok && c.unwatched():
		return c.whole(&c.written, "write", func() (int64, error) { return to.ReadFrom(r) })
	case ok && isFile(r):
		return c.sendFile(to, r)
	}
	return io.Copy(onlyWriter{c}, r)
}

// WriteTo implements io.WriterTo.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	if from, ok := c.Conn.(io.WriterTo); ok && c.unwatched() {
		return c.whole(&c.read, "read", func() (int64, error) { return from.WriteTo(w) })
	}
	return io.Copy(w, onlyReader{c})
}

func (c *Conn) unwatched() bool { return c.config.Unwatched && c.config.Idle == 0 }

// whole counts a copy when it is over.
func (c *Conn) whole(count *atomic.Int64, op string, copied func() (int64, error)) (int64, error) {
	n, err := copied()
	c.passed(count, n)
	return n, c.explain(op, err)
}

// isFile: package net sends a file, or part of one, by the kernel. A pipe or a
// terminal is none: it may be silent between two bytes.
func isFile(r io.Reader) bool {
	if part, ok := r.(*io.LimitedReader); ok {
		r = part.R
	}
	f, ok := r.(interface {
		fs.File // an *os.File, or what its WriteTo hands on
		syscall.Conn
	})
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// sendFile sends step by step.
func (c *Conn) sendFile(to io.ReaderFrom, r io.Reader) (n int64, err error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	part, limited := r.(*io.LimitedReader)
	if !limited {
		part = &io.LimitedReader{R: r, N: 1<<63 - 1}
	}
	for part.N > 0 {
		now := &io.LimitedReader{R: part.R, N: min(part.N, step)}
		asked := now.N
		sent, err := to.ReadFrom(now)
		n, part.N = n+sent, part.N-sent
		c.passed(&c.written, sent)
		if err != nil || sent < asked {
			return n, c.explain("write", err)
		}
	}
	return n, nil
}

// onlyWriter and onlyReader hide from io.Copy what would come back here.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
