package plan

import (
	"cmp"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A policyIndex finds the DestinationRule that applies to a host.
type policyIndex struct {
	byNamespace map[string]*policyPool
	client      string
	hosts       map[string]bool // without wildcard, that a visible rule names
}

// A policyPool is the rules of one namespace, merged by host.
type policyPool struct {
	exact map[string]*destinationRule
	wild  wildcards[*destinationRule]
}

// A destinationRule is what the rules of one namespace say of one host.
type destinationRule struct {
	meta     *rules.Meta // of the first
	exportTo []string
	policy   *networking.TrafficPolicy
	subsets  []*networking.Subset
}

func indexPolicies(all []*rules.DestinationRule, names namer, w Workload) policyIndex {
	ix := policyIndex{byNamespace: map[string]*policyPool{}, client: w.Namespace, hosts: map[string]bool{}}
	for _, dr := range selectorFirst(all) {
		if s := dr.Spec.WorkloadSelector; s != nil {
			// A rule with a selector acts on callers of its own namespace only.
			if dr.Namespace != w.Namespace || !SubsetOf(s.MatchLabels, w.Labels) {
				continue
			}
		}
		host := names.canonical(dr.Spec.Host, dr.Namespace)
		ix.pool(dr.Namespace).add(host, dr)
		_, visible := visibility(dr.Spec.ExportTo, dr.Namespace, w.Namespace)
		if _, wild := wildcardSuffix(host); visible && !wild {
			ix.hosts[host] = true
		}
	}
	for _, pool := range ix.byNamespace {
		pool.wild.sort()
	}
	return ix
}

// selectorFirst keeps Istio's order, rules with a selector before all others.
func selectorFirst(all []*rules.DestinationRule) []*rules.DestinationRule {
	out := slices.Clone(all)
	rank := func(dr *rules.DestinationRule) int {
		if dr.Spec.WorkloadSelector != nil {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(out, func(a, b *rules.DestinationRule) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

func (ix *policyIndex) pool(namespace string) *policyPool {
	pool := ix.byNamespace[namespace]
	if pool == nil {
		pool = &policyPool{exact: map[string]*destinationRule{}}
		ix.byNamespace[namespace] = pool
	}
	return pool
}

// add merges a rule into what the namespace says of the host: subsets are
// joined, an older name stays; the first policy stands whole. Rules with
// different visibility do not merge, the first stands.
func (pool *policyPool) add(host string, dr *rules.DestinationRule) {
	have := pool.exact[host]
	suffix, wild := wildcardSuffix(host)
	if wild {
		have = pool.wild.bySuffix[suffix]
	}
	if have == nil {
		have = &destinationRule{meta: &dr.Meta, exportTo: dr.Spec.ExportTo, policy: dr.Spec.TrafficPolicy, subsets: slices.Clone(dr.Spec.Subsets)}
		if wild {
			pool.wild.add(suffix, have)
		} else {
			pool.exact[host] = have
		}
		return
	}
	if !sameStrings(have.exportTo, dr.Spec.ExportTo) {
		return
	}
	if have.policy == nil {
		have.policy = dr.Spec.TrafficPolicy
	}
	for _, s := range dr.Spec.Subsets {
		if have.subset(s.Name) == nil {
			have.subsets = append(have.subsets, s)
		}
	}
}

func sameStrings(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (pool *policyPool) find(host string) *destinationRule {
	if pool == nil {
		return nil
	}
	if dr := pool.exact[host]; dr != nil {
		return dr
	}
	dr, _ := pool.wild.find(host)
	return dr
}

// find searches the caller's namespace, then the service's, then the root's.
// The first that has a rule for the host wins whole: a wildcard of the caller's
// beats an exact rule of the service's. Visibility is looked at after the most
// specific host is chosen.
func (ix *policyIndex) find(host, serviceNamespace, root string) *destinationRule {
	for i, namespace := range []string{ix.client, serviceNamespace, root} {
		dr := ix.byNamespace[namespace].find(host)
		if dr == nil || i > 0 && namespace == ix.client {
			continue
		}
		if _, ok := visibility(dr.exportTo, namespace, ix.client); ok {
			return dr
		}
	}
	return nil
}

func (d *destinationRule) subset(name string) *networking.Subset {
	if d == nil {
		return nil
	}
	for _, s := range d.subsets {
		if s.Name == name {
			return s
		}
	}
	return nil
}
