package mesh_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inmesh-go/inmesh/mesh"
)

// An issuer signs tokens.
type issuer struct {
	name string
	key  ed25519.PrivateKey
}

func newIssuer(name string, seed byte) *issuer {
	return &issuer{name, ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(seed), ed25519.SeedSize)))}
}

func (i *issuer) jwks() string {
	x := base64.RawURLEncoding.EncodeToString(i.key.Public().(ed25519.PublicKey))
	return `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","kid":"k","x":"` + x + `"}]}`
}

type claims map[string]any

// token says these claims; where they do not, it is ada's, for an hour.
func (i *issuer) token(more claims) string {
	all := claims{"iss": i.name, "sub": "ada", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(all, more)
	payload, _ := json.Marshal(all) // strings and numbers have a text
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(`{"alg":"EdDSA","kid":"k"}`)) + "." + encode(payload)
	return text + "." + encode(ed25519.Sign(i.key, []byte(text)))
}

func (i *issuer) bearer(more claims) string { return "Authorization: Bearer " + i.token(more) }

// inlined is the rule of the issuer, with its keys; more are further fields.
func (i *issuer) inlined(more string) string {
	return rule("RequestAuthentication", "tokens", "\n  jwtRules:\n  - issuer: "+i.name+"\n    jwks: '"+i.jwks()+"'\n    "+more)
}

// shows answers with what the handler sees of a token.
var shows = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	principal := "nobody"
	if t := mesh.Peer(r.Context()).Token; t != nil {
		principal = t.Principal
	}
	fmt.Fprintf(w, "%s auth=%q team=%q,%q query=%q", principal, r.Header.Get("Authorization"), r.Header.Values("X-Team"), r.Header.Values("X_team"), r.URL.RawQuery)
})

func TestTokensAreHeldToTheRules(t *testing.T) {
	ours, theirs := newIssuer("https://ours", 1), newIssuer("https://theirs", 2)
	b := open(t, nil, shows, ours.inlined("audiences: [reviews]"))
	good := claims{"aud": "reviews"}
	for _, c := range []struct {
		name   string
		header []string
		want   int
		body   string
	}{
		{"none", nil, 200, "nobody"},
		{"good", []string{ours.bearer(good)}, 200, "https://ours/ada"},
		{"expired", []string{ours.bearer(claims{"aud": "reviews", "exp": time.Now().Add(-time.Hour).Unix()})}, 401, "Jwt is expired"},
		{"not yet", []string{ours.bearer(claims{"aud": "reviews", "nbf": time.Now().Add(time.Hour).Unix()})}, 401, "Jwt not yet valid"},
		{"another audience", []string{ours.bearer(claims{"aud": "ratings"})}, 403, "Audiences in Jwt are not allowed"},
		{"unknown issuer", []string{theirs.bearer(good)}, 401, "Jwt issuer is not configured"},
		{"forged", []string{theirs.bearer(claims{"aud": "reviews", "iss": "https://ours"})}, 401, "Jwt verification fails"},
		{"no token at all", []string{"Authorization: Bearer x"}, 401, "Jwt is not in the form"},
		{"two good ones", []string{ours.bearer(good), ours.bearer(good)}, 200, "https://ours/ada"},
		{"a good one and a bad one", []string{ours.bearer(good), theirs.bearer(good)}, 401, "Jwt issuer is not configured"},
		{"nine", []string{ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good), ours.bearer(good)}, 401, "Found multiple Jwt tokens"},
	} {
		for _, version := range versions {
			a := b.stranger(version).get("/", c.want, c.header...)
			if !strings.HasPrefix(a.body, c.body) {
				t.Errorf("%s: %q, want %q", c.name, a.body, c.body)
			}
			challenge := `Bearer realm="http://` + b.address + `/", error="invalid_token"`
			if c.want != 200 && a.header.Get("WWW-Authenticate") != challenge {
				t.Errorf("%s: challenged %q, want %q", c.name, a.header.Get("WWW-Authenticate"), challenge)
			}
		}
	}
	for _, i := range b.diary.takeAccess() {
		if i.Policy != "default/tokens jwtRules[0]" && i.Reason != "jwt_authn_access_denied{Found multiple Jwt tokens}" {
			t.Errorf("told %+v", i)
		}
	}
}

