package h1

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// A watch tells whether an idle connection still stands. http.Transport has a
// goroutine for each connection that reads from it all the time. Here a socket is
// asked, when it is taken and now and then while it is idle, whether there is
// anything to read: the end of the stream, or bytes that nobody has asked for.
// Either way it is of no use any more. What has no socket, or none that is known,
// is read from by a goroutine while it is idle.
type watch struct {
	raw     syscall.RawConn // nil: there is no socket to ask
	secure  *tls.Conn       // nil: in the clear
	look    func(fd uintptr) bool
	quiet   bool      // what look found
	buf     [1]byte   // what there was to read
	checked time.Time // guarded by idle.mu
	over    chan struct{}
}

// checkEvery is how long an idle socket stays open after the server has closed it,
// at most.
const checkEvery = 30 * time.Second

func (w *watch) init(c net.Conn) {
	w.secure, _ = c.(*tls.Conn)
	w.raw = socketOf(c)
	w.look = func(fd uintptr) bool {
		w.quiet = silent(fd, w.buf[:])
		return true
	}
}

// socketOf is the socket that a connection reads from, or that TLS does. Whatever
// else lies between may hold bytes that have left the socket, and is not looked
// through: nil.
func socketOf(c net.Conn) syscall.RawConn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	socket, ok := c.(syscall.Conn)
	if !ok || !canAsk {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

func (w *watch) socket() bool { return w.raw != nil }

// begin is called when the connection becomes idle.
func (w *watch) begin(c *conn, now time.Time) {
	w.checked = now
	if !w.socket() {
		w.over = make(chan struct{})
		go w.sit(c)
	}
}

// sit reads until something comes, which ends the connection, or until it is woken.
func (w *watch) sit(c *conn) {
	n, err := c.Conn.Read(w.buf[:])
	woken := n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
	w.quiet = woken
	close(w.over) // from here on the connection may be somebody's
	if !woken && c.pool.idle.remove(c) {
		c.close()
	}
}

// end is called by who has taken the connection, and reports that it still stands.
func (w *watch) end(c *conn) bool {
	if w.socket() {
		return w.stands() && w.nothingRead()
	}
	return c.SetReadDeadline(longAgo) == nil && w.woken() && w.quiet && c.SetReadDeadline(time.Time{}) == nil
}

// woken waits until nobody sits any more. A connection that does not obey its
// deadlines is given up.
func (w *watch) woken() bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.over:
		return true
	case <-timer.C:
		return false
	}
}

// stands asks the socket.
func (w *watch) stands() bool {
	w.quiet = false
	return w.raw.Read(w.look) == nil && w.quiet
}

// nothingRead: TLS may have taken more from the socket than it was asked for. Of
// that it gives without waiting.
func (w *watch) nothingRead() bool {
	if w.secure == nil {
		return true
	}
	_ = w.secure.SetReadDeadline(longAgo)
	n, err := w.secure.Read(w.buf[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && w.secure.SetReadDeadline(time.Time{}) == nil
}

// lost looks again, if it has been some time, and reports that the connection is
// gone.
func (w *watch) lost(now time.Time) bool {
	if !w.socket() || now.Sub(w.checked) < checkEvery/2 {
		return false
	}
	w.checked = now
	return !w.stands()
}

// next is when to look again; zero: there is no need.
func (w *watch) next() (at time.Time) {
	if w.socket() {
		at = w.checked.Add(checkEvery)
	}
	return at
}
