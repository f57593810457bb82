package plan

import (
	"maps"
	"slices"

	networking "istio.io/api/networking/v1alpha3"

	"github.com/inmesh-go/inmesh/mesh/rules"
)

// A policyIndex finds the DestinationRules that apply to a host, by their places
// in the set. Each rule stands in one pool at most.
type policyIndex struct {
	own      *policyPool            // rules of the caller's namespace that it sees
	exported map[string]*policyPool // of all other namespaces and of the root, those that leave their own
	client   string
	hosts    []string // without wildcard, that a visible rule names
}

// A policyPool is the rules of one namespace by host. There are several parties
// for a host if they are exported differently; they stand in Istio's order.
type policyPool struct {
	exact map[string][]party
	wild  wildcards[[]party]
}

// A party is the rules of one namespace for one host that are merged: those to the
// same others, and to them and more.
type party struct {
	exportTo []string          // sorted; the own namespace by its name, none as "*"
	selector map[string]string // of the callers that it is for; nil: all
	rules    []int             // places in the set, in order of precedence
}

// A destinationRule is what the rules of a party say together.
type destinationRule struct {
	meta    *rules.Meta // of the first
	policy  *networking.TrafficPolicy
	subsets []*networking.Subset
}

func indexPolicies(all []*rules.DestinationRule, b *basis) policyIndex {
	w := b.workload
	ix := policyIndex{own: newPolicyPool(len(all)), exported: map[string]*policyPool{}, client: w.Namespace}
	everyone := []string{"*"}
	for _, i := range selectorFirst(all) {
		dr := all[i]
		if s := dr.Spec.WorkloadSelector; s != nil {
			// A rule with a selector acts on callers of its own namespace only.
			if dr.Namespace != w.Namespace || !SubsetOf(s.MatchLabels, w.Labels) {
				continue
			}
		}
		host, to := b.names.canonical(dr.Spec.Host, dr.Namespace), exports(dr, everyone)
		if pool := ix.pool(dr.Namespace, to, b.root); pool != nil {
			pool.add(host, party{to, selectorOf(dr), []int{i}})
		}
		_, visible := visibility(to, dr.Namespace, w.Namespace)
		if _, wild := wildcardSuffix(host); visible && !wild {
			ix.hosts = append(ix.hosts, host)
		}
	}
	ix.own.wild.sort()
	for _, pool := range ix.exported {
		pool.wild.sort()
	}
	return ix
}

// selectorOf is whom a rule is for; nil: all.
func selectorOf(dr *rules.DestinationRule) map[string]string {
	s := dr.Spec.WorkloadSelector
	if s != nil && s.MatchLabels == nil {
		return map[string]string{}
	}
	return s.GetMatchLabels()
}

// exports are the namespaces that see a rule, in one spelling: "destination rules
// with workloadSelector should not be exported to other namespaces" (Istio).
func exports(dr *rules.DestinationRule, everyone []string) []string {
	switch {
	case dr.Spec.WorkloadSelector != nil:
		return []string{dr.Namespace}
	case len(dr.Spec.ExportTo) == 0:
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

// selectorFirst is the places in Istio's order, rules with a selector before all
// others.
func selectorFirst(all []*rules.DestinationRule) []int {
	out, rest := make([]int, 0, len(all)), make([]int, 0, len(all))
	for i, dr := range all {
		if dr.Spec.WorkloadSelector != nil {
			out = append(out, i)
		} else {
			rest = append(rest, i)
		}
	}
	return append(out, rest...)
}

func newPolicyPool(size int) *policyPool {
	return &policyPool{exact: make(map[string][]party, size), wild: wildcards[[]party]{bySuffix: map[string][]party{}}}
}

// add puts a rule with those of the namespace for the host that it is merged with,
// and, unless one of them has the same callers, in a party of its own too.
func (pool *policyPool) add(host string, one party) {
	in, key := pool.exact, host
	if suffix, wild := wildcardSuffix(host); wild {
		in, key = pool.wild.bySuffix, suffix
	}
	own := true
	for i := range in[key] {
		if have := &in[key][i]; have.takes(&one) {
			have.rules = append(have.rules, one.rules...)
			own = own && !have.like(&one)
		}
	}
	if own {
		in[key] = append(in[key], one)
	}
}

// takes says that a later rule is merged with those of the party: all who see the
// party see it, and it is for all callers or for the party's.
func (p *party) takes(later *party) bool {
	for _, to := range p.exportTo {
		if !slices.Contains(later.exportTo, to) {
			return false
		}
	}
	return later.selector == nil || maps.Equal(p.selector, later.selector)
}

// like says that both are for the same callers.
func (p *party) like(o *party) bool {
	return slices.Equal(p.exportTo, o.exportTo) && (p.selector == nil) == (o.selector == nil) && maps.Equal(p.selector, o.selector)
}

// find returns the rules of the most specific host.
func (pool *policyPool) find(host string) []party {
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
func (ix *policyIndex) find(host, serviceNamespace, root string) []int {
	for _, pool := range []*policyPool{ix.own, ix.exported[serviceNamespace], ix.exported[root]} {
		for _, party := range pool.find(host) {
			if slices.Contains(party.exportTo, "*") || slices.Contains(party.exportTo, ix.client) {
				return party.rules
			}
		}
	}
	return nil
}

// policiesOf are the rules for a service.
func (p *Plan) policiesOf(host, namespace string) []*rules.DestinationRule {
	places := p.policies.find(host, namespace, p.root)
	out := make([]*rules.DestinationRule, len(places))
	for i, place := range places {
		out[i] = p.set.DestinationRules[place]
	}
	return out
}

// merged joins the subsets, of which an older name stays; the first policy stands
// whole. It is nil for none.
func merged(all []*rules.DestinationRule) *destinationRule {
	if len(all) == 0 {
		return nil
	}
	d := &destinationRule{meta: &all[0].Meta}
	for _, dr := range all {
		d.policy = first(d.policy, dr.Spec.TrafficPolicy)
		for _, s := range dr.Spec.Subsets {
			if d.subset(s.Name) == nil {
				d.subsets = append(d.subsets, s)
			}
		}
	}
	return d
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
