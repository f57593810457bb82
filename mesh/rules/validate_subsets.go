package rules

import (
	"iter"
	"slices"
	"strings"

	networking "istio.io/api/networking/v1alpha3"
)

// warnSubsets names subsets that routes use and no DestinationRule defines.
func warnSubsets(s *Set) (faults Faults) {
	rules := indexSubsets(s.DestinationRules)
	for _, vs := range s.VirtualServices {
		if meshBound(vs.Spec.Gateways) {
			faults = append(faults, warnSubsetsOf(vs, rules)...)
		}
	}
	return faults
}

// warnSubsetsOf looks at one VirtualService. There may be ten thousand, so that
// paths and messages are made only where there is something to tell.
func warnSubsetsOf(vs *VirtualService, rules subsetIndex) (faults Faults) {
	var implied []target
	host, resolved := "", ""
	for t := range targets(vs.Spec) {
		if t.Host != host {
			host, resolved = t.Host, resolve(t.Host, vs.Namespace)
		}
		t.resolved = resolved
		defining := rules.of(t.resolved)
		if len(defining) == 0 {
			implied = append(implied, t)
			continue
		}
		if !slices.ContainsFunc(defining, func(dr *DestinationRule) bool { return definesSubset(dr, t.Subset) }) {
			faults = append(faults, warning(vs, t.path()+".subset",
				"no DestinationRule of %s defines subset %q: its share of requests fails with 503 (NC)", t.resolved, t.Subset))
		}
	}
	return append(faults, warnImpliedByHost(vs, implied)...)
}

func warnImpliedByHost(vs *VirtualService, implied []target) (faults Faults) {
	slices.SortStableFunc(implied, func(a, b target) int { return strings.Compare(a.resolved, b.resolved) })
	for len(implied) > 0 {
		n := 1
		for n < len(implied) && implied[n].resolved == implied[0].resolved {
			n++
		}
		faults = append(faults, warnImplied(vs, implied[:n]))
		implied = implied[n:]
	}
	return faults
}

// warnImplied tells of the departure from Istio, where such requests fail. The
// targets are of one host.
func warnImplied(vs *VirtualService, targets []target) Fault {
	var told []string
	var meanings strings.Builder
	for _, t := range targets {
		if slices.Contains(told, t.Subset) {
			continue
		}
		if len(told) > 0 {
			meanings.WriteString(", ")
		}
		told = append(told, t.Subset)
		meanings.WriteString("subset " + t.Subset + " means label version: " + t.Subset)
	}
	return warning(vs, targets[0].path()+".subset",
		"no DestinationRule of %s defines any subset, so %s (Istio: 503)", targets[0].resolved, meanings.String())
}

// A subsetIndex finds the DestinationRules that define subsets of a host, in
// whichever namespace: which of them a client uses depends on its own.
type subsetIndex struct {
	exact map[string][]*DestinationRule
	wild  map[string][]*DestinationRule // by what follows the *
}

func indexSubsets(rules []*DestinationRule) subsetIndex {
	index := subsetIndex{map[string][]*DestinationRule{}, map[string][]*DestinationRule{}}
	for _, dr := range rules {
		if len(dr.Spec.Subsets) == 0 {
			continue
		}
		host := resolve(dr.Spec.Host, dr.Namespace)
		if suffix, wild := strings.CutPrefix(host, "*"); wild {
			index.wild[suffix] = append(index.wild[suffix], dr)
		} else {
			index.exact[host] = append(index.exact[host], dr)
		}
	}
	return index
}

func (index subsetIndex) of(host string) []*DestinationRule {
	defining := index.exact[host]
	if len(index.wild) == 0 {
		return defining
	}
	name := strings.TrimPrefix(host, "*")
	for i := range len(name) + 1 {
		if wild := index.wild[name[i:]]; wild != nil {
			defining = slices.Concat(defining, wild)
		}
	}
	return defining
}

// A target is a destination that names a subset, and where it stands.
type target struct {
	*networking.Destination
	list     string // of routes: spec.http or spec.tcp
	route    int
	field    string // of the route: route, mirror or mirrors
	nth      int    // in the list, unless it is mirror
	resolved string // host
}

func (t target) path() string {
	route := nth(t.list, t.route)
	if t.field == "mirror" {
		return route + ".mirror"
	}
	return item(route, t.field, t.nth) + ".destination"
}

// targets are the destinations of HTTP and TCP routes that name a subset.
func targets(spec *networking.VirtualService) iter.Seq[target] {
	return func(yield func(target) bool) {
		for i, route := range spec.Http {
			for t := range targetsOf(route) {
				t.list, t.route = "spec.http", i
				if t.GetSubset() != "" && !yield(t) {
					return
				}
			}
		}
		for i, route := range spec.Tcp {
			for j, d := range route.Route {
				t := target{Destination: d.Destination, list: "spec.tcp", route: i, field: "route", nth: j}
				if t.GetSubset() != "" && !yield(t) {
					return
				}
			}
		}
	}
}

func targetsOf(route *networking.HTTPRoute) iter.Seq[target] {
	return func(yield func(target) bool) {
		for j, d := range route.Route {
			if !yield(target{Destination: d.Destination, field: "route", nth: j}) {
				return
			}
		}
		if !yield(target{Destination: route.Mirror, field: "mirror"}) {
			return
		}
		for j, m := range route.Mirrors {
			if !yield(target{Destination: m.Destination, field: "mirrors", nth: j}) {
				return
			}
		}
	}
}
