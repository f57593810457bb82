package mesh_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// Over mutual TLS as in the clear: HTTP/1.1, unless a rule or the port says
// otherwise.
func TestProtocolsOverMutualTLS(t *testing.T) {
	const pool = "{connectionPool: {http: {%s}}}"
	both, one, two, none := []string{"h2", "http/1.1"}, []string{"http/1.1"}, []string{"h2"}, []string(nil)
	entry := func(protocol string) string {
		return "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: reviews}\nspec: {hosts: [reviews], location: MESH_INTERNAL, resolution: STATIC, ports: [{number: 80, name: p, protocol: " +
			protocol + "}], endpoints: [{address: 10.9.0.1, serviceAccount: reviews}]}\n"
	}
	for _, c := range []struct {
		name, settings, protocol string
		server                   []string
		want                     string
		conns                    int
	}{
		{"nothing said", "maxRetries: 9", "HTTP", both, "HTTP/1.1", 1},
		{"nothing said, a server without ALPN", "maxRetries: 9", "HTTP", none, "HTTP/1.1", 1},
		{"nothing said, a server of HTTP/2 by ALPN", "maxRetries: 9", "HTTP", two, "HTTP/1.1", 1}, // crypto/tls takes that for no ALPN
		{"upgrade", "h2UpgradePolicy: UPGRADE", "HTTP", both, "HTTP/2.0", 1},
		{"upgrade, streams limited", "h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 10", "HTTP", both, "HTTP/2.0", 1},
		{"upgrade, a server of HTTP/1.1", "h2UpgradePolicy: UPGRADE", "HTTP", one, "HTTP/1.1", 1},
		{"upgrade, a server of HTTP/2 alone", "h2UpgradePolicy: UPGRADE", "HTTP", two, "HTTP/2.0", 1},
		{"an HTTP/2 port", "maxRetries: 9", "HTTP2", both, "HTTP/2.0", 1},
		{"a gRPC port", "maxRetries: 9", "GRPC", two, "HTTP/2.0", 1},
		{"an HTTP/2 port, a server of HTTP/1.1", "maxRetries: 9", "HTTP2", one, "no application protocol", 1},
		{"an HTTP/2 port, a server without ALPN", "maxRetries: 9", "HTTP2", none, "does not agree on the protocol", 1},
		{"the client's", "useClientProtocol: true", "HTTP", both, "HTTP/1.1", 1},
	} {
		guarded(t, []string{entry(c.protocol), policy("reviews", fmt.Sprintf(pool, c.settings)), unretried("reviews")}, func(s *scene) {
			server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), c.server...))
			for range 3 {
				a := s.get("http://reviews/")
				if a.err == nil && a.body != c.want || a.err != nil && !strings.Contains(a.err.Error(), c.want) {
					t.Errorf("%s: %v %v over %s, want %s", c.name, a, a.err, a.body, c.want)
				}
				if a.err != nil {
					s.want(a, mesh.ErrConnect.Error())
					return
				}
			}
			if conns, plain, _ := server.seen(); conns != c.conns || plain > 0 {
				t.Errorf("%s: %d connections, %d of them in the clear; want %d", c.name, conns, plain, c.conns)
			}
			s.client.CloseIdleConnections()
		})
	}
}

