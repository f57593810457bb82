package jwt_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// TestFailuresHaveEnvoysWords: what each broken token is answered with.
func TestFailuresHaveEnvoysWords(t *testing.T) {
	i := newIssuer(t, "https://issuer", "k1")
	other := newIssuer(t, "https://issuer", "k1")
	unknown := newIssuer(t, "https://issuer", "k2")
	stranger := newIssuer(t, "https://stranger", "k1")
	good := i.token(t, nil)
	header := func(h string) string { return splice(good, 0, encode(h)) }
	payload := func(p string) string { return sign(t, i.jwk, jose.ES256, []byte(p)) }
	now := time.Now().Unix()
	rule := i.rule(t)
	rule.Audiences = []string{"reviews"}
	a := compile(t, rule)

	const format = "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
	for name, test := range map[string]struct{ token, words string }{
		"one part":               {"abc", format},
		"two parts":              {"a.b", format},
		"four parts":             {good + ".x", format},
		"no signature":           {splice(good, 2, ""), format},
		"too long":               {good + strings.Repeat("A", 16<<10), format},
		"header base64":          {splice(good, 0, "a+b"), "Jwt header is an invalid Base64url encoded"},
		"header JSON":            {header("{"), "Jwt header is an invalid JSON"},
		"header null":            {header("null"), "Jwt header is an invalid JSON"},
		"header with more":       {header(`{"alg":"ES256"} {}`), "Jwt header is an invalid JSON"},
		"header not UTF-8":       {header("{\"alg\":\"\xff\"}"), "Jwt header is an invalid JSON"},
		"no alg":                 {header(`{}`), "Jwt header [alg] field is required and must be a string"},
		"alg a number":           {header(`{"alg":256}`), "Jwt header [alg] field is required and must be a string"},
		"alg none":               {header(`{"alg":"none"}`), "Jwt header [alg] is not supported"},
		"alg None":               {header(`{"alg":"None"}`), "Jwt header [alg] is not supported"},
		"kid a number":           {header(`{"alg":"ES256","kid":1}`), "Jwt header [kid] field is not a string"},
		"payload base64":         {splice(good, 1, "a+b"), "Jwt payload is an invalid Base64url encoded"},
		"payload JSON":           {payload("{"), "Jwt payload is an invalid JSON"},
		"payload list":           {payload("[]"), "Jwt payload is an invalid JSON"},
		"iss a number":           {payload(`{"iss":1}`), "Jwt payload [iss] field is not a string"},
		"sub null":               {payload(`{"sub":null}`), "Jwt payload [sub] field is not a string"},
		"jti a list":             {payload(`{"jti":[]}`), "Jwt payload [jti] field is not a string"},
		"iat text":               {payload(`{"iat":"1"}`), "Jwt payload [iat] field is not an integer"},
		"nbf text":               {payload(`{"nbf":"1"}`), "Jwt payload [nbf] field is not an integer"},
		"exp text":               {payload(`{"exp":"1"}`), "Jwt payload [exp] field is not an integer"},
		"exp negative":           {payload(`{"exp":-1}`), "Jwt payload [exp] field is not a positive 64 bit integer"},
		"exp huge":               {payload(`{"exp":1e300}`), "Jwt payload [exp] field is not a positive 64 bit integer"},
		"exp beyond floats":      {payload(`{"exp":1e999}`), "Jwt payload [exp] field is not a positive 64 bit integer"},
		"aud numbers":            {payload(`{"aud":["a",1]}`), "Jwt payload [aud] field is not a string or string list"},
		"aud null":               {payload(`{"aud":null}`), "Jwt payload [aud] field is not a string or string list"},
		"signature base64":       {splice(good, 2, "a+b"), "Jwt signature is an invalid Base64url encoded"},
		"issuer":                 {stranger.token(t, nil), "Jwt issuer is not configured"},
		"no issuer":              {i.token(t, claims{"iss": nil}), "Jwt issuer is not configured"},
		"expired":                {i.token(t, claims{"exp": now - 62}), "Jwt is expired"},
		"not yet":                {i.token(t, claims{"nbf": now + 90}), "Jwt not yet valid"},
		"audience":               {i.token(t, claims{"aud": "ratings"}), "Audiences in Jwt are not allowed"},
		"no audience":            {i.token(t, nil), "Audiences in Jwt are not allowed"},
		"kid":                    {unknown.token(t, claims{"aud": "reviews"}), "Jwks doesn't have key to match kid or alg from Jwt"},
		"signature":              {other.token(t, claims{"aud": "reviews"}), "Jwt verification fails"},
		"expiry before audience": {i.token(t, claims{"exp": now - 62, "aud": "x"}), "Jwt is expired"},
	} {
		t.Run(name, func(t *testing.T) {
			f := refused(t, a, bearer(test.token), test.words)
			status := http.StatusUnauthorized
			if test.words == "Audiences in Jwt are not allowed" {
				status = http.StatusForbidden
			}
			if f.Status != status || f.Rule != "default/policy jwtRules[0]" {
				t.Errorf("refused with %+v", *f)
			}
			if want := `Bearer realm="http://reviews/reviews/7", error="invalid_token"`; f.Challenge != want {
				t.Errorf("challenge %s, want %s", f.Challenge, want)
			}
		})
	}
}

