package mesh_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inmesh-go/inmesh/tlsid"
)

// serverOnly is a house whose server does not use Listen.
func serverOnly(t *testing.T, s *http.Server, network, address string, documents ...string) *house {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	b := build(t, ca, nil, documents...)
	lis, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	b.address = lis.Addr().String()
	if s.TLSConfig != nil {
		s.TLSConfig = b.mesh.ServerTLS()
	}
	s.Handler = b.mesh.Handler(hello)
	serve(t, s, lis)
	return b
}

func TestAServerWithTheMeshsTLSNeedsNoListen(t *testing.T) {
	b := serverOnly(t, &http.Server{TLSConfig: new(tls.Config)}, "tcp", "127.0.0.1:0", only(pageID), rule("PeerAuthentication", "ns", strict))
	for _, version := range versions {
		b.guest("productpage", version).get("/", 200)
		b.guest("ratings", version).get("/", 403)
	}
}

// A listener that knows nothing of modes: the handler holds the port to STRICT.
func TestAPlainServerIsStrictByItsHandler(t *testing.T) {
	b := serverOnly(t, &http.Server{}, "tcp", "127.0.0.1:0")
	for _, version := range versions {
		b.stranger(version).get("/", 200)
	}
	b.obey(rule("PeerAuthentication", "ns", strict))
	for _, version := range versions {
		b.stranger(version).get("/", 403)
	}
}

func TestAUnixSocketHasNoAddressesAndNoPort(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	b := serverOnly(t, &http.Server{}, "unix", socket, authorization("here", "{rules: [{from: [{source: {notIpBlocks: [10.0.0.0/8]}}], to: [{operation: {paths: [/open]}}]}]}"))
	g := b.stranger(http1)
	g.client.Transport.(*http.Transport).DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	g.url = "http://reviews"
	g.get("/open", 200)
	g.get("/shut", 403)
	if told := b.diary.takeAccess(); len(told) != 1 || told[0].Source != "" {
		t.Errorf("told %+v, want one refusal of a caller without address", told)
	}
	b.obey(rule("PeerAuthentication", "ns", strict))
	g.get("/open", 403)
}

// A handler that went on in HTTP/2 would serve requests past the policies.
func TestNoHandlerIsAskedToGoOnInHTTP2(t *testing.T) {
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header["Upgrade"], r.Header["Http2-Settings"])
	}))
	l := &line{t: t, address: b.address}
	defer l.hangUp()
	for offer, want := range map[string]string{
		"h2c": "[] []", "H2C": "[] []", "websocket, h2c": "[] []", "websocket": `["websocket"] ["AAMA"]`,
	} {
		_, body := l.say("GET / HTTP/1.1", "Host: reviews", "Connection: Upgrade, HTTP2-Settings", "Upgrade: "+offer, "HTTP2-Settings: AAMA")
		if body != want {
			t.Errorf("%s: the handler sees %s", offer, body)
		}
	}
}

// What net/http gives to handlers passes through.
func TestTheHandlerHasAllThatNetHTTPGives(t *testing.T) {
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/upgrade", "/hijack":
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = rw.Flush()
			said, _ := rw.ReadString('\n')
			fmt.Fprint(rw, said)
			_ = rw.Flush()
		case "/flush":
			if r.ProtoMajor == 1 {
				_ = http.NewResponseController(w).EnableFullDuplex()
			}
			_, _ = io.WriteString(w, "first ")
			w.(http.Flusher).Flush()
			_, _ = io.Copy(w, r.Body) // the caller sends it once it has seen the first
		case "/trailers":
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Trailer", "X-Sum")
			_, _ = w.Write(body)
			w.Header().Set("X-Sum", r.Trailer.Get("X-Sum"))
		}
	}), authorization("not-far", "{action: DENY, rules: [{to: [{operation: {paths: [/no]}}]}]}"))
	for _, version := range versions {
		streams(t, b.guest("productpage", version))
		trails(t, b.guest("productpage", version))
	}
	upgrades(t, b)
	expects(t, b)
}

