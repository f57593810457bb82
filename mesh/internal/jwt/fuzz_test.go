package jwt_test

import (
	"context"
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"
)

// FuzzToken: of all tokens, only the issuer's is accepted, in the one spelling
// in which it was signed.
func FuzzToken(f *testing.F) {
	i := newIssuer(f, "i", "1")
	good := i.token(f, nil)
	a := compile(f, i.rule(f))
	parts := strings.Split(good, ".")
	f.Add(parts[0], parts[1], parts[2])
	f.Add(encode(`{"alg":"none"}`), parts[1], "AA")
	f.Add(encode(`{"alg":"HS256","kid":"1"}`), parts[1], parts[2])
	f.Add(encode(`{"alg":"ES256","alg":"none","jwk":{}}`), parts[1], parts[2])
	f.Add(parts[0], encode(`{"iss":"i","exp":1e1000,"aud":[[]]}`), parts[2][:85]+"_")
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		token := header + "." + payload + "." + signature
		if _, refusal := a.Authenticate(context.Background(), bearer(token)); refusal == nil && token != good {
			t.Errorf("accepted %s", token)
		}
	})
}

// FuzzPayload: whatever an issuer signs, what is accepted is an object that
// encoding/json reads the same way, of that issuer.
func FuzzPayload(f *testing.F) {
	i := newIssuer(f, "i", "1")
	rule := i.rule(f)
	rule.OutputPayloadToHeader = "x-payload"
	rule.OutputClaimToHeaders = []*security.ClaimToHeader{{Header: "x-claim", Claim: "c"}, {Header: "x-deep", Claim: "a.b.c"}}
	a := compile(f, rule)
	for _, payload := range []string{`{"iss":"i","c":1.50}`, `{"iss":"i","iss":"j"}`, `{"iss":"i","c":"a\nb","a":{"b":{"c":true}}}`, `[]`, `{"iss":"i","exp":-0}`, `{"iss":"i"}}`} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		req := bearer(sign(t, i.jwk, jose.ES256, []byte(payload)))
		result, refusal := a.Authenticate(context.Background(), req)
		if refusal != nil {
			return
		}
		var naive struct{ Iss string }
		if err := json.Unmarshal([]byte(payload), &naive); err != nil || result.Auth.Issuer != "i" {
			t.Errorf("accepted %q as %+v: %v", payload, result.Auth, err)
		}
		for _, field := range result.Add {
			if strings.ContainsAny(field.Value, "\r\n\x00") {
				t.Errorf("header %q", field)
			}
		}
	})
}

// FuzzJWKS: whatever the key set, a key that is not in it verifies nothing.
func FuzzJWKS(f *testing.F) {
	i, other := newIssuer(f, "i", "1"), newIssuer(f, "i", "1")
	token := i.token(f, nil)
	f.Add(jwks(f, other))
	f.Add(jwks(f, other, other))
	f.Add(`{"keys":[{"kty":"RSA","n":"AQ","e":"AQAB"},{"kty":"oct","k":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA","x5c":["AA"]}]}`)
	f.Fuzz(func(t *testing.T, set string) {
		a := compile(t, &security.JWTRule{Issuer: "i", Jwks: set, JwksUri: "http://127.0.0.1:1"})
		if set == "" {
			return
		}
		if _, refusal := a.Authenticate(context.Background(), bearer(token)); refusal == nil {
			t.Errorf("accepted with %s", set)
		}
	})
}

// FuzzQuery: what the handler reads of the query that is left is what it would
// have read, without the token.
func FuzzQuery(f *testing.F) {
	i := newIssuer(f, "i", "1")
	a, token := compile(f, i.rule(f)), i.token(f, nil)
	for _, q := range []string{"", "a=b&c", "&&a=%zz&=;access_token=x", "%61ccess_token=x&a=+", "a;b&access_token"} {
		f.Add(q, q)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		raw := before + "&access_token=" + token + "&" + after
		result, refusal := a.Authenticate(context.Background(), get(nil, raw))
		if refusal != nil {
			return // another token stands in it
		}
		want, _ := url.ParseQuery(raw)
		want.Del("access_token")
		if got, _ := url.ParseQuery(result.Query(raw)); !reflect.DeepEqual(got, want) {
			t.Errorf("%q left %q", raw, result.Query(raw))
		}
	})
}
