package h1_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

func TestAConnectionIsUsedAgain(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		for range 10 {
			l.fetch("a")
		}
		l.stand(1, 1)
		l.fetch("b")
		l.stand(2, 2)
		<-time.After(1000 * time.Hour)
		l.fetch("a")
		l.stand(2, 2)
	})
}

func TestTheLastConnectionUsedIsTheNext(t *testing.T) {
	which := func(c, _ int) string { return sized("", string(rune('0'+c))) }
	experiment(t, h1.Config{}, which, func(l *lab) {
		release(l.hold("a", 3))
		for range 3 {
			if o := l.get("a"); o.Body != "2" {
				t.Errorf("connection %s was used, want 2", o.Body)
			}
		}
		l.stand(3, 3)
	})
}

// hold sends n requests at once and does not read their answers yet.
func (l *lab) hold(host string, n int) (held []*http.Response) {
	l.Helper()
	for range n {
		r, _ := http.NewRequestWithContext(l.Context(), http.MethodGet, "http://"+host+"/", nil)
		resp, err := l.pool.RoundTrip(r)
		if err != nil {
			l.Fatal(err)
		}
		held = append(held, resp)
	}
	return held
}

func release(held []*http.Response) {
	for _, resp := range held {
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
}

func TestIdleConnectionsAreClosedAtTheirTime(t *testing.T) {
	experiment(t, h1.Config{IdleTimeout: time.Minute}, always(ok), func(l *lab) {
		release(l.hold("a", 3))
		l.fetch("b")
		<-time.After(30 * time.Second)
		l.fetch("a") // one of three
		<-time.After(30*time.Second - 1)
		l.stand(4, 4)
		<-time.After(1)
		l.stand(4, 1)
		<-time.After(30*time.Second - 1)
		l.stand(4, 1)
		<-time.After(1)
		l.stand(4, 0)
		l.fetch("a")
		l.stand(5, 1)
	})
}

// Those whose time is almost up go with the first, so that the timer rings seldom.
func TestIdleConnectionsAreClosedInBatches(t *testing.T) {
	experiment(t, h1.Config{IdleTimeout: 64 * time.Second}, always(ok), func(l *lab) {
		l.fetch("a")
		<-time.After(time.Second)
		l.fetch("b")
		<-time.After(time.Second)
		l.fetch("c")
		<-time.After(62*time.Second - 1)
		l.stand(3, 3)
		<-time.After(1)
		l.stand(3, 1)
		<-time.After(2*time.Second - 1)
		l.stand(3, 1)
		<-time.After(1)
		l.stand(3, 0)
	})
}

func TestConnectionsAreClosedAtTheirAge(t *testing.T) {
	experiment(t, h1.Config{MaxAge: time.Minute}, always(ok), func(l *lab) {
		for range 59 {
			l.fetch("a")
			<-time.After(time.Second)
		}
		under := l.hold("a", 1)
		<-time.After(10 * time.Second)
		l.stand(1, 1) // it is under way, and finishes
		release(under)
		l.stand(1, 0)
		l.fetch("a")
		<-time.After(time.Minute - 1)
		l.stand(2, 1)
		<-time.After(1)
		l.stand(2, 0)
	})
}

func TestAConnectionCarriesItsNumberAndSaysSo(t *testing.T) {
	experiment(t, h1.Config{MaxRequests: 3}, always(ok), func(l *lab) {
		for range 7 {
			l.fetch("a")
		}
		l.stand(3, 1)
		for i, request := range l.heard() {
			if says := closes(request); says != (i%3 == 2) {
				t.Errorf("request %d says that it is the last: %v", i, says)
			}
		}
	})
}

func TestNoMoreThanItsNumberIsKeptIdle(t *testing.T) {
	experiment(t, h1.Config{MaxIdle: 2}, always(ok), func(l *lab) {
		release(l.hold("a", 5))
		release(l.hold("b", 5))
		l.stand(10, 4)
	})
}

func TestIdleConnectionsAreClosedWhenAsked(t *testing.T) {
	experiment(t, h1.Config{IdleTimeout: time.Hour}, always(ok), func(l *lab) {
		release(l.hold("a", 2))
		release(l.hold("b", 2))
		l.pool.CloseIdleTo("a")
		l.pool.CloseIdleTo("nobody")
		l.stand(4, 2)
		under := l.hold("b", 1)
		l.pool.CloseIdle()
		l.stand(4, 1)
		release(under) // nobody has asked for a connection since
		l.stand(4, 0)
		l.fetch("b")
		l.stand(5, 1)
	})
}

func TestAnIdleConnectionThatTheServerClosesIsClosed(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		release(l.hold("a", 3))
		l.mu.Lock()
		_ = l.conns[1].Close()
		l.mu.Unlock()
		l.stand(3, 2)
		l.fetch("a")
		l.stand(3, 2)
	})
}

func TestAnIdleConnectionOnWhichSomethingComesIsClosed(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		l.fetch("a")
		l.mu.Lock()
		_, _ = io.WriteString(l.conns[0], "H")
		l.mu.Unlock()
		l.stand(1, 0)
		l.fetch("a")
		l.stand(2, 1)
	})
}

// In memory nothing is buffered: a server that answers before it reads would wait
// for a client that writes before it reads.
func TestAServerMayAnswerBeforeItReads(t *testing.T) {
	experiment(t, h1.Config{}, always(ok), func(l *lab) {
		pool := h1.New(h1.Config{Dial: func(context.Context, string) (net.Conn, error) {
			client, server := net.Pipe()
			l.serve.Go(func() {
				_, _ = io.WriteString(server, sized("Connection: close\r\n", "early"))
				_, _ = io.Copy(io.Discard, server)
			})
			return client, nil
		}})
		for range 3 {
			if o := outcomeOf(pool, send("POST", big(5000))(0, "http://a")); o.Body != "early" {
				t.Errorf("got %+v", o)
			}
		}
	})
}

// A request that is still being written when its answer has been read: then its
// connection is not used again.
func TestAnAnswerThatOvertakesItsRequestEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials, open atomic.Int32
		pool := h1.New(h1.Config{Dial: func(context.Context, string) (net.Conn, error) {
			client, server := net.Pipe()
			dials.Add(1)
			open.Add(1)
			go func() { _, _ = io.WriteString(server, ok) }()
			return &counted{Conn: client, open: &open}, nil
		}})
		for range 3 {
			if o := outcomeOf(pool, send("GET", "")(0, "http://a")); o.Body != "ok" {
				t.Errorf("got %+v", o)
			}
		}
		synctest.Wait()
		if dials.Load() != 3 || open.Load() != 0 {
			t.Errorf("%d dials, %d open", dials.Load(), open.Load())
		}
	})
}

func TestADialThatFailsIsTheRequestsError(t *testing.T) {
	pool := h1.New(h1.Config{Dial: func(context.Context, string) (net.Conn, error) { return nil, errRefused }})
	r := send("POST", "body")(0, "http://a")
	if _, err := pool.RoundTrip(r); !errors.Is(err, errRefused) {
		t.Error(err)
	}
}

// A dial goes by the context's deadline, and may be first to notice.
func TestADialThatIsOutOfTimeIsTheContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errOwn)
		defer cancel()
		pool := h1.New(h1.Config{Dial: func(ctx context.Context, _ string) (net.Conn, error) {
			at, _ := ctx.Deadline()
			<-time.After(time.Until(at))
			return nil, errRefused
		}})
		_, err := pool.RoundTrip(send("GET", "")(0, "http://a").WithContext(ctx))
		if !errors.Is(err, errOwn) && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}
