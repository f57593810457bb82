package jwt

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	security "istio.io/api/security/v1beta1"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// applies: policies of the workload's namespace and of the root namespace apply
// where their selector is absent or a subset of the workload's labels. Those
// with a targetRef are for gateways and waypoints.
func applies(p *rules.RequestAuthentication, w Workload, root string) bool {
	if p.Namespace != w.Namespace && p.Namespace != root {
		return false
	}
	if p.Spec.GetTargetRef() != nil || len(p.Spec.GetTargetRefs()) > 0 {
		return false
	}
	for name, value := range p.Spec.GetSelector().GetMatchLabels() {
		if label, ok := w.Labels[name]; !ok || label != value {
			return false
		}
	}
	return true
}

// A compilation makes one Authenticator out of policies, taking over from the
// last one what did not change.
type compilation struct {
	old, next inUse
	open      func(sourceID) source
	rules     []*rule
	faults    []error
}

func (k *Keyring) compilationLocked() *compilation {
	c := &compilation{old: k.inUse, open: k.openRemote}
	c.next = inUse{map[sourceID]source{}, map[*security.JWTRule]*rule{}}
	if k.closed {
		c.open = func(sourceID) source { return broken(fetchFailed) }
	}
	return c
}

func (c *compilation) add(p *rules.RequestAuthentication) {
	for i, spec := range p.Spec.GetJwtRules() {
		origin := fmt.Sprintf("%s/%s jwtRules[%d]", p.Namespace, p.Name, i)
		keys := c.source(spec, origin)
		r := c.old.rules[spec]
		if r == nil || r.keys != keys || r.origin != origin {
			r = newRule(spec, origin, keys)
		}
		c.next.rules[spec] = r
		c.rules = append(c.rules, r)
	}
}

// source finds the keys of a rule: those that it has inline, else those at its
// URI, else those that the issuer names by OpenID Connect Discovery.
func (c *compilation) source(spec *security.JWTRule, origin string) source {
	id := identify(spec)
	if s := c.next.sources[id]; s != nil {
		return s
	}
	s := c.old.sources[id]
	if s == nil {
		s = c.newSource(id, origin)
	}
	c.next.sources[id] = s
	return s
}

func (c *compilation) newSource(id sourceID, origin string) source {
	if id.inline == "" {
		return c.open(id)
	}
	keys, s := parseKeySet([]byte(id.inline))
	if s != valid {
		c.faults = append(c.faults, fmt.Errorf("RequestAuthentication %s: jwks: %s", origin, s))
		return broken(s)
	}
	return &inline{keys}
}

func (c *compilation) tell(report func(error)) {
	if err := errors.Join(c.faults...); err != nil {
		report(err)
	}
}

// authenticator puts the rules in Istio's order, by issuer.
func (c *compilation) authenticator(verified *cache) *Authenticator {
	slices.SortStableFunc(c.rules, func(a, b *rule) int { return cmp.Compare(a.issuer, b.issuer) })
	a := &Authenticator{rules: c.rules, verified: verified}
	seen := map[string]bool{}
	for _, r := range c.rules {
		for _, header := range r.written() {
			seen[header] = true
		}
	}
	a.written = slices.Sorted(maps.Keys(seen))
	a.spots = spotsOf(c.rules, a.written)
	return a
}

func spotsOf(rules []*rule, written []string) []*spot {
	var spots []*spot
	known := map[place]bool{}
	for _, r := range rules {
		for _, p := range r.places {
			if !known[p] {
				known[p] = true
				spots = append(spots, newSpot(p, written))
			}
		}
	}
	return spots
}
