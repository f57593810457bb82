package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A match is one HTTPMatchRequest: all its conditions must hold.
type match struct {
	name       string // of its requests' route: with that of the match, route.match; "": the route's own
	port       uint16 // the service port that the request must be addressed to; 0 any
	uri        *stringMatch
	conditions []condition
}

// A condition is one field of a match.
type condition interface {
	matcher
	String() string // as the rule has it: method exact "GET"
}

// isFor says that the match is for requests to the port.
func (m *match) isFor(port uint16) bool { return m.port == 0 || m.port == port }

// holds says that all conditions do.
func (m *match) holds(r *Request) bool { return conjunction(m.conditions).holds(r) }

// failing returns the first condition that does not hold, nil if all do.
func (m *match) failing(r *Request) condition {
	for _, c := range m.conditions {
		if !c.holds(r) {
			return c
		}
	}
	return nil
}

// catchAll says that no request can fail the match, as Istio sees it: a path
// prefix "/" or a regex ".*" and no other condition.
func (m *match) catchAll() bool {
	return m.port == 0 && (len(m.conditions) == 0 || len(m.conditions) == 1 && m.uri != nil && m.uri.any())
}

func compileMatch(m *networking.HTTPMatchRequest) match {
	out := match{name: m.GetName(), port: uint16(m.GetPort())}
	if m.GetUri().GetMatchType() != nil { // `uri: {}` is any path
		uri := compileString(m.GetUri(), m.GetIgnoreUriCase())
		out.uri = &uri
		out.conditions = append(out.conditions, &uriCondition{uri})
	}
	for _, pseudo := range []struct {
		name string
		sm   *networking.StringMatch
	}{{":method", m.GetMethod()}, {":scheme", m.GetScheme()}, {":authority", m.GetAuthority()}} {
		if pseudo.sm != nil {
			out.conditions = append(out.conditions, compileHeader(pseudo.name[1:], pseudo.name, pseudo.sm))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetHeaders())) {
		out.conditions = append(out.conditions, compileHeader("headers["+name+"]", name, m.Headers[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetWithoutHeaders())) {
		out.conditions = append(out.conditions, &withoutCondition{name, newHeaderName(name), compileString(m.WithoutHeaders[name], false)})
	}
	for _, name := range slices.Sorted(maps.Keys(m.GetQueryParams())) {
		out.conditions = append(out.conditions, &queryCondition{name, compileString(m.QueryParams[name], false)})
	}
	return out
}

type uriCondition struct{ want stringMatch }

func (c *uriCondition) holds(r *Request) bool { return c.want.matches(r.Path) }
func (c *uriCondition) String() string        { return "uri " + c.want.String() }

type headerCondition struct {
	field string
	name  headerName
	want  stringMatch
}

func (c *headerCondition) holds(r *Request) bool {
	v := r.values(&c.name)
	return len(v) > 0 && c.want.matches(joined(v))
}
func (c *headerCondition) String() string { return c.field + " " + c.want.String() }

// A pseudoCondition is a header condition on what every request has.
type pseudoCondition struct {
	field string
	name  pseudo
	want  stringMatch
}

func (c *pseudoCondition) holds(r *Request) bool { return c.want.matches(r.pseudo(c.name)) }
func (c *pseudoCondition) String() string        { return c.field + " " + c.want.String() }

func compileHeader(field, name string, sm *networking.StringMatch) condition {
	header, want := newHeaderName(name), compileString(sm, false)
	if header.pseudo != noPseudo {
		return &pseudoCondition{field, header.pseudo, want}
	}
	return &headerCondition{field, header, want}
}

// A withoutCondition is a header condition inverted. A missing header counts as
// the empty string before the inversion, except for presence.
type withoutCondition struct {
	field string
	name  headerName
	want  stringMatch
}

func (c *withoutCondition) holds(r *Request) bool {
	value, ok := r.value(&c.name)
	if c.want.kind == present {
		return !ok
	}
	return !c.want.matches(value)
}
func (c *withoutCondition) String() string {
	return "withoutHeaders[" + c.field + "] " + c.want.String()
}

type queryCondition struct {
	name string
	want stringMatch
}

func (c *queryCondition) holds(r *Request) bool {
	value, ok := r.query(c.name)
	return ok && c.want.matches(value)
}
func (c *queryCondition) String() string { return "queryParams[" + c.name + "] " + c.want.String() }

// A stringMatch is Istio's StringMatch.
type stringMatch struct {
	kind  matchKind
	value string
	fold  bool // ASCII case-insensitive, for exact and prefix
	re    *regexp.Regexp
}

type matchKind uint8

const (
	present matchKind = iota
	exact
	prefix
	regex
)

// compileString compiles a validated StringMatch. None set, and the marker
// regex "*", mean presence.
func compileString(m *networking.StringMatch, fold bool) stringMatch {
	switch t := m.GetMatchType().(type) {
	case *networking.StringMatch_Exact:
		return stringMatch{kind: exact, value: t.Exact, fold: fold}
	case *networking.StringMatch_Prefix:
		return stringMatch{kind: prefix, value: t.Prefix, fold: fold}
	case *networking.StringMatch_Regex:
		if t.Regex == "*" {
			return stringMatch{}
		}
		return stringMatch{kind: regex, value: t.Regex, re: compileWhole(t.Regex)}
	}
	return stringMatch{}
}

// compileWhole compiles a validated expression.
func compileWhole(expr string) *regexp.Regexp {
	re, err := rules.CompileWhole(expr)
	if err != nil { // the rule was refused for it
		panic(err)
	}
	return re
}

func (m *stringMatch) matches(s string) bool {
	switch m.kind {
	case exact:
		return s == m.value || m.fold && len(s) == len(m.value) && foldASCII(s, m.value)
	case prefix:
		return strings.HasPrefix(s, m.value) || m.fold && len(s) >= len(m.value) && foldASCII(s[:len(m.value)], m.value)
	case regex:
		return m.re.MatchString(s)
	}
	return true
}

// any says that every path matches.
func (m stringMatch) any() bool {
	return m.kind == present || m.kind == prefix && m.value == "/" || m.kind == regex && m.value == ".*"
}

func (m stringMatch) String() string {
	switch m.kind {
	case exact:
		return fmt.Sprintf("exact %q", m.value)
	case prefix:
		return fmt.Sprintf("prefix %q", m.value)
	case regex:
		return fmt.Sprintf("regex %q", m.value)
	}
	return "present"
}

// foldASCII compares two strings of one length; only the ASCII letters fold.
func foldASCII(a, b string) bool {
	for i := range len(a) {
		if lowerASCII(a[i]) != lowerASCII(b[i]) {
			return false
		}
	}
	return true
}

func lowerASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
