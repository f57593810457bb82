package jwt_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// claims of a token; a nil value leaves the claim out.
type claims map[string]any

// An issuer signs with one key.
type issuer struct {
	name string
	jwk  jose.JSONWebKey // private
}

func newIssuer(tb testing.TB, name, kid string) issuer {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return issuer{name, jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: "ES256"}}
}

// token signs the claims, in addition to iss, sub, and an exp in an hour.
func (i issuer) token(tb testing.TB, c claims) string {
	tb.Helper()
	all := claims{"iss": i.name, "sub": "alice", "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range c {
		all[name] = value
		if value == nil {
			delete(all, name)
		}
	}
	payload, err := json.Marshal(all)
	if err != nil {
		tb.Fatal(err)
	}
	return sign(tb, i.jwk, jose.SignatureAlgorithm(i.jwk.Algorithm), payload)
}

func sign(tb testing.TB, key any, alg jose.SignatureAlgorithm, payload []byte) string {
	tb.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		tb.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

// jwks is the public key set of the issuers.
func jwks(tb testing.TB, issuers ...issuer) string {
	tb.Helper()
	var set jose.JSONWebKeySet
	for _, i := range issuers {
		set.Keys = append(set.Keys, i.jwk.Public())
	}
	b, err := json.Marshal(set)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// rule trusts the issuer, whose keys are inline.
func (i issuer) rule(tb testing.TB) *security.JWTRule {
	return &security.JWTRule{Issuer: i.name, Jwks: jwks(tb, i)}
}

func policy(jwtRules ...*security.JWTRule) *rules.RequestAuthentication {
	return &rules.RequestAuthentication{
		Meta: rules.Meta{Name: "policy", Namespace: "default"},
		Spec: &security.RequestAuthentication{JwtRules: jwtRules},
	}
}

var workload = jwt.Workload{Namespace: "default", Labels: map[string]string{"app": "reviews"}}

func compile(tb testing.TB, jwtRules ...*security.JWTRule) *jwt.Authenticator {
	tb.Helper()
	keys := jwt.New(jwt.Config{Report: func(err error) { tb.Log("report:", err) }})
	tb.Cleanup(keys.Close)
	return keys.Compile([]*rules.RequestAuthentication{policy(jwtRules...)}, workload, "istio-system")
}

// bearer is a request with the token at its usual place.
func bearer(token string) *jwt.Request {
	return &jwt.Request{Method: "GET", Header: http.Header{"Authorization": {"Bearer " + token}}, Scheme: "http", Host: "reviews", Path: "/reviews/7"}
}

func accepted(tb testing.TB, a *jwt.Authenticator, req *jwt.Request) jwt.Result {
	tb.Helper()
	result, refusal := a.Authenticate(context.Background(), req)
	if refusal != nil {
		tb.Fatalf("refused: %+v", *refusal)
	}
	return result
}

// verified is a request that has to have a good token.
func verified(tb testing.TB, a *jwt.Authenticator, req *jwt.Request) jwt.Result {
	tb.Helper()
	result := accepted(tb, a, req)
	if result.Auth == nil {
		tb.Fatal("no token was seen")
	}
	return result
}

func refused(tb testing.TB, a *jwt.Authenticator, req *jwt.Request, words string) *jwt.Refusal {
	tb.Helper()
	_, refusal := a.Authenticate(context.Background(), req)
	if refusal == nil {
		tb.Fatalf("accepted, want: %s", words)
	}
	if refusal.Message != words {
		tb.Fatalf("refused with %q, want %q", refusal.Message, words)
	}
	return refusal
}

// splice replaces one of the three parts of a token.
func splice(token string, part int, with string) string {
	parts := strings.Split(token, ".")
	parts[part] = with
	return strings.Join(parts, ".")
}

func policies(p ...*rules.RequestAuthentication) []*rules.RequestAuthentication { return p }