// TestTimesHaveASkewOfAMinute at both ends, to the second.
func TestTimesHaveASkewOfAMinute(t *testing.T) {
	i := newIssuer(t, "https://issuer", "")
	a := compile(t, i.rule(t))
	now := time.Now().Unix()
	for _, c := range []claims{{"exp": now - 55}, {"nbf": now + 60}, {"exp": nil}, {"exp": 0}, {"exp": float64(now) + 0.5}, {"exp": uint64(1)<<63 + 1}} {
		verified(t, a, bearer(i.token(t, c)))
	}
	refused(t, a, bearer(i.token(t, claims{"nbf": uint64(1) << 63})), "Jwt not yet valid")
}

// TestChallengeCannotBeBrokenOutOf: nothing of the caller's ends the quotes or
// the line, and the query, in which tokens stand, is not in it.
func TestChallengeCannotBeBrokenOutOf(t *testing.T) {
	i := newIssuer(t, "https://issuer", "")
	req := bearer("x")
	req.Host, req.Path, req.RawQuery = "a\"\r\nb\\é", "/"+strings.Repeat("p", 300), "access_token=secret"
	f := refused(t, compile(t, i.rule(t)), req, "Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections")
	want := `Bearer realm="http://ab/` + strings.Repeat("p", 255) + `", error="invalid_token"`
	if f.Challenge != want {
		t.Errorf("challenge %q", f.Challenge)
	}
}

// TestBrokenInlineKeysRefuse: a rule that cannot verify fails closed, and says so.
func TestBrokenInlineKeysRefuse(t *testing.T) {
	i := newIssuer(t, "https://issuer", "")
	for set, words := range map[string]string{
		`{`:                              "Jwks is an invalid JSON",
		`{}`:                             "Jwks does not have [keys] field",
		`{"keys":{}}`:                    "[keys] in Jwks is not an array",
		`{"keys":null}`:                  "[keys] in Jwks is not an array",
		`{"KEYS":[]}`:                    "Jwks does not have [keys] field",
		`{"keys":[]}`:                    "Jwks doesn't have any valid public key",
		`{"keys":[{"kty":"XX"},null,1]}`: "Jwks doesn't have any valid public key",
		`{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`: "Jwks has more than 100 keys",
	} {
		var reported error
		keys := jwt.New(jwt.Config{Report: func(err error) { reported = err }})
		a := keys.Compile(policies(policy(&security.JWTRule{Issuer: i.name, Jwks: set})), workload, "")
		refused(t, a, bearer(i.token(t, nil)), words)
		if want := "RequestAuthentication default/policy jwtRules[0]: jwks: " + words; reported == nil || reported.Error() != want {
			t.Errorf("reported %v, want %s", reported, want)
		}
		keys.Close()
	}
}
