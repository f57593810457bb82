package mesh_test

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/inmesh-go/inmesh/discovery"
	"github.com/inmesh-go/inmesh/mesh"
	"github.com/inmesh-go/inmesh/tlsid"
)

// pemOf is a certificate with its key, and the root.
func pemOf(t *testing.T, a *authority, c tls.Certificate) (chain, key, root string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	return write(t, "chain", block("CERTIFICATE", c.Certificate[0])), write(t, "key", block("PRIVATE KEY", der)),
		write(t, "root", block("CERTIFICATE", a.certificate.Raw))
}

// revoking is a file with a list of the authority's that revokes the serials.
func (a *authority) revoking(t *testing.T, serials ...int64) string {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now(), NextUpdate: time.Now().Add(time.Hour)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: big.NewInt(serial), RevocationTime: time.Now()})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.certificate, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "crl", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
}

// Every mode of a rule, against servers that are as it wants them and others. A
// handshake that fails is a connect failure, which says why; whatever happens, no
// request goes out in the clear where the rule wants TLS.
func TestModesOfTLS(t *testing.T) {
	guarded(t, nil, func(s *scene) {
		web, other, far := newAuthority(s.T), newAuthority(s.T), newFar(s.T)
		chain, key, root := pemOf(s.T, web, web.issue(s.T, "me"))
		strangeRoot := write(s.T, "root", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.certificate.Raw}))
		named := &tls.Config{Certificates: []tls.Certificate{web.issue(s.T, "reviews", "sni.com")}}
		wantsClient := named.Clone()
		wantsClient.ClientAuth, wantsClient.ClientCAs = tls.RequireAndVerifyClientCert, web.pool
		ours, theirs := s.workload(s.fleet.CA(), accountOf("reviews"), "http/1.1"), s.workload(far, "spiffe://far/ns/default/sa/reviews", "http/1.1")
		for i, c := range []struct {
			name   string
			tls    string
			server *tls.Config
			want   string // the peer that the server saw, or what the error says
		}{
			{"DISABLE", "mode: DISABLE", nil, ""},
			{"SIMPLE", "mode: SIMPLE, caCertificates: " + root, named, ""},
			{"SIMPLE by SNI", "mode: SIMPLE, sni: sni.com, caCertificates: " + root, named, ""},
			{"SIMPLE by another SNI", "mode: SIMPLE, sni: x.com, caCertificates: " + root, named, "not x.com"},
			{"SIMPLE by a name", "mode: SIMPLE, subjectAltNames: [x.com, sni.com], caCertificates: " + root, named, ""},
			{"SIMPLE by another name", "mode: SIMPLE, subjectAltNames: [x.com], caCertificates: " + root, named, "none of the names"},
			{"SIMPLE with another root", "mode: SIMPLE, caCertificates: " + strangeRoot, named, "unknown authority"},
			{"SIMPLE with the system's roots", "mode: SIMPLE", named, "unknown authority"},
			{"SIMPLE without a file", "mode: SIMPLE, caCertificates: /none", named, "/none: no such file"},
			{"SIMPLE unverified", "mode: SIMPLE, insecureSkipVerify: true", named, ""},
			{"SIMPLE, nobody revoked", "mode: SIMPLE, caCertificates: " + root + ", caCrl: " + web.revoking(s.T), named, ""},
			{"SIMPLE, revoked", "mode: SIMPLE, caCertificates: " + root + ", caCrl: " + web.revoking(s.T, 2), named, "revoked"},
			{"SIMPLE with a server in the clear", "mode: SIMPLE, caCertificates: " + root, nil, "first record does not look like a TLS handshake"},
			{"SIMPLE where a client must prove himself", "mode: SIMPLE, caCertificates: " + root, wantsClient, "certificate required"}, // TLS 1.3: the client is judged after his handshake
			{"MUTUAL", "mode: MUTUAL, caCertificates: " + root + ", clientCertificate: " + chain + ", privateKey: " + key, wantsClient, "me"},
			{"MUTUAL without a key", "mode: MUTUAL, caCertificates: " + root + ", clientCertificate: " + chain + ", privateKey: /none", wantsClient, "/none: no such file"},
			{"MUTUAL with another's key", "mode: MUTUAL, caCertificates: " + root + ", clientCertificate: " + root + ", privateKey: " + key, wantsClient, "private key does not match"},
			{"ISTIO_MUTUAL", "mode: ISTIO_MUTUAL", ours, productpage},
			{"ISTIO_MUTUAL by a name", "mode: ISTIO_MUTUAL, subjectAltNames: [x, " + accountOf("reviews") + "]", ours, productpage},
			{"ISTIO_MUTUAL by another name", "mode: ISTIO_MUTUAL, subjectAltNames: [" + accountOf("ratings") + "]", ours, "none of the names"},
			{"ISTIO_MUTUAL with a stranger", "mode: ISTIO_MUTUAL", theirs, "there are no roots of trust domain far"},
			{"ISTIO_MUTUAL with a server of the web", "mode: ISTIO_MUTUAL", named, "not an X509-SVID"},
			{"ISTIO_MUTUAL with a server in the clear", "mode: ISTIO_MUTUAL", nil, "first record does not look like a TLS handshake"},
		} {
			address := fmt.Sprintf("10.9.0.%d:80", i+1)
			server := s.sentry(address, c.server)
			s.rule(unretried("reviews"), policy("reviews", "{tls: {"+c.tls+"}}"))
			s.endpoints("reviews", address)
			s.pass(0)
			a := s.get("http://reviews/")
			failed := a.err != nil
			switch {
			case failed && (c.want == "" || !strings.Contains(a.err.Error(), c.want)), !failed && server.last() != c.want:
				t.Errorf("%s: %v %v, from %q; want %q", c.name, a, a.err, server.last(), c.want)
			case failed && !errors.Is(a.err, mesh.ErrConnect) && !errors.Is(a.err, mesh.ErrReset):
				t.Errorf("%s: %v is no connect failure", c.name, a.err)
			}
			if _, plain, _ := server.seen(); plain > 0 && !strings.HasPrefix(c.name, "DISABLE") {
				t.Errorf("%s: something was sent in the clear", c.name)
			}
			s.client.CloseIdleConnections()
			synctest.Wait()
		}
	})
}

