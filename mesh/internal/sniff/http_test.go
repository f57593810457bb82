package sniff_test

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/sniff"
)

// A site is an HTTP server behind a Listener on the loopback.
type site struct {
	*sniff.Listener
	addr string
	cert tls.Certificate
}

// say answers with how the request came.
func say(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%s TLS=%v %d", r.Proto, r.TLS != nil, n)
}

func open(t testing.TB, c sniff.Config) *site {
	t.Helper()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{addr: inner.Addr().String(), cert: certificate(t)}
	c.TLS = &tls.Config{Certificates: []tls.Certificate{s.cert}, NextProtos: []string{"h2", "http/1.1"}}
	s.Listener = listen(t, inner, c)
	server := &http.Server{Handler: http.HandlerFunc(say), ErrorLog: discard(), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	var wg sync.WaitGroup
	wg.Go(func() { server.Serve(s) })
	t.Cleanup(func() {
		server.Close()
		wg.Wait()
	})
	return s
}

// client speaks the one protocol that it is given.
func (s *site) client(t testing.TB, set func(*http.Protocols)) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(s.cert.Leaf)
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		Protocols:       new(http.Protocols),
	}
	set(transport.Protocols)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

func (s *site) post(client *http.Client, scheme string, n int) (string, error) {
	resp, err := client.Post(scheme+"://"+s.addr, "text/plain", strings.NewReader(strings.Repeat("x", n)))
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

func http1(p *http.Protocols) { p.SetHTTP1(true) }
func http2(p *http.Protocols) { p.SetHTTP2(true) }
func h2c(p *http.Protocols)   { p.SetUnencryptedHTTP2(true) }

// visitors are all kinds of clients of a permissive port.
var visitors = []struct {
	scheme string
	set    func(*http.Protocols)
	want   string
}{
	{"http", http1, "HTTP/1.1 TLS=false"},
	{"http", h2c, "HTTP/2.0 TLS=false"},
	{"https", http1, "HTTP/1.1 TLS=true"},
	{"https", http2, "HTTP/2.0 TLS=true"},
}

func TestOnePortServesAllKindsAtOnce(t *testing.T) {
	s := open(t, sniff.Config{Mode: permissive})
	var wg sync.WaitGroup
	for _, v := range visitors {
		for i := range 5 {
			client := s.client(t, v.set)
			wg.Go(func() {
				for _, n := range []int{0, 1, 100_000} {
					want := fmt.Sprint(v.want, " ", n)
					if got, err := s.post(client, v.scheme, n); got != want {
						t.Errorf("client %d got %q, %v, want %q", i, got, err, want)
					}
				}
			})
		}
	}
	wg.Wait()
}

func TestStrictAndDisableServeOneKind(t *testing.T) {
	for mode, secure := range map[sniff.Mode]bool{sniff.Strict: true, sniff.Disable: false} {
		s := open(t, sniff.Config{Mode: turn(mode).mode})
		for _, v := range visitors {
			got, err := s.post(s.client(t, v.set), v.scheme, 0)
			served := err == nil && strings.HasPrefix(got, v.want)
			if want := (v.scheme == "https") == secure; served != want {
				t.Errorf("mode %d, %s %s: got %q, %v; want it served: %v", mode, v.scheme, v.want, got, err, want)
			}
		}
	}
}

func TestSilentSocketsHoldUpNoRequest(t *testing.T) {
	s := open(t, sniff.Config{Mode: permissive, Timeout: time.Hour, MaxPending: 100})
	for range 300 {
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	for _, v := range visitors {
		if got, err := s.post(s.client(t, v.set), v.scheme, 7); got != v.want+" 7" {
			t.Errorf("got %q, %v, want %q", got, err, v.want)
		}
	}
}
