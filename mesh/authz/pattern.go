package authz

import "strings"

// A pattern is a string as policies write them: abc, abc*, *abc, or * for
// whatever is there. It is no glob: a star elsewhere is a star.
type pattern struct {
	kind kind
	text string
}

type kind uint8

const (
	exact kind = iota
	prefix
	suffix
	present
)

// newPattern looks at the first star first, as Istio does: *abc* ends in a
// literal star (pilot/pkg/security/authz/matcher/string.go).
func newPattern(s string) pattern {
	if s == "*" {
		return pattern{kind: present}
	}
	if text, ok := strings.CutPrefix(s, "*"); ok {
		return pattern{suffix, text}
	}
	if text, ok := strings.CutSuffix(s, "*"); ok {
		return pattern{prefix, text}
	}
	return pattern{exact, s}
}

func (p pattern) matches(s string) bool {
	switch p.kind {
	case prefix:
		return strings.HasPrefix(s, p.text)
	case suffix:
		return strings.HasSuffix(s, p.text)
	case present:
		return s != ""
	}
	return s == p.text
}

// patterns match what any of them matches.
type patterns []pattern

func newPatterns(values []string) patterns {
	out := make(patterns, 0, len(values))
	for _, v := range values {
		out = append(out, newPattern(v))
	}
	return out
}

func (ps patterns) match(s string) bool {
	for _, p := range ps {
		if p.matches(s) {
			return true
		}
	}
	return false
}

// presence reports whether one of the patterns is the star.
func (ps patterns) presence() bool {
	for _, p := range ps {
		if p.kind == present {
			return true
		}
	}
	return false
}
