package mesh

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/inmesh-go/inmesh/breaker"
	"github.com/inmesh-go/inmesh/mesh/internal/clienttls"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
)

// A dialContext is net.Dialer's.
type dialContext = func(ctx context.Context, network, address string) (net.Conn, error)

// A dialer makes the connections of one cluster by its policy.
type dialer struct {
	base   dialContext
	gate   *breaker.Gate
	policy plan.Connection
	locks  *locks
	open   atomic.Int64 // connections
	idle   func()       // closes those that carry nothing
	spares spares
}

// A connectError is a connection that was not made: nothing was sent.
type connectError struct{ err error }

func (e *connectError) Error() string { return e.err.Error() }
func (e *connectError) Unwrap() error { return e.err }

// The protocols that are offered by ALPN.
var (
	onlyHTTP1 = []string{"http/1.1"}
	onlyHTTP2 = []string{"h2"}
	anyHTTP   = []string{"h2", "http/1.1"}
)

// onHTTP1 and onHTTP2 connect to what a host in a URL spells, to speak that protocol.
func (d *dialer) onHTTP1(ctx context.Context, host string) (net.Conn, error) {
	if c := d.spares.take(host, false); c != nil {
		return c, nil
	}
	return d.connect(ctx, lineOf(host), onlyHTTP1)
}

func (d *dialer) onHTTP2(ctx context.Context, host string) (net.Conn, error) {
	return d.agreeing(ctx, host, d.dial)
}

// forStreams is onHTTP2 for requests that wait together, and count themselves as
// pending. It has ended called once the connection is closed.
func (d *dialer) forStreams(ctx context.Context, host string, ended func()) (c net.Conn, err error) {
	if c = d.spares.take(host, true); c != nil {
		ofMesh(c).ended = ended
		return c, nil
	}
	c, err = d.agreeing(ctx, host, func(ctx context.Context, l line) (net.Conn, error) {
		network, address := l.endpoint()
		return d.adopt(d.reach(ctx, network, address))
	})
	if err == nil {
		ofMesh(c).ended = ended
	}
	return c, err
}

// agreeing connects to who agrees to HTTP/2, where TLS has a way to ask.
func (d *dialer) agreeing(ctx context.Context, host string, dial func(context.Context, line) (net.Conn, error)) (net.Conn, error) {
	c, err := d.secured(ctx, lineOf(host), onlyHTTP2, dial)
	secure, ok := c.(*tls.Conn)
	if err != nil || !ok {
		return c, err
	}
	if err := clienttls.CheckProtocol(secure.ConnectionState(), "h2"); err != nil {
		_ = secure.NetConn().Close() // without a farewell, which may take its time
		return nil, &connectError{err}
	}
	return secure, nil
}

// connect makes a connection: in the clear or, as the line says, in TLS. All of
// it falls under one timeout.
func (d *dialer) connect(ctx context.Context, l line, protocols []string) (net.Conn, error) {
	return d.secured(ctx, l, protocols, d.dial)
}

func (d *dialer) secured(ctx context.Context, l line, protocols []string, dial func(context.Context, line) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, d.policy.ConnectTimeout)
	defer cancel()
	if l.security == inClear {
		return dial(ctx, l)
	}
	cfg, err := d.locks.config(l, protocols)
	if err != nil {
		return nil, &connectError{err}
	}
	c, err := dial(ctx, l)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(c, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = c.Close()
		return nil, &connectError{err}
	}
	return secure, nil
}

// dial connects without TLS.
func (d *dialer) dial(ctx context.Context, l line) (net.Conn, error) {
	network, address := l.endpoint()
	return d.adopt(d.socket(ctx, network, address))
}

// adopt makes a connection one that is counted.
func (d *dialer) adopt(c net.Conn, err error) (net.Conn, error) {
	if err != nil {
		return nil, err
	}
	d.open.Add(1)
	return &conn{Conn: c, dialer: d, born: time.Now()}, nil
}

// socket connects. A request that waits for it counts as pending, as in Envoy.
func (d *dialer) socket(ctx context.Context, network, address string) (net.Conn, error) {
	if err := d.gate.AcquirePending(); err != nil {
		return nil, err
	}
	defer d.gate.ReleasePending()
	return d.reach(ctx, network, address)
}

// reach connects, whoever waits for it.
func (d *dialer) reach(ctx context.Context, network, address string) (net.Conn, error) {
	d.makeRoom()
	c, err := d.base(ctx, network, address)
	if err != nil {
		return nil, &connectError{err}
	}
	d.keepAlive(c)
	return c, nil
}

// makeRoom closes idle connections when the limit is reached: requests in flight
// are within it already, so that what is in the way carries nothing.
func (d *dialer) makeRoom() {
	if limit := d.policy.MaxConnections; limit > 0 && d.open.Load() >= int64(limit) {
		d.idle()
	}
}

func (d *dialer) keepAlive(c net.Conn) {
	k := d.policy.KeepAlive
	if tcp, ok := c.(*net.TCPConn); ok && k.Enabled {
		// net takes 0 for its own default and a negative value for "leave it".
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable:   true,
			Idle:     cmp.Or(k.Idle, -1),
			Interval: cmp.Or(k.Wait, -1),
			Count:    cmp.Or(k.Probes, -1),
		})
	}
}

// A conn knows its age and how many requests it has carried.
type conn struct {
	net.Conn
	dialer   *dialer
	born     time.Time
	requests atomic.Int64
	closed   atomic.Bool
	ended    func() // is called then; nil: nothing is
}

// SyscallConn shows a socket of package net. Any other connection may hold bytes
// back that have left its socket, so that a silent socket would say nothing of it.
func (c *conn) SyscallConn() (syscall.RawConn, error) {
	switch socket := c.Conn.(type) {
	case *net.TCPConn:
		return socket.SyscallConn()
	case *net.UnixConn:
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite closes the connection one way, as far as it can be: what an upgraded
// one carries may have an end that its server waits for.
func (c *conn) CloseWrite() error { return closeWrite(c.Conn) }

// Close counts the connection out, once.
func (c *conn) Close() error {
	if c.closed.CompareAndSwap(false, true) {
		c.dialer.open.Add(-1)
		if c.ended != nil {
			c.ended()
		}
	}
	return c.Conn.Close()
}

// last reports whether the request that is about to be sent is the connection's
// last: it has carried its number, or is of age.
func (c *conn) last() bool {
	n, p := c.requests.Add(1), c.dialer.policy
	return p.MaxRequests > 0 && n >= int64(p.MaxRequests) || p.MaxAge > 0 && time.Since(c.born) >= p.MaxAge
}

// traced returns the request with an eye on the connection it is given: if it is
// that connection's last, the request says so in its headers before they are
// written, and net/http does not use the connection again. The header map is the
// request's own.
func (d *dialer) traced(r *http.Request) *http.Request {
	header := maps.Clone(r.Header)
	ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if c := ofMesh(info.Conn); c != nil && c.last() {
				header["Connection"] = []string{"close"}
			}
		},
	})
	r = r.WithContext(ctx)
	r.Header = header
	return r
}

func ofMesh(c net.Conn) *conn {
	if secure, ok := c.(*tls.Conn); ok {
		c = secure.NetConn()
	}
	own, _ := c.(*conn)
	return own
}
