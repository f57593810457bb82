package jwt_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// TestAuthSaysWhatTheTokenSays.
func TestAuthSaysWhatTheTokenSays(t *testing.T) {
	i := newIssuer(t, "https://issuer", "")
	rule := i.rule(t)
	rule.SpaceDelimitedClaims = []string{"roles", "a.b", "count"}
	auth := verified(t, compile(t, rule), bearer(i.token(t, claims{
		"exp": nil, "aud": []string{"x", "y"}, "azp": "web", "scope": " read  write", "permission": "", "roles": "admin",
		"a.b": "c d", "a": claims{"b": "c d"}, "count": int64(9007199254740993), "groups": "g h",
	}))).Auth
	want := &jwt.Auth{
		Issuer: "https://issuer", Subject: "alice", Principal: "https://issuer/alice", Audiences: []string{"x", "y"}, Presenter: "web",
		Claims: map[string]any{
			"iss": "https://issuer", "sub": "alice", "aud": []any{"x", "y"}, "azp": "web",
			"scope": []any{"read", "write"}, "permission": "", "roles": []any{"admin"},
			"a.b": []any{"c", "d"}, "a": map[string]any{"b": "c d"}, "count": json.Number("9007199254740993"), "groups": "g h",
		},
	}
	if !reflect.DeepEqual(auth, want) {
		t.Errorf("%+v\nwant %+v", auth, want)
	}
}

// TestClaimsAreToldInHeaders: those that a header can carry.
func TestClaimsAreToldInHeaders(t *testing.T) {
	i := newIssuer(t, "i", "")
	payload := `{"iss":"i","s":"text","n":5,"neg":-5,"big":9007199254740993,"exp3":1e3,"frac":1.5,"b":true,"e":"","l":["x"],` +
		`"o":{"s":"inner","o":{"b":false}},"evil":"a\r\nx-admin: 1","bell":"\u0007","utf":"é"}`
	rule := i.rule(t)
	rule.OutputPayloadToHeader = "x-payload"
	var want []jwt.Field
	want = append(want, jwt.Field{Name: "X-Payload", Value: encode(payload)})
	for claim, text := range map[string]string{
		"s": "text", "n": "5", "neg": "-5", "big": "9007199254740993", "exp3": "1000", "frac": "1.5", "b": "true", "e": "", "l": "",
		"o": "", "o.s": "inner", "o.o.b": "false", "o.none": "", "s.s": "", "none": "", "evil": "", "bell": "", "utf": "é",
	} {
		header := "x-" + strings.ReplaceAll(claim, ".", "-")
		rule.OutputClaimToHeaders = append(rule.OutputClaimToHeaders, &security.ClaimToHeader{Header: header, Claim: claim})
		if text != "" {
			want = append(want, jwt.Field{Name: http.CanonicalHeaderKey(header), Value: text})
		}
	}
	result := verified(t, compile(t, rule), bearer(sign(t, i.jwk, jose.ES256, []byte(payload))))
	if !reflect.DeepEqual(result.Add, want) {
		t.Errorf("%q\nwant %q", result.Add, want)
	}
}

// TestCallersCannotTellClaims: the headers are taken out with a token and
// without, of whichever rule, and also where the token was for another.
func TestCallersCannotTellClaims(t *testing.T) {
	one, two := newIssuer(t, "one", ""), newIssuer(t, "two", "")
	first, second := one.rule(t), two.rule(t)
	first.OutputPayloadToHeader = "x-payload"
	second.OutputClaimToHeaders = []*security.ClaimToHeader{{Header: "x-sub", Claim: "sub"}}
	second.ForwardOriginalToken = true
	a := compile(t, first, second)
	for name, test := range map[string]struct {
		req    *jwt.Request
		remove []string
	}{
		"no token":         {get(http.Header{"X-Sub": {"root"}}, ""), []string{"X-Payload", "X-Sub"}},
		"first's":          {bearer(one.token(t, nil)), []string{"X-Payload", "X-Sub", "Authorization"}},
		"second's, passed": {bearer(two.token(t, nil)), []string{"X-Payload", "X-Sub"}},
	} {
		if result := accepted(t, a, test.req); !reflect.DeepEqual(result.Remove, test.remove) {
			t.Errorf("%s: remove %q, want %q", name, result.Remove, test.remove)
		}
	}
}
