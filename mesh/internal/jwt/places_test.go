package jwt_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

func get(header http.Header, rawQuery string) *jwt.Request {
	return &jwt.Request{Method: "GET", Header: header, RawQuery: rawQuery, Scheme: "http", Host: "reviews", Path: "/"}
}

// TestTokenIsFoundAtItsPlaces, and taken out there unless it is forwarded.
func TestTokenIsFoundAtItsPlaces(t *testing.T) {
	i := newIssuer(t, "i", "")
	token := i.token(t, nil)
	usual := &security.JWTRule{}
	custom := &security.JWTRule{
		FromHeaders: []*security.JWTHeader{{Name: "x-token", Prefix: "Token "}, {Name: "x-bare"}},
		FromParams:  []string{"jwt"},
		FromCookies: []string{"session"},
	}
	for name, test := range map[string]struct {
		rule   *security.JWTRule
		req    *jwt.Request
		found  bool
		remove []string
		query  string
	}{
		"bearer":          {usual, get(http.Header{"Authorization": {"Bearer " + token}}, "a=1"), true, []string{"Authorization"}, "a=1"},
		"bearer spaces":   {usual, get(http.Header{"Authorization": {"Bearer   " + token}}, ""), true, []string{"Authorization"}, ""},
		"basic":           {usual, get(http.Header{"Authorization": {"Basic abc"}}, ""), false, nil, ""},
		"lower case":      {usual, get(http.Header{"Authorization": {"bearer " + token}}, ""), false, nil, ""},
		"query":           {usual, get(nil, "a=%20&access_token="+token+"&b;c=d&e"), true, nil, "a=%20&b;c=d&e"},
		"query escaped":   {usual, get(nil, "%61ccess_token="+strings.ReplaceAll(token, ".", "%2E")), true, nil, ""},
		"query twice":     {usual, get(nil, "access_token="+token+"&x=1&access_token="+token), true, nil, "x=1"},
		"both":            {usual, get(http.Header{"Authorization": {"Bearer " + token}}, "access_token="+token), true, []string{"Authorization"}, ""},
		"query semicolon": {usual, get(nil, "a=1;access_token="+token), false, nil, "a=1;access_token=" + token},
		"cookie unasked":  {usual, get(http.Header{"Cookie": {"session=" + token}}, ""), false, nil, ""},
		"header":          {custom, get(http.Header{"X-Token": {"Token " + token}}, ""), true, []string{"X-Token"}, ""},
		"bare header":     {custom, get(http.Header{"X-Bare": {token}}, ""), true, []string{"X-Bare"}, ""},
		"param":           {custom, get(nil, "jwt="+token), true, nil, ""},
		"cookie":          {custom, get(http.Header{"Cookie": {"a=b; session=" + token + "; c=d"}}, ""), true, nil, ""},
		"cookie, spaced":  {custom, get(http.Header{"Cookie": {"a=b; session =" + token}}, ""), true, nil, ""},
		"quoted cookie":   {custom, get(http.Header{"Cookie": {"a=b", `session="` + token + `"`}}, ""), true, nil, ""},
		"default off":     {custom, get(http.Header{"Authorization": {"Bearer " + token}}, "access_token="+token), false, nil, "access_token=" + token},
		"no headers":      {usual, get(nil, ""), false, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			test.rule.Issuer, test.rule.Jwks = i.name, jwks(t, i)
			for _, forward := range []bool{false, true} {
				test.rule.ForwardOriginalToken = forward
				result := accepted(t, compile(t, test.rule), test.req)
				if found := result.Auth != nil; found != test.found {
					t.Fatalf("found %v, want %v", found, test.found)
				}
				remove, query := test.remove, test.query
				if forward {
					remove, query = nil, test.req.RawQuery
				}
				if got := result.Query(test.req.RawQuery); !slices.Equal(result.Remove, remove) || got != query {
					t.Errorf("forward %v: remove %q, query %q; want %q, %q", forward, result.Remove, got, remove, query)
				}
			}
		})
	}
}

// TestAllTokensOfARuleMustBeValid: the handler might use the bad one.
func TestAllTokensOfARuleMustBeValid(t *testing.T) {
	i := newIssuer(t, "i", "")
	rule := i.rule(t)
	rule.FromHeaders = []*security.JWTHeader{{Name: "authorization", Prefix: "Bearer "}}
	rule.FromParams, rule.FromCookies = []string{"access_token"}, []string{"jwt"}
	a := compile(t, rule)
	good, bad := i.token(t, claims{"sub": "bob"}), i.token(t, claims{"exp": 1})
	for _, req := range []*jwt.Request{
		get(http.Header{"Authorization": {"Bearer " + good}}, "access_token="+bad),
		get(http.Header{"Authorization": {"Bearer " + bad}}, "access_token="+good),
		get(http.Header{"Authorization": {"Bearer " + good, "Bearer " + bad}}, ""),
		get(nil, "access_token="+good+"&access_token="+bad),
		get(http.Header{"Cookie": {"jwt=" + good + "; jwt=" + bad}}, ""),
	} {
		refused(t, a, req, "Jwt is expired")
	}
	first := verified(t, a, get(http.Header{"Authorization": {"Bearer " + good}}, "access_token="+i.token(t, nil)))
	if first.Auth.Subject != "bob" {
		t.Errorf("the token of the first place is not the one that counts: %+v", first.Auth)
	}
}

// TestEmptyTokenIsAToken, and a bad one.
func TestEmptyTokenIsAToken(t *testing.T) {
	a := compile(t, newIssuer(t, "i", "").rule(t))
	const format = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
	refused(t, a, get(nil, "access_token="), format)
	refused(t, a, get(http.Header{"Authorization": {"Bearer !"}}, ""), format)
}

// TestNineTokensAreTooMany for one request.
func TestNineTokensAreTooMany(t *testing.T) {
	i := newIssuer(t, "i", "")
	a, token := compile(t, i.rule(t)), i.token(t, nil)
	eight := slices.Repeat([]string{"Bearer " + token}, 8)
	verified(t, a, get(http.Header{"Authorization": eight}, ""))
	refused(t, a, get(http.Header{"Authorization": eight}, "access_token="+token), "Found multiple Jwt tokens")
}

// TestNothingElseIsForwardedWithAToken that the handler could take for it.
func TestNothingElseIsForwardedWithAToken(t *testing.T) {
	i := newIssuer(t, "i", "")
	rule := i.rule(t)
	a, token := compile(t, rule), i.token(t, nil)
	forwarding := i.rule(t)
	forwarding.ForwardOriginalToken = true
	f := compile(t, forwarding)
	verified(t, f, get(http.Header{"Authorization": {"Bearer " + token, "Bearer " + token}}, "access_token="+token))
	for _, req := range []*jwt.Request{
		get(http.Header{"Authorization": {"Basic abc", "Bearer " + token}}, ""),
		get(http.Header{"Authorization": {"bearer evil", "Bearer " + token}}, ""),
		get(http.Header{"Authorization": {"Bearer " + token, "evil"}}, ""),
		get(http.Header{"Authorization": {"bearer evil, Bearer " + token}}, ""),
		get(http.Header{"Authorization": {"bearer evil"}}, "access_token="+token),
	} {
		if r := verified(t, a, req); !slices.Equal(r.Remove, []string{"Authorization"}) && r.Query(req.RawQuery) == req.RawQuery {
			t.Errorf("%v: not taken out: %v", req, r.Remove)
		}
		refused(t, f, req, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections")
	}
}
