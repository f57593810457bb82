package authz

import (
	"net/url"
	"strings"
)

// onPath is a condition on the path.
type onPath struct {
	want []pathMatcher
	wide bool
}

type pathMatcher interface{ matches(path string) bool }

// holds: see [Normalization] for what a path's readings are about.
func (c onPath) holds(r *Request) bool {
	if c.match(r.Path.decoded) == c.wide {
		return c.wide
	}
	for _, other := range r.Path.others {
		if c.match(other) == c.wide {
			return c.wide
		}
	}
	return !c.wide
}

func (c onPath) match(path string) bool {
	for _, w := range c.want {
		if w.matches(path) {
			return true
		}
	}
	return false
}

func compilePaths(l list) condition {
	out := onPath{wide: l.wide}
	for _, v := range l.values {
		out.want = append(out.want, newPathMatcher(v))
	}
	return out
}

// newPathMatcher decodes what is percent-encoded, since paths are matched as
// handlers see them. An escaped slash stays one: it is no slash to everybody.
func newPathMatcher(s string) pathMatcher {
	if strings.Contains(s, one) || strings.Contains(s, anything) {
		return newTemplate(s)
	}
	p := newPattern(s)
	p.text = decode(p.text)
	return p
}

// decode keeps %2F, in upper case, and what is no percent-encoding.
func decode(s string) string {
	parts := strings.Split(s, "%")
	out := parts[0]
	for _, part := range parts[1:] {
		out += decodeOne("%" + part)
	}
	return out
}

func decodeOne(s string) string {
	if len(s) >= 3 && strings.EqualFold(s[:3], "%2F") {
		return "%2F" + s[3:]
	}
	if text, err := url.PathUnescape(s); err == nil {
		return text
	}
	return s
}

// The operators of a template: one segment that is not empty, and anything.
const (
	one      = "{*}"
	anything = "{**}"
)

// A template is a path with operators in the place of segments. As in Envoy's
// uri_template, {**} stands for any text, slashes or nothing, between what stands
// before and after it: /a/{**} matches /a/ and not /a.
type template struct {
	head []string // literals; between two of them is a segment
	rest bool     // whether {**} follows
	tail string   // and what follows that
}

func newTemplate(s string) template {
	head, tail, rest := strings.Cut(s, anything)
	t := template{head: strings.Split(head, one), rest: rest, tail: decode(tail)}
	for i := range t.head {
		t.head[i] = decode(t.head[i])
	}
	return t
}

func (t template) matches(path string) bool {
	for i, literal := range t.head {
		if i > 0 {
			end := segmentEnd(path)
			if end == 0 {
				return false
			}
			path = path[end:]
		}
		var ok bool
		if path, ok = strings.CutPrefix(path, literal); !ok {
			return false
		}
	}
	if t.rest {
		return strings.HasSuffix(path, t.tail)
	}
	return path == ""
}

// segmentEnd returns the length of the segment that path begins with.
func segmentEnd(path string) int {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return i
	}
	return len(path)
}
