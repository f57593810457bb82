package meshgrpc_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
	testpb "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/inmesh-go/inmesh/mesh"
)

// An issuer signs tokens (RS256).
type issuer struct{ key *rsa.PrivateKey }

func newIssuer(t *testing.T) issuer {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{key}
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// rule is a RequestAuthentication that trusts the issuer, and a policy that wants
// its tokens.
func (i issuer) rule() string {
	return fmt.Sprintf(`
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: ratings}
spec:
  jwtRules:
  - issuer: issuer.example.com
    jwks: '{"keys":[{"kty":"RSA","kid":"one","alg":"RS256","n":%q,"e":%q}]}'
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ratings}
spec:
  rules:
  - from: [{source: {requestPrincipals: ["issuer.example.com/*"]}}]
    when: [{key: "request.auth.claims[role]", values: [admin]}]
`, encode(i.key.N.Bytes()), encode(big.NewInt(int64(i.key.E)).Bytes()))
}

func (i issuer) token(t *testing.T, role string) string {
	text := encode([]byte(`{"alg":"RS256","kid":"one"}`)) + "." +
		encode(fmt.Appendf(nil, `{"iss":"issuer.example.com","sub":"jason","role":%q,"exp":%d}`, role, time.Now().Add(time.Hour).Unix()))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

func TestTokensOpenTheDoor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, by := newRealm(t), newIssuer(t)
		who := make(chan mesh.Caller, 2)
		i := r.workload("ratings", by.rule(), nil)
		i.double.onUnary(func(ctx context.Context, _ *testpb.SimpleRequest) error { who <- mesh.Peer(ctx); return nil })
		i.double.onStream(func(s bidi) error { who <- mesh.Peer(s.Context()); return nil })
		c := r.as("productpage", "ratings")
		for _, one := range []struct {
			token string
			want  codes.Code
		}{
			{by.token(t, "admin"), codes.OK},
			{by.token(t, "guest"), codes.PermissionDenied},
			{newIssuer(t).token(t, "admin"), codes.Unauthenticated},
			{"nonsense", codes.Unauthenticated},
			{"", codes.PermissionDenied},
		} {
			ctx := context.Background()
			if one.token != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+one.token)
			}
			_, err := c.UnaryCall(ctx, &testpb.SimpleRequest{})
			if got := status.Code(err); got != one.want {
				t.Errorf("unary, %.20q: got %v, want %v", one.token, err, one.want)
			}
			s, err := c.FullDuplexCall(ctx)
			if err == nil {
				_ = s.CloseSend()
				if _, err = s.Recv(); err == io.EOF {
					err = nil
				}
			}
			if got := status.Code(err); got != one.want {
				t.Errorf("stream, %.20q: got %v, want %v", one.token, err, one.want)
			}
		}
		for range 2 {
			if got := (<-who).Token; got == nil || got.Subject != "jason" || got.Principal != "issuer.example.com/jason" {
				t.Errorf("got %+v", got)
			}
		}
	})
}
