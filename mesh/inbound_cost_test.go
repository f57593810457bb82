package mesh_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

// A mill is a handler that does nothing, behind a mesh, and a request for it as
// net/http makes one.
type mill struct {
	handler http.Handler
	request *http.Request
}

func newMill(t testing.TB, documents ...string) mill {
	t.Helper()
	ca, err := tlsid.NewCA(tlsid.CAConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := mesh.New(context.Background(), mesh.Config{
		Workload: mesh.Workload{Service: "reviews"}, Identity: ca.Workload("reviews"), Rules: rules.Static(documents...),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	r := httptest.NewRequest("GET", "/reviews/7", nil)
	r.TLS = handshake(t, ca)
	local := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.0.0.1:9080"))
	r = r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, local))
	return mill{m.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})), r}
}

// small is a small set of policies, as a service of the bookinfo has it.
var small = []string{
	authorization("only", "{rules: [{from: [{source: {principals: ["+pageID+"]}}], to: [{operation: {methods: [GET], paths: [/reviews/*]}}]}]}"),
	authorization("deny", "{action: DENY, rules: [{to: [{operation: {paths: [/internal/*]}}]}]}"),
}

// One allocation is what is known of the request, which is its context; the other
// is net/http's: the request with that context.
func TestAllocationsOfTheHandler(t *testing.T) {
	for name, c := range map[string]struct {
		documents []string
		want      float64
	}{"no rules": {nil, 2}, "policies": {small, 2}} {
		m := newMill(t, c.documents...)
		w := httptest.NewRecorder()
		got := testing.AllocsPerRun(100, func() { m.handler.ServeHTTP(w, m.request) })
		if w.Code != 200 || got != c.want {
			t.Errorf("%s: %v allocations (%d), want %v", name, got, w.Code, c.want)
		}
	}
}

func BenchmarkHandler(b *testing.B) {
	for name, documents := range map[string][]string{"none": nil, "policies": small} {
		b.Run(name, func(b *testing.B) {
			m := newMill(b, documents...)
			w := httptest.NewRecorder()
			b.ReportAllocs()
			for b.Loop() {
				m.handler.ServeHTTP(w, m.request)
			}
		})
	}
}

// handshake is the state of a connection of productpage's.
func handshake(t testing.TB, ca *tlsid.CA) *tls.ConnectionState {
	t.Helper()
	state := new(tls.ConnectionState)
	for _, raw := range issue(t, ca, "productpage").Certificate().Certificate {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		state.PeerCertificates = append(state.PeerCertificates, c)
	}
	return state
}