// newFar is the authority of another trust domain.
func newFar(t *testing.T) *tlsid.CA {
	t.Helper()
	domain, err := tlsid.ParseTrustDomain("far")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := tlsid.NewCA(tlsid.CAConfig{TrustDomain: domain})
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// Without a rule, whoever has an identity is spoken to in mutual TLS, and must
// prove that very identity.
func TestMutualTLSIsAutomatic(t *testing.T) {
	off := "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: none}\nspec: {mtls: {mode: DISABLE}}\n"
	external := "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {name: reviews}\nspec: {hosts: [reviews], location: %s, resolution: STATIC, ports: [{number: 80, name: http, protocol: HTTP}], endpoints: [{address: 10.9.0.1, serviceAccount: reviews}]}\n"
	for _, c := range []struct {
		name     string
		rules    []string
		identity string // of the endpoint, as discovery has it
		label    string
		server   string // its identity; "": it speaks plaintext
		want     string // whom the server saw, or what the error says
	}{
		{"an identity", nil, accountOf("reviews"), "", accountOf("reviews"), productpage},
		{"none", nil, "", "", "", ""},
		{"the label says no", nil, accountOf("reviews"), "disabled", "", ""},
		{"the label alone", nil, "", "istio", accountOf("reviews"), productpage},
		{"they take plaintext only", []string{off}, accountOf("reviews"), "", "", ""},
		{"external", []string{fmt.Sprintf(external, "MESH_EXTERNAL")}, "", "", "", ""},
		{"internal, by its service account", []string{fmt.Sprintf(external, "MESH_INTERNAL")}, "", "", accountOf("reviews"), productpage},
		{"another identity", nil, accountOf("reviews"), "", accountOf("ratings"), "not the expected peer"},
		{"no identity that there could be", nil, "spiffe://cluster.local/ns/a b", "", accountOf("reviews"), "cannot prove its identity"},
		{"in the clear after all", nil, accountOf("reviews"), "", "", "first record does not look like a TLS handshake"},
	} {
		guarded(t, append(c.rules, unretried("reviews")), func(s *scene) {
			var config *tls.Config
			if c.server != "" {
				config = s.workload(s.fleet.CA(), c.server, "h2", "http/1.1")
			}
			server := s.sentry("10.9.0.1:80", config)
			e := discovery.Endpoint{Address: server.address, Identity: c.identity}
			if c.label != "" {
				e.Labels = map[string]string{"security.istio.io/tlsMode": c.label}
			}
			s.known("reviews", e)
			a := s.get("http://reviews/")
			if a.err == nil && (server.last() != c.want || a.body != "HTTP/1.1") || a.err != nil && (c.want == "" || !strings.Contains(a.err.Error(), c.want)) {
				t.Errorf("%s: %v %v %q, from %q; want %q", c.name, a, a.err, a.body, server.last(), c.want)
			}
			if _, plain, _ := server.seen(); plain > 0 && c.want != "" {
				t.Errorf("%s: something was sent in the clear", c.name)
			}
			s.client.CloseIdleConnections()
		})
	}
}

// An endpoint that comes to have an identity is spoken to accordingly from the
// next request on.
func TestAnEndpointMayGetAnIdentity(t *testing.T) {
	guarded(t, []string{unretried("reviews")}, func(s *scene) {
		s.sentry("10.9.0.1:80", nil)
		s.known("reviews", discovery.Endpoint{Address: "10.9.0.1:80"})
		s.want(s.get("http://reviews/"), "200")
		server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
		s.known("reviews", discovery.Endpoint{Address: "10.9.0.1:80", Identity: accountOf("reviews")})
		s.pass(0)
		s.want(s.get("http://reviews/"), "200")
		if got := server.last(); got != productpage {
			t.Errorf("the server saw %q", got)
		}
		s.client.CloseIdleConnections()
	})
}

// The policy of a subset's port comes before the subset's, the port's, the whole.
func TestTLSOfTheNarrowestLevelHolds(t *testing.T) {
	const istio, off = "tls: {mode: ISTIO_MUTUAL}", "tls: {}"
	port := func(block string) string { return "portLevelSettings: [{port: {number: 80}, " + block + "}]" }
	for _, c := range []struct {
		name, top, subset string
		secure            bool
	}{
		{"the whole", istio, "", true},
		{"the port", istio + ", " + port(off), "", false},
		{"the subset", istio + ", " + port(off), istio, true},
		{"the subset's port", istio + ", " + port(istio), istio + ", " + port(off), false},
		{"the port, without TLS", istio + ", " + port("connectionPool: {tcp: {maxConnections: 9}}"), "", false},
	} {
		subsets := "[{name: v1, labels: {version: v1}}]"
		if c.subset != "" {
			subsets = "[{name: v1, labels: {version: v1}, trafficPolicy: {" + c.subset + "}}]"
		}
		to := routes("reviews", "[{route: [{destination: {host: reviews, subset: v1, port: {number: 80}}}], retries: {attempts: 0}}]")
		guarded(t, []string{to, policyWith("reviews", "{"+c.top+"}", subsets)}, func(s *scene) {
			server := s.sentry("10.9.0.1:80", nil)
			if c.secure {
				server = s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews")))
			}
			s.known("reviews", discovery.Endpoint{Address: server.address, Labels: map[string]string{"version": "v1"}})
			s.want(s.get("http://reviews/"), "200")
			if got := server.last() == productpage; got != c.secure {
				t.Errorf("%s: mutual TLS: %v, want %v", c.name, got, c.secure)
			}
			s.client.CloseIdleConnections()
		})
	}
}

// What the caller sees of a request to http is what it sent.
func TestACallerIsNotToldOfAnotherScheme(t *testing.T) {
	for _, settings := range []string{"{tcp: {maxConnections: 9}}", upgradePolicy} {
		guarded(t, pooled(settings), func(s *scene) {
			server := s.sentry("10.9.0.1:80", s.workload(s.fleet.CA(), accountOf("reviews"), "h2", "http/1.1"))
			s.known("reviews", discovery.Endpoint{Address: server.address, Identity: accountOf("reviews")})
			r := s.request(http.MethodPost, "http://reviews/a?b", "body")
			resp, err := s.client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			if resp.Request != r || r.URL.String() != "http://reviews/a?b" {
				t.Errorf("the request is %v of %v", resp.Request.URL, r.URL)
			}
			if resp.TLS == nil {
				t.Fatal("Response.TLS is nil")
			}
			if id, err := tlsid.PeerOf(*resp.TLS); err != nil || id.String() != accountOf("reviews") {
				t.Errorf("the peer is %v %v", id, err)
			}
			s.client.CloseIdleConnections()
		})
	}
}
