package h2

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// A conn is one connection.
type conn struct {
	*http.ClientConn
	raw      net.Conn
	greeting *greeting // of its server
	born     time.Time
	ended    atomic.Bool
	// guarded by the pool's
	requests int  // so far
	active   int  // of them; where there are no limits none is taken off
	final    bool // it takes no more, and ends with the last of them
}

// take is called with the pool's mutex held. A connection that is of age takes one
// request more, as one of HTTP/1.1 does.
func (c *conn) take(l *Config) bool {
	if c.final || l.MaxStreams > 0 && c.active >= l.MaxStreams || c.Reserve() != nil {
		return false
	}
	c.requests++
	c.active++
	c.final = l.MaxRequests > 0 && c.requests >= l.MaxRequests || l.MaxAge > 0 && time.Since(c.born) >= l.MaxAge
	return true
}

// A next is a connection that is being made, for all who wait for it.
type next struct {
	waiting int           // guarded by the pool's mutex
	places  int           // that are theirs on it; likewise
	era     int           // of its host, when it was begun
	done    chan struct{} // closed once it has been made; what follows is written before
	conn    *conn
	useless bool // nobody who waited has a place on it: it has ended, or its server takes none
	err     error
}

// await waits for a connection, and reports whether there is a place on it.
func (p *Pool) await(r *http.Request, n *next) (ok bool, err error) {
	select {
	case <-n.done:
		err = n.err
	case <-r.Context().Done():
		err = context.Cause(r.Context())
	case <-r.Cancel: //nolint:staticcheck // deprecated, still obeyed by net/http
		err = context.Canceled
	}
	ok = p.claim(n)
	if ok && err != nil { // who leaves as it comes
		p.release(n.conn)
	}
	return ok, err
}

// claim takes one of the places that are of those who wait. There may be fewer; who
// leaves before they are shared out has none.
func (p *Pool) claim(n *next) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.waiting--
	if n.places == 0 {
		return false
	}
	n.places--
	return true
}

// connect makes a connection, and takes the places of those who wait for it.
func (p *Pool) connect(ctx context.Context, name string, n *next) {
	c := &conn{born: time.Now()}
	n.conn = c
	c.ClientConn, n.err = p.transport.NewClientConn(context.WithValue(ctx, making{}, c), "http", name)
	if n.err == nil {
		c.greeting.wait()
	}
	if p.share(name, n) {
		c.endUnused()
	}
	close(n.done)
}

// share gives places to those who wait for what has been made, and reports whether
// they are the last.
func (p *Pool) share(name string, n *next) (last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h.making--; h.next == n {
		h.next = nil
	}
	if n.err == nil {
		last = p.drained || n.era < h.era
		n.fill(&p.config)
		n.conn.final = n.conn.final || last || n.useless
		if !n.conn.ended.Load() {
			h.conns = append(h.conns, n.conn)
		}
	}
	p.tidy(name, h)
	return last || n.useless
}

func (n *next) fill(l *Config) {
	for n.places < n.waiting && n.conn.take(l) {
		n.places++
	}
	n.useless = n.places == 0 && n.waiting > 0
}

// making is the key of the conn in the context of its dial.
type making struct{}

// dial is the transport's.
func (p *Pool) dial(ctx context.Context, _, name string) (raw net.Conn, err error) {
	c := ctx.Value(making{}).(*conn)
	c.raw, err = p.config.Dial(ctx, name, func() {
		c.ended.Store(true)
		go p.forget(name, c) // whoever closes a connection may do so with the mutex held, or its own
	})
	if err != nil {
		return nil, err
	}
	raw, c.greeting = greet(c.raw)
	return raw, nil
}