// A caller of https has his own TLS, unless a rule says how it is to be done: its
// roots and names then take the place of the base's. There is never one in the
// other.
func TestHTTPSUnderARule(t *testing.T) {
	guarded(t, nil, func(s *scene) {
		a := newAuthority(s.T)
		root := write(s.T, "root", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw}))
		web := &tls.Config{Certificates: []tls.Certificate{a.issue(s.T, "reviews", "sni.com")}, NextProtos: []string{"h2", "http/1.1"}}
		ours := s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1")
		for i, c := range []struct {
			name, policy string
			server       *tls.Config
			identity     string // of the endpoint
			want         string // protocol and peer, or what the error says
		}{
			{"no rule", "{connectionPool: {tcp: {maxConnections: 9}}}", web, "", "unknown authority"},
			{"no rule, an identity", "{connectionPool: {tcp: {maxConnections: 9}}}", ours, accountOf("reviews"), "failed to verify"},
			{"DISABLE", "{tls: {}}", web, "", "unknown authority"},
			{"SIMPLE", "{tls: {mode: SIMPLE, caCertificates: " + root + "}}", web, "", "HTTP/2.0 "},
			{"SIMPLE by SNI", "{tls: {mode: SIMPLE, sni: sni.com, caCertificates: " + root + "}}", web, "", "HTTP/2.0 "},
			{"SIMPLE by another SNI", "{tls: {mode: SIMPLE, sni: x.com, caCertificates: " + root + "}}", web, "", "not x.com"},
			{"ISTIO_MUTUAL", "{tls: {mode: ISTIO_MUTUAL}}", ours, accountOf("reviews"), "HTTP/2.0 " + productpage},
		} {
			server := s.sentry(fmt.Sprintf("10.9.0.%d:443", i+1), c.server)
			s.rule(unretried("reviews"), policy("reviews", c.policy))
			s.known("reviews", discovery.Endpoint{Address: server.address, Identity: c.identity})
			s.pass(0)
			a := s.get("https://reviews/")
			got := a.body + " " + server.last()
			if a.err != nil {
				got = a.err.Error()
			}
			if !strings.Contains(got, c.want) {
				t.Errorf("%s: %s, want %s", c.name, got, c.want)
			}
			s.client.CloseIdleConnections()
		}
	})
}

// A connection that is to become something else does so within mutual TLS.
func TestAConnectionIsUpgradedOverMutualTLS(t *testing.T) {
	guarded(t, pooled(upgradePolicy), func(s *scene) {
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1"))
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
		a := s.get("http://reviews/", "Connection", "Upgrade", "Upgrade", "caps")
		if a.err != nil || a.body != "HTTP/1.1" || server.last() != productpage {
			t.Errorf("got %v %v over %s, from %s", a, a.err, a.body, server.last())
		}
		s.client.CloseIdleConnections()
	})
}

// A host that fails its handshake is passed over by the retry, and ejected like
// one that does not listen.
func TestAHostThatFailsItsHandshakeIsAvoided(t *testing.T) {
	documents := []string{
		policy("reviews", "{outlierDetection: {consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 30s}, loadBalancer: {simple: ROUND_ROBIN}}"),
		route("reviews", "retries: {attempts: 2, retryOn: connect-failure}"),
	}
	guarded(t, documents, func(s *scene) {
		good := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		bad := s.sentry("10.9.0.2:80", s.workload(s.fleet.CA(), accountOf("ratings")))
		s.known("reviews",
			discovery.Endpoint{Address: good.address, Identity: accountOf("reviews")},
			discovery.Endpoint{Address: bad.address, Identity: accountOf("reviews")})
		for range 20 {
			s.want(s.post("http://reviews/", "body"), "200")
		}
		if conns, _, _ := bad.seen(); conns != 3 || bad.last() != "nobody" {
			t.Errorf("the bad host was tried %d times, and heard from %s", conns, bad.last())
		}
		if n := len(s.ejections()); n != 1 {
			t.Errorf("%d ejections, want 1", n)
		}
		s.client.CloseIdleConnections()
	})
}

func (s *scene) ejections() (out []string) {
	for _, i := range told(s.journal, &s.journal.circuits) {
		if i.Event.Until.After(time.Now().Add(-time.Hour)) && i.Event.Kind.String() == "ejected" {
			out = append(out, i.Endpoint)
		}
	}
	return out
}

// bare is a RoundTripper that is no *http.Transport.
type bare struct{ http.RoundTripper }

