package plan

import (
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A policyIndex finds the DestinationRule that applies to a host. Each rule
// stands in one pool at most.
type policyIndex struct {
	own      *policyPool            // rules of the caller's namespace that it sees
	exported map[string]*policyPool // of all other namespaces and of the root, those that leave their own
	client   string
	hosts    map[string]bool // without wildcard, that a visible rule names
}

// A policyPool is the rules of one namespace, merged by host. There are several
// for a host if they are exported differently; they stand in Istio's order.
type policyPool struct {
	exact map[string][]*destinationRule
	wild  wildcards[[]*destinationRule]
}

// A destinationRule is what rules of one namespace say of one host.
type destinationRule struct {
	meta     *rules.Meta // of the first
	exportTo []string    // sorted; the own namespace by its name, none as "*"
	policy   *networking.TrafficPolicy
	subsets  []*networking.Subset
}

func indexPolicies(all []*rules.DestinationRule, names namer, w Workload, root string) policyIndex {
	ix := policyIndex{own: newPolicyPool(len(all)), exported: map[string]*policyPool{}, client: w.Namespace, hosts: make(map[string]bool, len(all))}
	everyone := []string{"*"}
	for _, dr := range selectorFirst(all) {
		if s := dr.Spec.WorkloadSelector; s != nil {
			// A rule with a selector acts on callers of its own namespace only.
			if dr.Namespace != w.Namespace || !SubsetOf(s.MatchLabels, w.Labels) {
				continue
			}
		}
		host, to := names.canonical(dr.Spec.Host, dr.Namespace), exports(dr, everyone)
		if pool := ix.pool(dr.Namespace, to, root); pool != nil {
			pool.add(host, to, dr)
		}
		_, visible := visibility(to, dr.Namespace, w.Namespace)
		if _, wild := wildcardSuffix(host); visible && !wild {
			ix.hosts[host] = true
		}
	}
	ix.own.wild.sort()
	for _, pool := range ix.exported {
		pool.wild.sort()
	}
	return ix
}

// exports are the namespaces that see a rule, in one spelling.
func exports(dr *rules.DestinationRule, everyone []string) []string {
	if len(dr.Spec.ExportTo) == 0 {
		return everyone
	}
	out := slices.Clone(dr.Spec.ExportTo)
	for i, to := range out {
		if to == "." {
			out[i] = dr.Namespace
		}
	}
	slices.Sort(out)
	return out
}

// pool is where a rule belongs; nil if no search finds it. Of the root's rules a
// caller in the root has only the private ones for its own: the others hold for
// all namespaces, and come after the service's.
func (ix *policyIndex) pool(namespace string, to []string, root string) *policyPool {
	private := len(to) == 1 && to[0] == namespace
	if namespace == ix.client && (private || namespace != root) {
		if _, visible := visibility(to, namespace, ix.client); !visible {
			return nil
		}
		return ix.own
	}
	if private {
		return nil
	}
	pool := ix.exported[namespace]
	if pool == nil {
		pool = newPolicyPool(0)
		ix.exported[namespace] = pool
	}
	return pool
}

// selectorFirst keeps Istio's order, rules with a selector before all others.
func selectorFirst(all []*rules.DestinationRule) []*rules.DestinationRule {
	selects := func(dr *rules.DestinationRule) bool { return dr.Spec.WorkloadSelector != nil }
	if !slices.ContainsFunc(all, selects) {
		return all
	}
	rank := map[bool]int{true: 0, false: 1}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b *rules.DestinationRule) int { return rank[selects(a)] - rank[selects(b)] })
	return out
}

func newPolicyPool(size int) *policyPool {
	return &policyPool{exact: make(map[string][]*destinationRule, size), wild: wildcards[[]*destinationRule]{bySuffix: map[string][]*destinationRule{}}}
}

// add merges a rule into what the namespace says of the host to the same others.
func (pool *policyPool) add(host string, to []string, dr *rules.DestinationRule) {
	in, key := pool.exact, host
	if suffix, wild := wildcardSuffix(host); wild {
		in, key = pool.wild.bySuffix, suffix
	}
	for _, have := range in[key] {
		if slices.Equal(have.exportTo, to) {
			have.merge(dr)
			return
		}
	}
	in[key] = append(in[key], &destinationRule{meta: &dr.Meta, exportTo: to, policy: dr.Spec.TrafficPolicy, subsets: dr.Spec.Subsets})
}

// merge joins the subsets, of which an older name stays; the first policy stands
// whole.
func (d *destinationRule) merge(dr *rules.DestinationRule) {
	if d.policy == nil {
		d.policy = dr.Spec.TrafficPolicy
	}
	for _, s := range dr.Spec.Subsets {
		if d.subset(s.Name) == nil {
			d.subsets = append(slices.Clip(d.subsets), s)
		}
	}
}

// find returns the rules of the most specific host.
func (pool *policyPool) find(host string) []*destinationRule {
	if pool == nil {
		return nil
	}
	if all := pool.exact[host]; all != nil {
		return all
	}
	all, _ := pool.wild.find(host)
	return all
}

// find searches the caller's namespace, then the service's, then the root's.
// The first that has a rule for the host wins whole: a wildcard of the caller's
// beats an exact rule of the service's. Visibility is looked at after the most
// specific host is chosen.
func (ix *policyIndex) find(host, serviceNamespace, root string) *destinationRule {
	for _, pool := range []*policyPool{ix.own, ix.exported[serviceNamespace], ix.exported[root]} {
		for _, dr := range pool.find(host) {
			if slices.Contains(dr.exportTo, "*") || slices.Contains(dr.exportTo, ix.client) {
				return dr
			}
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
