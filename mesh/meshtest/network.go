package meshtest

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// A network is listeners in memory, by address.
type network struct {
	mu        sync.Mutex
	listeners map[string]*listener
	next      int
}

// listen opens a new address.
func (n *network) listen() *listener {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next++
	l := &listener{
		address: fmt.Sprintf("10.0.%d.%d:80", n.next>>8, n.next&0xff),
		dialled: make(chan net.Conn),
		closed:  make(chan struct{}),
	}
	n.listeners[l.address] = l
	return l
}

// dial is a Config.DialContext.
func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	l := n.listeners[address]
	n.mu.Unlock()
	if l == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: addr(address), Err: syscall.ECONNREFUSED}
	}
	return l.dial(ctx)
}

type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

// A listener is one address, which accepts, refuses or says nothing.
type listener struct {
	address string
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once

	mu    sync.Mutex // guards all below
	mode  mode
	conns map[*conn]struct{} // the server's ends
}

type mode uint8

const (
	accepting mode = iota
	refusing       // as if nobody listened
	silent         // as if packets were dropped
)

func (l *listener) dial(ctx context.Context) (net.Conn, error) {
	switch l.current() {
	case refusing:
		return nil, l.refused()
	case silent:
		<-ctx.Done()
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: context.Cause(ctx)}
	}
	client, server := net.Pipe()
	select {
	case l.dialled <- l.adopt(server):
		return client, nil
	case <-l.closed:
		return nil, l.refused()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (l *listener) refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Addr: l.Addr(), Err: syscall.ECONNREFUSED}
}

func (l *listener) current() mode {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mode
}

// enter changes the mode; leaving accepting breaks what is connected.
func (l *listener) enter(m mode) {
	l.mu.Lock()
	l.mode = m
	broken := l.conns
	if m != accepting {
		l.conns = nil
	}
	l.mu.Unlock()
	if m == accepting {
		return
	}
	for c := range broken {
		_ = c.Conn.Close()
	}
}

// adopt remembers a connection until it is closed.
func (l *listener) adopt(c net.Conn) *conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	own := &conn{Conn: c, listener: l}
	if l.conns == nil {
		l.conns = map[*conn]struct{}{}
	}
	l.conns[own] = struct{}{}
	return own
}

type conn struct {
	net.Conn
	listener *listener
}

// LocalAddr is the server's address: policies ask which port a caller reached.
func (c *conn) LocalAddr() net.Addr { return c.listener.Addr() }

func (c *conn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.dialled:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return addr(l.address) }
