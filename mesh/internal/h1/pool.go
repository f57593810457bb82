package h1

import (
	"cmp"
	"compress/gzip"
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Config says how a Pool connects and what it keeps. All but Dial may be zero.
type Config struct {
	// Dial connects to a host, as it stands in a request's URL. A *tls.Conn must
	// have shaken hands, on HTTP/1.1. Required.
	Dial func(ctx context.Context, host string) (net.Conn, error)
	// IdleTimeout is how long a connection may carry nothing; 0: for ever.
	IdleTimeout time.Duration
	// MaxIdle is how many connections to one host are kept idle; 0: all.
	MaxIdle int
	// MaxRequests is how many requests a connection carries; 0: any number. The
	// last one tells the server so.
	MaxRequests int
	// MaxAge is how old a connection gets; 0: any age. A request under way
	// finishes.
	MaxAge time.Duration
	// DisableCompression leaves out what net/http does on its own: to ask for
	// gzip where the caller has not said what it takes, and to unpack the answer.
	DisableCompression bool
	// MaxHeader is how many bytes the head of an answer may have, with all
	// informational ones before it; 0: 10 MiB, as in net/http.
	MaxHeader int64
	// HeaderTimeout is how long the server may take from the end of a request to
	// the end of its answer's head; 0: for ever.
	HeaderTimeout time.Duration
	// ReadBuffer is each connection's, in bytes; 0: 4 KiB.
	ReadBuffer int
}

const (
	defaultMaxHeader  = 10 << 20
	defaultReadBuffer = 4 << 10
)

// A Pool is the connections to the hosts of one cluster. It is safe for
// concurrent use.
type Pool struct {
	config   Config
	idle     idle
	messages sync.Pool // of *message
	inflated sync.Pool // of *gzip.Reader
}

// New returns a Pool. It has no goroutine of its own, and nothing to close but
// idle connections.
func New(c Config) *Pool {
	c.MaxHeader = cmp.Or(c.MaxHeader, defaultMaxHeader)
	c.ReadBuffer = cmp.Or(c.ReadBuffer, defaultReadBuffer)
	p := &Pool{config: c}
	p.idle.config = &p.config
	p.idle.stacks = map[string]*stack{}
	p.messages.New = func() any { return new(message) }
	p.inflated.New = func() any { return new(gzip.Reader) }
	return p
}

// Lines are header fields beside those of a request.
type Lines interface {
	// AppendLines appends them, each with its CR LF. It is called before Send
	// returns, and must write what is valid and stands in the request nowhere.
	AppendLines(to []byte) []byte
}

// RoundTrip implements http.RoundTripper for requests that the Pool Takes.
func (p *Pool) RoundTrip(r *http.Request) (*http.Response, error) { return p.Send(r, nil) }

// Send is RoundTrip with more header fields: to add them to the request would be to
// copy its headers. Nil: there are none.
func (p *Pool) Send(r *http.Request, more Lines) (*http.Response, error) {
	t := newTrip(r)
	m := p.messages.Get().(*message)
	m.more = more
	resp, err := p.roundTrip(t, m)
	m.more = nil
	if m.clear() {
		p.messages.Put(m)
	}
	if err != nil {
		t.end()
	}
	return resp, err
}

func (p *Pool) roundTrip(t trip, m *message) (*http.Response, error) {
	if t.ctx.Err() != nil {
		_ = closeBody(t.request)
		return nil, context.Cause(t.ctx)
	}
	if err := m.compose(t.request, p.unpacks(t.request)); err != nil {
		return nil, err
	}
	for {
		c, err := p.connect(t)
		if err != nil {
			return nil, err
		}
		resp, err := c.exchange(t, m)
		lost, ok := err.(*lostError)
		if !ok {
			return resp, err
		}
		// A connection may end while it is idle, and nobody notices before it is
		// used again; what a new one does is no accident.
		if !c.reused() || lost.sent && !repeatable(t.request) {
			return nil, lost.err
		}
	}
}

// connect takes an idle connection, or makes one.
func (p *Pool) connect(t trip) (*conn, error) {
	if t.ctx.Err() != nil {
		return nil, context.Cause(t.ctx)
	}
	host := t.request.URL.Host
	if c := p.idle.take(host); c != nil {
		return c, nil
	}
	nc, err := p.config.Dial(t.ctx, host)
	if err != nil {
		return nil, t.undialled(err)
	}
	return newConn(p, host, nc), nil
}

// CloseIdle closes the connections that carry nothing, and those that end to
// carry something before the next request.
func (p *Pool) CloseIdle() { closeAll(p.idle.clear()) }

// CloseIdleTo closes the connections to one host that carry nothing.
func (p *Pool) CloseIdleTo(host string) { closeAll(p.idle.clearHost(host)) }

func closeAll(conns []*conn) {
	for _, c := range conns {
		c.close()
	}
}
