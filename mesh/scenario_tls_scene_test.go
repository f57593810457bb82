package mesh_test

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A sentry is a server of the test's own, in memory, that remembers how each of
// its connections began and ended.
type sentry struct {
	address string
	goOn    chan struct{} // ends an answer to /slow

	mu     sync.Mutex // guards what follows
	first  []byte     // byte of each connection from which something was read
	closed int        // connections
	peers  []string   // who sent each request
}

// sentry starts one at an address: in TLS, or in plaintext for nil. It answers
// with the protocol.
func (s *scene) sentry(address string, config *tls.Config) *sentry {
	s.Helper()
	g := &sentry{address: address, goOn: make(chan struct{})}
	l := &listener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: g, Protocols: new(http.Protocols), ErrorLog: quiet()}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	go func() { _ = server.Serve(l) }()
	s.Cleanup(func() { _ = server.Close() })
	s.cables.serve(address, func(c net.Conn) {
		c = &watched{Conn: c, by: g}
		if config != nil {
			c = tls.Server(c, config)
		}
		l.take(c)
	})
	return g
}

func (g *sentry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.note(r)
	_, _ = w.Write([]byte(r.Proto))
	if r.URL.Path == "/slow" {
		_ = http.NewResponseController(w).Flush()
		<-g.goOn
	}
}

func (g *sentry) note(r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	peer := ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		if id, err := tlsid.PeerOf(*r.TLS); err == nil {
			peer = id.String()
		} else {
			peer = r.TLS.PeerCertificates[0].DNSNames[0]
		}
	}
	g.peers = append(g.peers, peer)
}

// seen returns how many connections brought something, how many of them began
// with anything but a TLS handshake, and how many have been closed.
func (g *sentry) seen() (conns, plain, closed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, b := range g.first {
		if b != 0x16 { // RFC 8446 §5.1, handshake
			plain++
		}
	}
	return len(g.first), plain, g.closed
}

// last is who sent the last request; "nobody" if there was none.
func (g *sentry) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.peers) == 0 {
		return "nobody"
	}
	return g.peers[len(g.peers)-1]
}

// watched is the server's end of a connection.
type watched struct {
	net.Conn
	by    *sentry
	began bool
	once  sync.Once
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 && !w.began {
		w.began = true
		w.by.mu.Lock()
		defer w.by.mu.Unlock()
		w.by.first = append(w.by.first, p[0])
	}
	return n, err
}

func (w *watched) Close() error {
	w.once.Do(func() {
		w.by.mu.Lock()
		defer w.by.mu.Unlock()
		w.by.closed++
	})
	return w.Conn.Close()
}

// guarded plays a scenario in which the client is the workload productpage of the
// fleet's authority.
func guarded(t *testing.T, documents []string, run func(*scene)) {
	t.Helper()
	playWith(t, documents, func(s *scene, c *mesh.Config) { c.Identity = s.fleet.Identity("productpage") }, run)
}

const productpage = "spiffe://cluster.local/ns/default/sa/productpage"

// workload is the configuration of a server with an identity of ca, which takes
// anybody who is trusted.
func (s *scene) workload(ca *tlsid.CA, id string, protocols ...string) *tls.Config {
	s.Helper()
	parsed, err := tlsid.ParseID(id)
	if err != nil {
		s.Fatal(err)
	}
	credential, err := ca.Issue(parsed)
	if err != nil {
		s.Fatal(err)
	}
	own := new(tlsid.Current)
	own.Store(credential)
	return tlsid.ServerConfig(own, tlsid.Accept{NextProtos: protocols})
}

// known tells discovery of an endpoint.
func (s *scene) known(service string, endpoints ...discovery.Endpoint) {
	s.Helper()
	if err := s.fleet.Discovery().Set(service, endpoints); err != nil {
		s.Fatal(err)
	}
}

// accountOf is the identity of a workload of the namespace default.
func accountOf(name string) string { return "spiffe://cluster.local/ns/default/sa/" + name }

// write makes a file, and returns its path.
func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
