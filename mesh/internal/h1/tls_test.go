package h1_test

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/mesh/internal/h1"
)

// dialSecure shakes hands over what dial makes.
func dialSecure(config *tls.Config, dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, host string) (net.Conn, error) {
		c, err := dial(ctx, host)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(c, config)
		return secure, secure.HandshakeContext(ctx)
	}
}

func secureServer(t *testing.T, settings *tls.Config) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(review))
	s.TLS = settings
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.NextProtos = "example.com", []string{"http/1.1"}
	return s, config
}

func TestConnectionsMayBeTLS(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			s, config := secureServer(t, &tls.Config{MaxVersion: version})
			dials := 0
			dial := func(ctx context.Context, host string) (net.Conn, error) { dials++; return dialTCP(ctx, host) }
			pool := h1.New(h1.Config{Dial: dialSecure(config, dial)})
			defer pool.CloseIdle()
			for range 10 {
				resp, err := pool.RoundTrip(send("POST", "body")(0, "http://"+s.Listener.Addr().String()))
				if err != nil {
					t.Fatal(err)
				}
				if body, err := io.ReadAll(resp.Body); err != nil || resp.TLS == nil || resp.TLS.Version != version {
					t.Errorf("%q, %v, %+v", body, err, resp.TLS)
				}
				_ = resp.Body.Close()
			}
			if dials != 1 {
				t.Errorf("%d dials", dials)
			}
			s.CloseClientConnections()
			resp, err := pool.RoundTrip(send("POST", "body")(0, "http://"+s.Listener.Addr().String()))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if dials != 2 {
				t.Errorf("%d dials", dials)
			}
		})
	}
}

// What nobody has asked for may have left the socket already, and wait within TLS.
func TestWhatNobodyAskedForIsFoundWithinTLS(t *testing.T) {
	s, config := secureServer(t, new(tls.Config))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go smuggle(c, s.TLS)
		}
	}()
	pool := h1.New(h1.Config{Dial: dialSecure(config, dialTCP)})
	defer pool.CloseIdle()
	for range 20 {
		if o := outcomeOf(pool, send("GET", "")(0, "http://"+l.Addr().String())); o.Body != "ok" {
			t.Fatalf("got %+v", o)
		}
	}
}

// smuggle answers twice, in two records that come together.
func smuggle(c net.Conn, config *tls.Config) {
	secure := tls.Server(&late{Conn: c}, config)
	defer func() { _ = c.Close() }()
	if _, err := secure.Read(make([]byte, 4096)); err == nil {
		_, _ = io.WriteString(secure, ok)
		_, _ = io.WriteString(secure, sized("", "smuggled"))
		_, _ = io.Copy(io.Discard, secure)
	}
}

// A late connection writes when it is about to read.
type late struct {
	net.Conn
	unsent []byte
}

func (l *late) Write(p []byte) (int, error) {
	l.unsent = append(l.unsent, p...)
	return len(p), nil
}

func (l *late) Read(p []byte) (int, error) {
	if _, err := l.Conn.Write(l.unsent); err != nil {
		return 0, err
	}
	l.unsent = nil
	return l.Conn.Read(p)
}

func TestTLSInMemory(t *testing.T) {
	s, config := secureServer(t, new(tls.Config))
	synctest.Test(t, func(t *testing.T) {
		dials := 0
		pool := h1.New(h1.Config{Dial: dialSecure(config, func(context.Context, string) (net.Conn, error) {
			dials++
			client, server := net.Pipe()
			go func() { (&scripted{reply: always(ok)}).converse(tls.Server(server, s.TLS), 0) }()
			return client, nil
		})})
		for range 5 {
			if o := outcomeOf(pool, send("POST", "body")(0, "http://a")); o.Body != "ok" {
				t.Fatalf("got %+v", o)
			}
			synctest.Wait()
		}
		if dials != 1 {
			t.Errorf("%d dials", dials)
		}
		pool.CloseIdle()
	})
}
