package rules

import (
	"fmt"
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

// A target is a destination that names a subset, and where it stands.
type target struct {
	path string
	*networking.Destination
}

func warnSubsetsOf(vs *VirtualService, rules subsetIndex) (faults Faults) {
	implied := map[string][]target{}
	var hosts []string
	for _, t := range targets(vs.Spec) {
		host := resolve(t.Host, vs.Namespace)
		defining := rules.of(host)
		if len(defining) == 0 {
			if implied[host] == nil {
				hosts = append(hosts, host)
			}
			implied[host] = append(implied[host], t)
			continue
		}
		if !slices.ContainsFunc(defining, func(dr *DestinationRule) bool { return definesSubset(dr, t.Subset) }) {
			faults = append(faults, warning(vs, t.path+".subset",
				"no DestinationRule of %s defines subset %q: its share of requests fails with 503 (NC)", host, t.Subset))
		}
	}
	for _, host := range hosts {
		faults = append(faults, warnImplied(vs, host, implied[host]))
	}
	return faults
}

// warnImplied tells of the departure from Istio, where such requests fail.
func warnImplied(vs *VirtualService, host string, targets []target) Fault {
	var meanings []string
	for _, t := range targets {
		meaning := fmt.Sprintf("subset %s means label version: %[1]s", t.Subset)
		if !slices.Contains(meanings, meaning) {
			meanings = append(meanings, meaning)
		}
	}
	return warning(vs, targets[0].path+".subset",
		"no DestinationRule of %s defines any subset, so %s (Istio: 503)", host, strings.Join(meanings, ", "))
}

// A subsetIndex finds the DestinationRules that define subsets of a host, in
// whichever namespace: which of them a client uses depends on its own.
type subsetIndex map[string][]*DestinationRule

func indexSubsets(rules []*DestinationRule) subsetIndex {
	index := subsetIndex{}
	for _, dr := range rules {
		if len(dr.Spec.Subsets) > 0 {
			host := resolve(dr.Spec.Host, dr.Namespace)
			index[host] = append(index[host], dr)
		}
	}
	return index
}

// of looks up the host, and every wildcard that covers it: *, *m, *om, *.com …
func (index subsetIndex) of(host string) []*DestinationRule {
	defining := index[host]
	name := strings.TrimPrefix(host, "*")
	for i := range len(name) + 1 {
		if wild := "*" + name[i:]; wild != host {
			defining = slices.Concat(defining, index[wild])
		}
	}
	return defining
}

// targets are the destinations of HTTP routes that name a subset.
func targets(spec *networking.VirtualService) (named []target) {
	add := func(path string, d *networking.Destination) {
		if d.GetSubset() != "" {
			named = append(named, target{path, d})
		}
	}
	for i, route := range spec.Http {
		path := nth("spec.http", i)
		for j, d := range route.Route {
			add(item(path, "route", j)+".destination", d.Destination)
		}
		add(path+".mirror", route.Mirror)
		for j, m := range route.Mirrors {
			add(item(path, "mirrors", j)+".destination", m.Destination)
		}
	}
	return named
}
