package rules

import (
	"fmt"
	"slices"
)

// What the DestinationRules of one namespace for one host, to the same others, make
// together: the first policy counts as a whole, of subsets with one name the first.
type merged struct {
	policy  *DestinationRule
	subsets map[string]*DestinationRule
}

// warnPolicies names what is lost when DestinationRules are merged.
func warnPolicies(rules []*DestinationRule) (faults Faults) {
	hosts := map[string]*merged{}
	for _, dr := range rules {
		key := fmt.Sprint(dr.Namespace, "/", resolve(dr.Spec.Host, dr.Namespace), dr.Spec.GetWorkloadSelector().GetMatchLabels(), audience(dr))
		if hosts[key] == nil {
			hosts[key] = &merged{subsets: map[string]*DestinationRule{}}
		}
		faults = append(faults, hosts[key].add(dr)...)
	}
	return append(faults, warnOutdone(rules)...)
}

// warnOutdone names rules that come after one that all who see them see too, and more:
// those two are not merged, and the first that a client sees counts alone. In the
// root namespace its own private rules come first, whenever they came.
func warnOutdone(rules []*DestinationRule) (faults Faults) {
	first := map[string][]*DestinationRule{}
	for _, dr := range rules {
		if dr.Spec.WorkloadSelector != nil || dr.Namespace == rootNamespace {
			continue
		}
		key := dr.Namespace + "/" + resolve(dr.Spec.Host, dr.Namespace)
		if i := slices.IndexFunc(first[key], func(earlier *DestinationRule) bool { return outdoes(earlier, dr) }); i >= 0 {
			by := first[key][i]
			faults = append(faults, warning(dr, "spec.exportTo",
				"the whole rule has no effect: all who see it see DestinationRule %s/%s, which comes first; only rules with one exportTo are merged", by.Namespace, by.Name))
		}
		first[key] = append(first[key], dr)
	}
	return faults
}

// outdoes says that others too see what all who see later see.
func outdoes(earlier, later *DestinationRule) bool {
	wide, narrow := audience(earlier), audience(later)
	if slices.Equal(wide, narrow) {
		return false
	}
	return slices.Contains(wide, "*") || !slices.ContainsFunc(narrow, func(to string) bool { return !slices.Contains(wide, to) })
}

// audience are the namespaces that see a rule, in one spelling; "*" is all. Only its
// own sees one that selects callers.
func audience(dr *DestinationRule) []string {
	if dr.Spec.WorkloadSelector != nil {
		return []string{dr.Namespace}
	}
	return exports(dr.Namespace, dr.Spec.ExportTo)
}

// exports are the namespaces that see an object, in one spelling; "*" is all.
func exports(namespace string, to []string) []string {
	if len(to) == 0 {
		return []string{"*"}
	}
	to = slices.Clone(to)
	for i, name := range to {
		if name == "." {
			to[i] = namespace
		}
	}
	slices.Sort(to)
	return to
}

func (m *merged) add(dr *DestinationRule) (faults Faults) {
	if first := m.policy; first != nil && dr.Spec.TrafficPolicy != nil {
		faults = append(faults, warning(dr, "spec.trafficPolicy",
			"has no effect: DestinationRule %s/%s, which comes first, has one for this host", first.Namespace, first.Name))
	} else if dr.Spec.TrafficPolicy != nil {
		m.policy = dr
	}
	for i, subset := range dr.Spec.Subsets {
		if first := m.subsets[subset.Name]; first != nil && first != dr {
			faults = append(faults, warning(dr, nth("spec.subsets", i),
				"%q has no effect: DestinationRule %s/%s, which comes first, has a subset of this name", subset.Name, first.Namespace, first.Name))
		} else {
			m.subsets[subset.Name] = dr
		}
	}
	return faults
}
