package sniff

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
)

// A Listener accepts TLS and plaintext connections from another listener. Its
// Close must be called, even when the other one is closed.
type Listener struct {
	inner  net.Listener
	config Config
	silent silent        // those whose first byte is waited for
	places chan struct{} // holds one for each that is waited for, or that waits for Accept
	ready  chan accepted // from the goroutines to Accept
	done   chan struct{} // closed by Close
	tasks  sync.WaitGroup
	close  func() error // closes once

	turn     sync.Mutex // as within a net.TCPListener, one Accept at a time
	sniffing bool       // Accept has left accepting to the goroutine

	timedOut, crowded atomic.Uint64
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// Listen returns a Listener over inner, which it owns from now on. The error
// names the fields of the Config that are out of bounds.
func Listen(inner net.Listener, c Config) (*Listener, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	c = c.withDefaults()
	l := &Listener{
		inner:  inner,
		config: c,
		places: make(chan struct{}, c.MaxPending),
		ready:  make(chan accepted),
		done:   make(chan struct{}),
	}
	l.close = sync.OnceValue(l.shut)
	return l, nil
}

// Addr is the inner listener's.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept returns the next connection that can be told: a *tls.Conn, whose
// handshake has not begun, or a plaintext one. Errors of the inner listener are
// passed on; the next Accept asks it again. After Close it is net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	if a, ok := l.direct(); ok {
		return a.conn, a.err
	}
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// direct accepts without a goroutine, as long as the mode alone tells what a
// connection is. The first that has to be waited for ends this: from then on
// Accept waits for those that speak as well as for new ones.
func (l *Listener) direct() (accepted, bool) {
	l.turn.Lock()
	defer l.turn.Unlock()
	if l.sniffing {
		return accepted{}, false
	}
	conn, err := l.inner.Accept()
	if err != nil {
		return accepted{err: err}, true
	}
	if mode := l.config.Mode(); mode != Permissive {
		return accepted{conn: l.dress(conn, mode != Disable)}, true
	}
	return l.begin(conn)
}

// begin starts the goroutine that accepts from now on.
func (l *Listener) begin(first net.Conn) (accepted, bool) {
	if l.closed() {
		_ = first.Close()
		return accepted{err: net.ErrClosed}, true
	}
	l.sniffing = true
	l.tasks.Go(func() {
		l.admit(first)
		l.accept()
	})
	return accepted{}, false
}

// accept runs until Close. An error waits for an Accept that takes it, so that
// the inner listener is not asked more often than by its owner.
func (l *Listener) accept() {
	for {
		conn, err := l.inner.Accept()
		if err == nil {
			l.sort(conn)
		} else if !l.deliver(accepted{err: err}) {
			return
		}
	}
}

func (l *Listener) sort(conn net.Conn) {
	if mode := l.config.Mode(); mode != Permissive {
		l.deliver(accepted{conn: l.dress(conn, mode != Disable)})
		return
	}
	l.admit(conn)
}

// deliver hands over to Accept; false: the listener was closed first, and so is
// the connection.
func (l *Listener) deliver(a accepted) bool {
	select {
	case l.ready <- a:
		return true
	case <-l.done:
		if a.conn != nil {
			_ = a.conn.Close()
		}
		return false
	}
}

// dress gives a connection the type by which it is known.
func (l *Listener) dress(conn net.Conn, secure bool) net.Conn {
	if secure {
		return tls.Server(conn, l.config.TLS)
	}
	return conn
}

func (l *Listener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// Close closes the inner listener and all connections that have not been
// accepted, waits for the goroutines and returns the inner listener's error.
// Accepted connections live on.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) shut() error {
	close(l.done)
	err := l.inner.Close()
	l.silent.shut()
	// Whoever had the turn may have begun the goroutine; whoever has it next sees
	// that it is over.
	l.turn.Lock()
	defer l.turn.Unlock()
	l.tasks.Wait()
	return err
}
