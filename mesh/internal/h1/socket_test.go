package h1_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

func closes(request string) bool { return strings.Contains(request, "\r\nConnection: close\r\n") }

// dialCounted counts the sockets that are open.
func dialCounted(open *atomic.Int32) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, host string) (net.Conn, error) {
		c, err := dialTCP(ctx, host)
		if err != nil {
			return nil, err
		}
		open.Add(1)
		return &counted{Conn: c, open: open}, nil
	}
}

// A POST is not sent twice; so it must not meet a connection that the server has
// closed, as long as there was time to notice.
func TestAPOSTMeetsNoConnectionThatTheServerHasClosed(t *testing.T) {
	s := startScript(t, always(ok+hangUp))
	var open atomic.Int32
	pool := h1.New(h1.Config{Dial: dialCounted(&open)})
	for i := range 20 {
		if o := outcomeOf(pool, send("POST", "body")(0, s.url())); o.Body != "ok" {
			t.Fatalf("got %+v", o)
		}
		eventually(t, "the server has hung up", func() bool { return s.ended() > i })
	}
	pool.CloseIdle()
	if n := open.Load(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

func TestWhatNobodyAskedForIsNobodysAnswer(t *testing.T) {
	s := startScript(t, always(ok))
	pool := h1.New(h1.Config{Dial: dialTCP})
	defer pool.CloseIdle()
	for i := range 20 {
		if o := outcomeOf(pool, send("GET", "")(0, s.url())); o.Body != "ok" {
			t.Fatalf("got %+v", o)
		}
		s.mu.Lock()
		_, _ = io.WriteString(s.conns[i], "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nsmuggle")
		s.mu.Unlock()
	}
	if n := s.connections(); n != 20 {
		t.Errorf("%d connections", n)
	}
}

// Nobody reads from an idle socket. That the server has closed it is found when
// it is next looked at.
func TestIdleSocketsThatTheServerHasClosedAreFound(t *testing.T) {
	s := startScript(t, always(ok+hangUp))
	synctest.Test(t, func(t *testing.T) {
		var open atomic.Int32
		pool := h1.New(h1.Config{Dial: dialCounted(&open)})
		r, _ := http.NewRequest(http.MethodGet, s.url(), nil)
		if o := outcomeOf(pool, r); o.Body != "ok" {
			t.Fatalf("got %+v", o)
		}
		if n := open.Load(); n != 1 {
			t.Errorf("%d connections are open", n)
		}
		for s.ended() == 0 { // it is not in the bubble, whose time must not pass meanwhile
			runtime.Gosched()
		}
		for range 1000 { // what it has sent last may take a moment
			if <-time.After(31 * time.Second); open.Load() == 0 {
				return
			}
		}
		t.Error("the connection is still open")
	})
}

// A head may be longer than what the buffers of both sides take in. A server that
// has had enough of it says so, and need not read on.
func TestAServerMayRefuseAGiganticHeadWithoutReadingIt(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan struct{})
	var serve sync.WaitGroup
	serve.Go(func() { refuse(l, answered) })
	defer serve.Wait()
	defer func() { _ = l.Close() }()
	defer close(answered)

	pool := h1.New(h1.Config{Dial: dialSmall})
	defer pool.CloseIdle()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Gigantic", strings.Repeat("x", 16<<20))
	resp, err := pool.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("got %s", resp.Status)
	}
}

// refuse answers one request, and reads nothing of it.
func refuse(l net.Listener, until <-chan struct{}) {
	c, err := l.Accept()
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\n\r\n")
	<-until
}

// dialSmall has little room for what is written.
func dialSmall(ctx context.Context, host string) (net.Conn, error) {
	c, err := dialTCP(ctx, host)
	if err != nil {
		return nil, err
	}
	return c, c.(*net.TCPConn).SetWriteBuffer(64 << 10)
}
