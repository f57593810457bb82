package plan

import (
	"net/textproto"
	"strings"
)

// A Request is what rules can see of one call, HTTP or gRPC. It holds the
// caller's own values and copies nothing.
type Request struct {
	Method    string
	Scheme    string // "http" or "https"
	Authority string // as sent: host, with the port if one is written
	Path      string // escaped, without the query
	RawQuery  string
	Header    map[string][]string
	// LowerKeys says that the call is gRPC's, whose Header (metadata) has lower-case
	// keys rather than canonical ones (http.Header).
	LowerKeys bool
	// Origin knows who this request is made for; nil: nobody does. It is asked only
	// where a rule is about that, for it may have to look far.
	Origin Origin
}

// A Protocol decides which port of a service is meant where none is written.
type Protocol uint8

// The protocols of calls.
const (
	HTTP Protocol = iota
	HTTPS
	GRPC
)

// Protocol is that of the call.
func (r *Request) Protocol() Protocol {
	switch {
	case r.LowerKeys:
		return GRPC
	case r.Scheme == "https":
		return HTTPS
	}
	return HTTP
}

// An Origin is the caller that a request is made for.
type Origin interface {
	// RemoteAddress is its address, the key of useSourceIp; "": it has none.
	RemoteAddress() string
}

// A Remote is an Origin that is known from the start.
type Remote string

// RemoteAddress implements Origin.
func (r Remote) RemoteAddress() string { return string(r) }

func (r *Request) remote() string {
	if r.Origin == nil {
		return ""
	}
	return r.Origin.RemoteAddress()
}

// A headerName is a header in both spellings, so that a look-up folds no case.
type headerName struct {
	canonical, lower string
	pseudo           pseudo
}

func newHeaderName(name string) headerName {
	lower := strings.ToLower(name)
	return headerName{textproto.CanonicalMIMEHeaderKey(name), lower, pseudoHeaders[lower]}
}

func (n *headerName) key(lower bool) string {
	if lower {
		return n.lower
	}
	return n.canonical
}

// A pseudo is a header that stands elsewhere than among the headers: those that
// HTTP/2 calls so, and Host, which is :authority.
type pseudo uint8

const (
	noPseudo pseudo = iota
	pseudoAuthority
	pseudoMethod
	pseudoScheme
	pseudoPath
)

var pseudoHeaders = map[string]pseudo{
	":authority": pseudoAuthority,
	"host":       pseudoAuthority,
	":method":    pseudoMethod,
	":scheme":    pseudoScheme,
	":path":      pseudoPath,
}

// values returns the values of a header that is no pseudo-header.
func (r *Request) values(name *headerName) []string {
	return r.Header[name.key(r.LowerKeys)]
}

// value returns a header as matchers see it: several values joined by a comma.
func (r *Request) value(name *headerName) (string, bool) {
	if name.pseudo != noPseudo {
		return r.pseudo(name.pseudo), true
	}
	v := r.values(name)
	return joined(v), len(v) > 0
}

// joined is one value of several.
func joined(values []string) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return strings.Join(values, ",")
}

func (r *Request) pseudo(p pseudo) string {
	switch p {
	case pseudoMethod:
		return r.Method
	case pseudoScheme:
		return r.Scheme
	case pseudoPath:
		return r.PathAndQuery()
	}
	return r.Authority
}

// PathAndQuery is the :path of HTTP/2.
func (r *Request) PathAndQuery() string {
	if r.RawQuery == "" {
		return r.Path
	}
	return r.Path + "?" + r.RawQuery
}

// query returns the first value of a query parameter as it stands in the URL:
// Envoy does not decode it before matching.
func (r *Request) query(name string) (string, bool) {
	for rest := r.RawQuery; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, "&")
		if key, value, _ := strings.Cut(pair, "="); key == name {
			return value, true
		}
	}
	return "", false
}

// cookie returns the first cookie of that name, of which an empty one is none.
func (r *Request) cookie(name string) (string, bool) {
	for _, line := range r.values(&cookieHeader) {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && key == name {
				value = strings.Trim(value, `"`)
				return value, value != ""
			}
		}
	}
	return "", false
}

var cookieHeader = newHeaderName("Cookie")

// NormalizePath resolves dot segments (RFC 3986 §5.2.4), as Istio's default path
// normalization BASE does; it merges no slashes and decodes nothing. It copies
// only if there is something to resolve.
func NormalizePath(path string) string {
	if path == "" {
		return "/"
	}
	if path[0] != '/' || !strings.Contains(path, "/.") { // "*" is a path too
		return path
	}
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "." || s == "..":
			if s == ".." && len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}
