package rules

import networking "istio.io/api/networking/v1alpha3"

// validateHTTPRoute checks one entry of spec.http.
func validateHTTPRoute(c *checker, path string, r *networking.HTTPRoute, ofDelegate bool) {
	if r.Delegate != nil && !ofDelegate {
		validateRootRoute(c, path, r)
	} else {
		validateActions(c, path, r, ofDelegate)
	}
	for i, match := range r.Match {
		validateHTTPMatch(c, item(path, "match", i), match)
	}
	validateHeaders(c, path+".headers", r.Headers)
	validateAuthority(c, path, r)
	validateHTTPDestinations(c, path+".route", r.Route)
	validateRedirect(c, path, r)
	validateDirectResponse(c, path+".directResponse", r.DirectResponse)
	validateRewrite(c, path+".rewrite", r.Rewrite)
	validateRetries(c, path+".retries", r)
	validateFault(c, path+".fault", r.Fault)
	validateMirrors(c, path, r)
	validateCORS(c, path+".corsPolicy", r.CorsPolicy)
}

// validateRootRoute checks a route that delegates. A directResponse beside the
// delegate is accepted, and comes before the delegate's own route.
func validateRootRoute(c *checker, path string, r *networking.HTTPRoute) {
	if len(r.Route) > 0 {
		c.invalid(path+".route", "%d destinations beside delegate: want one or the other", len(r.Route))
	}
	if r.Redirect != nil {
		c.invalid(path+".redirect", "stands beside delegate: want one or the other")
	}
	if r.DirectResponse != nil {
		c.warn(path+".directResponse", "it takes the place of the delegate's routes")
	}
}

// validateActions checks that a route does one thing: redirect, answer or
// forward.
func validateActions(c *checker, path string, r *networking.HTTPRoute, ofDelegate bool) {
	if ofDelegate && r.Delegate != nil {
		c.invalid(path+".delegate", "%q: a delegate cannot delegate", r.Delegate.Name)
	}
	switch {
	case r.Redirect != nil:
		validateAlone(c, path, r, "redirect")
		if r.DirectResponse != nil {
			c.invalid(path+".directResponse", "stands beside redirect: want one or the other")
		}
	case r.DirectResponse != nil:
		validateAlone(c, path, r, "directResponse")
	case len(r.Route) == 0:
		c.invalid(path, "no action: want route, redirect, directResponse or delegate")
	}
	if r.Mirror != nil && len(r.Mirrors) > 0 {
		c.invalid(path+".mirrors", "%d entries beside mirror: want one or the other", len(r.Mirrors))
	}
}

// validateAlone checks that a local answer has nothing beside it that needs an
// upstream. What Istio lets stand there has no effect.
func validateAlone(c *checker, path string, r *networking.HTTPRoute, action string) {
	for _, other := range []struct {
		field   string
		written bool
		report  func(path, format string, args ...any)
		message string
	}{
		{"route", len(r.Route) > 0, c.invalid, "stands beside %s: want one or the other"},
		{"fault", r.Fault != nil, c.invalid, "stands beside %s: want one or the other"},
		{"rewrite", r.Rewrite != nil, c.invalid, "stands beside %s: want one or the other"},
		{"mirror", r.Mirror != nil, c.warn, "has no effect beside %s"},
		{"mirrors", len(r.Mirrors) > 0, c.warn, "has no effect beside %s"},
		{"timeout", r.Timeout != nil, c.warn, "has no effect beside %s"},
		{"retries", r.Retries != nil, c.warn, "has no effect beside %s"},
	} {
		if other.written {
			other.report(path+"."+other.field, other.message, action)
		}
	}
}

func validateHTTPDestinations(c *checker, path string, route []*networking.HTTPRouteDestination) {
	validateSplits(c, path, route)
	for i, d := range route {
		validateHeaders(c, nth(path, i)+".headers", d.GetHeaders())
	}
}
