package rules

import (
	"net/url"
	"regexp"
	"strconv"

	security "istio.io/api/security/v1beta1"
)

// Istio's limits on the size of a RequestAuthentication.
const (
	maxTokenRules  = 4096
	maxKeyURI      = 2048
	maxSpaceClaims = 64
)

// validateRequestAuthentication reports what is wrong with a RequestAuthentication.
func validateRequestAuthentication(c *checker, p *security.RequestAuthentication) {
	checkFields(c, p)
	validateTargets(c, p)
	validateCount(c, "spec.jwtRules", len(p.JwtRules), maxTokenRules)
	for i, r := range p.JwtRules {
		validateTokenRule(c, nth("spec.jwtRules", i), r)
	}
}

// noPlace: "If no explicit location is specified the following default locations
// are tried in order" (Istio, request_authentication.proto).
const noPlace = "the usual places, unless another is named"

func validateTokenRule(c *checker, path string, r *security.JWTRule) {
	validateIssuer(c, path, r)
	validateKeys(c, path, r)
	warnOpen(c, path, "fromHeaders", len(r.FromHeaders), noPlace)
	for _, list := range []struct {
		field  string
		values []string
		empty  string // what it means without any
	}{
		{"audiences", r.Audiences, "any audience"}, {"fromParams", r.FromParams, noPlace},
		{"fromCookies", r.FromCookies, noPlace}, {"spaceDelimitedClaims", r.SpaceDelimitedClaims, "scope and permission"},
	} {
		warnOpen(c, path, list.field, len(list.values), list.empty)
		validateValues(c, path+"."+list.field, list.values, nil)
	}
	validateCount(c, path+".spaceDelimitedClaims", len(r.SpaceDelimitedClaims), maxSpaceClaims)
	for i, h := range r.FromHeaders {
		if h.Name == "" {
			c.invalid(item(path, "fromHeaders", i)+".name", "missing: want the name of a header")
		}
	}
	for i, out := range r.OutputClaimToHeaders {
		validateClaimHeader(c, item(path, "outputClaimToHeaders", i), out)
	}
}

func validateIssuer(c *checker, path string, r *security.JWTRule) {
	if r.Issuer != "" {
		return
	}
	if c.written(path + ".issuer") {
		c.invalid(path+".issuer", "empty: want an issuer, or leave it out beside jwksUri")
	} else if r.JwksUri == "" {
		c.invalid(path+".issuer", "missing: want an issuer or jwksUri")
	}
}

// validateKeys checks where the keys come from. No message quotes the keys.
func validateKeys(c *checker, path string, r *security.JWTRule) {
	uri, inline := path+".jwksUri", path+".jwks"
	if c.written(uri) && c.written(inline) {
		c.invalid(inline, "stands beside jwksUri: want one or the other")
	}
	validateSize(c, uri, r.JwksUri, maxKeyURI)
	switch {
	case r.JwksUri == "" && c.written(uri):
		c.invalid(uri, "empty: want an http or https URL")
	case r.JwksUri != "":
		validateKeyURI(c, uri, r.JwksUri)
	}
	switch {
	case r.Jwks != "":
		validateKeySet(c, inline, r.Jwks)
	case c.written(inline):
		c.warn(inline, "empty: the keys are fetched, as if it were left out")
	}
}

func validateKeyURI(c *checker, path, uri string) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		c.invalid(path, "%q: want an http or https URL", brief(uri))
		return
	}
	if _, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && err != nil {
		c.invalid(path, "%q: port %s, want 1 to 65535", brief(uri), brief(u.Port()))
	}
	if u.Hostname() == "" {
		c.refuse(path, "%q: names no host", brief(uri))
	}
}

var headerName = regexp.MustCompile(`^[-_A-Za-z0-9]+$`)

func validateClaimHeader(c *checker, path string, out *security.ClaimToHeader) {
	if out.Claim == "" {
		c.invalid(path+".claim", "missing: want the name of a claim")
	}
	if !headerName.MatchString(out.Header) {
		c.invalid(path+".header", "%q: want a name of letters, digits, - and _", brief(out.Header))
	}
}
