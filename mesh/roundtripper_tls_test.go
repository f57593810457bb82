package mesh_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// An authority issues certificates that its pool trusts.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue makes a certificate for the names.
func (a *authority) issue(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// introduce answers with the name that the server was asked for, the Host header
// and the protocol.
func introduce(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, r.TLS.ServerName+" "+r.Host+" "+r.Proto)
}

func listenTLS(t *testing.T, certificate tls.Certificate, http2 bool, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = quiet()
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// secured is a carrier whose wires trust a.
func secured(t *testing.T, a *authority, where services, documents ...string) *carrier {
	t.Helper()
	c := carry(t, where, false, mesh.Config{}, documents...)
	c.Transport = c.mesh.Transport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}})
	return c
}

// The server is asked for the name in the URL, and must prove it: neither the
// endpoint's address nor the canonical name of a short one will do.
func TestAServerProvesTheNameInTheURL(t *testing.T) {
	a := newAuthority(t)
	for _, c := range []struct {
		name, host string
		http2      bool
		want       string
	}{
		{"HTTP/1.1", "api.example.com", false, "api.example.com api.example.com HTTP/1.1"},
		{"HTTP/2", "api.example.com", true, "api.example.com api.example.com HTTP/2.0"},
		{"short name", "play", false, "play play HTTP/1.1"},
		{"with a port", "api.example.com:8443", false, "api.example.com api.example.com:8443 HTTP/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := listenTLS(t, a.issue(t, "api.example.com", "play"), c.http2, introduce)
			rt := secured(t, a, services{"api.example.com": {address}, "play": {address}})
			resp := mustAnswer(t, rt, get(t.Context(), "https://"+c.host+"/").Request)
			got, err := io.ReadAll(resp.Body)
			if string(got) != c.want || err != nil {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
			if resp.TLS == nil {
				t.Error("Response.TLS is nil")
			}
			_ = resp.Body.Close()
			rt.mustBeIdle(t)
		})
	}
}

func TestAServerThatCannotProveItsNameIsAConnectFailure(t *testing.T) {
	a := newAuthority(t)
	address := listenTLS(t, a.issue(t, "other.example.com"), true, introduce)
	c := secured(t, a, services{"api.example.com": {address}})
	p := postUnknown(t.Context(), "https://api.example.com/")
	err := mustFail(t, c, p.Request, mesh.ErrConnect)
	var wrong x509.HostnameError
	if !errors.As(err, &wrong) || wrong.Host != "api.example.com" {
		t.Errorf("no x509.HostnameError in %v", err)
	}
	p.mustBeClosed(t)
	c.mustBeIdle(t)
}

func TestAServerThatNobodyVouchesForIsAConnectFailure(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	c := secured(t, a, services{"api.example.com": {listenTLS(t, b.issue(t, "api.example.com"), true, introduce)}})
	err := mustFail(t, c, get(t.Context(), "https://api.example.com/").Request, mesh.ErrConnect)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("no x509.UnknownAuthorityError in %v", err)
	}
}

// One address serves two names; a connection that was made for one is not used
// for the other.
func TestConnectionsAreNotSharedBetweenNames(t *testing.T) {
	a := newAuthority(t)
	address := listenTLS(t, a.issue(t, "one.example.com"), true, introduce)
	c := secured(t, a, services{"one.example.com": {address}},
		"apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: two}\nspec: {hosts: [two.example.com], http: [{route: [{destination: {host: one.example.com}}]}]}\n")
	resp := mustAnswer(t, c, get(t.Context(), "https://one.example.com/").Request)
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	mustFail(t, c, get(t.Context(), "https://two.example.com/").Request, mesh.ErrConnect)
}

// A server that prefers HTTP/2 is spoken to in HTTP/1.1 where the connection is to
// become something else.
func TestAConnectionIsUpgradedOverTLS(t *testing.T) {
	a := newAuthority(t)
	var tries atomic.Int32
	c := secured(t, a, services{"api.example.com": {listenTLS(t, a.issue(t, "api.example.com"), true, switching(&tries))}})
	r := get(t.Context(), "https://api.example.com/").Request
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "caps")
	resp := mustAnswer(t, c, r)
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		t.Fatalf("status %d, %T", resp.StatusCode, resp.Body)
	}
	converse(t, conn, conn)
	_ = conn.Close()
	c.mustBeIdle(t)
}

