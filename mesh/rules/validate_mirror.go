package rules

import (
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

func validateMirrors(c *checker, path string, r *networking.HTTPRoute) {
	validateDestination(c, path+".mirror", r.Mirror)
	for i, mirror := range r.Mirrors {
		validateMirror(c, item(path, "mirrors", i), mirror)
	}
	if r.Mirror == nil && r.MirrorPercentage != nil {
		c.warn(path+".mirrorPercentage", "has no effect without mirror; entries of mirrors have a percentage of their own")
	}
}

func validateMirror(c *checker, path string, m *networking.HTTPMirrorPolicy) {
	if m.Destination == nil {
		c.invalid(path+".destination", "missing: want a host")
	}
	validateDestination(c, path+".destination", m.Destination)
}

// corsMethods are the methods that allowMethods may list.
var corsMethods = strings.Fields("GET HEAD POST PUT PATCH DELETE CONNECT OPTIONS TRACE *")

func validateCORS(c *checker, path string, p *networking.CorsPolicy) {
	if p == nil {
		return
	}
	for i, origin := range p.AllowOrigins {
		validateOrigin(c, item(path, "allowOrigins", i), origin)
	}
	for i, method := range p.AllowMethods {
		if !slices.Contains(corsMethods, method) {
			c.invalid(item(path, "allowMethods", i), "%q: want one of %s", method, strings.Join(corsMethods, " "))
		}
	}
	validateCORSHeaders(c, path+".allowHeaders", p.AllowHeaders)
	validateCORSHeaders(c, path+".exposeHeaders", p.ExposeHeaders)
}

func validateOrigin(c *checker, path string, m *networking.StringMatch) {
	if m.GetExact() == "" && m.GetPrefix() == "" && m.GetRegex() == "" {
		c.invalid(path, "empty: want exact, prefix or regex")
		return
	}
	validateMatchRegex(c, path, m)
}

func validateCORSHeaders(c *checker, path string, names []string) {
	for i, name := range names {
		if name != "*" && !isToken(name) {
			c.invalid(nth(path, i), "%q: want the name of a header or *", name)
		}
	}
}
