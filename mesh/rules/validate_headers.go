package rules

import (
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// validateHeaders checks the header operations of a route or a destination.
func validateHeaders(c *checker, path string, h *networking.Headers) {
	request, response := path+".request", path+".response"
	validateOperations(c, request+".set", h.GetRequest().GetSet(), true)
	validateOperations(c, request+".add", h.GetRequest().GetAdd(), true)
	validateRemovals(c, request+".remove", h.GetRequest().GetRemove())
	validateOperations(c, response+".set", h.GetResponse().GetSet(), false)
	validateOperations(c, response+".add", h.GetResponse().GetAdd(), false)
	validateRemovals(c, response+".remove", h.GetResponse().GetRemove())
}

// validateOperations checks headers to be set or added; in a request, host and
// :authority mean a rewrite of the host.
func validateOperations(c *checker, path string, headers map[string]string, authority bool) {
	for name, value := range sorted(headers) {
		at := entry(path, name)
		if !authority || !isAuthority(name) {
			validateOperationName(c, at, name)
		}
		validateHeaderValue(c, at, value)
		if value == "" {
			c.warn(at, "has no effect: an empty value neither sets nor clears a header")
		}
	}
}

func validateRemovals(c *checker, path string, names []string) {
	for i, name := range names {
		validateOperationName(c, nth(path, i), name)
	}
}

// validateOperationName: Istio takes any name; net/http sends none that is not a
// token, and would fail every request of the route.
func validateOperationName(c *checker, path, name string) {
	switch {
	case name == "":
		c.invalid(path, "empty: want the name of a header")
	case strings.HasPrefix(name, ":"):
		c.invalid(path, "%q: a pseudo header cannot be changed here", name)
	case strings.EqualFold(name, "host"):
		c.invalid(path, "%q: the host cannot be changed here", name)
	case !isToken(name):
		c.refuse(path, "%q: not the name of a header: every request would fail", name)
	}
}

func isAuthority(name string) bool {
	return strings.EqualFold(name, ":authority") || strings.EqualFold(name, "host")
}

// validateAuthority checks that a route rewrites the host in one place at most.
func validateAuthority(c *checker, path string, r *networking.HTTPRoute) {
	current := r.GetRewrite().GetAuthority()
	check := func(path string, headers map[string]string) {
		for name, value := range sorted(headers) {
			if !isAuthority(name) {
				continue
			}
			if current != "" {
				c.invalid(entry(path, name), "%q: the host is rewritten to %q already", value, current)
			}
			current = value
		}
	}
	check(path+".headers.request.set", r.GetHeaders().GetRequest().GetSet())
	check(path+".headers.request.add", r.GetHeaders().GetRequest().GetAdd())
}

// validateHeaderValue checks Envoy's substitution syntax, which is live in
// every value: %VAR%, %VAR(args)%, and %% for a percent sign.
func validateHeaderValue(c *checker, path, value string) {
	for i := range len(value) {
		if b := value[i]; b < ' ' && b != '\t' || b == 0x7f {
			c.invalid(path, "%q: control character %#02x, want none but the tab", brief(value), b)
			return
		}
	}
	operators, err := headerOperators(value)
	if err != nil {
		c.invalid(path, "%q: %v; a percent sign is written %%%%", brief(value), err)
	}
	for _, o := range operators {
		if reason := o.refusal(); reason != "" {
			c.refuse(path, "%%%s%%: %s", o.name, reason)
		}
	}
}
