package mesh

import (
	"net"
	"sync"
	"time"
)

// spares are connections over which somebody has found out by ALPN what a server
// speaks. Each waits a while for a request that goes there.
type spares struct {
	waiting sync.Map // spare → net.Conn
}

// A spare is what a connection is good for.
type spare struct {
	host  string
	http2 bool
}

// keep has a connection wait, for no longer than it may take to make one.
func (s *spares) keep(host string, http2 bool, c net.Conn, within time.Duration) {
	key := spare{host, http2}
	if old, ok := s.waiting.Swap(key, c); ok {
		_ = old.(net.Conn).Close()
	}
	time.AfterFunc(within, func() {
		if s.waiting.CompareAndDelete(key, c) {
			_ = c.Close()
		}
	})
}

// take returns nil if there is none.
func (s *spares) take(host string, http2 bool) net.Conn {
	c, _ := s.waiting.LoadAndDelete(spare{host, http2})
	conn, _ := c.(net.Conn)
	return conn
}

// close closes those that wait.
func (s *spares) close() {
	s.waiting.Range(func(key, _ any) bool {
		if c, ok := s.waiting.LoadAndDelete(key); ok {
			_ = c.(net.Conn).Close()
		}
		return true
	})
}
