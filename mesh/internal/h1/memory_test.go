package h1_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// A lab is a Pool and a scripted server in memory, in paused time.
type lab struct {
	*testing.T
	*scripted
	pool *h1.Pool
	open atomic.Int32
}

// experiment runs in a bubble of its own.
func experiment(t *testing.T, c h1.Config, r reply, run func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{T: t, scripted: &scripted{reply: r}}
		c.Dial = l.dial
		l.pool = h1.New(c)
		run(l)
		l.pool.CloseIdle()
		l.serve.Wait()
	})
}

// dial connects any host to the script; the connection is counted until the
// client closes it.
func (l *lab) dial(context.Context, string) (net.Conn, error) {
	client, server := net.Pipe()
	l.mu.Lock()
	number := len(l.conns)
	l.conns = append(l.conns, server)
	l.mu.Unlock()
	l.serve.Go(func() { l.converse(server, number) })
	l.open.Add(1)
	return &counted{Conn: client, open: &l.open}, nil
}

// A counted connection says when it is closed.
type counted struct {
	net.Conn
	open *atomic.Int32
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.open.Add(-1) })
	return c.Conn.Close()
}

// SyscallConn shows the socket, if there is one.
func (c *counted) SyscallConn() (syscall.RawConn, error) { return show(c.Conn) }

func show(c net.Conn) (syscall.RawConn, error) {
	if socket, ok := c.(syscall.Conn); ok {
		return socket.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

func (l *lab) get(host string) outcome {
	l.Helper()
	r, err := http.NewRequestWithContext(l.Context(), http.MethodGet, "http://"+host+"/", nil)
	if err != nil {
		l.Fatal(err)
	}
	return outcomeOf(l.pool, r)
}

// fetch gets an answer that must be ok.
func (l *lab) fetch(host string) {
	l.Helper()
	if o := l.get(host); o.Body != "ok" || o.Broken != "" {
		l.Fatalf("got %+v", o)
	}
}

// stand compares the connections that were made, and those that stand.
func (l *lab) stand(made, open int) {
	l.Helper()
	synctest.Wait()
	if m, o := l.connections(), int(l.open.Load()); m != made || o != open {
		l.Errorf("%d connections were made and %d stand, want %d and %d", m, o, made, open)
	}
}

var errRefused = errors.New("nobody is there")
