package authz

import "strings"

// header is a condition on a header's value.
type header struct {
	name headerName
	want patterns
	wide bool
}

// holds: Envoy joins several values of a header by commas and matches the whole,
// for which x-role: admin with x-role: x is no admin; a handler that takes the
// first sees one. So where a match leads to a refusal, each value alone counts
// too, and without the spaces around it: HTTP/2 forbids them (RFC 9113 §8.2.1), but
// net/http lets them in. The star is for a header that is there, if only without a
// value.
func (c header) holds(r *Request) bool {
	values := r.values(c.name)
	switch {
	case len(values) == 0:
		return false
	case c.want.presence():
		return true
	}
	return c.want.match(strings.Join(values, ",")) || c.wide && c.matchAny(values)
}

func (c header) matchAny(values []string) bool {
	for _, v := range values {
		if c.want.match(strings.Trim(v, " \t")) {
			return true
		}
	}
	return false
}

// compileHeader reads request.headers[name]. Host is a header of HTTP, :authority
// and :method are headers of HTTP/2.
func compileHeader(l list) condition {
	names, ok := bracketed(l.argument)
	if !ok || len(names) != 1 {
		l.c.refuse(l.key(), "request.headers%s: want request.headers[name]", l.argument)
		return nil
	}
	name := strings.ToLower(names[0])
	switch name {
	case "host", ":authority":
		return compileHosts(l)
	case ":method":
		return text{method, newPatterns(l.values)}
	case "transfer-encoding", "trailer": // net/http keeps them out of Request.Header
		l.c.refuse(l.key(), "request.headers[%s]: the server shows it to nobody", name)
	}
	if strings.HasPrefix(name, ":") {
		l.c.refuse(l.key(), "request.headers[%s]: want :authority, :method, or the paths of an operation", name)
	}
	return header{newHeaderName(name), newPatterns(l.values), l.wide}
}

// host is a condition on the authority that the request is addressed to.
type host struct {
	want patterns // in lower case
	wide bool
}

// holds compares the host as it was sent, port and all, in any case: "The match
// is case-insensitive". Handlers, http.ServeMux among them, leave the port out,
// and some the dots at the end; so where a match leads to a refusal, the host
// without them counts too. And where it leads in, no port that is none: of
// admin:80.example.com handlers see another host than *.example.com does.
func (c host) holds(r *Request) bool {
	if r.Host == "" {
		return false
	}
	as := lower(r.Host)
	bare := withoutPort(as)
	if c.wide {
		return c.want.match(as) || c.want.match(bare) || c.want.match(strings.TrimRight(bare, "."))
	}
	return isPort(as[len(bare):]) && c.want.match(as)
}

// isPort is true of :80, of a colon alone and of nothing.
func isPort(s string) bool { return strings.Trim(strings.TrimPrefix(s, ":"), "0123456789") == "" }

func compileHosts(l list) condition { return host{newLowerPatterns(l.values), l.wide} }

// newLowerPatterns are to match what is in lower case.
func newLowerPatterns(values []string) patterns {
	want := newPatterns(values)
	for i := range want {
		want[i].text = lower(want[i].text)
	}
	return want
}

// withoutPort takes :port off an authority.
func withoutPort(authority string) string {
	i := strings.LastIndexByte(authority, ':')
	if i < 0 || strings.IndexByte(authority[i:], ']') >= 0 {
		return authority
	}
	return authority[:i]
}

// lower folds the case of ASCII, as Envoy does: nothing but ASCII is in a host.
func lower(s string) string {
	if strings.IndexFunc(s, isUpper) < 0 {
		return s
	}
	return strings.Map(toLower, s)
}

func isUpper(r rune) bool { return 'A' <= r && r <= 'Z' }

func toLower(r rune) rune {
	if isUpper(r) {
		return r + 'a' - 'A'
	}
	return r
}
