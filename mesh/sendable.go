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
func sendable(r *http.Request, h http.Header) bool {
	return h != nil && (r.Method == "" || token(r.Method)) && fields(h) && !strings.ContainsFunc(r.URL.RequestURI(), control)
}

// trailing reports whether a transport can write these trailers. They are the body's
// to fill in while it is read, and so are looked at before.
func trailing(h http.Header) bool {
	return len(h) == 0 || fields(h) && !slices.ContainsFunc(notTrailers, func(name string) bool { _, is := h[name]; return is })
}

// notTrailers are fields that say how a message is to be read.
var notTrailers = []string{"Transfer-Encoding", "Trailer", "Content-Length"}

func fields(h http.Header) bool {
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
	return strings.ContainsFunc(value, func(r rune) bool { return control(r) && r != '\t' })
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
