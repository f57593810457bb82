// Package jwt is Istio's RequestAuthentication: it verifies the JSON Web Tokens
// of requests, and says what to take out of a request and what to put in.
//
//	keys := jwt.New(jwt.Config{})
//	defer keys.Close()
//	authenticator := keys.Compile(set.RequestAuthentications, workload, "istio-system")
//	result, refusal := authenticator.Authenticate(ctx, &jwt.Request{Method: r.Method, Header: r.Header, RawQuery: r.URL.RawQuery})
//
// A request without a token goes on, without an Auth: whether it may is for the
// AuthorizationPolicy to say. A token that is valid for one of the rules makes
// the Auth; a request whose tokens are valid for none is refused in Envoy's words.
//
// Defaults:
//
//  1. A token stands in "Authorization: Bearer ..." or the query's access_token.
//  2. The clocks of issuer and server may be 60 s apart.
//  3. Keys by URI or by OpenID Connect Discovery are fetched from the moment the
//     rule is compiled, every 5 minutes (± 10 %), after a failure in 1 s, doubling
//     to 30 s; one fetch may take 5 s (the rule's timeout), 1 MiB and 3 redirects,
//     none of them from https to http.
//  4. Keys that cannot be fetched again are used for one hour more.
//  5. A token whose key is not known makes one fetch and waits for it, at most
//     every 30 s for each source of keys; requests share the fetch.
//  6. A token has at most 16 KiB, a request 8 tokens, a key set 100 keys. RSA keys
//     have 2048 to 8192 bits, HMAC keys at least the bits of their hash.
//  7. The 1000 tokens used last, of those up to 4 KiB, are verified once only as
//     long as neither their rule nor the keys change; when they expire is asked
//     each time.
//
// A key works with its own algorithm only, or with those of its type; "none" is
// no algorithm, and what a token's header names (jku, x5u, jwk) is never used.
//
// Concurrency: a Keyring is safe for concurrent use; an Authenticator is
// immutable. One goroutine per remote source of keys fetches them, until Compile
// drops the source or Close ends it.
//
// Departures from Envoy: headers that a rule tells claims in are taken out of
// every request, also where another rule was content or a CORS preflight passes;
// all values of a query parameter or cookie count, not the first only; keys with
// another use than sig, tokens with critical extensions, and tokens spelled in
// another way than they were signed are refused; so is a token that would be
// forwarded beside a line of the rule's header that does not begin as the rule
// says, and of a token that is taken out so is the header where a line begins as
// the rule says but for case and spaces; the challenge names no query; numbers are told in headers as they were
// written, whole ones without exponent and fraction.
package jwt
