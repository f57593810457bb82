package h1_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// A tunnel is what a dial through somebody's TLS makes, wrapped once more.
type tunnel struct{ net.Conn }

func (t tunnel) NetConn() net.Conn { return t.Conn }

// What lies between may hold bytes that have left the socket: a silent socket then
// says nothing, and what nobody has asked for would answer the next request.
func TestWhatNobodyAskedForIsFoundWithinLayersBelow(t *testing.T) {
	s, config := secureServer(t, &tls.Config{DynamicRecordSizingDisabled: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	body := strings.Repeat("a", 9000) // more than the read buffer: it is read past it
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				secure := tls.Server(c, s.TLS)
				if _, err := secure.Read(make([]byte, 4096)); err == nil {
					_, _ = io.WriteString(secure, sized("", body)+sized("", "smuggled")) // in one record
					_, _ = io.Copy(io.Discard, secure)
				}
			}()
		}
	}()
	dial := dialSecure(config, dialTCP)
	pool := h1.New(h1.Config{Dial: func(ctx context.Context, host string) (net.Conn, error) {
		c, err := dial(ctx, host)
		return tunnel{c}, err
	}})
	defer pool.CloseIdle()
	for range 3 {
		resp, err := pool.RoundTrip(send("GET", "")(0, "http://"+l.Addr().String()))
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(body))
		if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != body {
			t.Fatalf("got %.20q, %v", got, err)
		}
		if n, err := resp.Body.Read(got); n != 0 || err != io.EOF {
			t.Fatalf("got %.20q, %v", got[:n], err)
		}
	}
}

// A timeless connection knows no deadlines, and says so, as a channel of SSH does,
// or says nothing.
type timeless struct {
	net.Conn
	says error
}

func (c timeless) SetDeadline(time.Time) error      { return c.says }
func (c timeless) SetReadDeadline(time.Time) error  { return c.says }
func (c timeless) SetWriteDeadline(time.Time) error { return c.says }

func TestAConnectionWithoutDeadlinesHoldsNobodyUp(t *testing.T) {
	for _, says := range []error{errors.ErrUnsupported, nil} {
		synctest.Test(t, func(t *testing.T) {
			pool := h1.New(h1.Config{Dial: func(context.Context, string) (net.Conn, error) {
				client, server := net.Pipe()
				go func() { (&scripted{reply: always(ok)}).converse(server, 0) }()
				return timeless{client, says}, nil
			}})
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://a/", nil)
				if o := outcomeOf(pool, r); o.Body != "ok" {
					t.Errorf("%v: got %+v", says, o)
				}
				cancel()
				synctest.Wait()
			}
			pool.CloseIdle()
		})
	}
}
