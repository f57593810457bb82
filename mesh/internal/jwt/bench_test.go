package jwt_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// TestHotPathsDoNotAllocate: a request without a token, and one with a token
// that is remembered.
func TestHotPathsDoNotAllocate(t *testing.T) {
	i := newIssuer(t, "i", "1")
	token := i.token(t, nil)
	rule := i.rule(t)
	rule.OutputPayloadToHeader = "x-payload"
	a := compile(t, rule)
	for name, req := range map[string]*jwt.Request{
		"none":   get(http.Header{"Accept": {"*/*"}}, "page=1&size=10"),
		"header": bearer(token),
		"query":  get(nil, "page=1&access_token="+token),
	} {
		ask := func() { accepted(t, a, req) }
		ask()
		if n := testing.AllocsPerRun(100, ask); n != 0 {
			t.Errorf("%s: %v allocations, want 0", name, n)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	i := newIssuer(b, "i", "1")
	token := i.token(b, claims{"name": "Alice", "groups": []string{"readers", "writers"}, "scope": "read write"})
	a := compile(b, i.rule(b))
	many := make([]*security.JWTRule, 0, 11)
	for n := range 10 {
		many = append(many, &security.JWTRule{Issuer: fmt.Sprint("a", n), Jwks: i.rule(b).GetJwks()})
	}
	for name, c := range map[string]struct {
		a   *jwt.Authenticator
		req *jwt.Request
	}{
		"NoRules":       {compile(b), bearer(token)},
		"NoToken":       {a, get(http.Header{"Accept": {"*/*"}}, "page=1")},
		"Remembered":    {a, bearer(token)},
		"ElevenIssuers": {compile(b, append(many, i.rule(b))...), bearer(token)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, f := c.a.Authenticate(context.Background(), c.req); f != nil {
					b.Fatal(f.Message)
				}
			}
		})
	}
}

// BenchmarkFirstSight is of tokens that are not remembered: these are too long.
func BenchmarkFirstSight(b *testing.B) {
	pad := strings.Repeat("x", 4<<10)
	i := newIssuer(b, "i", "1")
	pair := must[*rsa.PrivateKey](b)(rsa.GenerateKey(rand.Reader, 2048))
	for name, c := range map[string]struct {
		a     *jwt.Authenticator
		token string
	}{
		"ES256": {compile(b, i.rule(b)), i.token(b, claims{"pad": pad})},
		"RS256": {trusting(b, jwkOf(b, pair.Public(), "", "")), sign(b, pair, jose.RS256, []byte(`{"iss":"i","pad":"`+encode(pad)+`"}`))},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, f := c.a.Authenticate(context.Background(), bearer(c.token)); f != nil {
					b.Fatal(f.Message)
				}
			}
		})
	}
}
