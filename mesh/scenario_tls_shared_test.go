package mesh_test

import (
	"crypto/tls"
	"errors"
	"net/http"
	"testing"

	"github.com/inmesh-go/inmesh/discovery"
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