func TestKeysAreFetchedByURI(t *testing.T) {
	old, young := newIssuer("https://ours", 1), newIssuer("https://ours", 2)
	var now atomic.Pointer[issuer]
	now.Store(old)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, now.Load().jwks()) }))
	defer keys.Close()
	b := open(t, nil, shows, rule("RequestAuthentication", "tokens", "{jwtRules: [{issuer: https://ours, jwksUri: '"+keys.URL+"'}]}"))
	g := b.guest("productpage", http2)
	g.get("/", 200, old.bearer(nil))
	g.get("/", 401, young.bearer(nil))
	// A rule that moves to other keys, with a token that was good for the old ones.
	b.obey(young.inlined(""))
	g.get("/", 401, old.bearer(nil))
	g.get("/", 200, young.bearer(nil))
}

func TestKeysThatCannotBeHadRefuseTokensAndNobodyElse(t *testing.T) {
	keys := httptest.NewServer(http.NotFoundHandler())
	defer keys.Close()
	b := open(t, nil, shows, rule("RequestAuthentication", "tokens", "{jwtRules: [{issuer: https://ours, jwksUri: '"+keys.URL+"'}]}"))
	g := b.guest("productpage", http2)
	g.get("/", 200)
	if a := g.get("/", 401, newIssuer("https://ours", 1).bearer(nil)); a.body != "Jwks remote fetch is failed" {
		t.Errorf("%q", a.body)
	}
}

func TestPoliciesGoByClaims(t *testing.T) {
	ours := newIssuer("https://ours", 1)
	b := open(t, nil, shows, ours.inlined(""), authorization("claims", `
  rules:
  - to: [{operation: {paths: [/admin]}}]
    when: [{key: "request.auth.claims[groups]", values: [admins]}]
  - to: [{operation: {paths: [/scoped]}}]
    when: [{key: "request.auth.claims[scope]", values: [write]}]
  - to: [{operation: {paths: [/any]}}]
    from: [{source: {requestPrincipals: ['*']}}]
  - to: [{operation: {paths: [/ada]}}]
    from: [{source: {requestPrincipals: [https://ours/ada], principals: [`+pageID+`]}}]
`))
	for _, c := range []struct {
		path   string
		claims claims
		want   int
	}{
		{"/admin", claims{"groups": []string{"users", "admins"}}, 200}, {"/admin", claims{"groups": []string{"users"}}, 403}, {"/admin", nil, 403},
		{"/scoped", claims{"scope": "read write"}, 200}, {"/scoped", claims{"scope": "readwrite"}, 403},
		{"/any", claims{}, 200}, {"/any", nil, 403}, {"/any", claims{"sub": ""}, 403},
		{"/ada", claims{}, 200}, {"/ada", claims{"sub": "bob"}, 403},
	} {
		for _, version := range versions {
			g, header := b.guest("productpage", version), []string(nil)
			if c.claims != nil {
				header = []string{ours.bearer(c.claims)}
			}
			g.get(c.path, c.want, header...)
		}
	}
	b.stranger(http1).get("/ada", 403, ours.bearer(nil)) // both are asked for
}

