package consul

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hashicorp/consul/api"

	"github.com/inmesh-go/inmesh/mesh/authz"
	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A permission is what an intention says of requests of one kind.
type permission struct {
	text    string // ", permission 0"
	allow   bool
	path    func(string) bool // nil: any
	methods []string          // nil: any
	headers []headerMatch
}

func compilePermission(p *api.IntentionPermission) (out permission, err error) {
	if p.JWT != nil {
		return out, errJWT
	}
	if out.allow, err = allows(p.Action); err != nil || p.HTTP == nil {
		return out, err
	}
	out.methods = p.HTTP.Methods
	if out.path, err = compilePath(p.HTTP); err != nil {
		return out, err
	}
	for _, h := range p.HTTP.Header {
		match, err := compileHeader(h)
		if err != nil {
			return out, fmt.Errorf("header %s: %w", h.Name, err)
		}
		out.headers = append(out.headers, match)
	}
	return out, nil
}

var errJWT = errors.New("it asks for a token (JWT), which intentions are not looked up for here: use a RequestAuthentication")

func compilePath(p *api.IntentionHTTPPermission) (func(string) bool, error) {
	switch {
	case p.PathExact != "":
		return func(s string) bool { return s == p.PathExact }, nil
	case p.PathPrefix != "":
		return func(s string) bool { return strings.HasPrefix(s, p.PathPrefix) }, nil
	case p.PathRegex != "":
		return whole(p.PathRegex)
	}
	return nil, nil
}

// whole matches as Envoy's safe_regex does: "the entire value must match".
func whole(expr string) (func(string) bool, error) {
	re, err := rules.CompileWhole(expr)
	if err != nil {
		return nil, err
	}
	return re.MatchString, nil
}

// matches says whether the permission is about a request: of one that can be read
// in several ways, a permission that allows is if all of them match, one that
// denies if one does.
func (p *permission) matches(r *authz.Request) bool {
	if p.methods != nil && !slices.Contains(p.methods, r.Method) {
		return false
	}
	if p.path != nil && !p.onPath(r.Path) {
		return false
	}
	for i := range p.headers {
		if h := &p.headers[i]; !p.header(h, h.values(r)) {
			return false
		}
	}
	return true
}

// onPath looks at the path as it is sent, as Consul's proxies do, and as handlers
// may read it.
func (p *permission) onPath(path authz.Path) bool {
	if p.path(path.Escaped()) != p.allow {
		return !p.allow
	}
	for reading := range path.Readings() {
		if p.path(reading) != p.allow {
			return !p.allow
		}
	}
	return p.allow
}

func (p *permission) quantify(values []string, match func(string) bool) bool {
	if p.allow {
		return !slices.ContainsFunc(values, func(v string) bool { return !match(v) })
	}
	return slices.ContainsFunc(values, match)
}

// A headerMatch is a condition on one header.
type headerMatch struct {
	canonical, lower string            // its name
	value            func(string) bool // nil: it is there
	invert           bool
}

func (h *headerMatch) values(r *authz.Request) []string {
	switch {
	case h.lower == "host" && r.Host != "": // servers keep it apart from the others
		return []string{r.Host}
	case r.LowerKeys:
		return r.Header[h.lower]
	}
	return r.Header[h.canonical]
}

// header says whether a condition holds. A header that is not there has no value
// that could differ: as in Envoy, only the inverse of its presence holds.
func (p *permission) header(h *headerMatch, values []string) bool {
	if len(values) == 0 || h.value == nil {
		return h.value == nil && h.invert == (len(values) == 0)
	}
	if len(values) > 1 {
		values = append([]string{strings.Join(values, ",")}, values...)
	}
	return p.quantify(values, func(v string) bool {
		if as := h.value(v) != h.invert; as != p.allow {
			return as
		}
		return h.value(strings.Trim(v, " \t")) != h.invert // handlers may read it so: HTTP/2 forbids the spaces, and net/http lets them in
	})
}

func compileHeader(h api.IntentionHTTPHeaderPermission) (headerMatch, error) {
	out := headerMatch{canonical: http.CanonicalHeaderKey(h.Name), lower: strings.ToLower(h.Name), invert: h.Invert}
	if strings.HasPrefix(h.Name, ":") {
		return out, errors.New("pseudo-headers are not supported")
	}
	if out.lower == "transfer-encoding" || out.lower == "trailer" { // net/http keeps them out of Request.Header
		return out, errors.New("the server shows it to nobody")
	}
	fold := func(s string) string { return s }
	if h.IgnoreCase {
		fold = strings.ToLower
	}
	var err error
	switch {
	case h.Exact != "":
		out.value = func(s string) bool { return fold(s) == fold(h.Exact) }
	case h.Regex != "":
		out.value, err = whole(h.Regex)
	case h.Prefix != "":
		out.value = func(s string) bool { return strings.HasPrefix(fold(s), fold(h.Prefix)) }
	case h.Suffix != "":
		out.value = func(s string) bool { return strings.HasSuffix(fold(s), fold(h.Suffix)) }
	case h.Contains != "":
		out.value = func(s string) bool { return strings.Contains(fold(s), fold(h.Contains)) }
	case !h.Present:
		err = errors.New("it says nothing")
	}
	return out, err
}
