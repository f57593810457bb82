package meshgrpc

import (
	"net"
	"sync/atomic"
)

// A witness is a connection that remembers that it is lost. It is how to tell a
// status that the server has sent in trailers from one that gRPC made up for the
// streams of a broken connection: it breaks before they do.
type witness struct {
	net.Conn
	lost *atomic.Bool
}

// watched makes the connection the line's, as long as it lasts.
func (w *way) watched(c net.Conn) net.Conn {
	lost := new(atomic.Bool)
	w.lost.Store(lost)
	return witness{c, lost}
}

// Read implements net.Conn.
func (w witness) Read(p []byte) (int, error) { return w.saw(w.Conn.Read(p)) }

// Write implements net.Conn.
func (w witness) Write(p []byte) (int, error) { return w.saw(w.Conn.Write(p)) }

func (w witness) saw(n int, err error) (int, error) {
	if err != nil {
		w.lost.Store(true)
	}
	return n, err
}

// Close implements net.Conn.
func (w witness) Close() error {
	w.lost.Store(true)
	return w.Conn.Close()
}
