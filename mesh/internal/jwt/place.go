package jwt

import (
	"net/http"
	"slices"
	"strings"

	security "istio.io/api/security/v1beta1"
)

type placeKind uint8

const (
	inHeader placeKind = iota
	inQuery
	inCookie
)

// A place is where a token may stand. Rules that name the same place share it.
type place struct {
	kind   placeKind
	name   string // of a header in canonical form
	prefix string // of the header's value
}

// placesOf lists what a rule names, or the two defaults where it names nothing.
func placesOf(rule *security.JWTRule) []place {
	var places []place
	for _, h := range rule.GetFromHeaders() {
		places = append(places, place{inHeader, http.CanonicalHeaderKey(h.GetName()), h.GetPrefix()})
	}
	for _, name := range rule.GetFromParams() {
		places = append(places, place{kind: inQuery, name: name})
	}
	for _, name := range rule.GetFromCookies() {
		places = append(places, place{kind: inCookie, name: name})
	}
	if len(places) == 0 {
		return []place{{inHeader, "Authorization", "Bearer "}, {kind: inQuery, name: "access_token"}}
	}
	return places
}

// tokens appends what stands at the place to found.
func (p place) tokens(req *Request, found []string) []string {
	switch p.kind {
	case inHeader:
		return p.inHeader(req, found)
	case inQuery:
		return p.inQuery(req, found)
	default:
		return p.inCookie(req, found)
	}
}

// lines are those of the header; of another place there are none.
func (p place) lines(req *Request) []string {
	if p.kind != inHeader {
		return nil
	}
	return req.values(p.name)
}

// mayBeRead reports whether a line of the header begins as one with a token does, but
// for its case and its space: the scheme "is case-insensitive" (RFC 9110 §11.1), and
// the handler may mistakenly use what nobody has verified.
func (p place) mayBeRead(req *Request) bool {
	scheme := strings.TrimSpace(p.prefix)
	return scheme != "" && slices.ContainsFunc(p.lines(req), func(line string) bool {
		return len(line) >= len(scheme) && strings.EqualFold(line[:len(scheme)], scheme)
	})
}

func (p place) inHeader(req *Request, found []string) []string {
	for _, value := range p.lines(req) {
		if text, ok := p.afterPrefix(value); ok {
			found = append(found, text)
		}
	}
	return found
}

// afterPrefix finds the token as Envoy does: the prefix may stand anywhere, and
// what no token can begin with is passed over.
// https://github.com/envoyproxy/envoy/blob/main/source/extensions/filters/http/jwt_authn/extractor.cc
func (p place) afterPrefix(value string) (string, bool) {
	if p.prefix == "" {
		return value, true
	}
	_, rest, found := strings.Cut(value, p.prefix)
	if start := strings.IndexFunc(rest, inToken); start >= 0 {
		return rest[start:], found
	}
	return value, found
}

func inToken(c rune) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.'
}

// inQuery takes all values of the parameter (Envoy: the first): the handler may
// read any of them.
func (p place) inQuery(req *Request, found []string) []string {
	for pair := range strings.SplitSeq(req.RawQuery, "&") {
		if name, value, ok := parameter(pair); ok && name == p.name {
			found = append(found, value)
		}
	}
	return found
}

// inCookie takes all cookies of the name, as inQuery does; net/http finds "name
// =value" too.
func (p place) inCookie(req *Request, found []string) []string {
	for _, line := range req.values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.TrimSpace(name) == p.name {
				found = append(found, strings.Trim(value, `"`))
			}
		}
	}
	return found
}
