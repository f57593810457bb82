package jwt_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

func Example() {
	keys := jwt.New(jwt.Config{})
	defer keys.Close()
	authenticator := keys.Compile([]*rules.RequestAuthentication{{
		Meta: rules.Meta{Name: "users", Namespace: "default"},
		Spec: &security.RequestAuthentication{JwtRules: []*security.JWTRule{{
			Issuer: "https://login",
			Jwks:   `{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"}]}`,
		}}},
	}}, jwt.Workload{Namespace: "default"}, "istio-system")

	signer, _ := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte("secret-secret-secret-secret-secr")}, nil)
	signed, _ := signer.Sign([]byte(`{"iss":"https://login","sub":"alice"}`))
	token, _ := signed.CompactSerialize()

	for _, value := range []string{"", "Bearer " + token, "Bearer a.b"} {
		req := &jwt.Request{Method: "GET", Header: http.Header{"Authorization": {value}}, Scheme: "http", Host: "reviews", Path: "/"}
		result, refusal := authenticator.Authenticate(context.Background(), req)
		switch {
		case refusal != nil:
			fmt.Println(refusal.Status, refusal.Message)
		case result.Auth != nil:
			fmt.Println(result.Auth.Principal, "remove", result.Remove)
		default:
			fmt.Println("nobody")
		}
	}
	// Output:
	// nobody
	// https://login/alice remove [Authorization]
	// 401 Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections
}
