package plan

import (
	"cmp"
	"regexp"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// A rewrite changes the path that is sent; the zero rewrite changes nothing.
type rewrite struct {
	uri         string
	re          *regexp.Regexp
	replacement string // in Go's notation
}

func compileRewrite(spec *networking.HTTPRewrite) rewrite {
	spelled := spec.GetUriRegexRewrite()
	if spelled == nil {
		return rewrite{uri: spec.GetUri()}
	}
	re := regexp.MustCompile(spelled.Match)
	replacement, highest := goReplacement(spelled.Rewrite)
	if highest > re.NumSubexp() {
		return rewrite{} // RE2 replaces nothing then; rules warn of it
	}
	return rewrite{re: re, replacement: replacement}
}

// goReplacement turns RE2's \0…\9 into Go's ${0}…${9}, and tells the highest.
func goReplacement(re2 string) (replacement string, highest int) {
	var b strings.Builder
	for i := 0; i < len(re2); i++ {
		switch c := re2[i]; {
		case c == '$':
			b.WriteString("$$")
		case c == '\\' && i+1 < len(re2):
			i++
			if d := re2[i]; '0' <= d && d <= '9' {
				b.WriteString("${" + string(d) + "}")
				highest = max(highest, int(d-'0'))
			} else {
				b.WriteByte(d)
			}
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), highest
}

// Rewrites says whether the route sends another path than it was given.
func (r *Route) Rewrites() bool { return r.rewrite.uri != "" || r.rewrite.re != nil }

// Path is the path to send, escaped, for a request that the route matched.
func (r *Route) Path(req *Request, port uint16) string {
	return r.rewrite.path(r.matched(req, port), req.Path)
}

// path: a regex replaces every occurrence, unanchored; a plain rewrite replaces
// the matched prefix as text, or the whole path where the match was exact or a
// regex. Without a match on the path the prefix is "/". Where nothing is left, the root
// is meant: no request has an empty path.
func (w rewrite) path(m *match, path string) string {
	switch {
	case w.re != nil:
		return cmp.Or(w.re.ReplaceAllString(path, w.replacement), "/")
	case w.uri == "":
		return path
	case m == nil || m.uri == nil:
		return w.uri + strings.TrimPrefix(path, "/")
	case m.uri.kind == prefix:
		return w.uri + path[len(m.uri.value):]
	default:
		return w.uri
	}
}
