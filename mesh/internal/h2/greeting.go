package h2

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// A greeting is a connection that tells when the SETTINGS with which its server begins
// (RFC 9113 §3.4) are obeyed. Of requests sent before, the server may refuse as many as
// are too many for it, and net/http may wait without end for places that others, who
// wait as well, have reserved.
type greeting struct {
	net.Conn
	head [9]byte // of the first frame
	seen int     // bytes of the first frame, as far as they have come
	once sync.Once
	over chan struct{} // closed then, or when the connection is
}

// A secureGreeting is one of TLS.
type secureGreeting struct {
	*greeting
	tls *tls.Conn
}

func greet(c net.Conn) (net.Conn, *greeting) {
	g := &greeting{Conn: c, over: make(chan struct{})}
	if secure, ok := c.(*tls.Conn); ok {
		return secureGreeting{g, secure}, g
	}
	return g, g
}

// Read is called by one goroutine, which has obeyed what came before when it asks for
// more.
func (g *greeting) Read(p []byte) (int, error) {
	if g.seen == whole {
		return g.Conn.Read(p)
	}
	if g.complete() {
		g.seen = whole
		g.end()
	}
	n, err := g.Conn.Read(p)
	if 0 <= g.seen && g.seen < len(g.head) {
		copy(g.head[g.seen:], p[:n])
	}
	if g.seen != whole {
		g.seen += n
	}
	return n, err
}

// whole is what has been seen when nothing is left to see.
const whole = -1

func (g *greeting) complete() bool {
	content := int(g.head[0])<<16 | int(g.head[1])<<8 | int(g.head[2])
	return g.seen >= len(g.head)+content
}

func (g *greeting) end() { g.once.Do(func() { close(g.over) }) }

// Close implements net.Conn.
func (g *greeting) Close() error {
	defer g.end()
	return g.Conn.Close()
}

// patience is how long a server may be silent; then it is sent requests nevertheless.
const patience = time.Second

// wait waits until it is known how many streams the server takes.
func (g *greeting) wait() {
	select {
	case <-g.over:
	case <-time.After(patience):
	}
}

// ConnectionState is what net/http shows in answers.
func (s secureGreeting) ConnectionState() tls.ConnectionState { return s.tls.ConnectionState() }

// Close says farewell, but not for long to a server that no longer reads: net/http sees
// to that for a tls.Conn alone.
func (s secureGreeting) Close() error {
	defer time.AfterFunc(farewell, func() { _ = s.tls.NetConn().Close() }).Stop()
	return s.greeting.Close()
}

const farewell = 250 * time.Millisecond
