package guard

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/inmesh-go/inmesh/mesh/internal/jwt"
)

// headers lets headers be looked for in either spelling.
type headers struct{ v *Visit }

// Values implements jwt.Values.
func (h headers) Values(name string) []string {
	if !h.v.LowerKeys {
		return h.v.Header[name]
	}
	var room [64]byte
	return h.v.Header[string(appendLower(room[:0], name))]
}

func appendLower(to []byte, name string) []byte {
	for i := range len(name) {
		to = append(to, lower(name[i]))
	}
	return to
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// rewrite makes the request what a verified token makes of it. It comes before the
// policies: they must not see what the caller wrote where rules tell claims.
func (v *Visit) rewrite(t jwt.Result) {
	v.Auth, v.RawQuery = t.Auth, t.Query(v.RawQuery)
	if t.Auth != nil {
		v.Claims = t.Auth.Claims
	}
	if len(t.Add) == 0 && !v.bears(t.Remove) {
		return
	}
	changed := make(map[string][]string, len(v.Header)+len(t.Add))
	for name, values := range v.Header {
		if !isOneOf(t.Remove, name) {
			changed[name] = values
		}
	}
	for _, f := range t.Add {
		name := v.spell(f.Name)
		changed[name] = append(slices.Clip(changed[name]), f.Value)
	}
	unlist(changed, t.Add)
	v.Header = changed
}

// unlist has the caller's Connection not name what is told: a handler that is a
// proxy, httputil.ReverseProxy, would leave it out, and whoever is behind it take the
// caller for nobody in particular. Envoy takes out Connection as a whole.
func unlist(header map[string][]string, told []jwt.Field) {
	lines := header["Connection"]
	if len(told) == 0 || len(lines) == 0 {
		return
	}
	isTold := func(option string) bool {
		return slices.ContainsFunc(told, func(f jwt.Field) bool { return same(strings.TrimSpace(option), f.Name) })
	}
	kept := make([]string, 0, len(lines))
	for _, line := range lines {
		if options := slices.DeleteFunc(strings.Split(line, ","), isTold); len(options) > 0 {
			kept = append(kept, strings.Join(options, ","))
		}
	}
	if header["Connection"] = kept; len(kept) == 0 {
		delete(header, "Connection")
	}
}

func (v *Visit) bears(names []string) bool {
	if len(names) == 0 {
		return false
	}
	for name := range v.Header {
		if isOneOf(names, name) {
			return true
		}
	}
	return false
}

func (v *Visit) spell(name string) string {
	if v.LowerKeys {
		return strings.ToLower(name)
	}
	return textproto.CanonicalMIMEHeaderKey(name)
}

func isOneOf(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return same(n, name) })
}

// same takes an underscore for a hyphen: handlers that speak CGI, WSGI or the
// like see no difference, and so must not be shown what the other one hides.
func same(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	if c == '_' {
		return '-'
	}
	return lower(c)
}