// A base may have HTTP/2 turned off, in the two ways that net/http documents; nothing
// said, ALPN chooses.
func TestABaseMayHaveHTTP2TurnedOff(t *testing.T) {
	a := newAuthority(t)
	address := listenTLS(t, a.issue(t, "api.example.com"), true, introduce)
	one := new(http.Protocols)
	one.SetHTTP1(true)
	for want, bases := range map[string][]*http.Transport{
		"HTTP/1.1": {{Protocols: one}, {TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}},
		"HTTP/2.0": {{}, {ForceAttemptHTTP2: true}},
	} {
		for i, base := range bases {
			base.TLSClientConfig = &tls.Config{RootCAs: a.pool}
			c := carry(t, services{"api.example.com": {address}}, false, mesh.Config{})
			resp := mustAnswer(t, c.mesh.Transport(base), get(t.Context(), "https://api.example.com/").Request)
			if got := textOf(t, resp); got != "api.example.com api.example.com "+want || resp.Proto != want {
				t.Errorf("%s, %d: got %s, %s", want, i, resp.Proto, got)
			}
		}
	}
}

// What says something of its connection takes HTTP/1.1, where it has a meaning: net/http
// refuses to send it in HTTP/2, which is not the host's fault.
func TestFieldsOfAConnectionTakeHTTP1WhereALPNChooses(t *testing.T) {
	a := newAuthority(t)
	address := listenTLS(t, a.issue(t, "play"), true, introduce)
	c := secured(t, a, services{"play": {address}}, oneFailure)
	for _, test := range []struct{ name, value, want string }{
		{"Connection", "x-own", "HTTP/1.1"}, {"Transfer-Encoding", "gzip", "HTTP/1.1"}, {"Te", "gzip", "HTTP/1.1"},
		{"Connection", "keep-alive", "HTTP/2.0"}, {"Te", "trailers", "HTTP/2.0"}, {"X-Own", "any", "HTTP/2.0"}, {"Connection", "Close", "HTTP/2.0"},
	} {
		r := get(t.Context(), "https://play/").Request
		r.Header.Set(test.name, test.value)
		if got := textOf(t, mustAnswer(t, c, r)); got != "play play "+test.want {
			t.Errorf("%s: %s: got %s, want %s", test.name, test.value, got, test.want)
		}
	}
	c.mustBlame(t, 0)
}

// Where ALPN chooses HTTP/2, what a server does not take is for the rules to send again,
// as elsewhere.
func TestWhatAServerDoesNotTakeOverHTTPSGoesElsewhere(t *testing.T) {
	a := newAuthority(t)
	for name, host := range map[string]func(refusals int) func(net.Conn){"a refused stream": refuser, "a server that goes": leaver} {
		t.Run(name, func(t *testing.T) {
			bad, dials := listenFrames(t, a.issue(t, "play"), host(1000))
			good, _ := listenFrames(t, a.issue(t, "play"), refuser(0))
			c := secured(t, a, services{"play": {bad, good}}, policy("play", "{loadBalancer: {simple: ROUND_ROBIN}}"))
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // less than net/http's tries would take
			defer cancel()
			for range 4 {
				resp := mustAnswer(t, c, get(ctx, "https://play/").Request)
				_ = resp.Body.Close()
			}
			if n := dials.Load(); n < 1 || n > 4*3*3 {
				t.Errorf("%d connections to the host that takes nothing", n)
			}
		})
	}
}

// listenFrames serves each connection, which has agreed on HTTP/2, by hand.
func listenFrames(t *testing.T, certificate tls.Certificate, serve func(net.Conn)) (address string, dials *atomic.Int32) {
	t.Helper()
	lis, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	dials = new(atomic.Int32)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := lis.Accept()
			if err != nil {
				return
			}
			dials.Add(1)
			served.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { _ = lis.Close(); served.Wait() })
	return lis.Addr().String(), dials
}

// One connection finds out what is spoken, and carries the first request.
func TestTheConnectionThatFindsOutIsUsed(t *testing.T) {
	a := newAuthority(t)
	for _, http2 := range []bool{false, true} {
		address := listenTLS(t, a.issue(t, "play"), http2, introduce)
		c := secured(t, a, services{"play": {address}})
		var dials atomic.Int32
		c.Transport = c.mesh.Transport(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.pool}, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}})
		for range 3 {
			resp := mustAnswer(t, c, get(t.Context(), "https://play/").Request)
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if n := dials.Load(); n != 1 {
			t.Errorf("HTTP/2 %v: %d connections, want 1", http2, n)
		}
	}
}
