package h1_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// A faulty connection writes as its fault says: how much of the nth message, and
// with what error.
type faulty struct {
	net.Conn
	socket bool
	writes int
	fault  func(n int, p []byte) (int, error)
}

func (f *faulty) Write(p []byte) (int, error) {
	f.writes++
	n, err := f.fault(f.writes, p)
	if n > 0 {
		_, _ = f.Conn.Write(p[:n])
	}
	return n, err
}

// SyscallConn shows the socket, if there is to be one.
func (f *faulty) SyscallConn() (syscall.RawConn, error) {
	if f.socket {
		return show(f.Conn)
	}
	return nil, errors.ErrUnsupported
}

func dialFaulty(dials *atomic.Int32, fault func(dial, n int, p []byte) (int, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, host string) (net.Conn, error) {
		c, err := dialTCP(ctx, host)
		dial := int(dials.Add(1))
		return &faulty{Conn: c, socket: true, fault: func(n int, p []byte) (int, error) { return fault(dial, n, p) }}, err
	}
}

// A server that hangs up in the middle of a request may have said why.
func TestAnAnswerToARequestThatCouldNotBeSentWholeIsAnAnswer(t *testing.T) {
	s := startScript(t, always(sized("", "enough")))
	var dials atomic.Int32
	pool := h1.New(h1.Config{Dial: dialFaulty(&dials, func(_, _ int, p []byte) (int, error) { return len(p), errOwn })})
	for range 3 {
		if o := outcomeOf(pool, send("POST", "body")(0, s.url())); o.Body != "enough" {
			t.Errorf("got %+v", o)
		}
	}
	if dials.Load() != 3 {
		t.Errorf("%d dials: a connection was used again", dials.Load())
	}
}

// Nothing of it was sent: so any request goes over another connection.
func TestARequestOfWhichNothingCouldBeSentIsSentOverAnother(t *testing.T) {
	for sent, want := range map[int]string{0: "", 1: "error, " + errOwn.Error()} {
		s := startScript(t, always(ok))
		var dials atomic.Int32
		pool := h1.New(h1.Config{Dial: dialFaulty(&dials, func(dial, n int, p []byte) (int, error) {
			if dial == 1 && n == 2 {
				s.mu.Lock()
				defer s.mu.Unlock()
				return sent, cutOff(s.conns[0])
			}
			return len(p), nil
		})})
		outcomeOf(pool, send("POST", "body")(0, s.url()))
		if o := outcomeOf(pool, send("POST", "body")(0, s.url())); o.Failed != want {
			t.Errorf("%d bytes were sent: %+v", sent, o)
		}
		pool.CloseIdle()
	}
}

// cutOff ends a server's side, and says so to the client's.
func cutOff(c net.Conn) error {
	_ = c.Close()
	return errOwn
}

func TestAFreshConnectionOnWhichNothingCouldBeSentIsAnError(t *testing.T) {
	s := startScript(t, always(ok))
	var dials atomic.Int32
	pool := h1.New(h1.Config{Dial: dialFaulty(&dials, func(int, int, []byte) (int, error) {
		eventually(t, "the server has accepted", func() bool { return s.connections() == 1 })
		s.mu.Lock()
		defer s.mu.Unlock()
		return 0, cutOff(s.conns[0])
	})})
	if o := outcomeOf(pool, send("GET", "")(0, s.url())); o.Failed != "error, "+errOwn.Error() || dials.Load() != 1 {
		t.Errorf("%d dials, %+v", dials.Load(), o)
	}
}

// A TLS server refuses a client after the client's handshake, and hangs up.
func TestWhatTheServerSaidIsToldRatherThanThatWritingFailed(t *testing.T) {
	s, config := secureServer(t, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	var dials atomic.Int32
	dial := dialFaulty(&dials, func(_, n int, p []byte) (int, error) {
		if n > 2 { // two of the handshake
			return 0, errOwn
		}
		return len(p), nil
	})
	pool := h1.New(h1.Config{Dial: dialSecure(config, dial)})
	_, err := pool.RoundTrip(send("GET", "")(0, "http://"+s.Listener.Addr().String()))
	var said *net.OpError
	if !errors.As(err, &said) || said.Op != "remote error" {
		t.Error(err)
	}
}

// In memory, a failed write is all that says that no answer will come.
func TestAWriteThatFailsInMemoryIsTheRequestsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer func() { _ = server.Close() }()
		pool := h1.New(h1.Config{Dial: func(context.Context, string) (net.Conn, error) {
			return &faulty{Conn: client, fault: func(int, []byte) (int, error) { return 0, errOwn }}, nil
		}})
		began := time.Now()
		if o := outcomeOf(pool, send("GET", "")(0, "http://a")); o.Failed != "error, "+errOwn.Error() || time.Since(began) > 0 {
			t.Errorf("after %v: %+v", time.Since(began), o)
		}
	})
}

// deaf serves TLS in memory, on a connection from which it reads no more than the
// handshake and one request, and sends what it has to say.
func deaf(s *httptest.Server, config *tls.Config, answer string) (dial func(context.Context, string) (net.Conn, error), end func()) {
	done := make(chan struct{})
	return dialSecure(config, func(context.Context, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() {
			secure := tls.Server(server, s.TLS)
			_, _ = secure.Read(make([]byte, 4096))
			_, _ = io.WriteString(secure, answer)
			<-done
			_ = server.Close()
		}()
		return client, nil
	}), func() { close(done) }
}

// TLS says goodbye before it closes, and waits up to five seconds for that to be
// heard.
func TestARequestThatIsCutDoesNotWaitForTLS(t *testing.T) {
	s, config := secureServer(t, new(tls.Config))
	for what, c := range map[string]struct {
		header time.Duration
		answer string
		want   string
	}{
		"before an answer":      {0, "", "{Failed:error, context deadline exceeded, timeout "},
		"within an answer":      {0, sized("", "half")[:40], "Broken:error, context deadline exceeded, timeout "},
		"for want of an answer": {time.Second, "", "{Failed:error, context deadline exceeded, timeout "},
	} {
		synctest.Test(t, func(t *testing.T) {
			dial, end := deaf(s, config, c.answer)
			defer end()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if c.header > 0 {
				ctx = t.Context()
			}
			began := time.Now()
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/", nil)
			o := fmt.Sprintf("%+v", outcomeOf(h1.New(h1.Config{Dial: dial, HeaderTimeout: c.header}), r))
			if !strings.Contains(o, c.want) || time.Since(began) != time.Second {
				t.Errorf("%s: after %v: %s", what, time.Since(began), o)
			}
		})
	}
}

func TestABodyThatIsClosedEarlyDoesNotWaitForTLS(t *testing.T) {
	s, config := secureServer(t, new(tls.Config))
	synctest.Test(t, func(t *testing.T) {
		dial, end := deaf(s, config, sized("", big(100_000)))
		defer end()
		began := time.Now()
		resp, err := h1.New(h1.Config{Dial: dial}).RoundTrip(send("GET", "")(0, "http://a"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(began); took > 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Contexts of all kinds take turns on one connection.
func TestALeashIsLeftBehindWithItsRequest(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		ctx, cancel := context.WithCancel(l.Context())
		defer cancel()
		for i := range 9 {
			r, _ := http.NewRequestWithContext([]context.Context{newTether(), ctx, context.Background()}[i%3], http.MethodGet, "http://a/", nil)
			if o := outcomeOf(l.pool, r); o.Body != "ok" {
				t.Errorf("got %+v", o)
			}
		}
		l.stand(1, 1)
	})
}
