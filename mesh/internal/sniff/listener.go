package sniff

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"

	"github.com/inmesh-go/inmesh/mesh/internal/places"
)

// A Listener accepts TLS and plaintext connections from another listener. Its
// Close must be called, even when the other one is closed.
type Listener struct {
	inner  net.Listener
	config Config
	silent silent         // those whose first byte is waited for
	places *places.Places // one for each that is waited for, or that waits for Accept
	turn   chan struct{}  // holds one when nobody asks the inner listener
	ready  chan accepted  // from the goroutines to Accept
	close  func() error   // closes once

	mu    sync.Mutex     // orders the begin of tasks and the close of done
	tasks sync.WaitGroup // the goroutines
	done  chan struct{}  // closed by Close

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
		turn:   make(chan struct{}, 1),
		ready:  make(chan accepted),
		done:   make(chan struct{}),
	}
	l.places = places.New(c.MaxPending, l.silent.due, l.evict, l.done)
	l.turn <- struct{}{}
	l.close = sync.OnceValue(l.shut)
	return l, nil
}

// Addr is the inner listener's.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept returns the next connection that can be told: a *tls.Conn, whose
// handshake has not begun, or a plaintext one. Errors of the inner listener are
// passed on; the next Accept asks it again. After Close it is net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		select {
		case <-l.turn:
			if a, ok := l.direct(); ok {
				return a.conn, a.err
			}
		case a := <-l.ready:
			return a.conn, a.err
		case <-l.done:
			return nil, net.ErrClosed
		}
	}
}

// direct accepts without a goroutine, as long as the mode alone tells what a
// connection is. The first that has to be waited for ends this: Accept cannot
// wait for those that speak as well as for new ones, so that from then on a
// goroutine has the turn.
func (l *Listener) direct() (accepted, bool) {
	conn, err := l.inner.Accept()
	if err != nil {
		l.turn <- struct{}{}
		return accepted{err: err}, true
	}
	mode := l.config.Mode()
	if mode == Permissive {
		l.begin(conn)
		return accepted{}, false
	}
	l.turn <- struct{}{}
	return accepted{conn: l.dress(conn, mode != Disable)}, true
}

// begin starts the goroutine that accepts from now on.
func (l *Listener) begin(first net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed() {
		_ = first.Close()
		return
	}
	l.tasks.Go(func() {
		l.admit(first)
		l.accept()
	})
}

// accept runs until Close. An error waits for an Accept that takes it, so that
// the inner listener is not asked more often than by its owner.
func (l *Listener) accept() {
	for !l.closed() {
		conn, err := l.inner.Accept()
		if err != nil {
			l.deliver(accepted{err: err})
			continue
		}
		l.sort(conn)
	}
}

// sort hands over what can be told at once.
func (l *Listener) sort(conn net.Conn) {
	if mode := l.config.Mode(); mode != Permissive {
		l.deliver(accepted{conn: l.dress(conn, mode != Disable)})
		return
	}
	l.admit(conn)
}

// deliver hands over to Accept. If the listener is closed first, so is the
// connection.
func (l *Listener) deliver(a accepted) {
	select {
	case l.ready <- a:
	case <-l.done:
		if a.conn != nil {
			_ = a.conn.Close()
		}
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
	l.end()
	err := l.inner.Close()
	l.silent.shut()
	l.tasks.Wait()
	return err
}

func (l *Listener) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.done)
}
