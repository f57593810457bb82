package mesh_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
)

// A base that golang.org/x/net/http2 has configured keeps connections of HTTP/2 in
// a pool of its own, by address alone: one that was made by another policy or
// another credential would carry what comes. So none of the mesh's gets there.
func TestABasesOwnPoolOfHTTP2IsGivenNoConnection(t *testing.T) {
	guarded(t, pooled(upgradePolicy), func(s *scene) {
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1"))
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
		base := s.fleet.Base()
		base.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{
			"h2": func(_ string, c *tls.Conn) http.RoundTripper {
				t.Error("the base was given a connection of the mesh's")
				_ = c.NetConn().Close()
				return nobody{}
			},
		}
		s.client.Transport = s.mesh.Transport(base)
		if a := s.get("http://reviews/"); a.proto != "HTTP/2.0" {
			t.Errorf("got %v over %q, %v", a, a.proto, a.err)
		}
		s.client.CloseIdleConnections()
	})
}

// nobody carries nothing.
type nobody struct{}

func (nobody) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("nobody") }

// An open connection is of use to who expects whom it was made to. The address
// says nothing of that.
func TestAConnectionServesOneExpectationOnly(t *testing.T) {
	for name, settings := range map[string]string{
		"HTTP/1.1": "{tcp: {maxConnections: 9}}",
		"HTTP/2":   upgradePolicy,
		"streams":  "{http: {h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 10}}",
	} {
		guarded(t, pooled(settings), func(s *scene) {
			server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1"))
			streamed := func() answer {
				r := s.request("PUT", "http://reviews/", "body")
				r.GetBody = nil // so that net/http carries it
				return s.do(r)
			}
			expect := func(want string, identity string) {
				s.known("reviews", discovery.Endpoint{Address: server.address, Identity: identity})
				synctest.Wait()
				for _, a := range []answer{s.get("http://reviews/"), streamed()} {
					if got := a.String(); got != want {
						t.Errorf("%s: %s: got %s (%v), want %s", name, identity, got, a.err, want)
					}
				}
			}
			expect("200", accountOf("reviews"))
			expect(mesh.ErrConnect.Error(), accountOf("ratings"))
			expect("200", accountOf("reviews"))
			s.rule(unretried("reviews"), policy("reviews", "{connectionPool: "+settings+", tls: {mode: ISTIO_MUTUAL, subjectAltNames: ["+accountOf("ratings")+"]}}"))
			expect(mesh.ErrConnect.Error(), accountOf("reviews"))
			s.rule(pooled(settings)...)
			expect("200", accountOf("reviews"))
			if _, plain, _ := server.seen(); plain > 0 {
				t.Errorf("%s: %d connections in the clear", name, plain)
			}
			s.client.CloseIdleConnections()
		})
	}
}
