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
	for _, t := range targets(vs.Spec) {
		host := resolve(t.Host, vs.Namespace)
		defining := rules.of(host)
		if len(defining) == 0 {
			implied[host] = append(implied[host], t)
			continue
		}
		if !slices.ContainsFunc(defining, func(dr *DestinationRule) bool { return definesSubset(dr, t.Subset) }) {
			faults = append(faults, warning(vs, t.path+".subset",
				"no DestinationRule of %s defines subset %q: its share of requests fails with 503 (NC)", host, t.Subset))
		}
	}
	for host, targets := range sorted(implied) {
		faults = append(faults, warnImplied(vs, host, targets))
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
