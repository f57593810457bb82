package mesh

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/inmesh-go/inmesh/mesh/internal/flight"
	"github.com/inmesh-go/inmesh/mesh/internal/guard"
	"github.com/inmesh-go/inmesh/mesh/internal/report"
)

// An inbound is a request on its way to the handler. It is the request's context
// too, so that all that is known of a request is one allocation.
type inbound struct {
	context.Context
	visit  guard.Visit
	caller Caller
	path   string // as it was sent, escaped
	start  time.Time
	given  *http.Request         // to the handler; nil: it was refused
	flight flight.Entry[inbound] // its place among those under way

	report  report.Inbound
	counter *counter // nil: nobody is told, or has been
	head    head     // if there is a report
	asked   asked
	answer  answer
}

// Value knows the caller.
func (in *inbound) Value(key any) any {
	if key == (inboundKey{}) {
		return &in.caller
	}
	return in.Context.Value(key)
}

// receive fills in what the guard is to see of a request. What can be read in two
// ways is refused: policies would see one and the handler the other.
func (m *Mesh) receive(in *inbound, r *http.Request) *guard.Refusal {
	v := &in.visit
	v.Method, v.Host, v.Header, v.Now = r.Method, r.Host, r.Header, in.start
	if in.bears(bearsUpgrade) {
		v.Header = withoutH2C(r.Header)
	}
	v.TLS, v.Scheme, v.RawQuery = r.TLS, "http", r.URL.RawQuery
	if r.TLS != nil {
		v.Scheme = "https"
	}
	v.Source = addrPort(r.RemoteAddr).Addr()
	to := localOf(r)
	v.Destination, v.Port = to.Addr(), to.Port()
	in.path = pathSent(r.URL)
	err := ambiguous(r)
	if err == nil && in.bears(bearsHost) {
		err = otherHost(r)
	}
	if err == nil {
		v.Path, err = m.config.PathNormalization.Path(in.path)
	}
	if err != nil {
		return malformed(err)
	}
	return nil
}

func malformed(err error) *guard.Refusal {
	return &guard.Refusal{Status: http.StatusBadRequest, Message: "Bad Request", Details: err.Error()}
}

// withoutH2C takes out an offer to go on in HTTP/2 (RFC 7540 §3.2), as Envoy does: a
// handler that took it would serve requests that the policies never see. "A server
// MAY ignore a received Upgrade header field" (RFC 9110 §7.8).
func withoutH2C(h http.Header) http.Header {
	if !slices.ContainsFunc(h["Upgrade"], offersH2C) {
		return h
	}
	h = maps.Clone(h)
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	return h
}

func offersH2C(protocols string) bool { return strings.Contains(strings.ToLower(protocols), "h2c") }

// ambiguous finds requests whose path or host depends on who reads it.
func ambiguous(r *http.Request) error {
	switch {
	case r.URL.Opaque != "":
		return errors.New("target: it is no path")
	case strings.IndexByte(r.RequestURI, '#') >= 0: // Envoy: CVE-2021-32779
		return errors.New("target: it has a fragment")
	case r.URL.Path == "*" && r.Method != http.MethodOptions:
		return fmt.Errorf("target: * is for OPTIONS, not %.20q", r.Method)
	case !isHost(r.Host):
		return fmt.Errorf("host: %.100q is not a name, or an address, and a port", r.Host)
	case r.URL.Host != "" && !strings.EqualFold(r.URL.Host, r.Host):
		return errors.New("target: it names another host than Host or :authority does")
	}
	return nil
}

// otherHost finds a header Host that is not the one of the request.
func otherHost(r *http.Request) error {
	for _, host := range r.Header["Host"] { // of HTTP/2, beside :authority
		if !strings.EqualFold(host, r.Host) {
			return errors.New("the header Host names another host than :authority does")
		}
	}
	return nil
}

// isHost refuses what some take one part of for the host, and some another.
func isHost(authority string) bool {
	brackets := false
	for i := range len(authority) {
		switch authority[i] {
		case '@', '/', '?', '#', '\\', ' ', '\t':
			return false
		case '[', ']':
			brackets = true
		}
	}
	if brackets {
		return isAddress(authority)
	}
	_, port, _ := strings.Cut(authority, ":")
	return isPort(port)
}

