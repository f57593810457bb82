package rules

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateHTTPMatch checks one entry of a route's match.
func validateHTTPMatch(c *checker, path string, m *networking.HTTPMatchRequest) {
	// "uri allows empty prefix match ... whereas scheme/method/authority does not" (Istio).
	validateMatchRegex(c, path+".uri", m.Uri)
	validateStringMatch(c, path+".scheme", m.Scheme)
	validateStringMatch(c, path+".method", m.Method)
	validateStringMatch(c, path+".authority", m.Authority)
	validateHeaderMatches(c, path+".headers", m.Headers)
	validateWithoutHeaders(c, path+".withoutHeaders", m.WithoutHeaders)
	for name, match := range sorted(m.QueryParams) {
		validateStringMatch(c, entry(path+".queryParams", name), match)
	}
	validateSource(c, path, m)
}

func validateHeaderMatches(c *checker, path string, headers map[string]*networking.StringMatch) {
	for name, match := range sorted(headers) {
		at := entry(path, name)
		validateHeaderKey(c, at, name)
		validateStringMatch(c, at, match)
		if name == ":status" {
			c.warn(at, "never matches: a request has no status")
		}
	}
}

func validateWithoutHeaders(c *checker, path string, headers map[string]*networking.StringMatch) {
	for name, match := range sorted(headers) {
		at := entry(path, name)
		validateHeaderKey(c, at, name)
		// "`*` is NOT a RE2 style regex, it will be translated as present_match" (Istio).
		if match.GetRegex() != "*" {
			validateStringMatch(c, at, match)
		}
	}
}

// validateHeaderKey checks the name of a header to match on.
func validateHeaderKey(c *checker, path, name string) {
	switch name {
	case "":
		c.invalid(path, "empty: want the name of a header")
	case ":method", ":scheme", ":authority", ":path", ":status":
	case "uri", "scheme", "method", "authority":
		c.warn(path, "%q matches a header of that name: to match the %s, write match.%[1]s", name, name)
	default:
		if !isToken(name) && !isClaim(name) {
			c.invalid(path, "%q: want the name of a header", name)
		}
	}
}

// isToken reports whether s is a token of RFC 9110, section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(s[i])) {
			return false
		}
	}
	return s != ""
}

// isClaim reports whether a header's name stands for a claim of a JWT:
// @request.auth.claims.a.b or @request.auth.claims[a][b].
func isClaim(name string) bool {
	const prefix = "@request.auth.claims"
	if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return false
	}
	path := name[len(prefix):]
	return len(path) > 1 && path[0] == '.' || len(path) > 2 && path[0] == '[' && strings.HasSuffix(path, "]")
}

// validateSource checks the fields that are about the caller.
func validateSource(c *checker, path string, m *networking.HTTPMatchRequest) {
	validateLabels(c, path+".sourceLabels", m.SourceLabels)
	validateGatewayNames(c, path+".gateways", m.Gateways)
	if m.SourceNamespace != "" && !isLabel(m.SourceNamespace) {
		c.invalid(path+".sourceNamespace", "%q: want the name of a namespace", brief(m.SourceNamespace))
	}
	if len(m.Gateways) == 0 {
		return
	}
	if len(m.SourceLabels) > 0 || m.SourceNamespace != "" {
		c.warn(path+".gateways", "sourceLabels and sourceNamespace have no effect beside gateways, which alone decide")
	}
	if !meshBound(m.Gateways) {
		c.warn(path+".gateways", "never matches in a process: only the gateway mesh does")
	}
}
