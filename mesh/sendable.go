package mesh

import (
	"net/http"
	"slices"
	"strings"
)

// sendable reports whether a transport can write a request at all. Where a name
// or a value is not what RFC 9110 §5.1 and §5.5 allow, net/http refuses it before
// it uses a connection, in words alone; so a try that failed is asked about here,
// lest its host be blamed for what a caller passed on from somebody else.
func sendable(method string, h http.Header) bool {
	if h == nil || method != "" && !token(method) {
		return false
	}
	for name, values := range h {
		if !token(name) || slices.ContainsFunc(values, unwritable) {
			return false
		}
	}
	return true
}

// token is RFC 9110 §5.6.2.
func token(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}

func unwritable(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
}