func streams(t *testing.T, g *guest) {
	t.Helper()
	body, say := io.Pipe()
	resp, err := g.client.Post(g.url+"/flush", "text/plain", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, len("first "))
	if _, err := io.ReadFull(resp.Body, first); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(say, "second")
	_ = say.Close()
	rest, err := io.ReadAll(resp.Body)
	if got := string(first) + string(rest); err != nil || got != "first second" {
		t.Errorf("%q (%v)", got, err)
	}
}

func trails(t *testing.T, g *guest) {
	t.Helper()
	r, err := http.NewRequest("POST", g.url+"/trailers", io.NopCloser(strings.NewReader("body")))
	if err != nil {
		t.Fatal(err)
	}
	r.Trailer = http.Header{"X-Sum": {"42"}}
	resp, err := g.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if string(body) != "body" || resp.Trailer.Get("X-Sum") != "42" || err != nil {
		t.Errorf("%q, trailers %v (%v)", body, resp.Trailer, err)
	}
}

func upgrades(t *testing.T, b *house) {
	t.Helper()
	for _, g := range []*guest{b.guest("productpage", http1), b.stranger(http1)} {
		r, _ := http.NewRequest("GET", g.url+"/upgrade", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "echo")
		resp, err := g.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		both, ok := resp.Body.(io.ReadWriteCloser)
		if resp.StatusCode != 101 || !ok {
			t.Fatalf("%d, body %T", resp.StatusCode, resp.Body)
		}
		_, _ = io.WriteString(both, "hello\n")
		if said, err := bufio.NewReader(both).ReadString('\n'); said != "hello\n" {
			t.Errorf("%q (%v)", said, err)
		}
		_ = both.Close()
	}
}

// expects: a caller who asks first is told to go on if it may come in, and else
// that it may not, without having sent its body.
func expects(t *testing.T, b *house) {
	t.Helper()
	for path, want := range map[string]string{"/trailers": "HTTP/1.1 100 Continue", "/no": "HTTP/1.1 403 Forbidden"} {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: reviews\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n", path)
		if line, err := bufio.NewReader(conn).ReadString('\n'); strings.TrimSpace(line) != want {
			t.Errorf("%s: %q (%v), want %q", path, line, err, want)
		}
		_ = conn.Close()
	}
}

// Who speaks slowly, or not at all, or hangs up halfway, holds nobody up.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	b := open(t, nil, hello)
	var slow []net.Conn
	for i := range 300 {
		conn, err := net.Dial("tcp", b.address)
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
		// nothing; the beginning of TLS; of a record; of a request; of HTTP/2; of a body
		start := []string{"", "\x16", "\x16\x03\x01\x02\x00\x01", "GET / HTTP/1.1\r\nHost:", "PRI * HTTP/2.0\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n1"}[i%6]
		_, _ = io.WriteString(conn, start)
		if tcp := conn.(*net.TCPConn); i%4 == 3 {
			_ = tcp.CloseWrite() // half open
		}
	}
	for i := range 20 {
		g := b.guest("productpage", versions[i%2])
		if i%4 == 3 {
			g = b.stranger(http1)
		}
		for range 50 {
			g.get("/", 200)
			if i%4 == 0 {
				g.client.CloseIdleConnections()
			}
		}
	}
	for _, conn := range slow {
		_ = conn.Close()
	}
}

// A listener is closed with its waiting clients, and its server ends.
func TestCloseEndsWhatWaits(t *testing.T) {
	b := build(t, caOf(t, "cluster.local"), nil)
	lis, err := b.mesh.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- http.Serve(lis, b.mesh.Handler(hello)) }()
	conn, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = lis.Close()
	if err := <-done; err == nil {
		t.Error("it was served to no end")
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the client was told something")
	}
}
