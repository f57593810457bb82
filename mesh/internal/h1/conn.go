package h1

import (
	"bufio"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// A conn carries one request at a time, or is idle. It belongs to who has taken
// it from the idle ones, or made it, until that one puts it back or closes it.
type conn struct {
	net.Conn
	pool  *Pool
	host  string
	in    *bufio.Reader
	tls   *tls.ConnectionState // nil: in the clear
	watch watch
	born  time.Time

	requests int
	room     int64 // bytes that may still come before the head is in
	failed   bool  // its message was not written whole
	leash    leash
	out      chan sending // tells when the message has been written; nil: it has

	idleSince time.Time // guarded by idle.mu
}

func newConn(p *Pool, host string, nc net.Conn) *conn {
	c := &conn{Conn: nc, pool: p, host: host, born: time.Now()}
	c.in = bufio.NewReaderSize((*source)(c), p.config.ReadBuffer)
	c.watch.init(nc)
	c.leash.cut = c.cut
	if secure, ok := nc.(*tls.Conn); ok {
		state := secure.ConnectionState()
		c.tls = &state
	}
	return c
}

// reused reports whether the connection had carried a request before the one
// that it carries.
func (c *conn) reused() bool { return c.requests > 1 }

// begin counts one more request, and has it say that it is the last if it is.
func (c *conn) begin(m *message) {
	c.requests++
	if limit := c.pool.config.MaxRequests; limit > 0 && c.requests >= limit {
		m.endConnection()
	}
}

// finish gives the connection up after an exchange that ended well: back to the
// idle ones, if nothing speaks against it.
func (c *conn) finish(reuse bool) {
	switch calm := c.leash.untie(); {
	case !calm:
		c.drop()
	case !reuse || !c.wrote() || c.failed || c.in.Buffered() > 0 || !c.pool.idle.put(c):
		c.close()
	}
}

// abandon gives the connection up in the middle of an exchange.
func (c *conn) abandon() {
	c.leash.untie()
	c.drop()
}

func (c *conn) close() { _ = c.Conn.Close() }

// drop closes without the farewell of TLS, which waits until the server has room
// for it: a server that nobody listens to any more may not be listening either.
func (c *conn) drop() {
	if c.watch.secure != nil {
		_ = c.watch.secure.NetConn().Close()
		return
	}
	c.close()
}

// cut ends whatever waits for the connection, from any goroutine, and itself waits
// for nothing.
func (c *conn) cut() {
	_ = c.SetDeadline(longAgo)
	go c.drop()
}

// wake readies an idle connection for a request, and reports false if it has had
// its day.
func (c *conn) wake(now time.Time) bool { return c.watch.end(c) && !c.expired(now) }

// expired reports that an idle connection's time is up.
func (c *conn) expired(now time.Time) bool {
	at := c.endsBy(c.pool.config.IdleTimeout, c.pool.config.MaxAge)
	return !at.IsZero() && !now.Before(at)
}

// expiring is expired, up to a 64th of the time early.
func (c *conn) expiring(now time.Time) bool {
	idle, age := c.pool.config.IdleTimeout, c.pool.config.MaxAge
	at := c.endsBy(idle-idle/64, age-age/64)
	return !at.IsZero() && !now.Before(at)
}

// endsBy is when it has been idle for so long, or is so old; zero: never.
func (c *conn) endsBy(idle, age time.Duration) (at time.Time) {
	if idle > 0 {
		at = c.idleSince.Add(idle)
	}
	if age > 0 {
		at = earlier(at, c.born.Add(age))
	}
	return at
}

// due is when an idle connection is to be looked at; zero: never.
func (c *conn) due() time.Time {
	return earlier(c.endsBy(c.pool.config.IdleTimeout, c.pool.config.MaxAge), c.watch.next())
}

// earlier of two times, of which a zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

var errHeader = errors.New("h1: the head is too long")

// A source reads from the connection, no more than its head may have while that
// is awaited.
type source conn

func (s *source) Read(p []byte) (int, error) {
	if s.room <= 0 {
		return 0, errHeader
	}
	n, err := s.Conn.Read(p[:min(int64(len(p)), s.room)])
	s.room -= int64(n)
	return n, err
}
