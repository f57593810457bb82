package doorway

import (
	"cmp"
	"container/list"
	"context"
	"net"
	"sync"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/places"
)

// A Config says who is let in.
type Config struct {
	// Admit looks at a connection and returns the one to be accepted. If it fails,
	// the connection is closed by it. ctx ends with the time that there is for it.
	// It is called by many goroutines.
	Admit func(ctx context.Context, c net.Conn) (net.Conn, error)
	// Timeout is how long Admit may take. Zero: 10 s.
	Timeout time.Duration
	// MaxPending is how many may be looked at, or wait to be accepted. Zero: 4096.
	MaxPending int
}

// A Listener accepts those connections of another listener that are let in. Its Close
// must be called.
type Listener struct {
	inner  net.Listener
	config Config
	places *places.Places // one for each that is looked at, or that waits for Accept
	ready  chan accepted
	close  func() error // closes once

	life  context.Context // ends with Close
	end   context.CancelFunc
	tasks sync.WaitGroup

	mu      sync.Mutex
	waiting list.List // of *visit, the oldest first
}

// accepted is what Accept returns.
type accepted struct {
	conn net.Conn
	err  error
}

// A visit is a connection that is looked at.
type visit struct {
	conn  net.Conn
	since time.Time
	ctx   context.Context
	end   context.CancelFunc
	place *list.Element
}

// Listen returns a Listener over inner, which it owns from now on.
func Listen(inner net.Listener, c Config) *Listener {
	c.Timeout, c.MaxPending = cmp.Or(c.Timeout, 10*time.Second), cmp.Or(c.MaxPending, 4096)
	l := &Listener{inner: inner, config: c, ready: make(chan accepted)}
	l.life, l.end = context.WithCancel(context.Background())
	l.places = places.New(c.MaxPending, l.due, l.evict, l.life.Done())
	l.close = sync.OnceValue(l.shut)
	l.tasks.Go(l.run)
	return l
}

// Addr is the inner listener's.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Accept returns the next connection that has been let in. Errors of the inner
// listener are passed on; the next Accept asks it again. After Close it is
// net.ErrClosed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.life.Done():
		return nil, net.ErrClosed
	}
}

// run accepts until Close. An error waits for an Accept that takes it, so that the
// inner listener is not asked more often than by its owner.
func (l *Listener) run() {
	for l.life.Err() == nil {
		conn, err := l.inner.Accept()
		switch {
		case err != nil:
			l.deliver(accepted{err: err})
		case !l.places.Take():
			_ = conn.Close()
		default:
			v := l.enter(conn)
			l.tasks.Go(func() { l.admit(v) })
		}
	}
}

// admit looks at one connection, and hands it over if it may come in.
func (l *Listener) admit(v *visit) {
	defer l.places.Leave()
	conn, err := l.config.Admit(v.ctx, v.conn)
	evicted := !l.leave(v)
	switch {
	case err != nil:
	case evicted: // but it was a moment too late to be told so, or did not listen
		_ = conn.Close()
	default:
		l.deliver(accepted{conn: conn})
	}
}

// deliver hands over to Accept. If the listener is closed first, so is the
// connection.
func (l *Listener) deliver(a accepted) {
	select {
	case l.ready <- a:
	case <-l.life.Done():
		if a.conn != nil {
			_ = a.conn.Close()
		}
	}
}

func (l *Listener) enter(conn net.Conn) *visit {
	v := &visit{conn: conn, since: time.Now()}
	v.ctx, v.end = context.WithTimeout(l.life, l.config.Timeout)
	l.mu.Lock()
	defer l.mu.Unlock()
	v.place = l.waiting.PushBack(v)
	return v
}

// leave reports false of one that was evicted.
func (l *Listener) leave(v *visit) bool {
	v.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if v.place == nil {
		return false
	}
	l.waiting.Remove(v.place)
	return true
}

// grace is how long a connection may be looked at in any case.
const grace = time.Second

// due fires when the oldest has had its grace; nil: there is none.
func (l *Listener) due() <-chan time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Len() == 0 {
		return nil
	}
	return time.After(time.Until(l.oldestLocked().since.Add(grace)))
}

// evict closes the oldest that has had its grace; false: there is none.
func (l *Listener) evict() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting.Len() == 0 || time.Since(l.oldestLocked().since) < grace {
		return false
	}
	v := l.oldestLocked()
	l.waiting.Remove(v.place)
	v.place = nil
	v.end()
	_ = v.conn.SetDeadline(time.Unix(1, 0)) // who looks at it, closes it
	return true
}

func (l *Listener) oldestLocked() *visit { return l.waiting.Front().Value.(*visit) }

// Close closes the inner listener and all connections that have not been accepted,
// waits for the goroutines and returns the inner listener's error. Accepted
// connections live on.
func (l *Listener) Close() error { return l.close() }

func (l *Listener) shut() error {
	l.end()
	err := l.inner.Close()
	l.tasks.Wait()
	return err
}
