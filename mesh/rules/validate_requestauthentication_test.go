package rules_test

import (
	"strings"
	"testing"
)

// token is a RequestAuthentication with one rule of these fields.
func token(fields string) string {
	return requestAuthentication("jwtRules: [{" + fields + "}]")
}

func TestRequestAuthentications(t *testing.T) {
	const at = "spec.jwtRules[0]"
	n := func(n int) string { return many(n, func(int) string { return "x" }) }
	verify(t, requestAuthentication, []row{
		{``, ``},
		{`jwtRules: []`, ``},
		{`jwtRules: [null]`, `invalid ` + at + `: null`},
		{`jwtRules: [` + many(4097, func(int) string { return "{issuer: a}" }) + `]`, `invalid spec.jwtRules: 4097 entries: want at most 4096`},
	})
	verify(t, token, []row{
		{`issuer: a`, ``},
		{`issuer: a, audiences: [b], jwksUri: "https://a.com/jwks.json", fromHeaders: [{name: x, prefix: "Bearer "}], fromParams: [p], fromCookies: [c], outputPayloadToHeader: x-payload, forwardOriginalToken: true, outputClaimToHeaders: [{header: x-sub, claim: a.b}], timeout: 5s, spaceDelimitedClaims: [roles]`, ``},
		{`jwksUri: "http://a.com:8080/jwks.json"`, ``},
		{`jwks_uri: "https://a.com"`, ``},
		{``, `invalid ` + at + `.issuer: missing: want an issuer or jwksUri`},
		{`jwks: "{\"keys\": []}"`, `invalid ` + at + `.issuer: missing`},
		{`issuer: "", jwksUri: "https://a.com"`, `invalid ` + at + `.issuer: empty`},
		{`issuer: a, audiences: []`, `warning ` + at + `.audiences: an empty list means any audience`},
		{`issuer: a, fromHeaders: []`, `warning ` + at + `.fromHeaders: an empty list means`},
		{`issuer: a, fromCookies: []`, `warning ` + at + `.fromCookies: an empty list means`},
		{`issuer: a, jwks: ""`, `warning ` + at + `.jwks: empty: the keys are fetched`},
		{`issuer: a, jwksUri: ""`, `invalid ` + at + `.jwksUri: empty`},
		{`issuer: a, jwksUri: a.com/jwks`, `invalid ` + at + `.jwksUri: "a.com/jwks": want an http or https URL`},
		{`issuer: a, jwksUri: "ftp://a.com"`, `invalid ` + at + `.jwksUri: want an http or https URL`},
		{`issuer: a, jwksUri: "https://a.com:99999"`, `invalid ` + at + `.jwksUri: port 99999`},
		{`issuer: a, jwksUri: "https:///jwks"`, `refused ` + at + `.jwksUri: names no host`},
		{`issuer: a, jwksUri: "https://` + strings.Repeat("a", 2048) + `"`, `invalid ` + at + `.jwksUri: 2056 bytes, want at most 2048`},
		{`issuer: a, jwksUri: "https://a.com", jwks: "{\"keys\": []}"`, `invalid ` + at + `.jwks: stands beside jwksUri`},
		{`issuer: a, audiences: [""], fromParams: [""], fromCookies: [""], spaceDelimitedClaims: [""]`, `
			invalid ` + at + `.audiences[0]: empty
			invalid ` + at + `.fromParams[0]: empty
			invalid ` + at + `.fromCookies[0]: empty
			invalid ` + at + `.spaceDelimitedClaims[0]: empty`},
		{`issuer: a, spaceDelimitedClaims: [` + n(65) + `]`, `invalid ` + at + `.spaceDelimitedClaims: 65 entries: want at most 64`},
		{`issuer: a, fromHeaders: [{prefix: x}]`, `invalid ` + at + `.fromHeaders[0].name: missing`},
		{`issuer: a, outputClaimToHeaders: [{}]`, "invalid " + at + ".outputClaimToHeaders[0].claim: missing\ninvalid " + at + `.outputClaimToHeaders[0].header: "": want a name`},
		{`issuer: a, outputClaimToHeaders: [{header: "x sub", claim: sub}]`, `invalid ` + at + `.outputClaimToHeaders[0].header: "x sub": want a name of letters, digits, - and _`},
		{`issuer: a, timeout: 0s`, `invalid ` + at + `.timeout: 0s: want 1ms or more`},
		{`issuer: a, timeout: 1500us`, `invalid ` + at + `.timeout: whole milliseconds`},
		{`issuer: a, jwksURI: x`, `invalid ` + at + `.jwksURI: did you mean "jwksUri"?`},
	})
}

func TestInlineKeys(t *testing.T) {
	const at = "spec.jwtRules[0].jwks"
	verify(t, func(jwks string) string { return token("issuer: a, jwks: '" + jwks + "'") }, []row{
		{`{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "1", "use": "sig"}]}`, ``},
		{`{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}, {"kty": "OKP", "crv": "Ed25519", "x": "AQ"}, {"kty": "oct", "k": "AQ"}]}`, ``},
		{`{"kty": "RSA", "n": "AQ", "e": "AQAB"}`, ``},
		{`{"keys": []}`, ``},
		{`keys`, `invalid ` + at + `: want a JSON Web Key Set`},
		{`[]`, `invalid ` + at + `: want a JSON Web Key Set`},
		{`{"keys": {}}`, `invalid ` + at + `: keys: want a list`},
		{`{"keys": [1]}`, `invalid ` + at + `: keys: want a list of JSON Web Keys, which are objects`},
		{`{"keys": [null]}`, `invalid ` + at + `: key 0: kty`},
		{`null`, `invalid ` + at + `: want a JSON Web Key Set`},
		{`{"Keys": []}`, `invalid ` + at + `: key 0: kty`},
		{`{"kty": "RSA", "N": "AQ", "e": "AQAB"}`, `invalid ` + at + `: key 0: n: want base64url text`},
		{`{"kty": "RSA", "n": 1, "e": "AQAB"}`, `invalid ` + at + `: key 0: n: want base64url text`},
		{`{}`, `invalid ` + at + `: key 0: kty: want RSA, EC, OKP or oct`},
		{`{"keys": [{"kty": "RSA", "n": "AQ"}]}`, `invalid ` + at + `: key 0: e: want base64url text`},
		{`{"keys": [{"kty": "RSA", "n": "A+/=", "e": "AQAB"}]}`, `invalid ` + at + `: key 0: n: want base64url text`},
		{`{"keys": [{"kty": "EC", "x": "AQ", "y": "AQ"}]}`, `invalid ` + at + `: key 0: crv: want the name of a curve`},
		{`{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "c2VjcmV0"}]}`, `warning ` + at + `: key 0 is a private key`},
	})
}

func TestNoFaultQuotesAKey(t *testing.T) {
	for _, jwks := range []string{
		`{"keys": [{"kty": "oct", "k": "secret+"}]}`, `{"keys": [{"kty": "RSA", "n": "AQ", "e": "AQAB", "d": "secret"}]}`, `secret`, `{"keys": "secret"}`,
	} {
		faults := faultsOf(t, token("issuer: a, jwks: '"+jwks+"'"))
		if len(faults) != 1 || strings.Contains(faults[0].String(), "secret") {
			t.Error(faults)
		}
	}
}
