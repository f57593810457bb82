package rules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// limitTargets are what a rate limit may be for, by group and kind.
var limitTargets = []string{"policy.linkerd.io/Server", "policy.linkerd.io/HTTPRoute", "gateway.networking.k8s.io/HTTPRoute"}

// validateRateLimit reports what is wrong with an HTTPLocalRateLimitPolicy.
func validateRateLimit(c *checker, r *RateLimit) {
	validateLimitTarget(c, r.TargetRef)
	validateBound(c, "spec.total", r.Total, nil)
	validateBound(c, "spec.identity", r.Identity, r.Total)
	if r.Total == nil && r.Identity == nil && len(r.Overrides) == 0 {
		c.warn("spec", "limits nothing: it has no total, no identity and no overrides")
	}
	last := map[RateLimitClient]string{}
	for i, o := range r.Overrides {
		path := nth("spec.overrides", i)
		validateBound(c, path, &RateLimitBound{o.RequestsPerSecond}, r.Total)
		validateClients(c, path+".clientRefs", o.ClientRefs, last)
	}
}

func validateLimitTarget(c *checker, ref RateLimitTarget) {
	const path = "spec.targetRef"
	if !c.written(path) {
		c.invalid(path, "missing: want group, kind and name")
		return
	}
	if name := ref.Group + "/" + ref.Kind; !slices.Contains(limitTargets, name) {
		c.invalid(path, "%q: want one of %q as group/kind", brief(name), limitTargets)
	}
	if ref.Name == "" {
		c.invalid(path+".name", "missing: want a name")
	}
}

// validateBound: Linkerd rejects 0, and a part that is more than the whole.
func validateBound(c *checker, path string, b, total *RateLimitBound) {
	const field = ".requestsPerSecond"
	switch {
	case b == nil:
	case b.RequestsPerSecond == 0:
		c.invalid(path+field, "0: want 1 or more")
	case total != nil && b.RequestsPerSecond > total.RequestsPerSecond:
		c.invalid(path+field, "%d: want at most spec.total%s, %d", b.RequestsPerSecond, field, total.RequestsPerSecond)
	}
}

// validateClients checks the clients of one override, and notes in last where
// each was named.
func validateClients(c *checker, path string, clients []RateLimitClient, last map[RateLimitClient]string) {
	switch {
	case !c.written(path):
		c.invalid(path, "missing: want a list of clients")
	case len(clients) == 0:
		c.warn(path, "no clients: the override has no effect")
	}
	for i, client := range clients {
		at := nth(path, i)
		validateClient(c, at, client)
		client.Group, client.Namespace = "", cmp.Or(client.Namespace, c.meta.Namespace)
		if earlier, again := last[client]; again {
			c.warn(earlier, "has no effect: %s is for this client too, and the later counts", at)
		}
		last[client] = at
	}
}

func validateClient(c *checker, path string, client RateLimitClient) {
	if group := cmp.Or(client.Group, "core"); group != "core" || client.Kind != "ServiceAccount" {
		c.invalid(path, "%q: want kind ServiceAccount, without a group", brief(client.Group+"/"+client.Kind))
	}
	if client.Name == "" {
		c.invalid(path+".name", "missing: want the name of a service account")
	}
}

// warnLimits names policies for what has one already: Linkerd takes the oldest.
func warnLimits(policies []*RateLimitPolicy) (faults Faults) {
	first := map[string]*RateLimitPolicy{}
	for _, p := range policies {
		ref := p.Spec.TargetRef
		key := fmt.Sprint(p.Namespace, "/", ref.Kind, "/", ref.Name)
		if f := first[key]; f != nil {
			faults = append(faults, warning(p, "spec.targetRef",
				"has no effect: HTTPLocalRateLimitPolicy %s/%s, which comes first, is for the same %s", f.Namespace, f.Name, ref.Kind))
			continue
		}
		first[key] = p
	}
	return faults
}

// warnRoutes names policies for a route that there is not: they limit nothing.
func warnRoutes(policies []*RateLimitPolicy, services []*VirtualService) (faults Faults) {
	var routes map[string]bool
	for _, p := range policies {
		if p.Spec.TargetRef.Kind != "HTTPRoute" {
			continue
		}
		if routes == nil {
			routes = routeNames(services)
		}
		if name := p.Spec.TargetRef.Name; !routes[name] {
			faults = append(faults, warning(p, "spec.targetRef.name", "%q has no effect: no VirtualService of the mesh has a route of this name", brief(name)))
		}
	}
	return faults
}

// routeNames are the names by which routes are known, of all VirtualServices.
// Requests without a rule take the route default.
func routeNames(services []*VirtualService) map[string]bool {
	names := map[string]bool{"default": true}
	delegates := map[string]*VirtualService{}
	for _, vs := range services {
		if len(vs.Spec.Hosts) == 0 {
			delegates[vs.Namespace+"/"+vs.Name] = vs
		}
	}
	for _, vs := range services {
		if len(vs.Spec.Hosts) > 0 && meshBound(vs.Spec.Gateways) {
			addRouteNames(names, vs, delegates)
		}
	}
	return names
}

// addRouteNames: a route is known by its name, joined to that of the route that
// delegates to it; without one, by where it stands.
func addRouteNames(names map[string]bool, vs *VirtualService, delegates map[string]*VirtualService) {
	for i, route := range vs.Spec.Http {
		leaves := []string{""}
		if route.Delegate != nil {
			leaves = nil
			if d := delegates[delegateName(route.Delegate, vs.Namespace)]; d != nil {
				leaves = namesOf(d)
			}
		}
		for _, leaf := range leaves {
			names[cmp.Or(strings.Trim(route.Name+"-"+leaf, "-"), nth("spec.http", i))] = true
		}
	}
}

func namesOf(vs *VirtualService) (names []string) {
	for _, route := range vs.Spec.Http {
		names = append(names, route.Name)
	}
	return names
}
