package mesh

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// sendable reports whether a transport can write a request at all. Where a name
// or a value is not what RFC 9110 §5.1 and §5.5 allow, net/http refuses it before
// it uses a connection, in words alone; so a try that failed is asked about here,
// lest its host be blamed for what a caller passed on from somebody else.
func sendable(r *http.Request) bool {
	return r.Header != nil && (r.Method == "" || token(r.Method)) && fields(r.Header) && !unprintable(r.URL)
}

// unprintable reports a control character in what is sent of a URL; in a path they
// are escaped.
func unprintable(u *url.URL) bool {
	return strings.ContainsFunc(u.RawQuery, control) || strings.ContainsFunc(u.Opaque, control)
}

var errUnprintable = errors.New("a control character in Request.URL")

// fitsFrames reports whether HTTP/2 has room for what HTTP/1.1 leaves to the server
// to judge: ":path MUST start with '/'" but for that of OPTIONS (RFC 9113 §8.3.1), and
// net/http, which mends a host there, refuses it here.
func fitsFrames(r *http.Request) bool {
	path := r.URL.RequestURI()
	if r.URL.Opaque != "" {
		path = strings.TrimPrefix(path, r.URL.Scheme+"://"+r.Host)
	}
	return !strings.ContainsFunc(r.Host, unhostly) && (r.Method == http.MethodConnect || path == "*" || strings.HasPrefix(path, "/"))
}

// unhostly is what no host has (RFC 3986 §3.2.2). Others than ASCII are spelt in it.
func unhostly(r rune) bool {
	return r < utf8.RuneSelf && !alphanumerical(r) && !strings.ContainsRune("!$%&'()*+,-.:;=@[]_~", r)
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
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !alphanumerical(r) && !strings.ContainsRune("!#$%&'*+-.^_`|~", r) })
}

func alphanumerical(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func unwritable(value string) bool {
	return strings.ContainsFunc(value, func(r rune) bool { return control(r) && r != '\t' })
}

func control(r rune) bool { return r < ' ' || r == 0x7f }
