package h1

import (
	"net/http"
	"net/http/httptrace"
	"strings"
)

// maxBody is how much of a body is written before an answer is looked for. So
// much has room in the buffers of both sides, and a server that does not read it
// holds nobody up.
const maxBody = 64 << 10

// Takes reports whether a request is one of the plain ones, which the Pool
// carries just as http.Transport does. All others belong to http.Transport: those
// with a body that streams, with trailers, an Expect or an Upgrade, those that
// somebody traces, those to https and those that cannot be written at all.
func (p *Pool) Takes(r *http.Request) bool {
	return plainTarget(r) && plainBody(r) && plainHeader(r.Header) && httptrace.ContextClientTrace(r.Context()) == nil
}

func plainTarget(r *http.Request) bool {
	u := r.URL
	return u != nil && u.Scheme == "http" && u.Opaque == "" && u.Host != "" &&
		plainMethod(r.Method) && all(hostByte, hostOf(r)) && all(printable, u.RawQuery)
}

func plainMethod(method string) bool {
	switch method {
	case "", http.MethodGet, http.MethodPost:
		return true
	case http.MethodConnect:
		return false
	}
	return all(tokenByte, method)
}

// plainBody: none, or a short one that its owner can give again, which is to
// say, has at hand.
func plainBody(r *http.Request) bool {
	if len(r.Trailer) > 0 || len(r.TransferEncoding) > 0 {
		return false
	}
	if bodiless(r) {
		return r.ContentLength == 0
	}
	return r.GetBody != nil && 0 < r.ContentLength && r.ContentLength <= maxBody
}

func bodiless(r *http.Request) bool { return r.Body == nil || r.Body == http.NoBody }

func plainHeader(h http.Header) bool {
	for name, values := range h {
		if name == "" || !all(tokenByte, name) || special(name) {
			return false
		}
		for _, v := range values {
			if !all(valueByte, v) {
				return false
			}
		}
	}
	return h != nil
}

// special: in any spelling, for names that are not canonical are sent as they are.
func special(name string) bool {
	switch len(name) {
	case len("Expect"):
		return strings.EqualFold(name, "Expect")
	case len("Upgrade"):
		return strings.EqualFold(name, "Upgrade")
	}
	return false
}

func hostOf(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// A class of bytes is a bit.
type class uint8

const (
	tokenByte class = 1 << iota // RFC 9110 §5.6.2
	valueByte                   // of a header field, RFC 9110 §5.5
	printable                   // no control character
	hostByte                    // of a Host that is sent as it is
)

var classes = classify()

func classify() (of [256]class) {
	for b := range of {
		c := byte(b)
		alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		of[b] |= bit(tokenByte, alphanumeric || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0)
		of[b] |= bit(printable, c >= ' ' && c != 0x7f)
		of[b] |= bit(valueByte, c >= ' ' && c != 0x7f || c == '\t')
		of[b] |= bit(hostByte, alphanumeric || strings.IndexByte(".-_:[]", c) >= 0)
	}
	return of
}

func bit(c class, is bool) class {
	if is {
		return c
	}
	return 0
}

func all(c class, s string) bool {
	for i := range len(s) {
		if classes[s[i]]&c == 0 {
			return false
		}
	}
	return true
}
