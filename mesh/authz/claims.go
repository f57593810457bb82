package authz

import (
	"slices"
	"strings"
)

// claim is a condition on a claim of the caller's token. Claims inside claims
// are found by path.
type claim struct {
	path []string
	want patterns
}

func (c claim) holds(r *Request) bool { return matchClaim(find(r.Claims, c.path), c.want) }

// find returns nil where there is no such claim.
func find(claims map[string]any, path []string) any {
	last := len(path) - 1
	for _, name := range path[:last] {
		claims, _ = claims[name].(map[string]any)
	}
	return claims[path[last]]
}

// matchClaim matches a string, or a list that has a string that matches.
func matchClaim(value any, want patterns) bool {
	switch v := value.(type) {
	case string:
		return want.match(v)
	case []string:
		for _, s := range v {
			if want.match(s) {
				return true
			}
		}
	case []any:
		return matchAnyOf(v, want)
	}
	return false
}

func matchAnyOf(list []any, want patterns) bool {
	for _, v := range list {
		if s, ok := v.(string); ok && want.match(s) {
			return true
		}
	}
	return false
}

// compileClaims reads request.auth.claims[a][b].
func compileClaims(l list) condition {
	path, ok := bracketed(l.argument)
	if !ok {
		l.c.refuse(l.key(), "request.auth.claims%s: want request.auth.claims[name] or [name][name]", l.argument)
	}
	return claim{path, newPatterns(l.values)}
}

// bracketed reads [a][b].
func bracketed(s string) (names []string, ok bool) {
	if len(s) < 3 || s[0] != '[' || s[len(s)-1] != ']' {
		return nil, false
	}
	names = strings.Split(s[1:len(s)-1], "][")
	return names, !slices.Contains(names, "")
}

// requestPrincipal is a condition on who a token was issued by, and to.
type requestPrincipal []struct{ issuer, subject pattern }

func (want requestPrincipal) holds(r *Request) bool {
	issuer, _ := r.Claims["iss"].(string)
	subject, _ := r.Claims["sub"].(string)
	for _, w := range want {
		if subject != "" && w.issuer.matches(issuer) && w.subject.matches(subject) {
			return true
		}
	}
	return false
}

func compileRequestPrincipals(l list) condition {
	out := make(requestPrincipal, len(l.values))
	for i, v := range l.values {
		out[i].issuer, out[i].subject = splitPrincipal(v)
	}
	return out
}

// splitPrincipal reads <issuer>/<subject>: at the last slash, "since issuer may
// be an URL" (Istio, pilot/pkg/security/authz/model/generator.go). A star at one
// end stands for that part only; the other is exact. Without a slash, it may be
// anything, and without a star too, nothing matches.
func splitPrincipal(s string) (issuer, subject pattern) {
	star := pattern{kind: present}
	at := strings.LastIndexByte(s, '/')
	first, last := strings.HasPrefix(s, "*"), strings.HasSuffix(s, "*")
	switch {
	case s == "*":
		return star, star
	case at < 0 && first:
		return star, newPattern(s)
	case at < 0 && last:
		return newPattern(s), star
	case at < 0:
		return pattern{exact, s}, pattern{exact, ""}
	case first:
		return newPattern(s[:at]), pattern{exact, s[at+1:]}
	case last && s[at+1:] != "*":
		return pattern{exact, s[:at]}, pattern{prefix, s[at+1 : len(s)-1]}
	case last:
		return pattern{exact, s[:at]}, star
	}
	return pattern{exact, s[:at]}, pattern{exact, s[at+1:]}
}