// isPort: "port = *DIGIT" (RFC 3986 §3.2.3). Of public:80.example.com the policies
// would see how it ends, and whoever takes the port off, net.SplitHostPort, another host.
func isPort(s string) bool {
	return strings.IndexFunc(s, func(c rune) bool { return c < '0' || c > '9' }) < 0
}

// isAddress is true of [::1] and [::1]:80. Brackets are for nothing else:
// net.SplitHostPort, and so http.ServeMux, takes [name]:80 for the host name.
func isAddress(authority string) bool {
	address, port, _ := strings.Cut(strings.TrimPrefix(authority, "["), "]")
	ip, err := netip.ParseAddr(address)
	return authority[0] == '[' && err == nil && ip.Is6() && (port == "" || port[0] == ':' && isPort(port[1:]))
}

// pathSent is the escaped path. A backslash that was sent as such is not escaped:
// for Envoy it is a slash, as %5C is not.
func pathSent(u *url.URL) string {
	switch {
	case u.RawPath == "" && plainPath(u.Path):
		return u.Path
	case u.RawPath != "":
		if decoded, err := url.PathUnescape(u.RawPath); err == nil && decoded == u.Path {
			return escapeRest(u.RawPath)
		}
	}
	return u.EscapedPath()
}

// escapeRest escapes what its sender should have. [url.URL.EscapedPath] takes a path
// with a brace in it for one that has nothing escaped, and of %2F makes a slash, which
// it is not to a handler that goes by RawPath.
func escapeRest(path string) string {
	if strings.IndexFunc(path, unescaped) < 0 {
		return path
	}
	var b strings.Builder
	for i := range len(path) {
		if unescaped(rune(path[i])) {
			fmt.Fprintf(&b, "%%%02X", path[i])
		} else {
			b.WriteByte(path[i])
		}
	}
	return b.String()
}

// unescaped are those that stand for themselves in no path (RFC 3986 §3.3).
func unescaped(c rune) bool {
	return c <= ' ' || c >= 0x7f || strings.ContainsRune("\"<>^`{|}", c)
}

// admitted is the request as the handler gets it: as the policies have seen it.
func (in *inbound) admitted(r *http.Request) *http.Request {
	if len(r.TransferEncoding) > 0 && r.Trailer == nil {
		r.Trailer = http.Header{} // net/http adds trailers that nobody has announced to its own request: both have one map
	}
	r = r.WithContext(in)
	r.Header = in.visit.Header
	if r.ContentLength < 0 && in.counter != nil {
		in.asked.body = &countedBody{ReadCloser: r.Body}
		r.Body = in.asked.body
	}
	if in.sameTarget(r) {
		return r
	}
	v, to := &in.visit, *r.URL
	to.Path, to.RawPath, to.RawQuery = v.Path.Decoded(), v.Path.Escaped(), v.RawQuery
	r.URL, r.RequestURI = &to, originForm(&to)
	r.Form = nil // whoever has parsed it has seen another query
	return r
}

// tidy removes the files of a form that was read from the handler's copy of r, as
// net/http does for its own alone.
func (in *inbound) tidy(r *http.Request) {
	if form := in.given.MultipartForm; form != nil && form != r.MultipartForm {
		_ = form.RemoveAll()
	}
}

// sameTarget says that all of URL and RequestURI is what policies have seen. The
// target of a CONNECT may be a host alone.
func (in *inbound) sameTarget(r *http.Request) bool {
	v := &in.visit
	if r.Method == http.MethodConnect && r.URL.Path == "" {
		return true
	}
	return v.Path.Escaped() == in.path && v.Path.Decoded() == r.URL.Path && v.RawQuery == r.URL.RawQuery && isOriginForm(r.RequestURI)
}

// isOriginForm is true of a path, of the star of OPTIONS, and where none is given.
func isOriginForm(target string) bool {
	return target == "" || target[0] == '*' || target[0] == '/' && !strings.HasPrefix(target, "//")
}

// originForm is the target without scheme and host. A path that begins with two
// slashes gets a dot before it, as in https://url.spec.whatwg.org/#url-serializing:
// whoever parses it again would take the first segment for a host.
func originForm(u *url.URL) string {
	target := u.RequestURI()
	if strings.HasPrefix(target, "//") {
		return "/." + target
	}
	return target
}
