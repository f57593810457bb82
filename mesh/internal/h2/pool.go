package h2

import (
	"context"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"
)

// A Config says how connections are made, and what they carry.
type Config struct {
	// Dial connects to what stands for a host in a URL, to speak HTTP/2 there. It has
	// ended called once the connection has been closed.
	Dial func(ctx context.Context, host string, ended func()) (net.Conn, error)
	// Wait takes the place of a request that waits for a connection; done gives it back.
	// Nil: any number waits.
	Wait func() (done func(), err error)

	MaxStreams  int           // of a connection at once; 0: as many as its server takes
	MaxRequests int           // of a connection; 0: any number
	MaxAge      time.Duration // of a connection that takes requests; 0: any
}

// A Pool is the connections to any number of hosts.
type Pool struct {
	config    Config
	transport *http.Transport

	mu      sync.Mutex // guards what follows, and what the hosts and their conns count
	hosts   map[string]*host
	drained bool
}

// A host is the connections to one.
type host struct {
	conns  []*conn
	next   *next // that has room for who waits; nil: there is none
	making int   // are being made
	era    int   // how many times they have been drained: who belongs to an earlier one ends
}

// New makes a Pool that speaks HTTP/2 as t does, which it takes over.
func New(t *http.Transport, c Config) *Pool {
	p := &Pool{config: c, transport: t, hosts: map[string]*host{}}
	if t.DisableKeepAlives {
		p.config.MaxRequests = 1
	}
	speakOnlyHTTP2(t)
	t.DialContext = p.dial
	return p
}

func speakOnlyHTTP2(t *http.Transport) {
	t.Protocols = new(http.Protocols)
	t.Protocols.SetUnencryptedHTTP2(true) // without asking what has been dialled
	t.Protocols.SetHTTP2(true)            // or net/http does not know how
}

// Send carries a request to r.URL.Host. After an answer, done is to be called once it
// has been read; nil: nobody counts.
func (p *Pool) Send(r *http.Request) (resp *http.Response, done func(), err error) {
	resp, done, err = p.once(r)
	if r.Body == nil && endedUnused(err) && r.Context().Err() == nil {
		resp, done, err = p.once(r)
	}
	return resp, done, told(err)
}

func (p *Pool) once(r *http.Request) (*http.Response, func(), error) {
	trace := httptrace.ContextClientTrace(r.Context())
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	c, reused, err := p.take(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, nil, err
	}
	if trace != nil && trace.GotConn != nil {
		p.tell(trace, c, reused)
	}
	resp, err := c.RoundTrip(r)
	switch {
	case !p.config.limited():
		return resp, nil, err
	case err != nil:
		p.leave(c)
		return nil, nil, err
	}
	return resp, func() { p.leave(c) }, nil
}

// tell calls a hook, which may panic.
func (p *Pool) tell(trace *httptrace.ClientTrace, c *conn, reused bool) {
	told := false
	defer func() {
		if !told {
			p.release(c)
		}
	}()
	trace.GotConn(httptrace.GotConnInfo{Conn: c.raw, Reused: reused})
	told = true
}

// take finds a connection with room, or waits for one.
func (p *Pool) take(r *http.Request) (c *conn, reused bool, err error) {
	if c := p.find(r.URL.Host); c != nil {
		return c, true, nil
	}
	if p.config.Wait != nil {
		done, err := p.config.Wait()
		if err != nil {
			return nil, false, err
		}
		defer done()
	}
	return p.wait(r)
}

// wait takes what there is room on by now, or the next connection. Twice one may come
// that is of no use; then none is sought any more, for a server that ends them all gets
// enough.
func (p *Pool) wait(r *http.Request) (c *conn, reused bool, err error) {
	for useless := 0; useless < 2; {
		c, n := p.findOrExpect(r.Context(), r.URL.Host)
		if c != nil {
			return c, true, nil
		}
		switch ok, err := p.await(r, n); {
		case err != nil:
			return nil, false, err
		case ok:
			return n.conn, false, nil
		case n.useless:
			useless++
		}
	}
	return nil, false, errUseless
}

// find takes the first connection that has room; nil: there is none.
func (p *Pool) find(name string) *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hosts[name].take(&p.config)
}

// take may be called on nil. p.mu is held.
func (h *host) take(l *Config) *conn {
	if h != nil {
		for _, c := range h.conns {
			if c.take(l) {
				return c
			}
		}
	}
	return nil
}

func (p *Pool) findOrExpect(ctx context.Context, name string) (*conn, *next) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		h = &host{}
		p.hosts[name] = h
	}
	if c := h.take(&p.config); c != nil {
		return c, nil
	}
	return nil, p.expect(ctx, name, h)
}

// expect is the next connection, which has a place for who waits for it. p.mu is held.
func (p *Pool) expect(ctx context.Context, name string, h *host) *next {
	n := h.next
	if n == nil {
		n = &next{era: h.era, done: make(chan struct{})}
		h.next = n
		h.making++
		go p.connect(context.WithoutCancel(ctx), name, n)
	}
	if n.waiting++; n.waiting == p.config.room() {
		h.next = nil // who comes now will need another
	}
	return n
}

// room is for how many a new connection will do.
func (c *Config) room() int {
	room := math.MaxInt // as far as one can know: its server has not said
	for _, limit := range []int{c.MaxStreams, c.MaxRequests} {
		if limit > 0 {
			room = min(room, limit)
		}
	}
	return room
}

// limited reports whether it matters how many requests a connection carries.
func (c *Config) limited() bool { return c.MaxStreams > 0 || c.MaxRequests > 0 || c.MaxAge > 0 }

// release gives back a place that no request has been sent over.
func (p *Pool) release(c *conn) {
	c.Release()
	p.leave(c)
}

// leave gives a place on a connection back. With the last of the last requests the
// connection ends.
func (p *Pool) leave(c *conn) {
	p.mu.Lock()
	c.active--
	over := c.final && c.active == 0
	p.mu.Unlock()
	if over {
		_ = c.Close()
	}
}