// Where the mesh does not make the connections it cannot encrypt them; so it
// sends nothing that it would have to encrypt.
func TestABaseOfTheCallersOwnIsGivenNothingThatTLSIsDueFor(t *testing.T) {
	guarded(t, nil, func(s *scene) {
		client := &http.Client{Transport: s.mesh.Transport(bare{&http.Transport{DialContext: s.cables.dialContext}})}
		for i, c := range []struct {
			tls, identity, want string
		}{
			{"", "", "200"},
			{"tls: {}", accountOf("reviews"), "200"},
			{"", accountOf("reviews"), mesh.ErrConnect.Error()},
			{"tls: {mode: ISTIO_MUTUAL}", "", mesh.ErrConnect.Error()},
			{"tls: {mode: SIMPLE}", "", mesh.ErrConnect.Error()},
		} {
			server := s.sentry(fmt.Sprintf("10.9.0.%d:80", i+1), nil)
			s.rule(unretried("reviews"), policy("reviews", "{connectionPool: {tcp: {maxConnections: 9}}, "+c.tls+"}"))
			s.known("reviews", discovery.Endpoint{Address: server.address, Identity: c.identity})
			s.pass(0)
			s.client, client = client, s.client
			s.want(s.get("http://reviews/"), c.want)
			s.client.CloseIdleConnections()
			s.client, client = client, s.client
			if conns, _, _ := server.seen(); (conns > 0) != (c.want == "200") {
				t.Errorf("%+v: %d connections", c, conns)
			}
		}
	})
}

// The server is told the name of the cluster, as Istio spells it, or the rule's.
func TestTheNameOfAClusterIsTold(t *testing.T) {
	for sni, want := range map[string]string{
		"":            "outbound_.80_._.reviews.default.svc.cluster.local",
		"sni: my.com": "my.com",
	} {
		guarded(t, []string{unretried("reviews"), policy("reviews", "{tls: {mode: ISTIO_MUTUAL, "+sni+"}}")}, func(s *scene) {
			var got string
			config := s.workload(s.fleet.CA(), accountOf("reviews"))
			perClient := config.GetConfigForClient
			config.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
				got = h.ServerName
				return perClient(h)
			}
			server := s.sentry("10.9.0.1:80", config)
			s.known("reviews", discovery.Endpoint{Address: server.address})
			s.want(s.get("http://reviews:80/"), "200")
			if got != want {
				t.Errorf("%q, want %q", got, want)
			}
			s.client.CloseIdleConnections()
		})
	}
}

// Aliases of the own trust domain are the same domain.
func TestAnAliasOfTheTrustDomainIsTheSame(t *testing.T) {
	playWith(t, []string{unretried("reviews")}, func(s *scene, c *mesh.Config) {
		c.Identity, c.TrustDomainAliases = s.fleet.Identity("productpage"), []string{"old.domain"}
	}, func(s *scene) {
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: "spiffe://old.domain/ns/default/sa/reviews"})
		s.want(s.get("http://reviews/"), "200")
		s.client.CloseIdleConnections()
	})
}

// Whoever has no identity sends no plaintext where a rule demands mutual TLS,
// whether the rules come to be in force or not.
func TestWithoutAnIdentityNothingIsSentInTheClear(t *testing.T) {
	play(t, []string{unretried("reviews")}, func(s *scene) {
		server := s.sentry("10.9.0.1:80", nil)
		s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
		s.want(s.get("http://reviews/"), "200") // no rule says otherwise
		_, before, _ := server.seen()
		s.client.CloseIdleConnections()
		fresh, err := mesh.New(s.Context(), mesh.Config{
			Rules:       rules.Static(unretried("reviews"), policy("reviews", "{tls: {mode: ISTIO_MUTUAL}}")),
			Discovery:   s.fleet.Discovery(),
			DialContext: s.cables.dialContext,
		})
		if err != nil {
			return // refused, which is best
		}
		defer func() { _ = fresh.Close() }()
		s.client.Transport = fresh.Transport(nil)
		s.want(s.get("http://reviews/"), mesh.ErrConnect.Error())
		if _, after, _ := server.seen(); after != before {
			t.Error("something was sent in the clear")
		}
	})
}
