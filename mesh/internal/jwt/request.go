package jwt

import (
	"net/http"
	"slices"
	"strings"
)

// Values is a request's headers; http.Header is one.
type Values interface {
	// Values returns all values of the header with this name, which is in canonical form.
	Values(name string) []string
}

// A Request is what authentication sees of one. It is not changed.
type Request struct {
	Method   string
	Header   Values // nil: none
	RawQuery string // without the question mark
	// Scheme, Host and Path (escaped, without the query, in which a token may
	// stand) are named in the challenge of a refusal.
	Scheme, Host, Path string
}

func (r *Request) values(name string) []string {
	if r.Header == nil {
		return nil
	}
	return r.Header.Values(name)
}

// preflight: browsers send no credentials with it, so it could never pass.
// https://fetch.spec.whatwg.org/#cors-protocol-and-credentials
func (r *Request) preflight() bool {
	return r.Method == http.MethodOptions && r.says("Origin") && r.says("Access-Control-Request-Method")
}

func (r *Request) says(name string) bool {
	values := r.values(name)
	return len(values) > 0 && values[0] != ""
}

// maxPath bounds the path in a challenge, in bytes (Envoy: MaximumUriLength).
const maxPath = 256

// uri names the request in a challenge: between quotes, so that whatever could
// end them or the line is left out.
func (r *Request) uri() string {
	path := r.Path[:min(len(r.Path), maxPath)]
	return strings.Map(quotable, r.Scheme+"://"+r.Host+path)
}

func quotable(c rune) rune {
	if c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
		return -1
	}
	return c
}

// A Field is one header.
type Field struct{ Name, Value string }

// A Result is what to do with a request that may go on.
type Result struct {
	// Auth is what the token says; nil where there was none.
	Auth *Auth
	// Remove are the headers to take out, in canonical form: what rules tell
	// claims in, which is nobody else's, and the token, unless it is forwarded.
	Remove []string
	// Add are the headers to add after that. Both are shared: read them only.
	Add []Field

	parameters []string // to leave out of the query
}

// takeOut takes a token out. The lists of a spot are shared, so that the usual
// request, with one token, costs no allocation.
func (r *Result) takeOut(at *spot) {
	r.Remove = joined(r.Remove, at.remove)
	r.parameters = joined(r.parameters, at.parameters)
}

func joined(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	return slices.Concat(a, b)
}

// Query returns the raw query without the token that stood in it, unless that is
// forwarded; else raw as it is.
func (r Result) Query(raw string) string {
	if len(r.parameters) == 0 {
		return raw
	}
	return withoutParameters(raw, r.parameters)
}

// A Refusal is the answer to a request that may not go on.
type Refusal struct {
	Status    int    // 401, or 403 where the token is for another audience
	Message   string // the body: Envoy's words
	Challenge string // the value of WWW-Authenticate
	Rule      string // the rule that decided, as namespace/name jwtRules[0]; "" where none was asked
}

func refuse(req *Request, s status, r *rule) *Refusal {
	f := &Refusal{Status: s.code(), Message: string(s), Challenge: challenge(req)}
	if r != nil {
		f.Rule = r.origin
	}
	return f
}

// challenge is of RFC 6750 §3.
func challenge(req *Request) string {
	return `Bearer realm="` + req.uri() + `", error="invalid_token"`
}