func TestTokensAreTakenOutUnlessTheyAreForwarded(t *testing.T) {
	ours := newIssuer("https://ours", 1)
	b := open(t, nil, shows, ours.inlined("outputClaimToHeaders: [{header: x-team, claim: team}]"))
	g := b.stranger(http1)
	bearer, token := ours.bearer(claims{"team": "blue"}), ours.token(claims{"team": "blue"})
	want := func(name string, a reply, body string) {
		t.Helper()
		if a.body != body {
			t.Errorf("%s: %s, want %s", name, a.body, body)
		}
	}
	want("header", g.get("/", 200, bearer), `https://ours/ada auth="" team=["blue"],[] query=""`)
	want("query", g.get("/?a=b&access_token="+token, 200), `https://ours/ada auth="" team=["blue"],[] query="a=b"`)
	want("another scheme", g.get("/?access_token="+token, 200, "Authorization: Basic YTpi"), `https://ours/ada auth="Basic YTpi" team=["blue"],[] query=""`)
	for _, evil := range []string{"bearer evil", "BEARER evil", "Bearer\tevil", "Bearer"} {
		want(evil+" beside a token", g.get("/?access_token="+token, 200, "Authorization: "+evil), `https://ours/ada auth="" team=["blue"],[] query=""`)
	}
	want("spoofed", g.get("/", 200, bearer, "X-Team: red", "x-TEAM: green", "X_Team: red", "x_team: red"), `https://ours/ada auth="" team=["blue"],[] query=""`)
	want("no token", g.get("/", 200, "X-Team: red", "X_TEAM: red"), `nobody auth="" team=[],[] query=""`)
	want("no such claim", g.get("/", 200, ours.bearer(nil), "X-Team: red"), `https://ours/ada auth="" team=[],[] query=""`)
	b.obey(ours.inlined("forwardOriginalToken: true"))
	want("forwarded", g.get("/", 200, bearer, "X-Team: red"), `https://ours/ada auth="`+strings.TrimPrefix(bearer, "Authorization: ")+`" team=["red"],[] query=""`)
	want("forwarded query", g.get("/?access_token="+token, 200), `https://ours/ada auth="" team=[],[] query="access_token=`+token+`"`)
}

// A caller cannot have a handler that is a proxy leave out what the token says.
func TestWhatTheTokenSaysGetsThroughProxies(t *testing.T) {
	ours := newIssuer("https://ours", 1)
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%q %q", r.Header.Values("X-Team"), r.Header.Values("X-Mine"))
	}))
	defer behind.Close()
	to, err := url.Parse(behind.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	b := open(t, nil, proxy, ours.inlined("outputClaimToHeaders: [{header: x-team, claim: team}]"))
	bearer := ours.bearer(claims{"team": "blue"})
	for connection, want := range map[string]string{
		"x-team": `["blue"] ["1"]`, "keep-alive, X-Team ,x-other": `["blue"] ["1"]`, "X_Team": `["blue"] ["1"]`, "x-mine": `["blue"] []`, "x-mine,x-team": `["blue"] []`,
	} {
		if a := b.stranger(http1).get("/", 200, bearer, "X-Mine: 1", "Connection: "+connection); a.body != want {
			t.Errorf("%s: %s, want %s", connection, a.body, want)
		}
	}
}

func TestTheHandlerSeesTheTokensClaims(t *testing.T) {
	ours := newIssuer("https://ours", 1)
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := mesh.Peer(r.Context())
		fmt.Fprint(w, c.ID, " ", c.Token.Issuer, " ", c.Token.Subject, " ", c.Token.Audiences, " ", c.Token.Presenter, " ", c.Token.Claims["team"], " ", r.Form)
	}), ours.inlined(""))
	a := b.guest("productpage", http2).get("/", 200, ours.bearer(claims{"aud": []string{"a", "b"}, "azp": "app", "team": "blue"}))
	if want := "spiffe://" + pageID + " https://ours ada [a b] app blue map[]"; a.body != want {
		t.Errorf("%q, want %q", a.body, want)
	}
}

// A cookie that the handler reads as the token's is held to the rules, as it is
// spelled.
func TestNoSpellingOfACookieGetsPastTheRules(t *testing.T) {
	ours := newIssuer("https://ours", 1)
	b := open(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, c := range r.CookiesNamed("session") {
			if c.Value == "evil" {
				fmt.Fprint(w, secret)
			}
		}
	}), ours.inlined("fromCookies: [session]"))
	for _, cookie := range []string{"session=evil", "session =evil", "session\t=evil", " session=evil", `session="evil"`, `session ="evil"`, "session=;session=evil", "session=evil;"} {
		for _, version := range versions {
			for _, all := range []string{cookie + "; session=" + ours.token(nil), "session=" + ours.token(nil) + ";" + cookie, cookie} {
				if a := b.stranger(version).send("GET", "/", "Cookie: "+all); strings.Contains(a.body, secret) {
					t.Errorf("%.40q over %s gets past: %d", all, version, a.status)
				}
			}
		}
	}
}
