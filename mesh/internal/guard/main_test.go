package guard_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/plan"
	"github.com/inmesh-go/inmesh/mesh/rules"
	"github.com/inmesh-go/inmesh/tlsid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A door is a guard with the credential of its workload, reviews.
type door struct {
	t   testing.TB
	ca  *tlsid.CA
	own *tlsid.Current
	*guard.Guard
}

// newDoor returns a guard that obeys the documents.
func newDoor(t testing.TB, c guard.Config, documents string) *door {
	t.Helper()
	d := &door{t: t, ca: newCA(t, tlsid.CAConfig{}), own: new(tlsid.Current)}
	d.own.Store(d.issue(d.ca, "reviews"))
	c.Own = d.own
	c.Workload = plan.Workload{Service: "reviews", Namespace: "default", Labels: map[string]string{"app": "reviews"}}
	c.RootNamespace = "istio-system"
	d.Guard = guard.New(c)
	t.Cleanup(d.Close)
	d.obey(documents)
	return d
}

func newCA(t testing.TB, c tlsid.CAConfig) *tlsid.CA {
	t.Helper()
	ca, err := tlsid.NewCA(c)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

func (d *door) issue(ca *tlsid.CA, account string) tlsid.Credential {
	d.t.Helper()
	id, err := tlsid.ForWorkload(ca.Bundles().Domains()[0], "default", account)
	if err != nil {
		d.t.Fatal(err)
	}
	c, err := ca.Issue(id)
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *door) obey(documents string) {
	d.t.Helper()
	set, err := rules.Parse("rules.yaml", []byte(documents))
	if err != nil {
		d.t.Fatal(err)
	}
	policies, err := d.Compile(set)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Apply(set, policies, plan.Compile(set, plan.Options{Workload: plan.Workload{Service: "reviews", Namespace: "default"}}))
}

// state is a connection of the account's.
func (d *door) state(account string) *tls.ConnectionState {
	return stateOf(d.t, d.issue(d.ca, account))
}

func stateOf(t testing.TB, c tlsid.Credential) *tls.ConnectionState {
	t.Helper()
	state := new(tls.ConnectionState)
	for _, raw := range c.Certificate().Certificate {
		cert, err := x509.ParseCertificate(raw)
		if err != nil {
			t.Fatal(err)
		}
		state.PeerCertificates = append(state.PeerCertificates, cert)
	}
	return state
}

// visit is a request for a path over the connection; nil is plaintext.
func visit(state *tls.ConnectionState, path string) *guard.Visit {
	v := &guard.Visit{TLS: state, Scheme: "http"}
	v.Method, v.Host, v.Port = http.MethodGet, "reviews:9080", 9080
	v.Path = authz.LiteralPath(path)
	v.Header = http.Header{}
	v.Source = netip.MustParseAddr("10.0.0.7")
	return v
}

// admits wants the status with which the visit ends, 0 where it is let in.
func (d *door) admits(v *guard.Visit, want int) *guard.Refusal {
	d.t.Helper()
	r := d.Admit(context.Background(), v)
	got := 0
	if r != nil {
		got = r.Status
	}
	if got != want {
		d.t.Errorf("%s of %s: %d (%v), want %d", v.Path.Escaped(), v.Peer, got, r, want)
	}
	return r
}

// An issuer signs tokens.
type issuer struct {
	key  ed25519.PrivateKey
	jwks string
}

func newIssuer() *issuer {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	x := base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
	return &issuer{key, `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k","x":"` + x + `"}]}`}
}

// token is one that says these claims, for an hour.
func (i *issuer) token(claims map[string]any) string {
	all := map[string]any{"iss": "https://issuer", "sub": "ada", "exp": time.Now().Add(time.Hour).Unix()}
	for name, claim := range claims {
		all[name] = claim
	}
	payload, _ := json.Marshal(all) // maps of strings and numbers have a text
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"EdDSA","kid":"k"}`)) + "." + encode(payload)
	return text + "." + encode(ed25519.Sign(i.key, []byte(text)))
}

// tokens is the RequestAuthentication of the issuer; more are further fields of
// its rule.
func (i *issuer) tokens(more string) string {
	return `
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens}
spec:
  jwtRules:
  - issuer: https://issuer
    jwks: '` + i.jwks + `'
    ` + more + "\n"
}
